//! The name of an act: its entry, and its place there.

use std::fmt;
use std::str::FromStr;

use icn_types::Cid;
use serde::{Deserialize, Serialize};

use crate::error::PostError;

/// One act of an entry, by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderRef {
    /// The entry.
    pub entry: Cid,
    /// Which of its acts, from 0.
    pub index: u32,
}

impl fmt::Display for OrderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.entry, self.index)
    }
}

impl FromStr for OrderRef {
    type Err = PostError;

    fn from_str(text: &str) -> Result<Self, PostError> {
        let wrong = PostError::Field("order", "expected `<CID of an entry>#<number of the act>`");
        let (entry, index) = text.split_once('#').unwrap_or((text, "0"));
        match (entry.parse(), index.parse()) {
            (Ok(entry), Ok(index)) => Ok(Self { entry, index }),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => Err(wrong),
        }
    }
}
