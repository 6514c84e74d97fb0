//! Hearing messages: size, form, freshness, replay, signature, and only then the machine.

use icn_mesh::{ExecutorEvent, OriginatorEvent};
use icn_protocol::replay::{MessageKey, Seen};
use icn_protocol::topics::Topic;
use icn_protocol::{
    DIRECT_BYTES_MAX, FreshnessPolicy, GOSSIP_BYTES_MAX, Incoming, Message, RefusalCode, Response, Verified,
};
use icn_types::Timestamp;

use crate::config::Cheat;
use crate::node::{About, Ticket};
use crate::world::World;

/// Why a message goes no further.
enum Halt {
    Refused(Response),
    Repeat(MessageKey, Option<Response>),
}

impl World {
    fn admit(&mut self, at: usize, bytes: &[u8], bytes_max: usize) -> Result<Verified, Halt> {
        let guarded = self.config.guard;
        let refused = |code, message: String| Halt::Refused(Response::refused(code, message));
        let raw = match icn_protocol::parse(bytes, bytes_max) {
            Ok(Incoming::Message(raw)) => raw,
            Ok(Incoming::Unknown { name }) => return Err(refused(RefusalCode::UnknownVariant, name)),
            Err(error) => return Err(refused(error.code(), error.to_string())),
        };
        let verifier = std::sync::Arc::clone(&self.verifier);
        let now_ms = self.now_ms;
        let Some(node) = self.nodes.get_mut(at) else {
            return Err(refused(RefusalCode::Internal, String::new()));
        };
        let now = node.now(now_ms).at;
        let not_before = if guarded { node.started_at() } else { Timestamp::default() };
        raw.check(now, &FreshnessPolicy { not_before, ..FreshnessPolicy::default() })
            .map_err(|error| refused(error.code(), error.to_string()))?;
        let key = MessageKey::from(&raw);
        let verified = raw
            .verify(verifier.as_ref())
            .map_err(|error| refused(RefusalCode::BadSignature, error.to_string()))?;
        if guarded {
            match node.guard.record(now, key) {
                Seen::New => {}
                Seen::Repeat { answer } => return Err(Halt::Repeat(key, answer)),
                Seen::Full => return Err(refused(RefusalCode::ReplayFull, String::new())),
            }
        }
        Ok(verified)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only two kinds of messages have an answer that relies on a write"
    )]
    pub(crate) fn hear_direct(&mut self, from: usize, to: usize, exchange: u64, bytes: &[u8]) {
        if from != to && !self.is_reachable(from, to) {
            return;
        }
        let verified = match self.admit(to, bytes, DIRECT_BYTES_MAX) {
            Ok(verified) => verified,
            Err(Halt::Refused(response)) => {
                self.story.tell(self.now_ms, || format!("n{to} refuses n{from} at the door: {response:?}"));
                return self.respond(exchange, to, &response);
            }
            Err(Halt::Repeat(key, answer)) => return self.repeated(to, exchange, key, answer),
        };
        if self.nodes.get(from).is_none_or(|node| node.did != verified.sender()) {
            let response = Response::refused(RefusalCode::WrongRecipient, "not from its signer");
            return self.respond(exchange, to, &response);
        }
        let key = MessageKey::from(&verified);
        let (cid, block) = (verified.cid(), verified.inner().to_vec());
        let ticket = self.number();
        let message = verified.into_message();
        let about = match &message {
            Message::AssignJobV1(assignment) => {
                About::Assignment { job: assignment.announcement_id, assignment: cid }
            }
            Message::ExecutionReceiptAvailableV1(available) => {
                About::Receipt { job: available.announcement_id }
            }
            _ => About::Other,
        };
        let Some(node) = self.nodes.get_mut(to) else { return };
        if node.config.cheat == Some(Cheat::Mute) && matches!(about, About::Assignment { .. }) {
            return;
        }
        node.tickets.insert(ticket, Ticket { exchanges: vec![exchange], key, about });
        match message {
            Message::JobBidV1(bid) => self.originate(to, OriginatorEvent::Bid { ticket, bid, cid }),
            Message::JobDeclineV1(decline) => {
                self.originate(to, OriginatorEvent::Decline { ticket, decline: *decline });
            }
            Message::JobInterestV1(interest) => {
                self.originate(to, OriginatorEvent::Interest { ticket, interest: *interest });
            }
            Message::JobStatusUpdateV1(update) => {
                self.originate(to, OriginatorEvent::Status { ticket, update })
            }
            Message::ExecutionReceiptAvailableV1(available) => {
                self.originate(to, OriginatorEvent::ReceiptAvailable { ticket: Some(ticket), available });
            }
            Message::AssignJobV1(assignment) => {
                self.execute(to, ExecutorEvent::Assigned { ticket, assignment, cid, block });
            }
            Message::CancelJobV1(cancel) => {
                self.execute(to, ExecutorEvent::Cancelled { ticket, cancel: *cancel });
            }
            Message::CapabilityAdvertisementV1(_)
            | Message::JobAnnouncementV1(_)
            | Message::JobInteractiveInputV1(_)
            | Message::JobInteractiveOutputV1(_) => {
                self.reply(to, ticket, &Response::refused(RefusalCode::Unsupported, "not here"));
            }
        }
    }

    /// A repeat gets the first answer, as soon as there is one.
    fn repeated(&mut self, at: usize, exchange: u64, key: MessageKey, answer: Option<Response>) {
        if let Some(response) = answer {
            return self.respond(exchange, at, &response);
        }
        let Some(node) = self.nodes.get_mut(at) else { return };
        if let Some(ticket) = node.tickets.values_mut().find(|ticket| ticket.key == key) {
            ticket.exchanges.push(exchange);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "direct messages do not travel by gossip")]
    pub(crate) fn hear_gossip(&mut self, from: usize, to: usize, topic: &str, bytes: &[u8]) {
        if from != to && !self.is_reachable(from, to) {
            return;
        }
        let Some(node) = self.nodes.get(to).filter(|node| node.is_up()) else { return };
        let region = node.config.executor.as_ref().map(|executor| executor.region.clone());
        let Ok(topic) = topic.parse::<Topic>() else { return };
        let wanted = match (&topic, &region) {
            (Topic::Jobs | Topic::JobsIn(_), None) => false,
            (Topic::Jobs | Topic::JobsIn(_), Some(region)) => {
                Topic::jobs_for(region.as_ref()).contains(&topic)
            }
            (Topic::Capabilities | Topic::Receipts, _) => true,
        };
        let me = node.did;
        let Some(Ok(verified)) = wanted.then(|| self.admit(to, bytes, GOSSIP_BYTES_MAX)) else { return };
        match verified.into_message() {
            Message::JobAnnouncementV1(announcement) => {
                self.execute(to, ExecutorEvent::Announced { announcement, blobs_held: Vec::new() });
            }
            Message::CapabilityAdvertisementV1(capability) => {
                self.originate(to, OriginatorEvent::Capability(capability));
            }
            Message::ExecutionReceiptAvailableV1(available) if available.originator_did == me => {
                self.originate(to, OriginatorEvent::ReceiptAvailable { ticket: None, available });
            }
            _ => {}
        }
    }
}
