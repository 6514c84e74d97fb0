//! The task that owns the swarm. Each turn of its loop takes one thing and does a bounded amount of cheap work.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Swarm, gossipsub, kad};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::behaviour::{Mesh, MeshEvent};
use crate::bitswap::Exchange;
use crate::config::Config;
use crate::error::{NetError, RequestError};
use crate::event::{Event, Judged, Replied, Verdict};
use crate::gossip::{self, TopicFilter, Waiting};
use crate::handle::{Answer, Command};
use crate::hangup::Ringing;
use crate::limits::{Kind, Refused};
use crate::records::RecordCheck;
use crate::shared::Shared;
use crate::start::released;

mod blame;
mod dht;
mod dial;
mod direct;
mod events;
mod mute;
mod offences;
mod places;
mod redial;
mod score;
mod topology;

pub use blame::BAN_TIME;
use blame::Blame;
use dht::{Checked, Query};
use dial::Dials;
use mute::Muted;
use offences::Offences;
use places::Places;
use topology::{PLACE_INTERVAL, TELL_INTERVAL};

/// How often peers are dialled again and messages that wait are tried again.
const TICK: Duration = Duration::from_millis(250);
/// Gossip messages that wait for a verdict, in KiB; each counts as four at least. Full: the next is ignored.
const GOSSIP_KIB_MAX: usize = 32 * 1024;
/// Direct requests that wait for a response, in KiB; each counts as four at least. Full: the next is refused.
const REQUESTS_KIB_MAX: usize = 16 * 1024;
/// The least that one message counts in a queue, in KiB.
const MESSAGE_KIB_MIN: usize = 4;
/// Records that wait for their check. Full: the next is dropped.
const CHECKS_MAX: usize = 64;
/// How long connections may take to close.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Driver {
    swarm: Swarm<Mesh>,
    /// Its dials under way.
    ringing: Ringing,
    config: Config,
    shared: Arc<Shared>,
    exchange: Arc<Exchange>,
    records: Arc<dyn RecordCheck>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    topics: TopicFilter,
    waiting: Waiting,
    judged: (mpsc::UnboundedSender<Judged>, mpsc::UnboundedReceiver<Judged>),
    replied: (mpsc::UnboundedSender<Replied>, mpsc::UnboundedReceiver<Replied>),
    checked: (mpsc::Sender<Checked>, mpsc::Receiver<Checked>),
    gossip_room: Arc<Semaphore>,
    request_room: Arc<Semaphore>,
    check_room: Arc<Semaphore>,
    /// Our own requests under way.
    asking: HashMap<OutboundRequestId, Answer<Result<Bytes, RequestError>>>,
    queries: HashMap<kad::QueryId, Query>,
    dials: Dials,
    /// Peers that are dialled once their last connection has ended, and where they were seen.
    again: HashMap<PeerId, libp2p::Multiaddr>,
    blame: Blame,
    offences: Offences,
    muted: Muted,
    places: Places,
    /// When all peers are placed anew, and when they are told the topology.
    place_at: Instant,
    tell_at: Instant,
    /// The tasks that take in streams; they end with the swarm, which cannot tell them (libp2p-stream 0.5: each of their
    /// controls keeps the channel open that they read).
    _acceptors: JoinSet<()>,
}

impl Driver {
    #[expect(clippy::too_many_arguments, reason = "called once; each is a part that `start` has made")]
    pub(crate) fn new(
        swarm: Swarm<Mesh>,
        ringing: Ringing,
        config: Config,
        shared: Arc<Shared>,
        exchange: Arc<Exchange>,
        records: Arc<dyn RecordCheck>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
        acceptors: JoinSet<()>,
    ) -> Self {
        Self {
            topics: TopicFilter::new(&config),
            dials: Dials::new(&config),
            swarm,
            ringing,
            config,
            shared,
            exchange,
            records,
            commands,
            events,
            waiting: Waiting::default(),
            judged: mpsc::unbounded_channel(),
            replied: mpsc::unbounded_channel(),
            checked: mpsc::channel(CHECKS_MAX),
            gossip_room: Arc::new(Semaphore::new(GOSSIP_KIB_MAX)),
            request_room: Arc::new(Semaphore::new(REQUESTS_KIB_MAX)),
            check_room: Arc::new(Semaphore::new(CHECKS_MAX)),
            asking: HashMap::new(),
            queries: HashMap::new(),
            again: HashMap::new(),
            blame: Blame::default(),
            offences: Offences::default(),
            muted: Muted::default(),
            places: Places::default(),
            place_at: Instant::now() + PLACE_INTERVAL,
            tell_at: Instant::now() + TELL_INTERVAL,
            _acceptors: acceptors,
        }
    }

