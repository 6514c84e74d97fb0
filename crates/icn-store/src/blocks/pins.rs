//! Pins: which graphs must stay, and why.

use std::collections::HashSet;

use icn_types::{Cid, DAG_PB};

use super::state::BlocksState;
use crate::engine::PINS_TABLE;
use crate::{Key, StoreError, unixfs};

/// The longest reason that is kept, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// A graph that must stay, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The root of the graph.
    pub root: Cid,
    /// Why it is pinned; one root may be pinned for several reasons.
    pub reason: String,
}

/// Layout: the table's name, the length of the CID in one byte, the CID, the reason.
pub(super) fn pin_key(root: &Cid, reason: &str) -> Vec<u8> {
    let mut cut = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut key = PINS_TABLE.to_vec();
    let cid = root.to_bytes();
    key.push(u8::try_from(cid.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(&cid);
    reason.get(..cut).unwrap_or_default().write(&mut key, true);
    key
}

fn read_pin(key: &[u8]) -> Option<Pin> {
    let (len, rest) = key.strip_prefix(PINS_TABLE)?.split_first()?;
    let (cid, reason) = rest.split_at_checked(usize::from(*len))?;
    Some(Pin { root: Cid::from_bytes(cid).ok()?, reason: std::str::from_utf8(reason).ok()?.to_owned() })
}

impl BlocksState {
    pub(super) fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        let mut pins = Vec::new();
        for row in self.engine.rows.prefix(PINS_TABLE) {
            let key = row.key().map_err(|error| self.engine.error("read", error))?;
            pins.push(read_pin(&key).ok_or_else(|| StoreError::Damaged {
                path: self.engine.dir.clone(),
                detail: "a pin cannot be read".into(),
            })?);
        }
        Ok(pins)
    }

    /// Returns the blocks that pins keep: the roots, and what DAG-PB links reach from them as far as it is here.
    pub(super) fn pinned(&self) -> Result<HashSet<Cid>, StoreError> {
        let mut kept = HashSet::new();
        let mut open: Vec<Cid> = self.pins()?.into_iter().map(|pin| pin.root).collect();
        while let Some(cid) = open.pop() {
            if !kept.insert(cid) || cid.codec() != DAG_PB {
                continue;
            }
            // A block that is missing or no DAG-PB has no links to follow; the pin still holds it itself.
            if let Some(block) = self.read(&cid)? {
                open.extend(unixfs::links(&block).unwrap_or_default());
            }
        }
        Ok(kept)
    }
}
