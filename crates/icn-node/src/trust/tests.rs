//! What the oracle answers to questions that are asked for every message.

use icn_identity::{Ed25519Verifier, Keypair, Signer as _};
use icn_ledger::Act;
use icn_ledger::replica::{Entries, Event, PostRequest, Replica, ReplicaConfig};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_167_000_000);
const JOBS: &str = icn_protocol::topics::JOBS;
/// Open to members, and not to strangers.
const REGION: &str = "/icn/mesh/jobs/announce/region/eu-west/v1";

struct NoDisk;

impl Entries for NoDisk {
    fn get(&self, _: u32) -> Option<icn_gossip::SignedEntry> {
        None
    }
}

pub(super) fn did(number: u8) -> Did {
    Keypair::from_seed([number; 32]).did()
}

/// An oracle that has read the books of one space, with these members.
fn oracle(limits: TrustLimits, members: &[Did]) -> Oracle {
    oracle_of(limits, members, &[])
}

/// The same, and members have said something; nobody: the space itself, which is a steward.
pub(super) fn oracle_of(limits: TrustLimits, members: &[Did], said: &[(Option<Did>, Act)]) -> Oracle {
    let config = TrustConfig { limits, ..TrustConfig::default() };
    let oracle = Oracle::new(config, &RateLimitingConfig::default(), Kept::default(), NOW).unwrap();
    let root = Arc::new(Keypair::from_seed([100; 32]));
    let space = root.did();
    let config = ReplicaConfig::new(space, space);
    let mut replica = Replica::new(config, Box::new(NoDisk), Arc::new(Ed25519Verifier::new()));
    replica.add_new_identity(root);
    let admit = |member: &Did| Act::Admit { member: *member, nickname: None };
    let mut acts = vec![Act::Found { name: "test".to_owned(), created: NOW }];
    acts.extend(members.iter().map(admit));
    for number in 1..=9 {
        replica.add_new_identity(Arc::new(Keypair::from_seed([number; 32])));
    }
    let mut post = |author: Did, acts: Vec<Act>| {
        let request = PostRequest { author, acts, approvals: Vec::new(), key: None, is_offline: true };
        drop(replica.handle(NOW, Event::Post { ticket: 0, request }));
    };
    post(space, acts);
    for (author, act) in said {
        post(author.unwrap_or(space), vec![act.clone()]);
    }
    let web = Web::read(replica.books(), members, NOW, &oracle);
    assert!(members.iter().all(|member| web.has(member)), "the space is founded");
    assert_eq!(web.graph.edges().count(), said.len(), "what was said stands in the books");
    lock(&oracle.webs).insert(space, Arc::new(web));
    oracle
}

fn blame(oracle: &Oracle, did: Did, times: usize) {
    for _ in 0..times {
        oracle.record(NOW, did, Violation::InvalidSignature);
    }
}

#[test]
fn whoever_is_banned_is_heard_nowhere_and_strangers_on_public_topics() {
    let [member, bad_member, stranger, quarantined, banned] = [1, 2, 3, 4, 5].map(did);
    for (limits, strangers_elsewhere) in [(TrustLimits::On, false), (TrustLimits::Off, true)] {
        let oracle = oracle(limits, &[member, bad_member]);
        blame(&oracle, quarantined, 5);
        blame(&oracle, banned, 10);
        blame(&oracle, bad_member, 10);
        let check = |did: Did, topic: &str, expected: bool| {
            assert_eq!(oracle.may_publish(NOW, &did, topic), expected, "{did} on {topic}, {limits:?}");
            // The short way and the long one say the same.
            let is_public = oracle.policy.public_topics.contains(topic);
            let whole = oracle.verdict(NOW, &did).constraints.may_publish(topic, is_public);
            assert_eq!(whole, expected, "the whole verdict on {did}");
        };
        for (did, on_jobs, elsewhere) in [
            (member, true, true),
            (stranger, true, strangers_elsewhere),
            (quarantined, true, false),
            (banned, false, false),
            (bad_member, false, false),
        ] {
            check(did, JOBS, on_jobs);
            check(did, REGION, elsewhere);
        }
        // A ban ends by itself.
        let later = NOW.plus(icn_types::Duration::from_secs(13 * 3_600));
        assert!(oracle.may_publish(later, &banned, JOBS), "{limits:?}");
    }
}
