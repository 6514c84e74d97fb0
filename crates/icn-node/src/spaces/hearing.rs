//! Live messages of spaces: checked on other threads, then brought to the replica.

use std::sync::Arc;

use bytes::Bytes;
use icn_gossip::{EntryError, LiveError, LiveMessage, LogId};
use icn_ledger::replica::{CheckError, Checked, Event, Live};
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
                node.trust.blame(node.clock.now().at, &peer, error.violation());
                tracing::debug!(%from, %error, "a live message of a space was refused");
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

/// Why a live message is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it is no live message")]
    Message(#[from] LiveError),
    #[error(transparent)]
    Entry(#[from] CheckError),
    #[error("the entry belongs to another log")]
    OtherLog,
    #[error("the proof of a fork does not hold")]
    Proof(#[from] icn_gossip::ForkError),
    #[error("not a vote, or not signed by its witness")]
    Vote,
}

impl Refused {
    /// What whoever sent it did wrong.
    const fn violation(&self) -> Violation {
        match self {
            Self::Entry(CheckError::Entry(EntryError::Signature(_))) => Violation::InvalidSignature,
            Self::Message(_) | Self::Entry(_) | Self::OtherLog | Self::Proof(_) | Self::Vote => {
                Violation::Malformed
            }
        }
    }
}

fn read(node: &Node, space: &Space, data: &[u8]) -> Result<Live, Refused> {
    let message = LiveMessage::parse(data)?;
    match message {
        LiveMessage::Entry(signed) => {
            let checked = Checked::new(signed, &node.verifier)?;
            if checked.entry.entry().log() != space.log {
                return Err(Refused::OtherLog);
            }
            Ok(Live::Entry(Box::new(checked)))
        }
        LiveMessage::Proof(proof) => {
            proof.check(&node.verifier)?;
            Ok(Live::Proof(Box::new(proof)))
        }
        LiveMessage::Extra(bytes) => Space::read_vote(&bytes, &node.verifier)
            .map(|vote| Live::Vote(Box::new(vote)))
            .ok_or(Refused::Vote),
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

#[cfg(test)]
mod tests {
    use icn_gossip::{Entry, TopicName};
    use icn_identity::{Ed25519Verifier, Keypair};
    use icn_types::Timestamp;

    use super::*;

    #[test]
    fn a_bad_signature_weighs_more_than_bytes_that_are_no_entry() {
        let keys = [1, 2].map(|n| Keypair::from_seed([n; 32]));
        let act = icn_ledger::Act::Appoint { member: keys[1].did() };
        let body = icn_ledger::Post::new(vec![act]).encode().unwrap();
        let entry = Entry {
            v: 1,
            space: keys[0].did(),
            topic: TopicName::ledger(),
            author: keys[0].did(),
            seq: 1,
            prev: None,
            deps: Vec::new(),
            at: Timestamp::from_millis(1),
            body,
        };
        let refused = |signed| Checked::new(signed, &Ed25519Verifier::new()).map_err(Refused::from);
        let good = entry.clone().sign(&keys[0]).unwrap();
        assert!(refused(good.signed().clone()).is_ok());
        let forged = icn_gossip::SignedEntry::new(good.signed().entry().to_vec(), vec![7; 64]);
        assert_eq!(refused(forged).unwrap_err().violation(), Violation::InvalidSignature);
        let nothing = icn_gossip::SignedEntry::new(vec![0x17], vec![7; 64]);
        assert_eq!(refused(nothing).unwrap_err().violation(), Violation::Malformed);
    }
}
