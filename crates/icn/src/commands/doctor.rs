//! `icn doctor`: what could be wrong, and what to do about it.

mod machine;
mod node;

use serde::Serialize;

use super::Context;
use crate::error::{CliError, Exit};
use crate::output::{Stream, Style, clean};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), advice: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warn, detail: detail.into(), advice: Some(advice.into()) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Fail, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// All checks, as JSON.
#[derive(Debug, Serialize)]
struct Report {
    healthy: bool,
    checks: Vec<Check>,
}

/// Checks everything and says what to do.
pub(crate) async fn run(context: &Context<'_>) -> Result<Exit, CliError> {
    let mut checks = machine::checks(context.data_dir());
    checks.extend(node::checks(context).await);
    let healthy = checks.iter().all(|check| check.state != State::Fail);
    if context.out.is_json() {
        context.out.json(&Report { healthy, checks })?;
    } else {
        for check in &checks {
            print(context, check)?;
        }
    }
    Ok(if healthy { Exit::DONE } else { Exit::FAILED })
}

fn print(context: &Context<'_>, check: &Check) -> Result<(), CliError> {
    let (word, style) = match check.state {
        State::Ok => ("ok  ", Style::Green),
        State::Warn => ("warn", Style::Yellow),
        State::Fail => ("FAIL", Style::Red),
    };
    let word = context.out.paint(Stream::Stdout, style, word);
    context.out.line(&format!("{word}  {:<9} {}", check.name, clean(&check.detail)))?;
    match &check.advice {
        Some(advice) => context.out.line(&format!("      {:<9} -> {}", "", clean(advice))),
        None => Ok(()),
    }
}
