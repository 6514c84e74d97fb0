//! Ctrl-C while a job runs: detach, cancel, or go on.

use std::io::{BufRead as _, IsTerminal as _};

use crate::output::Output;

/// What to do about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Leave it running and end.
    Detach,
    /// Cancel it.
    Cancel,
    /// Go on following it.
    GoOn,
}

/// Waits for Ctrl-C. Where signals cannot be had, it never comes.
pub(in crate::commands) async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Asks what Ctrl-C meant. Without a person to ask, and at a second Ctrl-C, it means to cancel.
pub(super) async fn ask(out: &Output) -> Choice {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Choice::Cancel;
    }
    out.note("\n[d] detach and leave the job running  [c] cancel it  [Enter] go on  (Ctrl-C again cancels)");
    tokio::select! {
        line = read_line() => line.map_or(Choice::Cancel, |line| choice_of(&line)),
        () = ctrl_c() => Choice::Cancel,
    }
}

fn choice_of(line: &str) -> Choice {
    match line.trim().to_ascii_lowercase().as_str() {
        "d" | "detach" => Choice::Detach,
        "c" | "cancel" => Choice::Cancel,
        _ => Choice::GoOn,
    }
}

/// Reads a line in a thread of its own, which a second Ctrl-C may leave behind; nothing at the end of stdin.
async fn read_line() -> Option<String> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let _unheard = answer.send(matches!(read, Ok(bytes) if bytes > 0).then_some(line));
    });
    answered.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let check = |line: &str, expected: Choice| assert_eq!(choice_of(line), expected, "{line:?}");
        check("d\n", Choice::Detach);
        check(" Detach \n", Choice::Detach);
        check("C\n", Choice::Cancel);
        check("\n", Choice::GoOn);
        check("what?\n", Choice::GoOn);
    }
}
