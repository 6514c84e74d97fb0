//! `icn backup` and `icn restore`: keystore and data, to a file and back.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use icn_node::DataDir;

use super::Context;
use crate::cli::BackupArgs;
use crate::client::Download;
use crate::error::{CliError, Exit};
use crate::output::size;

/// Writes a backup; what breaks off half-way leaves no file.
pub(crate) async fn backup(context: &Context<'_>, args: &BackupArgs) -> Result<Exit, CliError> {
    let client = match context.client() {
        Ok(client) => client,
        Err(CliError::NoNode { .. }) => return backup_at_rest(context, args),
        Err(error) => return Err(error),
    };
    let mut download = client.backup().await?;
    // The keystore is in it: for the owner's eyes alone.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&args.file).map_err(CliError::file("create", &args.file))?;
    let written = match copy(context, &mut download, &mut file, &args.file).await {
        Ok(bytes) => bytes,
        Err(error) => {
            let _leftover = std::fs::remove_file(&args.file);
            return Err(error);
        }
    };
    report(context, args, written)
}

/// Copies a folder that no node holds.
fn backup_at_rest(context: &Context<'_>, args: &BackupArgs) -> Result<Exit, CliError> {
    let data_dir = DataDir::new(context.data_dir());
    let shown = context.data_dir().display();
    let what = format!("cannot make a backup of `{shown}`");
    let db = icn_node::offline::open(&data_dir).map_err(CliError::because(what.clone()))?;
    let db = db.ok_or_else(|| {
        CliError::Failed(format!("there is nothing to back up in `{shown}`: no node has run there yet"))
    })?;
    icn_node::backup::write(&db, &data_dir, &args.file).map_err(CliError::because(what))?;
    let bytes = std::fs::metadata(&args.file).map_err(CliError::file("read", &args.file))?.len();
    report(context, args, bytes)
}

fn report(context: &Context<'_>, args: &BackupArgs, bytes: u64) -> Result<Exit, CliError> {
    context.out.note(&format!("wrote {} to `{}`", size(bytes), args.file.display()));
    if context.out.is_json() {
        context.out.json(&serde_json::json!({ "file": args.file, "bytes": bytes }))?;
    }
    Ok(Exit::DONE)
}

async fn copy(
    context: &Context<'_>,
    download: &mut Download,
    file: &mut std::fs::File,
    path: &Path,
) -> Result<u64, CliError> {
    let bar = context.out.progress("backup", download.length);
    let mut bytes = 0;
    while let Some(piece) = download.next().await? {
        file.write_all(&piece).map_err(CliError::file("write", path))?;
        bytes += piece.len() as u64;
        bar.set_position(bytes);
    }
    bar.finish_and_clear();
    file.sync_all().map_err(CliError::file("write", path))?;
    Ok(bytes)
}
