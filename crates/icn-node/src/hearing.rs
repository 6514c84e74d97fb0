//! What comes in from the network: verified here, in the order of `docs/protocol.md` section 3, before a machine hears it.

use std::sync::Arc;

use bytes::Bytes;
use icn_mesh::{ExecutorEvent, OriginatorEvent};
use icn_net::{Event, Misbehaviour, PeerId, Verdict};
use icn_protocol::replay::{MessageKey, Seen};
use icn_protocol::topics::Topic;
use icn_protocol::{
    DIRECT_BYTES_MAX, FreshnessPolicy, GOSSIP_BYTES_MAX, Incoming, Message, ProtocolError, RefusalCode,
    Response, Verified,
};
use icn_trust::Violation;
use tokio::sync::mpsc;

use crate::answer::Asker;
use crate::core::{Happening, Node, lock};
use crate::perform::blobs_held;
use crate::spaces;

/// Hears the network until it ends.
pub(crate) async fn run(node: Arc<Node>, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Gossip { topic, from, data, verdict } if spaces::is_space_topic(&topic) => {
                spaces::hear_live(&node, &topic, from, data, verdict);
            }
            Event::Gossip { topic, from, data, verdict } => {
                let judged = hear_gossip(&node, &topic, &data).await;
                if judged == Verdict::Reject {
                    node.trust.blame(node.clock.now().at, &from, Violation::Malformed);
                }
                verdict.send(judged);
            }
            Event::Request { from, data, reply } => {
                hear_request(&node, from, &data, Asker::Peer(reply)).await
            }
            Event::PeerConnected { peer, .. } => {
                tracing::info!(%peer, "connected");
                node.trust.stir();
                node.advertise_soon.notify_one();
            }
            Event::PeerDisconnected { peer } => {
                tracing::info!(%peer, "disconnected");
                spaces::peer_left(&node, peer).await;
            }
            Event::Subscribed { peer, topic } if spaces::is_space_topic(&topic) => {
                spaces::peer_subscribed(&node, peer, &topic).await;
            }
            Event::Subscribed { topic, .. } => subscribed(&node, &topic).await,
            Event::Sync { peer, stream } => spaces::accept(&node, peer, stream),
            Event::Offence { peer, offence, count } => {
                tracing::debug!(%peer, offence = offence.as_str(), count, "a peer does what it may not");
                node.trust.blame(node.clock.now().at, &peer, Violation::ExcessiveRate);
            }
            Event::Listening(address) => {
                tracing::debug!(%address, "listening");
                node.listening.notify_one();
            }
        }
    }
}

/// Whoever subscribes to announcements has missed those made before.
async fn subscribed(node: &Arc<Node>, topic: &str) {
    match topic.parse() {
        Ok(Topic::Jobs | Topic::JobsIn(_)) => {
            node.happen(Happening::Originator(OriginatorEvent::ListenerAppeared)).await;
        }
        Ok(Topic::Capabilities) => node.advertise_soon.notify_one(),
        Ok(Topic::Receipts) | Err(_) => {}
    }
}

/// Why a message goes no further.
enum Stop {
    /// It breaks a rule, or is too old or too new.
    Rule(ProtocolError),
    /// Its variant is not known here: ignored, never an error.
    Unknown(String),
    /// It came before.
    Repeat(MessageKey, Option<Response>),
    /// There is no room to remember it.
    Full,
}

/// Takes bytes through every check that does not depend on what the message is about.
fn verify(node: &Node, bytes: &[u8], bytes_max: usize) -> Result<Verified, Stop> {
    let raw = match icn_protocol::parse(bytes, bytes_max).map_err(Stop::Rule)? {
        Incoming::Message(raw) => raw,
        Incoming::Unknown { name } => return Err(Stop::Unknown(name)),
    };
    let now = node.clock.now().at;
    let policy = FreshnessPolicy { not_before: node.started_at, ..FreshnessPolicy::default() };
    raw.check(now, &policy).map_err(Stop::Rule)?;
    let key = MessageKey { sender: raw.speaker(), stamped: raw.timestamp(), id: raw.id() };
    seen(lock(&node.guard).check(now, key), key)?;
    let verified = raw.verify(&node.verifier).map_err(|error| Stop::Rule(error.into()))?;
    seen(lock(&node.guard).record(now, key), key)?;
    Ok(verified)
}

