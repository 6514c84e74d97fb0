//! `icn node`: the daemon.

use std::net::SocketAddr;
use std::path::Path;

use icn_node::{Config, DataDir, RunOptions};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, init};
use crate::cli::NodeArgs;
use crate::error::{CliError, Exit};

/// Runs the node until it is told to stop.
pub(crate) fn run(context: &Context<'_>, args: &NodeArgs) -> Result<Exit, CliError> {
    if let Some(parent) = args.end_with {
        end_with(parent)?;
    }
    let data_dir = DataDir::new(context.data_dir());
    let config = configure(context, &data_dir, args)?;
    let logs = icn_obs::logs::Config {
        format: config.log.format.parse().map_err(CliError::because("the configuration cannot be used"))?,
        filter: config.log.level.clone(),
    };
    icn_obs::logs::init(&logs).map_err(CliError::because("the log cannot be set up"))?;
    let (keypair, passphrase) = init::unlock(context.data_dir(), args.passphrase_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::because("cannot start the asynchronous runtime"))?;
    runtime.block_on(until_told(RunOptions { data_dir, config, keypair, passphrase }))?;
    Ok(Exit::DONE)
}

/// Reads file and environment, and puts the flags over them.
fn configure(context: &Context<'_>, data_dir: &DataDir, args: &NodeArgs) -> Result<Config, CliError> {
    let own_file = data_dir.config();
    let file: Option<&Path> = args.config.as_deref().or_else(|| own_file.exists().then_some(&*own_file));
    let mut config = Config::load(file, |name| std::env::var(name).ok())
        .map_err(CliError::because("the node cannot be configured"))?;
    if let Some(api) = &context.target.api {
        config.api.bind = listen_address(api)?.to_string();
    }
    if !args.listen.is_empty() {
        config.network.listen.clone_from(&args.listen);
    }
    config.network.peers.extend(args.peer.iter().cloned());
    config.network.mdns = args.mdns_choice().unwrap_or(config.network.mdns);
    config.executor.enabled = args.executor_choice().unwrap_or(config.executor.enabled);
    config.node.region = args.region.clone().or(config.node.region);
    config.executor.price = args.price.clone().or(config.executor.price);
    Ok(config)
}

/// Runs the node; the first signal has it end in order, the second at once.
async fn until_told(options: RunOptions) -> Result<(), CliError> {
    let (stop, now) = (CancellationToken::new(), CancellationToken::new());
    let signals = tokio::spawn(pass_signals(stop.clone(), now.clone()));
    let result = icn_node::run(options, stop, now).await;
    signals.abort();
    result.map_err(CliError::because("the node cannot run"))
}

/// Passes SIGTERM and Ctrl-C on, as long as the process runs.
async fn pass_signals(stop: CancellationToken, now: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if stop.is_cancelled() {
            now.cancel();
        }
        stop.cancel();
    }
}

/// Has the system end this process when the one that started it ends, however that comes about.
fn end_with(parent: u32) -> Result<(), CliError> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| {
        CliError::because("cannot tie the node to its parent")(std::io::Error::from(error))
    })?;
    // The parent may have ended before it could be tied.
    if getppid().map(Pid::as_raw_nonzero).is_some_and(|pid| u32::try_from(pid.get()) == Ok(parent)) {
        return Ok(());
    }
    Err(CliError::Failed("the process that started this node is gone".to_owned()))
}

/// Reads where the API is to listen; port 0 lets the system choose.
fn listen_address(api: &str) -> Result<SocketAddr, CliError> {
    let place = api.strip_prefix("http://").unwrap_or(api).trim_end_matches('/');
    let place =
        place.strip_prefix("localhost:").map_or_else(|| place.to_owned(), |port| format!("127.0.0.1:{port}"));
    place.parse().map_err(|_| {
        CliError::Usage(format!(
            "`{api}` is not where an API can listen: expected an address and a port, such as `127.0.0.1:7171`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let check = |text: &str, expected: &str| {
            assert_eq!(listen_address(text).unwrap(), expected.parse().unwrap(), "{text}");
        };
        check("127.0.0.1:0", "127.0.0.1:0");
        check("http://127.0.0.1:7171/", "127.0.0.1:7171");
        check("localhost:7171", "127.0.0.1:7171");
        check("[::1]:7171", "[::1]:7171");
        for bad in ["", "127.0.0.1", "7171", "host:7171", "127.0.0.1:70000"] {
            assert_eq!(listen_address(bad).unwrap_err().exit(), Exit::USAGE, "{bad}");
        }
    }
}
