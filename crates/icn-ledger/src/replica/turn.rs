//! What one turn of a replica asks for, as shells carry it out: one write, and everything else before or behind it.

use std::num::NonZeroUsize;

use icn_gossip::SignedEntry;

use super::event::{Effect, Write};

/// So many signatures are made where the write is encoded.
const SIGNED_IN_PLACE: usize = 2;

/// The effects of one turn ([`super::Replica::handle`] any number of times, then [`super::Replica::settle`]), cut.
///
/// A turn may be made one write: its effects only ever wait for something that was written in the same turn or before.
#[derive(Debug, Default)]
pub struct Turn {
    /// What may be done at once: it says nothing that must be on the disk before.
    pub at_once: Vec<Effect>,
    /// What is written, all at once.
    pub writes: Vec<Write>,
    /// What is done after that write, and every write before it, is durable.
    pub behind: Vec<Effect>,
}

impl Turn {
    /// Cuts effects, and keeps the order within each part.
    #[must_use]
    pub fn of(effects: impl IntoIterator<Item = Effect>) -> Self {
        let mut turn = Self::default();
        for effect in effects {
            match effect {
                Effect::Persist(more) if turn.writes.is_empty() => turn.writes = more,
                Effect::Persist(more) => turn.writes.extend(more),
                Effect::Verdict { .. } | Effect::Check { .. } => turn.at_once.push(effect),
                Effect::Publish(_)
                | Effect::Answer { .. }
                | Effect::OpenSession { .. }
                | Effect::SendFrame { .. }
                | Effect::CloseSession { .. }
                | Effect::Changed(_) => turn.behind.push(effect),
            }
        }
        turn
    }

