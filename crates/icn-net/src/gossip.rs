//! Gossipsub as this network uses it, and the messages that wait for a first subscriber.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, MaxCountSubscriptionFilter, MessageAuthenticity, MessageId,
    PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams, TopicSubscriptionFilter,
    ValidationMode,
};
use sha2::{Digest, Sha256};

use crate::config::{Config, TopicCheck};
use crate::error::NetError;
use crate::topics;

/// The largest gossip message, in bytes.
pub const GOSSIP_BYTES_MAX: usize = 256 * 1024;

/// What a frame may have beside its message, in bytes: the envelope, and one read of 8 KiB that belongs to the next
/// frame, since the library measures all that it has buffered (libp2p-gossipsub 0.50, `validate_rpc_limits`) and would
/// otherwise end the stream in a burst of large messages.
const ENVELOPE_BYTES_MAX: usize = 16 * 1024;
/// The largest list of message ids, in bytes: 5,000 ids (the library's own limit for one list) of 34 bytes fit. The
/// library takes 16 KiB unless told otherwise, which is less than what it sends after a burst: the receiver then ends
/// the stream, and the sender notices at the next ping, half a minute later (libp2p-gossipsub 0.50).
const CONTROL_BYTES_MAX: usize = 192 * 1024;
/// Messages are fresh for five minutes and may be half a minute ahead; a repeat must still be known then.
const DUPLICATE_CACHE: Duration = Duration::from_secs(7 * 60);
/// The library's one second loses a third of a burst over TCP.
const QUEUE_DURATION: Duration = Duration::from_secs(30);
/// Messages in the send queue of one peer. Full: the message is dropped for this peer.
const QUEUE_LEN: usize = 8_192;
/// Topics of one peer, and changes in one message of it. Full: the peer's further subscriptions are not noted. Also the
/// most that this node subscribes to: a new neighbour is told all of them in one message.
const TOPICS_PER_PEER_MAX: usize = 256;

/// Gossipsub with our filter.
pub(crate) type Gossip =
    Behaviour<libp2p::gossipsub::IdentityTransform, MaxCountSubscriptionFilter<TopicFilter>>;

/// Lets through the topics of this network.
#[derive(Clone)]
pub(crate) struct TopicFilter {
    topics: Vec<String>,
    allowed: TopicCheck,
}

impl TopicFilter {
    pub(crate) fn new(config: &Config) -> Self {
        Self { topics: config.topics.clone(), allowed: config.topic_allowed.clone() }
    }

    pub(crate) fn allows(&self, topic: &str) -> bool {
        self.topics.iter().any(|known| known == topic)
            || topics::is_space_topic(topic)
            || (self.allowed)(topic)
    }
}

impl TopicSubscriptionFilter for TopicFilter {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        self.allows(topic.as_str())
    }
}

/// Builds gossipsub without authors or signatures; the message's own signature is checked by the application, once.
pub(crate) fn behaviour(config: &Config) -> Result<Gossip, NetError> {
    let settings = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(&Sha256::digest(&message.data)))
        .max_transmit_size(GOSSIP_BYTES_MAX + ENVELOPE_BYTES_MAX)
        .max_control_message_size(CONTROL_BYTES_MAX)
        .flood_publish(config.flood_publish)
        // Figures of a large network in production (Lighthouse).
        .mesh_n_low(4)
        .mesh_n(8)
        .mesh_n_high(12)
        .mesh_outbound_min(3)
        .gossip_lazy(3)
        .history_length(12)
        .history_gossip(3)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .publish_queue_duration(QUEUE_DURATION)
        .forward_queue_duration(QUEUE_DURATION)
        .connection_handler_queue_len(QUEUE_LEN)
        // The heartbeat looks after the mesh; the first one need not wait long.
        .heartbeat_initial_delay(Duration::from_millis(100))
        .build()
        .map_err(|error| NetError::Setup(error.to_string()))?;
    let filter = MaxCountSubscriptionFilter {
        filter: TopicFilter::new(config),
        max_subscribed_topics: TOPICS_PER_PEER_MAX,
        max_subscriptions_per_request: TOPICS_PER_PEER_MAX,
    };
    let setup = |error: &str| NetError::Setup(error.to_owned());
    let mut gossip =
        Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, settings, filter)
            .map_err(setup)?;
    gossip.with_peer_score(score(), thresholds()).map_err(|error| setup(&error))?;
    Ok(gossip)
}

/// Subscribes to a topic and counts invalid messages on it.
pub(crate) fn subscribe(gossip: &mut Gossip, topic: &str) -> Result<(), NetError> {
    let ident = IdentTopic::new(topic);
    let hash = ident.hash();
    if !gossip.topics().any(|known| *known == hash) && gossip.topics().count() >= TOPICS_PER_PEER_MAX {
        return Err(NetError::Full("list of topics"));
    }
    gossip.subscribe(&ident).map_err(|_| NetError::Topic(topic.to_owned()))?;
    gossip.set_topic_params(ident, topic_score()).map_err(|error| NetError::Setup(error.to_owned()))
}

