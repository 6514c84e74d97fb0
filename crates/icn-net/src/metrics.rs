//! Counters of the network.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::topics;

/// One gossip message, by topic and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct GossipLabels {
    topic: String,
    verdict: &'static str,
}

/// One kind of thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct KindLabels {
    kind: &'static str,
}

/// The metrics of the swarm; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    sessions: Gauge,
    gossip: Family<GossipLabels, Counter>,
    requests: Family<KindLabels, Counter>,
    dropped: Family<KindLabels, Counter>,
    limited: Family<KindLabels, Counter>,
    bitswap_bytes: Family<KindLabels, Counter>,
    sync_bytes: Family<KindLabels, Counter>,
    rejected: Counter,
    records_kept: Counter,
}

impl Metrics {
    /// Makes counters that stand on the page of `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let it = Self::default();
        registry.register("network_sessions_active", "Peers connected", it.sessions.clone());
        registry.register(
            "network_gossip_messages",
            "Gossip messages by topic and verdict",
            it.gossip.clone(),
        );
        registry.register("network_requests", "Direct requests by outcome", it.requests.clone());
        registry.register(
            "network_dropped",
            "Things dropped because a bounded queue was full",
            it.dropped.clone(),
        );
        registry.register(
            "network_rate_limited",
            "Things refused because a peer was over its limits",
            it.limited.clone(),
        );
        registry.register("network_bitswap_bytes", "Bytes of blocks moved", it.bitswap_bytes.clone());
        registry.register("network_sync_bytes", "Bytes moved to reconcile logs", it.sync_bytes.clone());
        registry.register(
            "network_connection_rejected",
            "Connections refused by a limit",
            it.rejected.clone(),
        );
        registry.register(
            "network_records_kept",
            "DHT records of peers that passed their check",
            it.records_kept.clone(),
        );
        it
    }

    pub(crate) fn sessions(&self, count: usize) {
        self.sessions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn gossip(&self, topic: &str, verdict: &'static str) {
        let topic = topics::label(topic).to_owned();
        self.gossip.get_or_create(&GossipLabels { topic, verdict }).inc();
    }

    pub(crate) fn request(&self, kind: &'static str) {
        self.requests.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn dropped(&self, kind: &'static str) {
        self.dropped.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn limited(&self, kind: &'static str) {
        self.limited.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn bitswap(&self, kind: &'static str, bytes: usize) {
        self.bitswap_bytes.get_or_create(&KindLabels { kind }).inc_by(bytes as u64);
    }

    pub(crate) fn sync(&self, kind: &'static str, bytes: usize) {
        self.sync_bytes.get_or_create(&KindLabels { kind }).inc_by(bytes as u64);
    }

    pub(crate) fn connection_rejected(&self) {
        self.rejected.inc();
    }

    pub(crate) fn record_kept(&self) {
        self.records_kept.inc();
    }

    /// Returns how many DHT records of peers were kept.
    #[must_use]
    pub fn records_kept_total(&self) -> u64 {
        self.records_kept.get()
    }

    /// Returns how many things of a kind were dropped because a queue was full.
    #[must_use]
    pub fn dropped_total(&self, kind: &'static str) -> u64 {
        self.dropped.get_or_create(&KindLabels { kind }).get()
    }

    /// Returns how many things of a kind (`direct`, `gossip`, `records`) were over a peer's limits.
    #[must_use]
    pub fn limited_total(&self, kind: &'static str) -> u64 {
        self.limited.get_or_create(&KindLabels { kind }).get()
    }

    /// Returns how many bytes were `sent` or `received` on streams that reconcile logs, frames' lengths included.
    #[must_use]
    pub fn sync_bytes_total(&self, kind: &'static str) -> u64 {
        self.sync_bytes.get_or_create(&KindLabels { kind }).get()
    }

    /// Returns how many connections were refused by a limit.
    #[must_use]
    pub fn connection_rejected_total(&self) -> u64 {
        self.rejected.get()
    }
}
