//! What an operator sees of the books on the metrics page, summed over all spaces. Read when the page is made.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Spaces;

/// The families of the books.
///
/// | family | kind | labels |
/// |---|---|---|
/// | `gossip_entries` | counter: entries applied, those read at the start among them | |
/// | `gossip_entries_waiting` | gauge | |
/// | `ledger_balance_sum` | gauge: the sum of what is booked; not 0 means that something is very wrong | |
/// | `ledger_forks` | gauge: places with two entries | |
/// | `ledger_claims` | gauge | |
/// | `ledger_invalid` | gauge: acts without effect | `reason` |
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    entries: Counter<u64, AtomicU64>,
    waiting: Gauge,
    sum: Gauge,
    forks: Gauge,
    claims: Gauge,
    invalid: Family<ReasonLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("gossip_entries", "Entries of logs that were applied", metrics.entries.clone());
        registry.register(
            "gossip_entries_waiting",
            "Entries that wait for their past",
            metrics.waiting.clone(),
        );
        registry.register("ledger_balance_sum", "Sum of all booked balances: zero", metrics.sum.clone());
        registry.register("ledger_forks", "Places with two entries of one author", metrics.forks.clone());
        registry.register("ledger_claims", "Debts outside the books", metrics.claims.clone());
        registry.register("ledger_invalid", "Acts without effect", metrics.invalid.clone());
        metrics
    }

    /// Brings the figures up to date.
    pub(crate) fn observe(&self, spaces: &Spaces) {
        let (mut entries, mut waiting, mut sum, mut forks, mut claims) = (0, 0, 0_i64, 0, 0);
        let mut invalid: BTreeMap<&'static str, i64> = BTreeMap::new();
        for space in spaces.all() {
            let replica = space.replica();
            let books = replica.books();
            entries += replica.log().len() as u64;
            waiting += count(replica.log().waiting_len());
            for currency in books.currencies() {
                let booked = books.accounts(&currency.code).into_iter().map(|(_, booked)| booked);
                sum = booked.fold(sum, i64::saturating_add);
            }
            forks += count(books.forks().len());
            claims += count(books.claims().len());
            for (reason, many) in books.invalid_counts() {
                *invalid.entry(reason).or_default() += i64::try_from(many).unwrap_or(i64::MAX);
            }
        }
        self.entries.inc_by(entries.saturating_sub(self.entries.get()));
        self.waiting.set(waiting);
        self.sum.set(sum);
        self.forks.set(forks);
        self.claims.set(claims);
        // Books that were given up count no more.
        self.invalid.clear();
        for (reason, many) in invalid {
            self.invalid.get_or_create(&ReasonLabels { reason }).set(many);
        }
    }
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
