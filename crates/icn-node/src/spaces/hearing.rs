//! Live messages of spaces: checked on other threads, then brought to the replica.

use std::sync::Arc;

use bytes::Bytes;
use icn_gossip::{LiveMessage, LogId};
use icn_ledger::replica::{Checked, Event, Live};
use icn_net::{PeerId, Verdict, VerdictSender};
use icn_trust::Violation;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Space;
use crate::core::Node;

/// Tells whether a gossip topic is that of a space.
pub(crate) fn is_space_topic(topic: &str) -> bool {
    icn_net::is_space_topic(topic)
}

/// Hears a live message; its verdict is given by the replica.
pub(crate) fn hear_live(node: &Arc<Node>, topic: &str, from: PeerId, data: Bytes, verdict: VerdictSender) {
    let space = LogId::from_gossip_topic(topic).and_then(|log| node.spaces.of_log(&log));
    let peer = from;
    let (Some(space), Some(from)) = (space, icn_identity::did_of(&peer)) else {
        return verdict.send(Verdict::Ignore);
    };
    let (node, checked) = (Arc::clone(node), Arc::clone(&space));
    let checking = tokio::spawn(async move {
        match read(&node, &checked, &data) {
            Ok(message) => {
                let ticket = checked.verdict_ticket(verdict);
                Some(Event::Live { from, ticket, message })
            }
            Err(error) => {
                node.metrics.message_refused("space_entry");
                node.trust.blame(node.clock.now().at, &peer, Violation::Malformed);
                tracing::debug!(%from, error, "a live message of a space was refused");
                verdict.send(Verdict::Reject);
                None
            }
        }
    });
    // Closed only when the space is.
    drop(space.heard.send(checking));
}

/// A live message that is being checked: nothing comes of it when it does not hold.
pub(super) type Checking = JoinHandle<Option<Event>>;

/// Brings live messages to the replica in the order in which they came, until the space is closed: an entry that overtook
/// the one before it would wait for it.
pub(super) async fn run(space: Arc<Space>, mut messages: mpsc::UnboundedReceiver<Checking>) {
    loop {
        let checking = tokio::select! {
            checking = messages.recv() => checking,
            () = space.stop.cancelled() => return,
        };
        let Some(checking) = checking else { return };
        // A panic while checking is a fault of ours; the message is lost and comes by reconciliation.
        if let Ok(Some(event)) = checking.await {
            space.happen(event).await;
        }
    }
}

fn read(node: &Node, space: &Space, data: &[u8]) -> Result<Live, String> {
    let message = LiveMessage::parse(data).map_err(|error| error.to_string())?;
    match message {
        LiveMessage::Entry(signed) => {
            let checked = Checked::new(signed, &node.verifier).map_err(|error| error.to_string())?;
            if checked.entry.entry().log() != space.log {
                return Err("the entry belongs to another log".to_owned());
            }
            Ok(Live::Entry(Box::new(checked)))
        }
        LiveMessage::Proof(proof) => {
            proof.check(&node.verifier).map_err(|error| error.to_string())?;
            Ok(Live::Proof(Box::new(proof)))
        }
        LiveMessage::Extra(bytes) => Space::read_vote(&bytes, &node.verifier)
            .map(|vote| Live::Vote(Box::new(vote)))
            .ok_or_else(|| "not a vote, or not signed by its witness".to_owned()),
    }
}

/// A peer listens to a topic: where it is that of a space, it keeps the same books.
pub(crate) async fn peer_subscribed(node: &Arc<Node>, peer: PeerId, topic: &str) {
    let space = LogId::from_gossip_topic(topic).and_then(|log| node.spaces.of_log(&log));
    if let (Some(space), Some(did)) = (space, icn_identity::did_of(&peer)) {
        space.happen(Event::PeerUp(did)).await;
    }
}

/// A peer has left.
pub(crate) async fn peer_left(node: &Arc<Node>, peer: PeerId) {
    let Some(did) = icn_identity::did_of(&peer) else { return };
    for space in node.spaces.all() {
        space.happen(Event::PeerDown(did)).await;
    }
}
