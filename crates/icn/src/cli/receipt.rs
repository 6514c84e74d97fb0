//! Receipts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use icn_types::Cid;

#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Show what a receipt says
    #[command(after_long_help = "\
Examples:
  icn receipt show bafyrei6x…
  icn receipt show receipt.bin --json | jq .fuel_used")]
    Show(ReceiptArgs),
    /// Check that a receipt holds; a file needs no running node
    ///
    /// Checks the signature, the assignment behind it and the parameters. Ends with 0 if the receipt is valid, 1 if it
    /// is not, 2 if the file cannot be read.
    #[command(after_long_help = "\
Examples:
  icn receipt verify bafyrei6x…
  icn receipt verify receipt.bin --json")]
    Verify(ReceiptArgs),
    /// Run a receipt's job again and compare end, outputs and fuel
    ///
    /// Ends with 0 if all are identical, or if the receipt's end cannot be replayed, and with 1 if something differs.
    #[command(after_long_help = "\
Examples:
  icn receipt replay bafyrei6x…
  icn receipt replay receipt.bin --json")]
    Replay(ReceiptArgs),
    Export(ReceiptExportArgs),
}

/// Names a receipt.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReceiptArgs {
    /// The receipt's CID, or a file with its bytes or its bundle
    #[arg(value_name = "CID or FILE")]
    pub(crate) receipt: String,
}

/// Write a receipt to a file, with all that is needed to verify it anywhere
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn receipt export bafyrei6x… -o receipt.bin && icn receipt verify receipt.bin")]
pub(crate) struct ReceiptExportArgs {
    /// The receipt
    #[arg(value_name = "CID")]
    pub(crate) cid: Cid,

    /// Where to write it
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
}
