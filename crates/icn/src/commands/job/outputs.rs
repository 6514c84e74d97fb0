//! Bringing a job's outputs home.

use std::io::Write as _;
use std::path::Path;

use icn_gateway::api::{Job, Output as JobOutput};

use super::super::Context;
use super::folder::{OutputFolder, check_name};
use crate::client::Client;
use crate::error::CliError;
use crate::output::size;

/// Writes every output of a job under its name into a folder.
pub(super) async fn save(
    context: &Context<'_>,
    client: &Client,
    job: &Job,
    path: &Path,
) -> Result<(), CliError> {
    // All names first: a bad one means that nothing is written.
    job.outputs.iter().try_for_each(|output| check_name(&output.name))?;
    let folder = OutputFolder::open(path)?;
    for output in &job.outputs {
        let mut file = folder.begin(&output.name)?;
        let bar = context.out.progress(&output.name, Some(output.bytes));
        read(client, output, |piece| {
            bar.inc(piece.len() as u64);
            file.write(piece)
        })
        .await?;
        bar.finish_and_clear();
        let written = file.finish()?;
        let shown = crate::output::clean(&written.display().to_string());
        context.out.note(&format!("wrote {shown} ({})", size(output.bytes)));
    }
    Ok(())
}

/// Passes the guest's stdout and stderr on as our own, and says what else there is.
pub(super) async fn pass_on(context: &Context<'_>, client: &Client, job: &Job) -> Result<(), CliError> {
    let mut others = 0_usize;
    for output in &job.outputs {
        match output.name.as_str() {
            "stdout" => read(client, output, |piece| context.out.bytes(piece)).await?,
            "stderr" => {
                read(client, output, |piece| {
                    let _closed = std::io::stderr().write_all(piece);
                    Ok(())
                })
                .await?;
            }
            _ => others += 1,
        }
    }
    if others > 0 {
        let plural = if others == 1 { "" } else { "s" };
        context.out.note(&format!(
            "{others} more output{plural}: see `icn job show {}`, fetch with `icn get CID -o FILE` (or use `-o DIR` \
             next time)",
            super::id_start(&job.id)
        ));
    }
    Ok(())
}

/// Reads an output piece by piece, and checks that it is as long as the receipt says.
async fn read(
    client: &Client,
    output: &JobOutput,
    mut take: impl FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut download = client.cat(&output.cid).await?;
    let mut bytes = 0_u64;
    while let Some(piece) = download.next().await? {
        bytes += piece.len() as u64;
        take(&piece)?;
    }
    if bytes == output.bytes {
        return Ok(());
    }
    Err(CliError::Failed(format!(
        "output `{}` has {bytes} bytes, but its receipt says {}: do not trust it",
        crate::output::clean(&output.name),
        output.bytes
    )))
}
