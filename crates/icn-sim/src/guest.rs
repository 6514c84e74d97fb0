//! Virtual executions: they take time, say something, and end.

use icn_mesh::{ExecutionRecord, ExecutionReport, ExecutorEvent};
use icn_protocol::{GuestError, OutputCid, RuntimeInfo};
use icn_types::{Cid, End, Mode};

use crate::world::{Happening, World};

/// How long it takes to stop a guest, in milliseconds: at least, and at most. Less than the grace of a lease.
const STOPPING_MS: (u64, u64) = (1, 300);

/// One execution at an executor.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) job: Cid,
    pub(crate) epoch: u64,
    pub(crate) stage: Stage,
    started_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for a place.
    Waiting,
    /// It runs.
    Running,
    /// It was told to stop.
    Stopping,
}

/// A moment in the life of a guest.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// Its module and inputs are there.
    Started,
    /// It says its next line.
    Says,
    /// It comes to its own end.
    Ends,
    /// It has been stopped.
    Stopped,
}

impl World {
    /// Starts an execution as soon as a place is free.
    pub(crate) fn start_guest(&mut self, at: usize, record: &ExecutionRecord) {
        let id = self.number();
        let guest =
            Guest { job: record.job, epoch: record.epoch, stage: Stage::Waiting, started_ms: self.now_ms };
        let Some(node) = self.nodes.get_mut(at) else { return };
        node.guests.insert(id, guest);
        self.fill_places(at);
    }

    fn fill_places(&mut self, at: usize) {
        loop {
            let Some(node) = self.nodes.get_mut(at) else { return };
            let places = node.config.executor.as_ref().map_or(0, |executor| executor.running_max);
            let running = node.guests.values().filter(|guest| guest.stage != Stage::Waiting).count();
            let next = node.guests.iter_mut().find(|(_, guest)| guest.stage == Stage::Waiting);
            let Some((id, guest)) = next.filter(|_| running < places) else { return };
            guest.stage = Stage::Running;
            guest.started_ms = self.now_ms;
            let (id, job, boot) = (*id, guest.job, node.boot);
            let (runs, lines) =
                self.plans.get(&job).map_or((1, 0), |plan| (plan.job.runs_ms, plan.job.lines));
            let fetch = self.random.within((1, 40));
            let mut moments = vec![(fetch, Moment::Started), (fetch + runs, Moment::Ends)];
            moments.extend((1..=lines).map(|line| (fetch + runs * line / (lines + 1), Moment::Says)));
            for (after, moment) in moments {
                self.after(after, Happening::Guest { node: at, boot, guest: id, moment });
            }
        }
    }

    /// Stops an execution; it takes a moment.
    pub(crate) fn stop_guest(&mut self, at: usize, job: &Cid, epoch: u64) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let boot = node.boot;
        let found = node.guests.iter_mut().find(|(_, guest)| guest.job == *job && guest.epoch == epoch);
        if let Some((id, guest)) = found {
            guest.stage = Stage::Stopping;
            let id = *id;
            let after = self.random.within(STOPPING_MS);
            self.after(after, Happening::Guest { node: at, boot, guest: id, moment: Moment::Stopped });
        }
    }

    pub(crate) fn guest_moment(&mut self, at: usize, id: u64, moment: Moment) {
        let Some(guest) = self.nodes.get(at).and_then(|node| node.guests.get(&id)) else { return };
        let (job, epoch) = (guest.job, guest.epoch);
        let plan = self.plans.get(&job).map(|plan| plan.job.clone()).unwrap_or_default();
        match moment {
            Moment::Started => self.execute(at, ExecutorEvent::Started { job, epoch }),
            Moment::Says => {
                let line = format!("log {}", "x".repeat(plan.line_bytes));
                self.execute(at, ExecutorEvent::Said { job, epoch, line });
            }
            Moment::Ends | Moment::Stopped => {
                let (end, exit_code) = match moment {
                    Moment::Stopped => (End::Cancelled, None),
                    Moment::Started | Moment::Says | Moment::Ends => plan.end.end(),
                };
                let report = self.report(at, id, &job, end, exit_code);
                if let Some(node) = self.nodes.get_mut(at) {
                    node.guests.remove(&id);
                }
                self.execute(at, ExecutorEvent::Ended { job, epoch, report: Box::new(report) });
                self.fill_places(at);
            }
        }
    }

    fn report(&self, at: usize, id: u64, job: &Cid, end: End, exit_code: Option<i32>) -> ExecutionReport {
        let node = self.nodes.get(at);
        let started =
            node.and_then(|node| node.guests.get(&id)).map_or(self.now_ms, |guest| guest.started_ms);
        let clock = |ms| node.map(|node| node.now(ms).at).unwrap_or_default();
        let error = match end {
            End::Exit | End::Cancelled => None,
            End::NodeFault => Some(GuestError::new("content", "an input could not be fetched")),
            End::Trap
            | End::OutOfFuel
            | End::MemoryLimit
            | End::OutputLimit
            | End::BadModule
            | End::Timeout => Some(GuestError::new(end.as_str(), "as planned")),
        };
        ExecutionReport {
            end,
            exit_code,
            error,
            outputs: vec![OutputCid { name: "stdout".to_owned(), cid: Cid::of_raw(b"out"), bytes: 3 }],
            anchors: Vec::new(),
            fuel_used: self.plans.get(job).map_or(0, |plan| plan.job.fuel),
            memory_peak_bytes: 1 << 16,
            host_calls: std::collections::BTreeMap::new(),
            started_at: clock(started),
            finished_at: clock(self.now_ms),
            stages_us: std::collections::BTreeMap::new(),
            runtime: RuntimeInfo {
                engine: "virtual".to_owned(),
                version: "1".to_owned(),
                profile: "sim-1".to_owned(),
                mode: Mode::Canonical,
            },
        }
    }
}
