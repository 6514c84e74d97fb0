//! Replicated logs: entries, fork proofs, live messages, reconciliation, the index on disk.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use icn_gossip::{
    Entry, ForkProof, Hello, Idx, LiveMessage, Log, LogId, LogLimits, SYNC_MESSAGE_BYTES_MAX, SignedEntry,
    Step, SyncSession, TopicName, VerifiedEntry, unframe,
};
use icn_identity::{Ed25519Verifier, Keypair};
use icn_types::{Cid, Timestamp, codec};

use super::Credulous;

/// A small log, and the disk behind it.
type Replica = (Log, BTreeMap<Cid, SignedEntry>);

/// Entries that the vectors have too: without a fork, and with one.
static REPLICAS: LazyLock<[Replica; 2]> = LazyLock::new(replicas);

fn log_id() -> LogId {
    LogId { space: Keypair::from_seed([1; 32]).did(), topic: TopicName::ledger() }
}

fn say(author: u8, prev: Option<&VerifiedEntry>, said: &str) -> Option<VerifiedEntry> {
    let key = Keypair::from_seed([author; 32]);
    let LogId { space, topic } = log_id();
    let entry = Entry {
        v: 1,
        space,
        topic,
        author: key.did(),
        seq: prev.map_or(1, |prev| prev.entry().seq + 1),
        prev: prev.map(VerifiedEntry::id),
        deps: Vec::new(),
        // 2026-11-20T09:30:00.000Z, as in the vectors.
        at: Timestamp::from_millis(1_795_167_000_000),
        body: codec::encode(said).ok()?.into(),
    };
    entry.sign(&key).ok()
}

fn replicas() -> [Replica; 2] {
    let first = say(2, None, "first");
    let one = say(2, first.as_ref(), "one thing");
    let then = say(2, one.as_ref(), "and then");
    let two = say(2, first.as_ref(), "another thing");
    let other = say(3, None, "other");
    let chain = [first, one, then];
    let fork = chain.clone().into_iter().chain([two, other]);
    [replica(chain.clone()), replica(fork)]
}

fn replica(entries: impl IntoIterator<Item = Option<VerifiedEntry>>) -> Replica {
    let mut log = Log::new(log_id(), LogLimits::default());
    let mut disk = BTreeMap::new();
    for entry in entries.into_iter().flatten() {
        disk.insert(entry.id(), entry.signed().clone());
        log.admit(entry, Vec::new());
    }
    assert_eq!(log.len(), disk.len());
    (log, disk)
}

/// Entries: the id is that of the bytes that were signed, and the wire form is read back as the same.
pub fn entry(data: &[u8]) {
    let Ok(raw) = SignedEntry::parse(data) else { return };
    let _ = raw.clone().verify(&Ed25519Verifier::new());
    let Ok(entry) = raw.verify(&Credulous) else { return };
    assert_eq!(entry.id(), Cid::of_dag_cbor(entry.signed().entry()));
    assert_eq!((entry.entry().seq == 1), entry.entry().prev.is_none());
    let again = SignedEntry::parse(&entry.signed().to_bytes()).and_then(|raw| raw.verify(&Credulous));
    assert_eq!(again.as_ref(), Ok(&entry));
    let mut log = Log::new(log_id(), LogLimits::default());
    let refs = entry.entry().deps.clone();
    log.admit(entry, refs);
}

/// Fork proofs: what holds names two entries, in order, and has one form.
pub fn fork(data: &[u8]) {
    let Ok(proof) = ForkProof::parse(data) else { return };
    assert_eq!(ForkProof::parse(&proof.to_bytes()).as_ref(), Ok(&proof));
    let _ = proof.check(&Ed25519Verifier::new());
    if let Ok(fork) = proof.check(&Credulous) {
        assert!(fork.first < fork.second);
        let turned = ForkProof::new(proof.second.clone(), proof.first.clone());
        assert_eq!(turned.as_ref(), Ok(&proof), "one pair has two proofs");
    }
}

/// Live messages: what is read is written and read again as the same.
pub fn live(data: &[u8]) {
    if let Ok(message) = LiveMessage::parse(data) {
        assert!(message.encode().is_ok_and(|bytes| LiveMessage::parse(&bytes).as_ref() == Ok(&message)));
    }
}

/// Reconciliation: whatever a peer says, a session ends or goes on, and sends nothing beyond the bound.
///
/// The first byte chooses the side that is played (bit 0) and its log (bit 1), the rest are frames of the peer.
pub fn sync(data: &[u8]) {
    let Some((side, mut stream)) = data.split_first() else { return };
    let [chain, fork] = &*REPLICAS;
    let (log, disk) = if side & 2 == 0 { chain } else { fork };
    let extra = vec![b"a statement".to_vec()];
    let mut session = None;
    if side & 1 == 0 {
        let (initiator, steps) = SyncSession::initiate(log, Some(b"pass".to_vec()), extra.clone());
        carry_out(&steps);
        session = Some(initiator);
    }
    while let Ok(Some((message, length))) = unframe(stream) {
        stream = stream.get(length..).unwrap_or_default();
        let Some(session) = &mut session else {
            // The responder's first message.
            let Ok(hello) = Hello::parse(message) else { return };
            let Ok((responder, steps)) = SyncSession::respond(log, hello, None, extra.clone()) else {
                return;
            };
            carry_out(&steps);
            session = Some(responder);
            continue;
        };
        let read = |id: &Cid| disk.get(id).cloned();
        match session.handle(log, &read, message) {
            Ok(steps) => carry_out(&steps),
            Err(_) => assert!(session.is_over() && !session.is_sending()),
        }
        while session.is_sending() {
            carry_out(&session.pump(log, &read));
        }
    }
}

fn carry_out(steps: &[Step]) {
    for step in steps {
        match step {
            Step::Send(message) => assert!(message.len() <= SYNC_MESSAGE_BYTES_MAX),
            Step::Received(list) => {
                for entry in list {
                    let _ = entry.clone().check();
                }
            }
            Step::Proofs(list) => {
                for proof in list {
                    let _ = proof.check(&Credulous);
                }
            }
            Step::Peer(_) | Step::Extra(_) | Step::Refused { .. } | Step::Done(_) => {}
        }
    }
}

/// The index on disk: a page that is read gives an index that is whole, and is written back with the same entries.
pub fn page(data: &[u8]) {
    let Ok(log) = Log::from_snapshot(log_id(), LogLimits::default(), data) else { return };
    let digest = log.frontier_digest();
    let again = Log::from_snapshot(log_id(), LogLimits::default(), &log.snapshot());
    assert!(again.is_ok_and(|again| again.len() == log.len() && again.frontier_digest() == digest));
    let mut copy = Log::new(log_id(), LogLimits::default());
    for at in 0..u32::try_from(log.len()).unwrap_or(u32::MAX) {
        let restored = log.restored(Idx(at));
        assert!(restored.is_some_and(|entry| copy.restore(&entry).is_ok()), "entry {at} is not whole");
    }
    assert_eq!(copy.frontier_digest(), digest);
    assert_eq!((log.heads(), log.forked(), log.tips()), (copy.heads(), copy.forked(), copy.tips()));
    // Another page on what is here already does not fit.
    assert!(log.is_empty() || log.clone().read_page(data).is_err());
}

/// Writes the index of a small log: a first input of [`page`].
#[must_use]
pub fn sample_page() -> Vec<u8> {
    let [_, (fork, _)] = &*REPLICAS;
    fork.snapshot()
}
