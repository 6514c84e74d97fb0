//! Why a command failed, and with which code it ends.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use icn_gateway::api::{Job, Problem};
use icn_types::{End, StandardJobStatus};

/// The code that the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// All is done.
    pub(crate) const DONE: Self = Self(0);
    /// The operation failed.
    pub(crate) const FAILED: Self = Self(1);
    /// The command makes no sense.
    pub(crate) const USAGE: Self = Self(2);
    /// No node answers.
    pub(crate) const NO_NODE: Self = Self(3);
    /// What was asked for does not exist.
    pub(crate) const NOT_FOUND: Self = Self(4);
    /// A policy forbids it.
    pub(crate) const REFUSED: Self = Self(5);
    /// The job's time was up (the code of `timeout(1)`).
    pub(crate) const JOB_TIMEOUT: Self = Self(124);
    /// The job failed before or outside the guest.
    pub(crate) const JOB_FAILED: Self = Self(125);
    /// The job was refused.
    pub(crate) const JOB_REFUSED: Self = Self(126);
    /// The job was cancelled (128 + SIGINT, as shells have it).
    pub(crate) const JOB_CANCELLED: Self = Self(130);

    /// The highest code of a guest that is passed on; those above become this one.
    const GUEST_MAX: u8 = 99;

    /// Returns the code.
    pub(crate) const fn code(self) -> u8 {
        self.0
    }

    /// Tells how `job run` ends for a final job.
    pub(crate) fn of_job(job: &Job) -> Self {
        match (job.status, job.end, job.exit_code) {
            (StandardJobStatus::CompletedSuccessfully, _, _) => Self::DONE,
            (StandardJobStatus::Cancelled, _, _) | (_, Some(End::Cancelled), _) => Self::JOB_CANCELLED,
            (_, Some(End::Timeout), _) => Self::JOB_TIMEOUT,
            (_, Some(End::Exit), Some(code)) if code != 0 => Self::of_guest(code),
            _ if job.error.as_ref().is_some_and(|error| is_refusal(&error.code)) => Self::JOB_REFUSED,
            _ => Self::JOB_FAILED,
        }
    }

    fn of_guest(code: i32) -> Self {
        Self(u8::try_from(code).unwrap_or(Self::GUEST_MAX).min(Self::GUEST_MAX))
    }
}

/// Tells whether a code means that somebody did not want the job, rather than could not do it.
fn is_refusal(code: &str) -> bool {
    code.starts_with("refused") || code.starts_with("policy") || code == "no_executor"
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line is well formed but makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers at the address.
    #[error(
        "no node answers at `{url}`: start one with `icn node`, or name another with `--api` or `--data-dir`"
    )]
    NoAnswer {
        /// Where it was asked.
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// No node says where it is.
    #[error(
        "no node answers: there is no `node.json` in `{}`, so none runs there; start one with `icn node`, or name \
         another with `--api` or `--data-dir`", data_dir.display()
    )]
    NoNode {
        /// Where it was looked for.
        data_dir: PathBuf,
    },
    /// The answer broke off or makes no sense.
    #[error(
        "the answer of the node at `{url}` is broken: check that this is an ICN node of a compatible version"
    )]
    BadAnswer {
        /// Where it was asked.
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The node said no.
    #[error("{0}")]
    Problem(Problem),
    /// The file system said no.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file to be judged cannot be read at all, which is not the same as a bad verdict.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Writing to stdout failed.
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
    /// Anything else, in a sentence with the next step.
    #[error("{0}")]
    Failed(String),
    /// A sentence with the error behind it.
    #[error("{what}")]
    Because {
        /// What failed and what to do.
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CliError {
    /// Makes an error of the file system.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Makes an error with another behind it.
    pub(crate) fn because<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let what = what.into();
        move |source| Self::Because { what, source: source.into() }
    }

    /// Tells which code the process ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Unreadable { .. } => Exit::USAGE,
            Self::NoAnswer { .. } | Self::NoNode { .. } => Exit::NO_NODE,
            Self::Problem(problem) => match problem.status {
                404 | 410 => Exit::NOT_FOUND,
                403 => Exit::REFUSED,
                _ if is_refusal(&problem.code) => Exit::REFUSED,
                _ => Exit::FAILED,
            },
            Self::BadAnswer { .. }
            | Self::File { .. }
            | Self::Stdout(_)
            | Self::Failed(_)
            | Self::Because { .. } => Exit::FAILED,
        }
    }

    /// Tells whether the reader of our output went away, which is its good right.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Tells the whole story: the error and every cause behind it, one a line.
    pub(crate) fn story(&self) -> String {
        let mut story = self.to_string();
        if let Self::Problem(Problem { explanation: Some(explanation), .. }) = self {
            for (name, value) in crate::output::explanation_pairs(explanation) {
                let _infallible = write!(story, "\n  {name:10}  {value}");
            }
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            let _infallible = write!(story, "\n  because: {error}");
            cause = error.source();
        }
        story
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample_job;
    use icn_gateway::api::JobError;

    #[test]
    fn errors_have_codes() {
        let problem = |status, code: &str| CliError::from(Problem::new(status, code, "x")).exit();
        assert_eq!(problem(404, "job-not-found"), Exit::NOT_FOUND);
        assert_eq!(problem(403, "anything"), Exit::REFUSED);
        assert_eq!(problem(422, "policy-denied"), Exit::REFUSED);
        assert_eq!(problem(422, "bad-limit"), Exit::FAILED);
        assert_eq!(problem(503, "full"), Exit::FAILED);
        assert_eq!(CliError::Usage(String::new()).exit(), Exit::USAGE);
        assert_eq!(CliError::NoNode { data_dir: PathBuf::new() }.exit(), Exit::NO_NODE);
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(CliError::file("open", "x")(missing).exit(), Exit::FAILED);
    }

    #[test]
    fn jobs_have_codes() {
        use StandardJobStatus::{Cancelled, CompletedSuccessfully, Failed};
        let check = |status, end, exit_code, error: Option<&str>, expected: u8| {
            let error =
                error.map(|code| JobError { code: code.to_owned(), message: "it went wrong".to_owned() });
            let job = Job { status, end, exit_code, error, ..sample_job() };
            assert_eq!(Exit::of_job(&job).code(), expected, "{status:?} {end:?} {exit_code:?}");
        };
        check(CompletedSuccessfully, Some(End::Exit), Some(0), None, 0);
        check(Failed, Some(End::Exit), Some(1), None, 1);
        check(Failed, Some(End::Exit), Some(99), None, 99);
        check(Failed, Some(End::Exit), Some(100), None, 99);
        check(Failed, Some(End::Exit), Some(256), None, 99);
        check(Failed, Some(End::Exit), Some(-1), None, 99);
        check(Failed, Some(End::Exit), Some(0), Some("bad_receipt"), 125);
        check(Failed, Some(End::Timeout), None, Some("timeout"), 124);
        for end in
            [End::Trap, End::OutOfFuel, End::MemoryLimit, End::OutputLimit, End::BadModule, End::NodeFault]
        {
            check(Failed, Some(end), None, Some(end.as_str()), 125);
        }
        check(Failed, None, None, Some("refused-by-all"), 126);
        check(Failed, None, None, Some("no_executor"), 126);
        check(Cancelled, Some(End::Cancelled), None, None, 130);
        check(Cancelled, None, None, None, 130);
    }

    #[test]
    fn the_story_has_every_cause() {
        let inner = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        assert_eq!(
            CliError::file("write", "out/a.txt")(inner).story(),
            "cannot write `out/a.txt`\n  because: permission denied"
        );
    }
}
