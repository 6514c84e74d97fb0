//! The vocabulary of ICN.
//!
//! What every crate above must mean the same by: who ([`Did`]), what ([`Cid`]), when ([`Timestamp`], [`Duration`]),
//! how much ([`TokenAmount`], [`ResourceType`]), under which limits ([`Constraints`]), and how values become bytes
//! ([`codec`]). Nothing here reads a clock, a socket or a random source.
//!
//! Sources: `docs/protocol.md` sections 1 and 2; RFC 3339, ISO 8601, DAG-CBOR and CIDv1 of the IPLD specifications.

mod amount;
mod cid;
pub mod codec;
mod constraints;
mod did;
mod job;
mod name;
mod page;
mod resource;
mod time;
mod topology;
mod trust;

pub use crate::amount::{AmountError, TokenAmount};
pub use crate::cid::{BLOCK_BYTES_MAX, Cid, CidError, DAG_CBOR, DAG_PB, RAW};
pub use crate::codec::Value;
pub use crate::constraints::{Capabilities, Constraints, TopicAccess};
pub use crate::did::{Did, DidError};
pub use crate::job::{End, Mode, StandardJobStatus};
pub use crate::name::{ClusterId, NameError, PATHS_MAX, Region, check_path, check_paths};
pub use crate::page::Page;
pub use crate::resource::{NodeCapacity, ResourceProfile, ResourceType, Resources};
pub use crate::time::{Duration, TimeError, Timestamp};
pub use crate::topology::{NodeTier, Scope, ServiceRole, TOPOLOGY_DEFAULT, TopologyInfo};
pub use crate::trust::{
    JobOutcome, SCORE_MAX_PPM, ScoreError, TrustContext, TrustContextError, format_score, parse_score,
};
