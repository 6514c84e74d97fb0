//! `icn status`, `icn peers`, `icn id show`: the node at a glance.

use icn_gateway::api::{Peer, Status};

use super::Context;
use crate::cli::IdShowArgs;
use crate::error::{CliError, Exit};
use crate::output::{Stream, Style, clean, micros, size};

/// Shows how the node is.
pub(crate) async fn status(context: &Context<'_>) -> Result<Exit, CliError> {
    let status = context.client()?.status().await?;
    if context.out.is_json() {
        context.out.json(&status)?;
    } else {
        context.out.pairs(&status_pairs(&status))?;
    }
    Ok(Exit::DONE)
}

/// Says the status in words, for the command and for the console.
pub(super) fn status_pairs(status: &Status) -> Vec<(&'static str, String)> {
    let role = match (&status.executor, &status.region) {
        (true, Some(region)) => format!("runs jobs for others, in {region}"),
        (true, None) => "runs jobs for others".to_owned(),
        (false, Some(region)) => format!("submits only, in {region}"),
        (false, None) => "submits only".to_owned(),
    };
    let jobs = format!(
        "{} running here, {} of ours open, {} known",
        status.jobs_running, status.jobs_open, status.jobs_total
    );
    let disk = format!(
        "{} of {} in {} blocks",
        size(status.block_bytes),
        size(status.block_bytes_max),
        status.blocks
    );
    vec![
        ("did", status.did.to_string()),
        ("peer", clean(&status.peer_id)),
        ("version", clean(&status.version)),
        ("since", status.started_at.to_string()),
        ("role", role),
        ("peers", format!("{} connected, {} executors known", status.peers, status.executors_known)),
        ("jobs", jobs),
        ("content", disk),
        ("api", clean(&status.api)),
        (
            "listen",
            status.listen.iter().map(|address| clean(address)).collect::<Vec<_>>().join("\n         "),
        ),
    ]
}

/// Lists the connected peers.
pub(crate) async fn peers(context: &Context<'_>) -> Result<Exit, CliError> {
    let page = context.client()?.peers().await?;
    if context.out.is_json() {
        context.out.json(&page)?;
        return Ok(Exit::DONE);
    }
    if page.items.is_empty() {
        context.out.note("no peers: start the node with `--peer ADDRESS`, or see `icn doctor`");
        return Ok(Exit::DONE);
    }
    let rows: Vec<Vec<String>> = page.items.iter().map(peer_row).collect();
    context.out.table(&PEER_HEADING, &rows)?;
    Ok(Exit::DONE)
}

/// The heading of a table of peers.
pub(super) const PEER_HEADING: [&str; 8] =
    ["PEER", "ADDRESS", "WAY", "RTT", "ROLE", "TRUST", "AMONG", "AGENT"];

/// One line of a table of peers.
pub(super) fn peer_row(peer: &Peer) -> Vec<String> {
    let name = peer.did.map_or_else(|| clean(&peer.peer_id), |did| did.to_string());
    let role = match (peer.executor, &peer.region) {
        (true, Some(region)) => format!("executor in {region}"),
        (true, None) => "executor".to_owned(),
        (false, _) => "-".to_owned(),
    };
    vec![
        name,
        clean(&peer.address),
        clean(&peer.direction),
        peer.rtt_us.map_or_else(|| "-".to_owned(), micros),
        role,
        peer.class.as_deref().map_or_else(|| "-".to_owned(), clean),
        peer.neighbors.as_deref().map_or_else(|| "-".to_owned(), clean),
        peer.agent.as_deref().map_or_else(|| "-".to_owned(), clean),
    ]
}

/// Shows who the node is.
pub(crate) async fn identity(context: &Context<'_>, args: &IdShowArgs) -> Result<Exit, CliError> {
    let identity = context.client()?.identity().await?;
    if args.document {
        context.out.json(&identity.document)?;
    } else if context.out.is_json() {
        context.out.json(&identity)?;
    } else {
        context.out.pairs(&[
            ("did", context.out.paint(Stream::Stdout, Style::Bold, &identity.did.to_string())),
            ("did:key", clean(&identity.did_key)),
            ("peer id", clean(&identity.peer_id)),
        ])?;
    }
    Ok(Exit::DONE)
}
