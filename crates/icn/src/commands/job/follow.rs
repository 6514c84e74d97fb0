//! Following a job to its end, also while its node restarts.

use std::time::{Duration, Instant};

use icn_gateway::api::{Job, Turn};
use icn_types::{StandardJobStatus, Timestamp};

use super::super::Context;
use crate::client::Client;
use crate::error::CliError;
use crate::output::{Output, Stream, Style, clean};

/// How long a node may be away, for a restart, before following it fails.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// How long to wait before asking again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Follows a job until it is final, telling `seen` each state. A node that restarts is waited for.
pub(in crate::commands) async fn watch(
    context: &Context<'_>,
    client: &mut Client,
    id: &str,
    mut seen: impl FnMut(&Job),
) -> Result<Job, CliError> {
    let mut heard = Instant::now();
    let mut told = false;
    loop {
        let result = watch_once(client, id, |job| {
            heard = Instant::now();
            told = false;
            seen(job);
        })
        .await;
        match result {
            Ok(Some(job)) => return Ok(job),
            Err(error) if !may_pass(&error) || heard.elapsed() > AWAY_MAX => return Err(error),
            Ok(None) | Err(_) => {}
        }
        if !told && heard.elapsed() > RETRY_PAUSE * 3 {
            context.out.note("the node has gone away; waiting for it to come back (the job goes on)");
            told = true;
        }
        tokio::time::sleep(RETRY_PAUSE).await;
        // A node that comes back may have another port and another token.
        if let Ok(fresh) = context.client() {
            *client = fresh;
        }
    }
}

/// Follows a job until it is final, or until the node ends the stream (nothing).
async fn watch_once(client: &Client, id: &str, mut seen: impl FnMut(&Job)) -> Result<Option<Job>, CliError> {
    let mut turns = client.follow(id).await?;
    while let Some(job) = turns.next().await? {
        seen(&job);
        if job.status.is_final() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Tells whether an error may be a node that restarts.
fn may_pass(error: &CliError) -> bool {
    match error {
        CliError::NoAnswer { .. } | CliError::NoNode { .. } | CliError::BadAnswer { .. } => true,
        CliError::Problem(problem) => problem.status == 503,
        CliError::Usage(_)
        | CliError::File { .. }
        | CliError::Unreadable { .. }
        | CliError::Stdout(_)
        | CliError::Failed(_)
        | CliError::Because { .. } => false,
    }
}

/// Prints each turn of a job's history once, on stderr.
#[derive(Debug, Default)]
pub(in crate::commands) struct History {
    shown: usize,
}

impl History {
    /// Prints the turns that are new.
    pub(in crate::commands) fn show_new(&mut self, out: &Output, job: &Job) {
        for turn in job.history.iter().skip(self.shown) {
            out.note(&turn_line(out, Stream::Stderr, job.submitted_at, turn));
        }
        self.shown = self.shown.max(job.history.len());
    }

    /// Gives the turns that are new, without printing them.
    pub(in crate::commands) fn take_new<'a>(&mut self, job: &'a Job) -> impl Iterator<Item = &'a Turn> {
        let skipped = self.shown;
        self.shown = self.shown.max(job.history.len());
        job.history.iter().skip(skipped)
    }
}

/// Writes one turn: when, counted from the submission, what, and the details.
pub(in crate::commands) fn turn_line(
    out: &Output,
    stream: Stream,
    submitted: Timestamp,
    turn: &Turn,
) -> String {
    let after = turn.at.since(submitted).as_millis();
    let when = out.paint(stream, Style::Dim, &format!("{:>4}.{:03} s", after / 1_000, after % 1_000));
    let state = out.paint(stream, state_style(&turn.state), &format!("{:<30}", clean(&turn.state)));
    let detail = turn.detail.as_deref().map(clean).unwrap_or_default();
    format!("{when}  {state}  {detail}").trim_end().to_owned()
}

fn state_style(state: &str) -> Style {
    let lower = state.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["fail", "refus", "lost", "invalid"]) {
        Style::Red
    } else if has(&["cancel", "timeout", "expired", "declin"]) {
        Style::Yellow
    } else if has(&["complet", "verified"]) {
        Style::Green
    } else if has(&["progress", "log"]) {
        Style::Dim
    } else {
        Style::Cyan
    }
}

/// Paints a status by what it means.
pub(super) fn status_style(status: StandardJobStatus) -> Style {
    match status {
        StandardJobStatus::CompletedSuccessfully => Style::Green,
        StandardJobStatus::Failed => Style::Red,
        StandardJobStatus::Cancelled => Style::Yellow,
        StandardJobStatus::Pending | StandardJobStatus::Running => Style::Cyan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ColorChoice;
    use crate::output::sample_job;

    fn turn(ms: u64, state: &str, detail: Option<&str>) -> Turn {
        Turn {
            at: Timestamp::from_millis(ms),
            state: state.to_owned(),
            detail: detail.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_turn_is_a_line_that_a_guest_cannot_break() {
        let out = Output::new(false, ColorChoice::Never);
        let check = |turn: Turn, expected: &str| {
            let line = turn_line(&out, Stream::Stderr, Timestamp::from_millis(1_000), &turn);
            assert_eq!(line, expected);
        };
        check(turn(1_012, "Announced", None), "   0.012 s  Announced");
        check(
            turn(2_000, "Log", Some("one\nCompleted\u{1b}[2J")),
            "   1.000 s  Log                             one\u{fffd}Completed\u{fffd}[2J",
        );
    }

    #[test]
    fn each_turn_is_new_once() {
        let mut history = History::default();
        let mut job = sample_job();
        job.history = vec![turn(0, "Submitted", None)];
        assert_eq!(history.take_new(&job).count(), 1);
        job.history.push(turn(1, "Announced", None));
        assert_eq!(history.take_new(&job).map(|turn| turn.state.as_str()).collect::<Vec<_>>(), ["Announced"]);
        assert_eq!(history.take_new(&job).count(), 0);
        job.history.clear();
        assert_eq!(history.take_new(&job).count(), 0, "a shorter history says nothing new");
    }
}