    /// Tells whether nothing is left but what may be done at once.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.writes.is_empty() && self.behind.is_empty()
    }

    /// Tells up to which number of entries the disk has everything after this write: for [`super::Event::Durable`].
    #[must_use]
    pub fn entries(&self) -> Option<u32> {
        self.writes.iter().rev().find_map(|write| match write {
            Write::Entry { idx, .. } => Some(idx + 1),
            Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
        })
    }

    /// Finds the entries whose signature is still to be made. Whoever encodes the write makes it, one after the other; a
    /// shell with more than one processor calls [`SignedEntry::keep_promise`] on several before.
    pub fn promises(&self) -> impl Iterator<Item = &SignedEntry> {
        self.writes.iter().filter_map(|write| match write {
            Write::Entry { entry, .. } => Some(entry).filter(|entry| entry.is_promise()),
            Write::Vote { .. } | Write::HasPeers | Write::Offence { .. } => None,
        })
    }

    /// Divides the promises of several turns among threads. None is returned when there are so few that they are kept
    /// where the write is encoded: to wake another thread would take as long.
    #[must_use]
    pub fn promises_in_parts(turns: &[Self], threads: NonZeroUsize) -> Vec<Vec<SignedEntry>> {
        let entries: Vec<SignedEntry> = turns.iter().flat_map(Self::promises).cloned().collect();
        if entries.len() <= SIGNED_IN_PLACE {
            return Vec::new();
        }
        let size = entries.len().div_ceil(threads.get()).max(SIGNED_IN_PLACE);
        entries.chunks(size).map(<[SignedEntry]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use icn_gossip::LiveMessage;
    use icn_identity::{Ed25519Verifier, Keypair, Signature, Signer};
    use icn_types::{Did, Timestamp};

    use super::super::{Checked, Entries, Event, PostRequest, Replica, ReplicaConfig};
    use super::*;
    use crate::act::Act;
    use crate::policy::{CreditPolicy, SpacePolicy};

    /// Counts how often it signs.
    struct Counting(Keypair, AtomicUsize);

    impl Signer for Counting {
        fn did(&self) -> Did {
            self.0.did()
        }

        fn sign(&self, name: &str, body: &[u8]) -> Signature {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.sign(name, body)
        }
    }

    struct NoDisk;

    impl Entries for NoDisk {
        fn get(&self, _: u32) -> Option<SignedEntry> {
            None
        }
    }

    fn posting(ticket: u64, author: Did, acts: Vec<Act>) -> Event {
        let request = PostRequest { author, acts, approvals: Vec::new(), key: None, is_offline: false };
        Event::Post { ticket, request }
    }

    /// A founder pays a member twice, and the member of the same node accepts.
    fn turns(signers: [&Arc<Counting>; 2]) -> [Turn; 2] {
        let [root, member] = signers.map(|signer| signer.did());
        let config = ReplicaConfig::new(root, root);
        let mut replica = Replica::new(config, Box::new(NoDisk), Arc::new(Ed25519Verifier::new()));
        for signer in signers {
            replica.add_identity(Arc::clone(signer) as Arc<dyn Signer>);
        }
        let policy = CreditPolicy { initial: 100, max: 100, ..CreditPolicy::default() };
        let founding = vec![
            Act::Found { name: "a".into(), created: Timestamp::from_millis(1) },
            Act::Currency { code: "hours".into(), decimals: 0, policy },
            Act::Policy(SpacePolicy { epoch_seconds: 0, ..SpacePolicy::default() }),
            Act::Admit { member, nickname: None },
        ];
        let pay = Act::Pay {
            to: member,
            amount: 1,
            currency: "hours".into(),
            memo: None,
            request: None,
            expires: None,
        };
        let mut turn = |at, events: Vec<Event>| {
            let now = Timestamp::from_millis(at);
            let mut effects: Vec<Effect> =
                events.into_iter().flat_map(|event| replica.handle(now, event)).collect();
            effects.extend(replica.settle(now));
            Turn::of(effects)
        };
        let first = turn(10, vec![posting(1, root, founding)]);
        let second = turn(20, vec![posting(2, root, vec![pay.clone()]), posting(3, root, vec![pay])]);
        [first, second]
    }

    fn counting(n: u8) -> Arc<Counting> {
        Arc::new(Counting(Keypair::from_seed([n; 32]), AtomicUsize::new(0)))
    }

    #[test]
    fn the_replica_leaves_signing_to_whoever_writes() {
        let (root, member) = (counting(1), counting(2));
        let turns = turns([&root, &member]);
        let count = |signer: &Counting| signer.1.load(Ordering::SeqCst);
        assert_eq!((count(&root), count(&member)), (0, 0));
        assert_eq!(turns.each_ref().map(|turn| turn.promises().count()), [1, 3]);
        for turn in &turns {
            for effect in &turn.behind {
                let Effect::Publish(message) = effect else { continue };
                let Ok(LiveMessage::Entry(read)) = LiveMessage::parse(&message.encode().unwrap()) else {
                    panic!("own entries are published");
                };
                Checked::new(read, &Ed25519Verifier::new()).unwrap();
            }
            // What is written is the same entry: no signature is made a second time.
            for write in &turn.writes {
                let Write::Entry { entry, .. } = write else { continue };
                Checked::new(
                    SignedEntry::parse(&entry.to_bytes()).map(raw).unwrap(),
                    &Ed25519Verifier::new(),
                )
                .unwrap();
            }
            assert_eq!(turn.promises().count(), 0);
        }
        assert_eq!((count(&root), count(&member)), (3, 1));
    }

    #[test]
    fn many_promises_are_divided_and_few_are_not() {
        let turns = turns([&counting(1), &counting(2)]);
        let sizes = |turns: &[Turn], threads| {
            let parts = Turn::promises_in_parts(turns, NonZeroUsize::new(threads).unwrap());
            parts.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&turns[..1], 4), Vec::<usize>::new());
        assert_eq!(sizes(&turns, 1), [4]);
        assert_eq!(sizes(&turns, 2), [2, 2]);
        // No thread is woken for a single signature.
        assert_eq!(sizes(&turns, 4), [2, 2]);
    }

    fn raw(raw: icn_gossip::RawEntry) -> SignedEntry {
        raw.trusted().signed().clone()
    }

    #[test]
    fn a_turn_is_one_write_and_the_rest_in_order() {
        let [first, second] = turns([&counting(1), &counting(2)]);
        assert_eq!((first.entries(), second.entries()), (Some(1), Some(4)));
        let tickets = |turn: &Turn| {
            let ticket = |effect: &Effect| match effect {
                Effect::Answer { ticket, result } => Some((*ticket, result.is_ok())),
                Effect::Persist(_)
                | Effect::Publish(_)
                | Effect::Verdict { .. }
                | Effect::OpenSession { .. }
                | Effect::SendFrame { .. }
                | Effect::CloseSession { .. }
                | Effect::Check { .. }
                | Effect::Changed(_) => None,
            };
            turn.behind.iter().filter_map(ticket).collect::<Vec<_>>()
        };
        assert_eq!((tickets(&first), tickets(&second)), (vec![(1, true)], vec![(2, true), (3, true)]));
        assert!(first.at_once.is_empty() && !first.is_done());
        let verdict = super::super::Verdict::Ignore;
        let turn = Turn::of([
            Effect::Verdict { ticket: 1, verdict },
            Effect::Persist(vec![Write::HasPeers]),
            Effect::Verdict { ticket: 2, verdict },
        ]);
        assert_eq!((turn.at_once.len(), turn.writes.len(), turn.entries()), (2, 1, None));
        assert!(!turn.is_done() && Turn::of([Effect::Verdict { ticket: 1, verdict }]).is_done());
    }
}