    /// Runs until the last handle is gone or one of them asks for the end; begins with what happened already.
    pub(crate) async fn run(mut self, early: Vec<SwarmEvent<MeshEvent>>) {
        for address in self.shared.listen.read().map(|listen| listen.clone()).unwrap_or_default() {
            self.notify(Event::Listening(address));
        }
        for event in early {
            self.on_swarm_event(event);
        }
        self.dial_known();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let answer = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(judged) = self.judged.1.recv() => self.on_verdict(&judged),
                Some(replied) = self.replied.1.recv() => self.on_reply(replied),
                Some(checked) = self.checked.1.recv() => self.on_checked(checked),
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown { answer }) => break Some(answer),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                _ = ticks.tick() => self.on_tick(),
            }
        };
        self.exchange.close();
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.close()).await;
        let listen = self.shared.listen.read().map(|listen| listen.clone()).unwrap_or_default();
        drop(self);
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, released(&listen)).await;
        if let Some(answer) = answer {
            let _ = answer.send(());
        }
    }

    async fn close(&mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error says that it has left already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        while self.swarm.network_info().connection_counters().num_established() > 0 {
            self.swarm.select_next_some().await;
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, data, answer } => give(answer, self.publish(topic, data)),
            Command::Subscribe { topic, answer } => {
                give(answer, gossip::subscribe(&mut self.swarm.behaviour_mut().gossip, &topic));
            }
            Command::Unsubscribe { topic } => {
                self.swarm.behaviour_mut().gossip.unsubscribe(&gossipsub::IdentTopic::new(topic));
            }
            Command::Request { peer, data, answer } => self.request(peer, data, answer),
            Command::Connect { peer, answer } => self.connect(peer, answer),
            Command::Dial { address, answer } => self.dial(address, answer),
            Command::Disconnect { peer } => {
                self.dials.redials.find(&peer);
                // An error says that it has left already.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Provide { key, answer } => give(answer, self.provide(&key)),
            Command::FindProviders { key, answer } => self.find_providers(&key, answer),
            Command::PutRecord { key, value, answer } => give(answer, self.put_record(&key, value)),
            Command::GetRecord { key, answer } => self.get_record(&key, answer),
            Command::Report { peer, misbehaviour } => self.on_report(peer, misbehaviour),
            Command::Score { peer, answer } => {
                give(answer, self.swarm.behaviour().gossip.peer_score(&peer));
            }
            Command::TellTopology => self.tell_topology_to_all(),
            Command::Pardon { peer } => self.forget(peer),
            Command::Redial { peer } => self.dials.redials.find(&peer),
            // Taken by the loop itself.
            Command::Shutdown { answer } => give(answer, ()),
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        self.redial(now);
        self.pardon();
        self.unmute(now);
        self.divide_places();
        if now >= self.place_at {
            self.place_at = now + PLACE_INTERVAL;
            self.shared.place_all();
        }
        if now >= self.tell_at {
            self.tell_at = now + TELL_INTERVAL;
            self.refresh_topology();
        }
        if !self.waiting.is_empty() {
            self.publish_waiting(None);
        }
    }

    fn publish(&mut self, topic: String, data: Bytes) -> Result<(), NetError> {
        if !self.topics.allows(&topic) {
            return Err(NetError::Topic(topic));
        }
        match self.try_publish(&topic, &data) {
            Ok(true) => {}
            Ok(false) => {
                for _ in 0..self.waiting.push(Instant::now(), topic, data) {
                    self.shared.metrics.dropped("gossip_waiting");
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Publishes a message; false when nobody takes it now.
    fn try_publish(&mut self, topic: &str, data: &Bytes) -> Result<bool, NetError> {
        use gossipsub::PublishError;
        let topic_hash = gossipsub::IdentTopic::new(topic).hash();
        match self.swarm.behaviour_mut().gossip.publish(topic_hash, data.clone()) {
            Ok(_) => {
                self.shared.metrics.gossip(topic, "published");
                Ok(true)
            }
            // It is on its way already.
            Err(PublishError::Duplicate) => Ok(true),
            Err(PublishError::NoPeersSubscribedToTopic) => Ok(false),
            Err(PublishError::AllQueuesFull(_)) => {
                self.shared.metrics.dropped("gossip_queues");
                Ok(true)
            }
            Err(PublishError::MessageTooLarge) => {
                Err(NetError::TooLarge { bytes: data.len(), bytes_max: gossip::GOSSIP_BYTES_MAX })
            }
            Err(error @ (PublishError::SigningError(_) | PublishError::TransformFailed(_))) => {
                Err(NetError::Setup(error.to_string()))
            }
        }
    }

    fn publish_waiting(&mut self, topic: Option<&str>) {
        for message in self.waiting.take(Instant::now(), topic) {
            if matches!(self.try_publish(&message.1, &message.2), Ok(false)) {
                self.waiting.put_back(message);
            }
        }
    }

    fn on_gossip(&mut self, from: PeerId, id: gossipsub::MessageId, message: gossipsub::Message) {
        let topic = message.topic.into_string();
        if message.data.len() > gossip::GOSSIP_BYTES_MAX {
            self.shared.metrics.gossip(&topic, "too_large");
            self.judge(&id, from, Verdict::Reject);
            return;
        }
        if let Err(refused) = self.shared.limits.take(from, Kind::Gossip, message.data.len()) {
            self.shared.metrics.limited("gossip");
            self.on_limited(from, refused);
            let is_own = matches!(refused, Refused::Own | Refused::Group | Refused::Strangers);
            if is_own && self.shared.limits.is_judged(from) {
                // It may only hand on what others say: this message counts, and then nothing for a while.
                self.mute(from);
            } else {
                if refused == Refused::Own {
                    self.on_flood(from);
                }
                self.judge(&id, from, Verdict::Ignore);
                return;
            }
        }
        let room = Arc::clone(&self.gossip_room).try_acquire_many_owned(share(message.data.len()));
        let Ok(permit) = room else {
            self.shared.metrics.dropped("gossip");
            self.judge(&id, from, Verdict::Ignore);
            return;
        };
        let tx = self.judged.0.clone();
        let verdict = crate::event::VerdictSender::new(id, from, topic.clone(), tx, permit);
        self.notify(Event::Gossip { topic, from, data: message.data.into(), verdict });
    }

    fn on_verdict(&mut self, judged: &Judged) {
        let name = match judged.verdict {
            Verdict::Accept => "accepted",
            Verdict::Ignore => "ignored",
            Verdict::Reject => "rejected",
        };
        self.shared.metrics.gossip(&judged.topic, name);
        self.judge(&judged.id, judged.from, judged.verdict);
    }

    fn judge(&mut self, id: &gossipsub::MessageId, from: PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => gossipsub::MessageAcceptance::Accept,
            Verdict::Ignore => gossipsub::MessageAcceptance::Ignore,
            Verdict::Reject => gossipsub::MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if !gossip.report_message_validation_result(id, &from, acceptance) {
            self.shared.metrics.dropped("late_verdicts");
        }
    }

    /// Tells the application. What it cannot take is dropped, which answers gossip with `Ignore`.
    fn notify(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.shared.metrics.dropped("events");
        }
    }
}

/// The share of a queue that a message takes.
fn share(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024).max(MESSAGE_KIB_MIN)).unwrap_or(u32::MAX)
}

/// Answers a caller, who may have stopped waiting.
fn give<T>(answer: Answer<T>, value: T) {
    let _ = answer.send(value);
}
