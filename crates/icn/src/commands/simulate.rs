//! `icn simulate`: a federation of virtual nodes from one seed, and an economy of many.

mod economy;

use icn_sim::space::{SpaceOptions, check_space, summary};

use crate::cli::{SimulateArgs, SimulateCommand};
use crate::error::{CliError, Exit};
use crate::output::Output;

/// Runs the federation and tells its story.
pub(crate) fn simulate(args: &SimulateArgs, out: &Output) -> Result<Exit, CliError> {
    if let Some(SimulateCommand::Economy(args)) = &args.command {
        return economy::economy(args, out);
    }
    let nodes = args.nodes.and_then(|nodes| usize::try_from(nodes).ok());
    let options =
        SpaceOptions { seed: args.seed.unwrap_or_default(), nodes, story: args.lines, planted: None };
    match check_space(&options) {
        Ok(report) => {
            if out.is_json() {
                out.json(&report)?;
            } else {
                report.story.iter().try_for_each(|line| out.line(line))?;
                out.line(&summary(&report))?;
                out.line("every promise held")?;
            }
            Ok(Exit::DONE)
        }
        Err(violation) => {
            if out.is_json() {
                out.json(&violation)?
            } else {
                out.line(&violation.to_string())?
            }
            Ok(Exit::FAILED)
        }
    }
}
