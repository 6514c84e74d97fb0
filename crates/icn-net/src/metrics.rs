//! Counters of the network.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::limits::Refused;
use crate::neighbors::{NeighborCounts, NeighborSet};
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

/// A set of neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct SetLabels {
    set: &'static str,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ReasonLabels {
    reason: &'static str,
}

/// The class of a peer, and the bound that it met.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ClassLabels {
    class: &'static str,
    bound: &'static str,
}

/// Why a connection may be refused: what the gate says, and the library's own bounds on set-ups and repeats.
const REASONS: [&str; 8] =
    ["banned", "banned_group", "trust_too_low", "strangers", "address_group", "churn", "full", "limit"];

/// The metrics of the swarm; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    sessions: Gauge,
    gossip: Family<GossipLabels, Counter>,
    requests: Family<KindLabels, Counter>,
    dropped: Family<KindLabels, Counter>,
    limited: Family<KindLabels, Counter>,
    bitswap_bytes: Family<KindLabels, Counter>,
    sync_bytes: Family<KindLabels, Counter>,
    rejected: Family<ReasonLabels, Counter>,
    stream_rejections: Family<ReasonLabels, Counter>,
    messages_limited: Family<ClassLabels, Counter>,
    neighbors: Family<SetLabels, Gauge>,
    bans: Family<KindLabels, Gauge>,
    offences: Family<KindLabels, Counter>,
    records_kept: Counter,
}

impl Default for Metrics {
    /// Makes counters that stand on no page.
    fn default() -> Self {
        Self {
            sessions: Gauge::default(),
            gossip: Family::default(),
            requests: Family::default(),
            dropped: Family::default(),
            limited: Family::default(),
            bitswap_bytes: Family::default(),
            sync_bytes: Family::default(),
            rejected: Family::default(),
            stream_rejections: Family::default(),
            messages_limited: Family::default(),
            neighbors: Family::default(),
            bans: Family::default(),
            offences: Family::default(),
            records_kept: Counter::default(),
        }
    }
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
            "Connections refused, by reason",
            it.rejected.clone(),
        );
        registry.register(
            "stream_rejections",
            "Streams and requests refused because too many of the peer are open",
            it.stream_rejections.clone(),
        );
        registry.register(
            "messages_rate_limited",
            "Messages refused because of their rate, by the class of the peer and the bound that it met",
            it.messages_limited.clone(),
        );
        registry.register("neighbors_total", "Neighbours by kind", it.neighbors.clone());
        registry.register("network_bans", "Peers and address groups that are banned", it.bans.clone());
        registry.register("network_offences", "Offences told to the policy", it.offences.clone());
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

    pub(crate) fn connection_rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn stream_rejected(&self) {
        self.stream_rejections.get_or_create(&ReasonLabels { reason: "limit" }).inc();
    }

    pub(crate) fn message_limited(&self, class: &'static str, refused: Refused) {
        self.messages_limited.get_or_create(&ClassLabels { class, bound: refused.as_str() }).inc();
    }

    pub(crate) fn neighbors(&self, counts: NeighborCounts) {
        for (set, count) in [
            (NeighborSet::LocalCluster, counts.local_cluster),
            (NeighborSet::Regional, counts.regional),
            (NeighborSet::Backbone, counts.backbone),
            (NeighborSet::Trusted, counts.trusted),
        ] {
            let gauge = self.neighbors.get_or_create(&SetLabels { set: set.as_str() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn banned(&self, (peers, groups): (usize, usize)) {
        for (kind, count) in [("peer", peers), ("group", groups)] {
            self.bans.get_or_create(&KindLabels { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn offence(&self, kind: &'static str) {
        self.offences.get_or_create(&KindLabels { kind }).inc();
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

    /// Returns how many things of a kind (`direct`, `gossip`, `records`, `topology`) were over a peer's limits.
    #[must_use]
    pub fn limited_total(&self, kind: &'static str) -> u64 {
        self.limited.get_or_create(&KindLabels { kind }).get()
    }

    /// Returns how many bytes were `sent` or `received` on streams that reconcile logs, frames' lengths included.
    #[must_use]
    pub fn sync_bytes_total(&self, kind: &'static str) -> u64 {
        self.sync_bytes.get_or_create(&KindLabels { kind }).get()
    }

    /// Returns how many connections were refused, for all reasons together.
    #[must_use]
    pub fn connection_rejected_total(&self) -> u64 {
        REASONS.iter().map(|reason| self.connection_rejected_for(reason)).sum()
    }

    /// Returns how many connections were refused for one reason, such as `strangers` or `address_group`.
    #[must_use]
    pub fn connection_rejected_for(&self, reason: &'static str) -> u64 {
        self.rejected.get_or_create(&ReasonLabels { reason }).get()
    }

    /// Returns how many streams and requests were refused because too many were open.
    #[must_use]
    pub fn stream_rejections_total(&self) -> u64 {
        self.stream_rejections.get_or_create(&ReasonLabels { reason: "limit" }).get()
    }
}
