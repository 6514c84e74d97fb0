//! The node: making one, running one, keeping it safe.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use icn_types::{Region, TokenAmount};

use super::scope::PageArgs;
use super::values;

/// Make the node's key, its encrypted keystore and a commented icn.toml
///
/// Asks for a passphrase unless one is given. Nothing that exists is ever overwritten, and a new keystore is read back
/// and decrypted before it counts.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn init                                      asks for a passphrase
  icn init --passphrase-file /run/secrets/icn   for services
  icn init --no-passphrase --data-dir ./try     for trying things out")]
pub(crate) struct InitArgs {
    /// Read the passphrase from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Protect the key by the file's permissions alone
    #[arg(long)]
    pub(crate) no_passphrase: bool,
}

/// Run the node until it is told to stop
///
/// Writes its real addresses to node.json in its folder once it is ready, and removes the file at a clean end. SIGTERM
/// or Ctrl-C lets running jobs finish or hands them back, writes everything to disk and ends with 0. Flags win over
/// the environment, and that over icn.toml.
#[derive(Debug, Clone, Default, Args)]
#[command(after_long_help = "\
Examples:
  icn node
  icn node --peer icn://did:icn:4vJ9…@192.0.2.7:7100 --region north
  icn node --listen /ip4/0.0.0.0/udp/7100/quic-v1 --no-executor
  icn node --api 127.0.0.1:0 --no-mdns --data-dir ./try")]
pub(crate) struct NodeArgs {
    /// Listen here; may be given several times
    #[arg(long, value_name = "MULTIADDR", value_parser = values::multiaddr)]
    pub(crate) listen: Vec<String>,

    /// Connect to this peer; may be given several times, also as icn://<did>@host:port
    #[arg(long, value_name = "MULTIADDR", value_parser = values::peer)]
    pub(crate) peer: Vec<String>,

    /// Find peers on the local network
    #[arg(long, overrides_with = "no_mdns")]
    pub(crate) mdns: bool,

    /// Do not look for peers on the local network
    #[arg(long, overrides_with = "mdns")]
    pub(crate) no_mdns: bool,

    /// Run jobs for others
    #[arg(long, overrides_with = "no_executor")]
    pub(crate) executor: bool,

    /// Run no jobs for others
    #[arg(long, overrides_with = "executor")]
    pub(crate) no_executor: bool,

    /// Where the node stands, by a name that its co-ops agree on
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<Region>,

    /// What a job costs here, such as `5 hours`
    #[arg(long, value_name = "PRICE", value_parser = values::price)]
    pub(crate) price: Option<TokenAmount>,

    /// Read this file instead of icn.toml in the node's folder
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Read the keystore's passphrase from the first line of a file
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// End when the process with this number, which started the node, ends; used by `icn demo`
    #[arg(long, value_name = "PID", hide = true)]
    pub(crate) end_with: Option<u32>,
}

impl NodeArgs {
    /// Tells what was said about mDNS, if anything.
    pub(crate) fn mdns_choice(&self) -> Option<bool> {
        choice(self.mdns, self.no_mdns)
    }

    /// Tells what was said about running jobs for others, if anything.
    pub(crate) fn executor_choice(&self) -> Option<bool> {
        choice(self.executor, self.no_executor)
    }
}

fn choice(yes: bool, no: bool) -> Option<bool> {
    (yes || no).then_some(yes)
}

#[derive(Debug, Subcommand)]
pub(crate) enum IdCommand {
    Show(IdShowArgs),
    New(IdNewArgs),
    /// List the identities that this node holds
    #[command(after_long_help = "Examples:\n  icn id list\n  icn id list --json | jq -r '.items[].did'")]
    List(PageArgs),
}

/// Make an identity, so that one node can serve several members
///
/// Its key is encrypted with the passphrase of the node's keystore, or another one that is given, and works with
/// `--as NAME`. With a node running, the node makes it; without one, it is made in the node's folder.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn id new till
  icn id new till --no-passphrase && icn space join icn-invite:3mJr7A… --as till")]
pub(crate) struct IdNewArgs {
    /// What this node is to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Read the passphrase from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Protect the key by the file's permissions alone
    #[arg(long)]
    pub(crate) no_passphrase: bool,
}

/// Show the node's DID, its did:key spelling and its PeerId
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn id show
  icn id show --document > did.json
  icn id show --json | jq -r .did")]
pub(crate) struct IdShowArgs {
    /// Print the DID document instead
    #[arg(long)]
    pub(crate) document: bool,
}

/// Copy keystore and data to a file, while the node runs
///
/// The copy is consistent. It holds the keystore, encrypted as it is: keep it as safe as the passphrase is weak.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn backup icn-monday.tar
  icn backup /media/usb/icn.tar --data-dir ./try")]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Bring keystore and data back from a backup
///
/// The node's folder must be empty or missing: a restore never overwrites.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn restore icn-monday.tar
  icn restore icn-monday.tar --data-dir ./second")]
pub(crate) struct RestoreArgs {
    /// The file that `icn backup` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command, NodeArgs};

    fn node(line: &str) -> NodeArgs {
        let Command::Node(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("`{line}` is not `icn node`");
        };
        args
    }

    #[test]
    fn the_last_of_two_opposites_counts() {
        assert_eq!(node("icn node").mdns_choice(), None);
        assert_eq!(node("icn node --mdns").mdns_choice(), Some(true));
        assert_eq!(node("icn node --mdns --no-mdns").mdns_choice(), Some(false));
        assert_eq!(node("icn node --no-executor --executor").executor_choice(), Some(true));
    }
}
