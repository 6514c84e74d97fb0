//! The least that the life of a no-op job can take: what its path is made of, each at its limit.
//!
//! The path, with the first bid accepted at once. *S* is a signature made, *V* one checked, *D* a write made durable,
//! *H* a message on its way.
//!
//! 1. submission over HTTP; the job and its announcement: S D, to the executor: H V
//! 2. the bid: S D, back to the originator: H V
//! 3. the assignment: S D, to the executor: H V, accepted: D
//! 4. the guest runs; the receipt and the announcement of it: S S D, to the originator: H V
//! 5. the receipt is fetched: H H, checked with the assignment behind it: V V, the job is final: D
//! 6. the client hears of it

use anyhow::Result;
use icn_bench::Context;
use icn_bench::report::{Row, Unit};

const SIGNATURES_MADE: u32 = 5;
const SIGNATURES_CHECKED: u32 = 6;
const WRITES: u32 = 6;
const MESSAGES: u32 = 6;

/// Signatures of all nodes for one job, those included that nobody waits for: the second executor checks the
/// announcement and bids too, the announced receipt is checked by all.
const SIGNATURES_MADE_IN_ALL: u32 = 6;
const SIGNATURES_CHECKED_IN_ALL: u32 = 10;

/// The parts, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    made_us: f64,
    checked_us: f64,
    writes_us: f64,
    messages_us: f64,
    guest_us: f64,
    http_us: f64,
}

impl Parts {
    /// Takes the parts from the limits; `http_us` is one request to a node's API that costs the node nothing.
    pub(super) fn measure(context: &Context, http_us: f64) -> Result<Self> {
        let limits = context.limits.disk_now(context.plan.each, &context.dir)?;
        Ok(Self {
            made_us: f64::from(SIGNATURES_MADE) * 1e6 / limits.signs_per_second,
            checked_us: f64::from(SIGNATURES_CHECKED) * 1e6 / limits.verifies_per_second,
            writes_us: f64::from(WRITES) * limits.fdatasync_us,
            messages_us: f64::from(MESSAGES) * limits.hop_us,
            guest_us: crate::modules::instantiation_us(context)?,
            http_us,
        })
    }

    /// Returns how long a core is busy with all signatures of one job, in microseconds.
    pub(super) fn signatures_us(context: &Context) -> f64 {
        let limits = &context.limits;
        f64::from(SIGNATURES_MADE_IN_ALL) * 1e6 / limits.signs_per_second
            + f64::from(SIGNATURES_CHECKED_IN_ALL) * 1e6 / limits.verifies_per_second
    }

    /// Returns the sum.
    pub(super) fn sum_us(&self) -> f64 {
        let Self { made_us, checked_us, writes_us, messages_us, guest_us, http_us } = self;
        made_us + checked_us + writes_us + messages_us + guest_us + http_us
    }

    /// Returns the parts and their sum as rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        [
            (format!("part: {SIGNATURES_MADE} signatures made"), self.made_us),
            (format!("part: {SIGNATURES_CHECKED} signatures checked"), self.checked_us),
            (format!("part: {WRITES} × append + fdatasync"), self.writes_us),
            (format!("part: {MESSAGES} messages, QUIC, one way"), self.messages_us),
            ("part: 1 instantiation, bare".to_owned(), self.guest_us),
            ("part: 1 request to the API".to_owned(), self.http_us),
            ("sum of the parts".to_owned(), self.sum_us()),
        ]
        .into_iter()
        .map(|(name, us)| Row::new(name, us, Unit::Microseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_of_all_parts() {
        let parts = Parts {
            made_us: 1.0,
            checked_us: 2.0,
            writes_us: 4.0,
            messages_us: 8.0,
            guest_us: 16.0,
            http_us: 32.0,
        };
        assert!((parts.sum_us() - 63.0).abs() < 1e-9);
        assert_eq!(parts.rows().count(), 7);
    }
}
