//! Direct messages, both ways.

use std::sync::Arc;

use bytes::Bytes;
use libp2p::PeerId;
use libp2p::request_response::{Event, InboundFailure, Message, OutboundFailure, ResponseChannel};

use super::{Driver, give, share};
use crate::direct::is_too_large;
use crate::error::RequestError;
use crate::event::{self, Held, Replied, ReplySender};
use crate::handle::Answer;
use crate::limits::Kind;

impl Driver {
    pub(super) fn request(&mut self, peer: PeerId, data: Bytes, answer: Answer<Result<Bytes, RequestError>>) {
        if answer.is_closed() {
            return;
        }
        let id = self.swarm.behaviour_mut().direct.send_request(&peer, data);
        self.asking.insert(id, answer);
    }

    pub(super) fn on_direct(&mut self, event: Event<Bytes, Bytes>) {
        match event {
            Event::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_request(peer, request, channel);
            }
            Event::Message { message: Message::Response { request_id, response }, .. } => {
                if let Some(answer) = self.asking.remove(&request_id) {
                    give(answer, Ok(response));
                }
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                if let Some(answer) = self.asking.remove(&request_id) {
                    give(answer, Err(why(peer, &error)));
                }
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a direct request failed");
                let kind = match error {
                    InboundFailure::Timeout => "timeout",
                    InboundFailure::Io(error) if is_too_large(&error) => "too_large",
                    InboundFailure::ResponseOmission => "unanswered",
                    InboundFailure::ConnectionClosed
                    | InboundFailure::UnsupportedProtocols
                    | InboundFailure::Io(_) => "broken",
                };
                self.shared.metrics.request(kind);
            }
            Event::ResponseSent { .. } => self.shared.metrics.request("answered"),
        }
    }

    fn on_request(&mut self, from: PeerId, data: Bytes, channel: ResponseChannel<Bytes>) {
        if let Err(refused) = self.shared.limits.take(from, Kind::Direct, data.len()) {
            self.shared.metrics.limited("direct");
            self.on_limited(from, refused);
            return self.refuse(channel, self.config.refusal.clone());
        }
        let Some(stream) = self.shared.limits.stream(from) else {
            self.shared.metrics.limited("direct_streams");
            self.shared.metrics.stream_rejected();
            self.offence(from, event::Offence::ExcessStreams);
            return self.refuse(channel, self.config.refusal_streams.clone());
        };
        let room = Arc::clone(&self.request_room).try_acquire_many_owned(share(data.len()));
        let (Ok(room), Ok(place)) = (room, self.events.clone().try_reserve_owned()) else {
            self.shared.metrics.dropped("direct");
            return self.refuse(channel, self.config.refusal.clone());
        };
        let held = Held { _room: room, _stream: stream };
        let reply = ReplySender::new(channel, self.replied.0.clone(), held);
        place.send(event::Event::Request { from, data, reply });
    }

    /// Refuses rather than stays silent.
    fn refuse(&mut self, channel: ResponseChannel<Bytes>, refusal: Bytes) {
        // An error says that the peer does not wait any more.
        let _ = self.swarm.behaviour_mut().direct.send_response(channel, refusal);
    }

    pub(super) fn on_reply(&mut self, replied: Replied) {
        if let Some((channel, response)) = replied.response {
            let _ = self.swarm.behaviour_mut().direct.send_response(channel, response);
        }
    }
}

fn why(peer: PeerId, error: &OutboundFailure) -> RequestError {
    match error {
        OutboundFailure::DialFailure => {
            RequestError::NotConnected { peer, reason: "it left, and no address of it is known".to_owned() }
        }
        OutboundFailure::Timeout => RequestError::Timeout,
        OutboundFailure::ConnectionClosed => RequestError::Closed("the peer left".to_owned()),
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported,
        OutboundFailure::Io(error) if is_too_large(error) => RequestError::TooLarge,
        OutboundFailure::Io(error) => RequestError::Closed(error.to_string()),
    }
}
