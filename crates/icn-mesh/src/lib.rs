//! The life of a job on both sides: auction, placement, leases and receipts.
//!
//! Two machines, [`Originator`] and [`Executor`], decide; neither has a socket, a clock, a disk or a random source. The
//! shell feeds them [events](OriginatorEvent) with the time and carries out the [effects](Effect) in order: what must be
//! durable before it is relied on is an [`Effect::Persist`] that stands before the [`Effect::Send`] that relies on it.
//!
//! What they promise, whatever is lost, repeated, delayed or killed: a job ends with a stated reason; at most one receipt
//! of a job is accepted; the executor of an epoch that is over stops by itself; a job with a price runs only under a hold
//! that covers it, and its price is taken once, or given back, or claimed. Sources: `docs/protocol.md` sections 5
//! and 6; the planetary-mesh RFCs; Gray and Cheriton, *Leases* (1989), for the fencing.

mod clock;
mod directory;
mod effect;
mod executor;
mod originator;
mod payment;
mod placement;
mod quota;
mod record;
mod regard;
#[cfg(test)]
mod testing;
mod track;

pub use crate::clock::{Now, Tick};
pub use crate::directory::{Directory, KnownExecutor};
pub use crate::effect::{Answer, Effect, HoldEnd, HoldRole, Persist, RequestId, Timer};
pub use crate::executor::{ExecutionReport, Executor, ExecutorConfig, ExecutorEvent};
pub use crate::originator::{
    FetchFailure, Originator, OriginatorConfig, OriginatorEvent, Standing, Submission, SubmitError,
};
pub use crate::payment::{DueRecord, PaymentRecord, PaymentState};
pub use crate::placement::{Ineligible, Placement, Scored};
pub use crate::quota::{Quotas, ResourceQuota};
pub use crate::record::{
    AssignmentRecord, BidRecord, DeclineRecord, ExecutionRecord, Failure, HISTORY_MAX, JobRecord,
    OfferRecord, Turn,
};
pub use crate::regard::{Regard, Regards};
pub use crate::track::Track;
