//! A look before the start: two nodes in this process exchange one entry under the policy that the node is going to enforce.
//!
//! A policy under which nothing can be said at all would show itself as silence later, and silence has many causes.

use std::sync::Arc;

use icn_gossip::{LiveMessage, SignedEntry};
use icn_identity::{Ed25519Verifier, Keypair, Signer as _};
use icn_ledger::Act;
use icn_ledger::replica::{Checked, Effect, Entries, Event, Live, PostRequest, Replica, ReplicaConfig};
use icn_trust::{Action, Policy, TrustClass};
use icn_types::{Constraints, Did, Timestamp, TopicAccess};

/// Why the policy cannot be started with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelfTestError {
    /// The limits of a class let nothing through.
    #[error(
        "the policy lets a member of class `{class}` say nothing ({why}): raise its limits in `[network.rate_limiting]`"
    )]
    Silent {
        /// Which class.
        class: TrustClass,
        /// Which limit.
        why: &'static str,
    },
    /// An entry that was said was not taken in.
    #[error(
        "an entry that one node says is not taken in by the other: this is a fault of the program, report it"
    )]
    NotHeard,
}

/// Nothing is on a disk: what was said a moment ago is in memory.
struct NoDisk;

impl Entries for NoDisk {
    fn get(&self, _: u32) -> Option<SignedEntry> {
        None
    }
}

/// Lets one node found a space, and another take it in, under the limits of every class in turn.
pub(crate) fn exchange(policy: &Policy, now: Timestamp) -> Result<(), SelfTestError> {
    for class in TrustClass::ALL {
        let mut limits = policy.access(class, Action::None).constraints();
        if limits.topics == TopicAccess::Public {
            // As for every member: who writes in a space is for its books to say.
            limits.topics = TopicAccess::All;
        }
        exchange_within(&limits, class, now)?;
    }
    Ok(())
}

fn exchange_within(limits: &Constraints, class: TrustClass, now: Timestamp) -> Result<(), SelfTestError> {
    // Keys that everybody knows: nothing of this leaves the process.
    let (speaker, listener) = (Arc::new(Keypair::from_seed([1; 32])), Keypair::from_seed([2; 32]).did());
    let space = speaker.did();
    let mut says = replica(space, space);
    let mut hears = replica(space, listener);
    says.add_new_identity(speaker.clone());
    let acts = vec![Act::Found { name: "self-test".to_owned(), created: now }];
    let request = PostRequest { author: space, acts, approvals: Vec::new(), key: None, is_offline: true };
    let said = says.handle(now, Event::Post { ticket: 0, request });
    for message in said
        .into_iter()
        .filter_map(|effect| if let Effect::Publish(said) = effect { Some(said) } else { None })
    {
        if let Err(why) = pass(limits, &says.log().log_id().gossip_topic()) {
            return Err(SelfTestError::Silent { class, why });
        }
        let LiveMessage::Entry(signed) = message else { continue };
        let checked = Checked::new(signed, &Ed25519Verifier::new()).map_err(|_| SelfTestError::NotHeard)?;
        let message = Live::Entry(Box::new(checked));
        drop(hears.handle(now, Event::Live { from: space, ticket: 1, message }));
    }
    if hears.log().len() == 1 && hears.books().is_steward(&space) {
        Ok(())
    } else {
        Err(SelfTestError::NotHeard)
    }
}

fn replica(space: Did, node: Did) -> Replica {
    Replica::new(ReplicaConfig::new(space, node), Box::new(NoDisk), Arc::new(Ed25519Verifier::new()))
}

/// Tells whether one message on a topic gets through.
fn pass(limits: &Constraints, topic: &str) -> Result<(), &'static str> {
    if limits.messages_per_second == 0 || limits.burst == 0 {
        return Err("no message a second");
    }
    if !limits.may_publish(topic, false) {
        return Err("no topic");
    }
    if limits.streams_max == 0 {
        return Err("no stream, so that nothing is reconciled");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_167_000_000);

    #[test]
    fn the_usual_policy_lets_an_entry_through() {
        assert!(exchange(&Policy::default(), NOW).is_ok());
    }

    #[test]
    fn a_policy_that_denies_everything_is_found_out() {
        let check = |change: &dyn Fn(&mut Policy), wanted: &str| {
            let mut policy = Policy::default();
            change(&mut policy);
            let error = exchange(&policy, NOW).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        };
        check(&|policy| policy.isolated.messages_per_second = 0, "no message a second");
        check(&|policy| policy.partner.burst = 0, "`partner`");
        check(&|policy| policy.known.streams_max = 0, "no stream");
        check(&|policy| policy.federated.topics = icn_trust::Topics::Only([].into()), "no topic");
    }
}
