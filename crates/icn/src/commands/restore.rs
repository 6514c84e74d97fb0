//! `icn restore`: a node's folder, brought back from a backup.

use std::fs::File;

use icn_node::DataDir;

use super::Context;
use crate::cli::RestoreArgs;
use crate::error::{CliError, Exit};

/// Brings a node back. Never overwrites one.
pub(crate) fn restore(context: &Context<'_>, args: &RestoreArgs) -> Result<Exit, CliError> {
    let data_dir = context.data_dir();
    File::open(&args.file).map_err(|source| CliError::Unreadable { path: args.file.clone(), source })?;
    let restored = icn_node::backup::restore(&args.file, &DataDir::new(data_dir))
        .map_err(CliError::because(format!("cannot restore into `{}`", data_dir.display())))?;
    if restored.damaged > 0 {
        context.out.note(&format!(
            "{} blocks were damaged when the backup was made, and are not in it; the node fetches them again when it \
             needs them",
            restored.damaged
        ));
    }
    if context.out.is_json() {
        context.out.json(&serde_json::json!({
            "data_dir": data_dir, "rows": restored.rows, "blocks": restored.blocks, "damaged": restored.damaged,
        }))?;
    } else {
        context.out.note(&format!("brought {} blocks back to `{}`", restored.blocks, data_dir.display()));
    }
    Ok(Exit::DONE)
}