fn seen(seen: Seen, key: MessageKey) -> Result<(), Stop> {
    match seen {
        Seen::New => Ok(()),
        Seen::Repeat { answer } => Err(Stop::Repeat(key, answer)),
        Seen::Full => Err(Stop::Full),
    }
}

/// Judges a gossip message: rejected is only what its forwarder could have known to be wrong.
async fn hear_gossip(node: &Arc<Node>, topic: &str, data: &Bytes) -> Verdict {
    let verified = match verify(node, data, GOSSIP_BYTES_MAX) {
        Ok(verified) => verified,
        Err(Stop::Rule(error)) => {
            node.metrics.message_refused(refusal_label(&error.code()));
            tracing::debug!(topic, error = %error, "a gossip message was refused");
            return if error.blames_sender() { Verdict::Reject } else { Verdict::Ignore };
        }
        Err(Stop::Unknown(name)) => {
            node.metrics.message_refused("unknown_variant");
            tracing::debug!(topic, name, "a gossip message of an unknown kind was ignored");
            return Verdict::Ignore;
        }
        Err(Stop::Repeat(..)) => {
            node.metrics.replay_detected();
            return Verdict::Ignore;
        }
        Err(Stop::Full) => {
            node.metrics.message_refused("replay_full");
            return Verdict::Ignore;
        }
    };
    let belongs = topic.parse::<Topic>().is_ok_and(|topic| topic.accepts(verified.message()));
    if !belongs {
        return Verdict::Reject;
    }
    tell_gossip(node, verified).await;
    Verdict::Accept
}

/// Lets this node's own executor hear what this node announces.
pub(crate) async fn hear_own_gossip(node: &Arc<Node>, data: &Bytes) {
    if let Ok(verified) = verify(node, data, GOSSIP_BYTES_MAX) {
        tell_gossip(node, verified).await;
    }
}

async fn tell_gossip(node: &Arc<Node>, verified: Verified) {
    let happening = match verified.into_message() {
        Message::JobAnnouncementV1(announcement) => {
            let params = &announcement.job_params;
            let cids =
                std::iter::once(params.wasm_cid).chain(params.input_cids.iter().map(|input| input.cid));
            let blobs_held = blobs_held(node, cids);
            Happening::Executor(ExecutorEvent::Announced { announcement, blobs_held })
        }
        Message::CapabilityAdvertisementV1(capability) => {
            Happening::Originator(OriginatorEvent::Capability(capability))
        }
        Message::ExecutionReceiptAvailableV1(available) if available.originator_did == node.me => {
            Happening::Originator(OriginatorEvent::ReceiptAvailable { ticket: None, available })
        }
        Message::ExecutionReceiptAvailableV1(available) => {
            tracing::debug!(job = %available.announcement_id, receipt = %available.receipt_cid, "a receipt is available");
            Happening::Executor(ExecutorEvent::FinishedElsewhere {
                job: available.announcement_id,
                executor: available.executor_did,
                originator: available.originator_did,
            })
        }
        Message::JobBidV1(_)
        | Message::AssignJobV1(_)
        | Message::JobStatusUpdateV1(_)
        | Message::JobInteractiveInputV1(_)
        | Message::JobInteractiveOutputV1(_)
        | Message::JobInterestV1(_)
        | Message::JobDeclineV1(_)
        | Message::CancelJobV1(_) => return,
    };
    node.happen(happening).await;
}

