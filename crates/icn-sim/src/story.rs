//! What happened, line by line, for whoever has to understand a failure.

use icn_mesh::{ExecutorEvent, OriginatorEvent};

/// How many lines are kept. Full: the oldest are dropped.
const LINES_MAX: usize = 20_000;

/// The lines of a run; nothing is formatted unless somebody listens.
#[derive(Debug, Default)]
pub(crate) struct Story {
    listening: bool,
    lines: std::collections::VecDeque<String>,
}

impl Story {
    pub(crate) fn new(listening: bool) -> Self {
        Self { listening, ..Self::default() }
    }

    pub(crate) fn tell(&mut self, at_ms: u64, line: impl FnOnce() -> String) {
        if !self.listening {
            return;
        }
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>9}.{:03} {}", at_ms / 1_000, at_ms % 1_000, line()));
    }

    pub(crate) const fn is_listening(&self) -> bool {
        self.listening
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what has no words of its own is shown as it is")]
pub(crate) fn originator_line(at: usize, event: &OriginatorEvent) -> String {
    let text = match event {
        OriginatorEvent::Bid { bid, .. } => format!("bid by {}", bid.executor_did.short()),
        OriginatorEvent::Status { update, .. } => format!(
            "status {} of {} epoch {} by {}",
            update.sequence,
            update.announcement_id.short(),
            update.lease_epoch,
            update.executor_did.short()
        ),
        OriginatorEvent::Capability(capability) => format!("capability of {}", capability.node_did.short()),
        OriginatorEvent::ReceiptAvailable { ticket, available } => format!(
            "receipt {} of {} by {}, ticket {ticket:?}",
            available.receipt_cid.short(),
            available.announcement_id.short(),
            available.executor_did.short()
        ),
        OriginatorEvent::ReceiptFetched { job, cid, .. } => {
            format!("fetched {} of {}", cid.short(), job.short())
        }
        other => format!("{other:?}"),
    };
    format!("n{at} originator: {text}")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what has no words of its own is shown as it is")]
pub(crate) fn executor_line(at: usize, event: &ExecutorEvent) -> String {
    let text = match event {
        ExecutorEvent::Announced { announcement, .. } => {
            format!("announced {}", announcement.announcement_id.short())
        }
        ExecutorEvent::Assigned { assignment, .. } => {
            format!("assigned {} epoch {}", assignment.announcement_id.short(), assignment.lease_epoch)
        }
        ExecutorEvent::Ended { job, epoch, report } => {
            format!("ended {} epoch {epoch}: {}", job.short(), report.end.as_str())
        }
        ExecutorEvent::Said { job, .. } => format!("said of {}", job.short()),
        other => format!("{other:?}"),
    };
    format!("n{at} executor: {text}")
}
