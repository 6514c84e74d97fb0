//! What can be done with a data folder while no node holds it.

use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use icn_gateway::api::{Replay, Verdict};
use icn_runtime::Runtime;
use icn_store::{Database, StoreError};
use icn_types::Cid;

use crate::{Config, DataDir, receipt, replay};

/// Opens the database of a data folder; nothing where there is none.
///
/// # Errors
///
/// [`StoreError::Locked`] while a node holds it.
pub fn open(data_dir: &DataDir) -> Result<Option<Database>, StoreError> {
    if !data_dir.database().exists() {
        return Ok(None);
    }
    Database::open(&data_dir.database(), crate::supervisor::store_options(&Config::default())).map(Some)
}

/// Says whether a receipt file holds. A bare receipt needs the assignment and parameters from the folder's store; a bundle
/// brings them along.
///
/// # Errors
///
/// An error of the store.
pub fn verify_receipt(bytes: &[u8], data_dir: &DataDir) -> Result<Verdict, StoreError> {
    // A bundle holds or not whatever is in the store.
    let db = open(data_dir)?;
    Ok(receipt::judge(bytes, db.as_ref().map(Database::blocks).as_ref()))
}

/// Packs a receipt of the folder's store with what stands behind it; nothing when it is not there whole.
///
/// # Errors
///
/// An error of the store.
pub fn receipt_bundle(cid: &Cid, data_dir: &DataDir) -> Result<Option<Bytes>, StoreError> {
    let Some(db) = open(data_dir)? else { return Ok(None) };
    let blocks = db.blocks();
    Ok(receipt::bundle_of(cid, |cid| blocks.get(cid).ok().flatten()))
}

/// Runs the job of a receipt file again, with the blocks of the folder's store.
///
/// # Errors
///
/// When the receipt does not hold, or the runtime does not start.
pub async fn replay_receipt(
    bytes: &[u8],
    data_dir: &DataDir,
    module_cache: Option<&Path>,
) -> anyhow::Result<Replay> {
    let db = open(data_dir)?
        .context("there is no store with the job's content: give `--data-dir`, or start a node")?;
    let blocks = db.blocks();
    let verified = receipt::verify_file(bytes, |cid| blocks.get(cid).ok().flatten())
        .map_err(|error| anyhow::anyhow!("the receipt does not hold: {}", receipt::chain(&error)))?;
    let config = icn_runtime::Config {
        cache_dir: module_cache.map(Path::to_path_buf),
        ..icn_runtime::Config::default()
    };
    let runtime = Runtime::new(config)?;
    Ok(replay::replay(&runtime, &blocks, verified.receipt.receipt(), &verified.params).await)
}
