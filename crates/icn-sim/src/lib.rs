//! A deterministic network in one thread, over the real state machines.
//!
//! A [`World`] has nodes with the originator and executor machines of `icn-mesh`, a virtual disk each, a network that
//! loses, delays, repeats and reorders, executions that take virtual time, users, crashes and cheats. Everything follows
//! from one seed: the same seed gives the same run. After every event the promises of the machines are checked; a broken
//! one ends the run with a [`Violation`] that names the seed and, when the story was recorded, tells what happened.
//!
//! The shell here does what the node's shell does, no better: one pipeline of effects for each node, in which what stands
//! behind a write waits until the write is durable. A killed node loses every write that was not durable, and all memory.
//!
//! What jobs cost moves in a small model of the ledger, which is one book for all nodes.
//!
//! Beside it, [`economy`] runs the policy of common books over agents: many seeds on as many threads as there are cores, each
//! run in one.
//!
//! [`region`] sets a thousand made-up members on a community, and holds what they get against what can be derived.
//!
//! It never decides anything for a machine, reads no clock and opens no socket or file.

mod cheat;
mod check;
mod config;
mod disk;
pub mod economy;
mod guest;
mod inbox;
mod job;
mod keys;
mod ledger;
mod network;
mod node;
mod outside;
mod planted;
mod random;
pub mod region;
mod shell;
pub mod space;
mod story;
mod workload;
mod world;

pub use crate::check::Violation;
pub use crate::config::{Cheat, Config, DiskConfig, LedgerConfig, NetworkConfig, NodeConfig, Pipeline};
pub use crate::job::{Job, Planned};
pub use crate::workload::{check_world, random_world};
pub use crate::world::World;
