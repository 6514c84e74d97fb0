//! Set reconciliation: one side leads, the other answers, each frame against the set as it is then.
//!
//! The order key is 0 for all, so entries sort by the digest in their id.

use negentropy::{ID_SIZE, Id, Negentropy};

use super::{NEG_BYTES_MAX, SyncError};
use crate::id::Digest;
use crate::idset::{IdSet, IdSetView};

/// Version 1 of the protocol, the first byte of each frame.
const VERSION: u8 = 0x61;
/// The length of a fingerprint, in bytes.
const FINGERPRINT_BYTES: usize = 16;
/// What a frame may have beyond the limit at which its maker stops: a last split and its bounds, in bytes.
const SLACK_BYTES: usize = 4 * 1024;

/// What the leading side has learnt.
#[derive(Debug, Clone, Default)]
pub(super) struct Difference {
    /// What the other side lacks.
    pub(super) have: Vec<Digest>,
    /// What the other side has beyond.
    pub(super) need: Vec<Digest>,
}

/// Makes the first frame of the leading side.
pub(super) fn begin(set: &IdSet) -> Result<Vec<u8>, SyncError> {
    let mut machine = machine(set, Vec::new())?;
    machine.initiate().map_err(|error| wrong(&error))
}

/// Answers a frame of the leading side.
pub(super) fn answer(set: &IdSet, frame: &[u8]) -> Result<Vec<u8>, SyncError> {
    let mut machine = machine(set, scan(frame)?)?;
    machine.reconcile(frame).map_err(|error| wrong(&error))
}

/// Takes an answer; returns the next frame, or none when the difference is known.
pub(super) fn advance(
    set: &IdSet,
    frame: &[u8],
    found: &mut Difference,
) -> Result<Option<Vec<u8>>, SyncError> {
    let mut machine = machine(set, scan(frame)?)?;
    machine.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = machine.reconcile_with_ids(frame, &mut have, &mut need).map_err(|error| wrong(&error))?;
    found.have.extend(have.into_iter().map(Id::to_bytes));
    found.need.extend(need.into_iter().map(Id::to_bytes));
    Ok(next)
}

fn machine(set: &IdSet, lists: Vec<bool>) -> Result<Negentropy<'_, IdSetView<'_>>, SyncError> {
    Negentropy::owned(IdSetView::new(set, lists), NEG_BYTES_MAX as u64).map_err(|error| wrong(&error))
}

fn wrong(error: &negentropy::Error) -> SyncError {
    SyncError::Negentropy(error.to_string())
}

/// Walks a frame before anything is built from it; returns for each range whether it is a list of ids.
///
/// Layout: the version, then ranges: varint time, varint length of the bound and its bytes, varint mode; mode 0 skips,
/// mode 1 has a fingerprint, mode 2 a varint count and as many ids.
fn scan(frame: &[u8]) -> Result<Vec<bool>, SyncError> {
    if frame.len() > NEG_BYTES_MAX + SLACK_BYTES {
        return Err(SyncError::TooLarge(frame.len()));
    }
    let short = || SyncError::Negentropy("it ends too early".into());
    let Some((&VERSION, mut rest)) = frame.split_first() else {
        return Err(SyncError::Negentropy("its version is not 1".into()));
    };
    let mut lists = Vec::new();
    while !rest.is_empty() {
        varint(&mut rest).ok_or_else(short)?;
        let bound = varint(&mut rest).ok_or_else(short)?;
        if bound > ID_SIZE as u64 {
            return Err(SyncError::Negentropy("a bound is longer than an id".into()));
        }
        skip(&mut rest, bound, 1).ok_or_else(short)?;
        match varint(&mut rest).ok_or_else(short)? {
            0 => lists.push(false),
            1 => {
                skip(&mut rest, 1, FINGERPRINT_BYTES).ok_or_else(short)?;
                lists.push(false);
            }
            2 => {
                let count = varint(&mut rest).ok_or_else(short)?;
                skip(&mut rest, count, ID_SIZE).ok_or_else(short)?;
                lists.push(true);
            }
            mode => return Err(SyncError::Negentropy(format!("mode {mode} is not known"))),
        }
    }
    Ok(lists)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    loop {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        if value >> 57 != 0 {
            return None;
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

fn skip(rest: &mut &[u8], count: u64, size: usize) -> Option<()> {
    let bytes = usize::try_from(count).ok()?.checked_mul(size)?;
    *rest = rest.split_at_checked(bytes)?.1;
    Some(())
}

#[cfg(test)]
mod tests;
