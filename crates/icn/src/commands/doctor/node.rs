//! Checks of the running node.

use super::super::Context;
use super::Check;
use crate::client::{Client, running_node};
use crate::error::{CliError, Exit};

/// Carries out the checks; those that need an answer are left out when there is none.
pub(super) async fn checks(context: &Context<'_>) -> Vec<Check> {
    let client = match context.client() {
        Ok(client) => client,
        Err(error) => return vec![no_node(&error)],
    };
    match client.status().await {
        Ok(status) => {
            let detail = format!("{} answers at {}", status.did, client.base());
            let mut checks =
                vec![Check::ok("node", detail), executors(status.executors_known, status.executor)];
            checks.push(peers(&client).await);
            checks
        }
        Err(error) => vec![silent(context, &error)],
    }
}

fn no_node(error: &CliError) -> Check {
    if error.exit() == Exit::NO_NODE {
        Check::warn("node", "no node runs in this folder", "start it with `icn node`")
    } else {
        Check::fail("node", error.to_string(), "check `--api` and the node's folder")
    }
}

/// A node said where it is, or a person did, but nobody answers there.
fn silent(context: &Context<'_>, error: &CliError) -> Check {
    let file = running_node(context.data_dir()).ok().flatten().filter(|_| context.target.api.is_none());
    let gone = file.as_ref().is_some_and(|file| !is_alive(file.pid));
    match file {
        Some(file) if gone => Check::warn(
            "node",
            format!("the node (process {}) is gone without a clean end", file.pid),
            "start it again with `icn node`: it recovers by itself; its log says why it ended",
        ),
        Some(file) => Check::fail(
            "node",
            format!("process {} runs, but does not answer: {error}", file.pid),
            "look into its log; end it with SIGTERM and start it again",
        ),
        None => Check::fail("node", error.to_string(), "check the address, and the node's log"),
    }
}

fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

async fn peers(client: &Client) -> Check {
    const NAME: &str = "peers";
    match client.peers().await {
        Ok(page) if page.total == 0 => Check::warn(
            NAME,
            "none connected",
            "name one with `icn node --peer icn://DID@HOST:PORT`, and let UDP through the firewall; on one network, \
             mDNS finds peers by itself",
        ),
        Ok(page) => Check::ok(NAME, format!("{} connected", page.total)),
        Err(error) => Check::fail(NAME, error.to_string(), "look into the node's log"),
    }
}

fn executors(known: u64, own: bool) -> Check {
    const NAME: &str = "executors";
    if known > 0 || own {
        return Check::ok(NAME, format!("{known} known besides this node"));
    }
    Check::warn(
        NAME,
        "nobody is known who runs jobs",
        "connect to peers that do, or run jobs here with `--executor`",
    )
}
