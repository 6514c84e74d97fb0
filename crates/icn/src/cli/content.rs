//! Content by CID.

use std::path::PathBuf;

use clap::Args;
use icn_types::Cid;

/// Add files and print their CIDs
///
/// Files of any size are streamed. The CID is the one that IPFS gives with the profile unixfs-v1-2025.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn add report.pdf
  icn add *.csv --json | jq -r '.items[].cid'
  tar c folder | icn add -")]
pub(crate) struct AddArgs {
    /// The files to add; `-` reads stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// Fetch content and write it to a file
///
/// A CID that is not a file gives the raw bytes of its block. A file that exists is replaced once all bytes are here.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn get bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy -o report.pdf")]
pub(crate) struct GetArgs {
    /// What to fetch
    #[arg(value_name = "CID")]
    pub(crate) cid: Cid,

    /// Where to write it
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}

/// Print content on stdout
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn cat bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy | less")]
pub(crate) struct CatArgs {
    /// What to print
    #[arg(value_name = "CID")]
    pub(crate) cid: Cid,
}

/// Describe content: its kind, its size, and whether it is here
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn stat bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy")]
pub(crate) struct StatArgs {
    /// What to describe
    #[arg(value_name = "CID")]
    pub(crate) cid: Cid,
}