/// Takes a direct message; its answer goes to the asker now, or when a machine has decided.
pub(crate) async fn hear_request(node: &Arc<Node>, from: PeerId, data: &Bytes, asker: Asker) {
    let refuse = |asker: Asker, code: RefusalCode, message: String| {
        node.metrics.message_refused(refusal_label(&code));
        asker.answer(&Response::refused(code, message));
    };
    let verified = match verify(node, data, DIRECT_BYTES_MAX) {
        Ok(verified) => verified,
        Err(Stop::Rule(error)) => {
            if error.blames_sender() {
                node.net.report(from, Misbehaviour::Major);
                node.trust.blame(node.clock.now().at, &from, Violation::Malformed);
            }
            return refuse(asker, error.code(), error.to_string());
        }
        Err(Stop::Unknown(name)) => {
            return refuse(
                asker,
                RefusalCode::UnknownVariant,
                format!("`{name}` is not known to this version"),
            );
        }
        Err(Stop::Repeat(key, answer)) => {
            node.metrics.replay_detected();
            return repeat(node, key, answer, asker);
        }
        Err(Stop::Full) => {
            return refuse(
                asker,
                RefusalCode::ReplayFull,
                "too many messages of this sender are still fresh".into(),
            );
        }
    };
    let key = MessageKey::from(&verified);
    if verified.sender() != node.me && icn_identity::peer_id(&verified.sender()) != from {
        let response =
            Response::refused(RefusalCode::WrongRecipient, "a direct message must come from its signer");
        lock(&node.guard).answer(key, &response);
        return asker.answer(&response);
    }
    let ticket = node.tickets.issue(key, asker);
    match direct_happening(node, ticket, verified) {
        Ok(happening) => node.happen(happening).await,
        Err(response) => node.reply(ticket, &response),
    }
}

/// A repeat gets the first answer, as soon as there is one.
fn repeat(node: &Node, key: MessageKey, answer: Option<Response>, asker: Asker) {
    match answer {
        Some(response) => asker.answer(&response),
        None => {
            if let Some(asker) = node.tickets.join(&key.id, asker) {
                // The first answer was given between the look-up and now.
                let answer = match lock(&node.guard).check(node.clock.now().at, key) {
                    Seen::Repeat { answer: Some(response) } => response,
                    Seen::New | Seen::Full | Seen::Repeat { answer: None } => Response::refused(
                        RefusalCode::Busy,
                        "the first copy of this message is still being handled",
                    ),
                };
                asker.answer(&answer);
            }
        }
    }
}

/// Finds the machine that a direct message is for.
fn direct_happening(node: &Node, ticket: u64, verified: Verified) -> Result<Happening, Response> {
    let cid = verified.cid();
    let block = verified.inner().to_vec();
    let executes = node.machines().executor.is_some();
    let no_executor = || Err(Response::refused(RefusalCode::WrongRecipient, "this node runs no jobs"));
    Ok(match verified.into_message() {
        Message::JobBidV1(bid) => Happening::Originator(OriginatorEvent::Bid { ticket, bid, cid }),
        Message::JobDeclineV1(decline) => {
            Happening::Originator(OriginatorEvent::Decline { ticket, decline: *decline })
        }
        Message::JobInterestV1(interest) => {
            Happening::Originator(OriginatorEvent::Interest { ticket, interest: *interest })
        }
        Message::JobStatusUpdateV1(update) => {
            Happening::Originator(OriginatorEvent::Status { ticket, update })
        }
        Message::ExecutionReceiptAvailableV1(available) => {
            Happening::Originator(OriginatorEvent::ReceiptAvailable { ticket: Some(ticket), available })
        }
        Message::AssignJobV1(_) | Message::CancelJobV1(_) if !executes => return no_executor(),
        Message::AssignJobV1(assignment) => {
            Happening::Executor(ExecutorEvent::Assigned { ticket, assignment, cid, block })
        }
        Message::CancelJobV1(cancel) => {
            Happening::Executor(ExecutorEvent::Cancelled { ticket, cancel: *cancel })
        }
        Message::JobInteractiveInputV1(_) | Message::JobInteractiveOutputV1(_) => {
            return Err(Response::refused(RefusalCode::Unsupported, "this node runs no interactive jobs"));
        }
        Message::CapabilityAdvertisementV1(_) | Message::JobAnnouncementV1(_) => {
            return Err(Response::refused(
                RefusalCode::WrongRecipient,
                "this kind of message travels by gossip",
            ));
        }
    })
}

/// Gives a refusal's word as a metric label; words of strangers become one.
pub(crate) fn refusal_label(code: &RefusalCode) -> &'static str {
    let known = RefusalCode::ALL.iter().find(|known| *known == code);
    known.map_or("other", RefusalCode::as_str)
}
