//! What can be wrong with an edge, and with settings.

use icn_types::Did;

use crate::graph::{EDGES_MAX, NODES_MAX, OUT_DEGREE_MAX};

/// An edge that is not taken in.
///
/// Blame: its author, except for the two bounds of the whole graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// Somebody vouches for themselves.
    #[error("`{0}` vouches for itself: ask somebody else to")]
    OwnVoucher(Did),
    /// Above full trust.
    #[error("a score of {0} parts per million is above full trust: give 0 to 1000000")]
    Score(u32),
    /// Too many from one member.
    #[error("`{0}` vouches for {OUT_DEGREE_MAX} others already: take back what no longer holds")]
    TooManyVouched(Did),
    /// Too many members.
    #[error("the graph names {NODES_MAX} members already: remove edges of those who left")]
    MembersFull,
    /// Too many edges.
    #[error("the graph has {EDGES_MAX} edges already: remove some that expired")]
    EdgesFull,
}

/// Settings that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A value out of its range.
    #[error("`{name}` is {value}: give {expected}")]
    Range {
        /// The key.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// Cut-offs that do not rise.
    #[error("the cut-off of `{upper}` must lie above that of `{lower}`: raise one or lower the other")]
    Cutoffs {
        /// The class whose cut-off is too high.
        lower: &'static str,
        /// The class above it.
        upper: &'static str,
    },
    /// No such class.
    #[error("`{0}` is no class of trust: use `isolated`, `known`, `partner`, `federated` or `intimate`")]
    Class(String),
    /// No such right.
    #[error(
        "`{0}` is no capability: use `read_ledger`, `write_ledger`, `read_trust`, `modify_trust`, `deploy_contract` or `execute_contract`"
    )]
    Capability(String),
    /// A class that may do less than the one below it.
    #[error("`{upper}` gets less of `{what}` than `{lower}`: give a higher class at least as much")]
    Falls {
        /// The lower class.
        lower: &'static str,
        /// The class above it.
        upper: &'static str,
        /// Which limit.
        what: &'static str,
    },
}