/// Scores: a peer earns at most 20 points; three invalid messages within minutes cost 90.
fn score() -> PeerScoreParams {
    PeerScoreParams {
        topic_score_cap: 20.0,
        app_specific_weight: 1.0,
        // A whole co-op sits behind one office address, and tests on one machine: addresses say nothing here.
        ip_colocation_factor_weight: 0.0,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: decay(600.0),
        // Slow is not hostile: only a peer that loses messages by the hundred gives way to others.
        slow_peer_weight: -0.1,
        slow_peer_threshold: 200.0,
        slow_peer_decay: 0.2,
        retain_score: Duration::from_secs(3_600),
        ..PeerScoreParams::default()
    }
}

fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(1),
        time_in_mesh_cap: 300.0,
        first_message_deliveries_weight: 0.05,
        first_message_deliveries_decay: decay(600.0),
        first_message_deliveries_cap: 100.0,
        // The rate of messages is not known, so silence cannot be held against a peer.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // Grows with the square of the count.
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: decay(600.0),
        ..TopicScoreParams::default()
    }
}

fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -50.0,
        publish_threshold: -100.0,
        graylist_threshold: -200.0,
        accept_px_threshold: 100.0,
        opportunistic_graft_threshold: 1.0,
    }
}

/// The factor for each second that brings a counter to a hundredth in so many seconds.
fn decay(seconds: f64) -> f64 {
    0.01_f64.powf(1.0 / seconds)
}

/// Messages that nobody could take yet. Full: the oldest is dropped.
const WAITING_MAX: usize = 4_096;
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a message waits for a first subscriber.
const WAITING_TIME: Duration = Duration::from_secs(60);

/// Messages that wait for a peer that is subscribed to their topic (after Lighthouse's `GossipCache`).
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    messages: VecDeque<(Instant, String, Bytes)>,
    bytes: usize,
}

impl Waiting {
    /// Keeps a message; returns how many others had to go.
    pub(crate) fn push(&mut self, now: Instant, topic: String, data: Bytes) -> usize {
        if self.messages.iter().any(|(_, known, waiting)| *known == topic && *waiting == data) {
            return 0;
        }
        self.bytes += data.len();
        self.messages.push_back((now, topic, data));
        let mut dropped = 0;
        while self.messages.len() > WAITING_MAX || self.bytes > WAITING_BYTES_MAX {
            let Some((_, _, data)) = self.messages.pop_front() else { break };
            self.bytes -= data.len();
            dropped += 1;
        }
        dropped
    }

    /// Takes out the messages of a topic, or of all topics, that have not waited too long, in their order.
    pub(crate) fn take(&mut self, now: Instant, topic: Option<&str>) -> Vec<(Instant, String, Bytes)> {
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages)
            .into_iter()
            .filter(|(since, _, _)| now.duration_since(*since) < WAITING_TIME)
            .partition(|(_, of, _)| topic.is_none_or(|topic| topic == of));
        self.bytes = kept.iter().map(|(_, _, data)| data.len()).sum();
        self.messages = kept.into();
        taken
    }

    /// Puts back, with its first time, a message that still finds nobody.
    pub(crate) fn put_back(&mut self, message: (Instant, String, Bytes)) {
        self.bytes += message.2.len();
        self.messages.push_back(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_a_minute_at_most() {
        let mut waiting = Waiting::default();
        let start = Instant::now();
        waiting.push(start, "a".into(), Bytes::from_static(b"1"));
        waiting.push(start, "b".into(), Bytes::from_static(b"2"));
        waiting.push(start + WAITING_TIME / 2, "a".into(), Bytes::from_static(b"3"));
        assert_eq!(waiting.take(start, Some("b")).len(), 1);
        let late = waiting.take(start + WAITING_TIME, None);
        assert_eq!(late.len(), 1);
        assert_eq!(late[0].2, "3");
        assert!(waiting.is_empty() && waiting.bytes == 0);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        let dropped: usize =
            (0..200u8).map(|n| waiting.push(now, "a".into(), vec![n; GOSSIP_BYTES_MAX].into())).sum();
        assert_eq!(dropped, 200 - WAITING_BYTES_MAX / GOSSIP_BYTES_MAX);
        assert!(waiting.bytes <= WAITING_BYTES_MAX);
    }

    fn space_topic(n: usize) -> String {
        let root = icn_types::Did::from_public_key([7; 32]).to_string();
        format!("/icn/space/{}/t{n}/v1", root.trim_start_matches("did:icn:"))
    }

    #[test]
    fn the_settings_are_valid() {
        let config = Config::new(libp2p::identity::Keypair::generate_ed25519());
        let mut gossip = behaviour(&config).unwrap();
        assert!(matches!(subscribe(&mut gossip, "/elsewhere"), Err(NetError::Topic(_))));
        for n in 0..TOPICS_PER_PEER_MAX {
            subscribe(&mut gossip, &space_topic(n)).unwrap();
        }
        subscribe(&mut gossip, &space_topic(0)).unwrap();
        assert!(matches!(subscribe(&mut gossip, &space_topic(TOPICS_PER_PEER_MAX)), Err(NetError::Full(_))));
        score().validate().unwrap();
        topic_score().validate().unwrap();
        thresholds().validate().unwrap();
    }
}
