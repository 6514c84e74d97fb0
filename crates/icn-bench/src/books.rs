//! Common books: payments made durable, entries of others taken in, sets reconciled, a start with many entries.
//!
//! A replica is driven here as `icn-node` drives it (one write for each turn, effects behind it), without the network:
//! what would be published is dropped. The mesh is four processes, as members run them.

mod checking;
mod foreign;
mod mesh;
mod payments;
mod postgres;
mod reconcile;
mod replica;
mod shell;
mod sqlite;
mod start;
mod world;

pub(crate) use self::foreign::measure as foreign;
pub(crate) use self::mesh::{certified, propagated};
pub(crate) use self::payments::measure as payments;
pub(crate) use self::reconcile::measure as reconcile;
pub(crate) use self::replica::measure as replica;
pub(crate) use self::start::{Replay, measure as start, replay};
