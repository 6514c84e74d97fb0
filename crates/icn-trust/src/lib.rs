//! Trust: who vouches for whom, and what follows.
//!
//! A web of signed, fading, revocable introductions is read in three ways ([`Paths`], [`flow_to`] with [`shares`] and
//! [`Admission`], [`Walk`]), cut into classes ([`TrustClass`]) and turned into limits ([`Policy`]) that the floors below
//! enforce without knowing why. Beside it stand what members did wrong ([`Standing`]) and how they did their jobs
//! ([`reputation()`]). Every answer comes with what it rests on.
//!
//! Nothing here is a score of a person: all readings start from somebody (the sources, the seeds), and a graph without a
//! viewpoint has no reading. This crate reads no clock, socket, disk or random source and holds no floats: the same
//! edges, time and settings give the same numbers on every node, whatever the order in which the edges came.
//!
//! Sources: `docs/trust.md`; Levien's Advogato; SybilRank; Bazaar; BOINC's rule of consecutive valid results.

mod admission;
mod class;
mod decay;
mod error;
mod flow;
mod graph;
mod path;
mod policy;
mod reputation;
mod settings;
mod share;
mod snapshot;
mod standing;
mod walk;

pub use crate::admission::{Admission, AdmissionRule, DISTANCES_MAX, Refusal};
pub use crate::class::{BACKBONE_PPM, Cutoffs, MIN_TRUST_EXECUTE_PPM, TRUSTED_PPM, TrustClass};
pub use crate::error::{EdgeError, SettingsError};
pub use crate::flow::{Flow, FlowPath, Limit, PATHS_SHOWN_MAX, Shares, credit, flow_to, reached, shares};
pub use crate::graph::{EDGES_MAX, Edge, NODES_MAX, OUT_DEGREE_MAX, PPM, TrustGraph};
pub use crate::path::{HOPS_MAX, Hop, Path, Paths};
pub use crate::policy::{Access, Capability, Policy, Rule, Topics};
pub use crate::reputation::{OriginatorShare, Rating, Reputation, ReputationSettings, reputation};
pub use crate::settings::{PathSettings, Settings};
pub use crate::share::{Allowance, BranchLimits, GROUPS_PER_INTRODUCER, Group, Subtrees};
pub use crate::snapshot::{DAY_MS, Introduction, Snapshot};
pub use crate::standing::{
    Action, OFFENDERS_MAX, Offender, OffenderView, Standing, StandingSettings, Violation,
};
pub use crate::walk::{STEPS_MAX, WEIGHT, Walk, WalkSettings};
