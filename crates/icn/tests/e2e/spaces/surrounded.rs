//! A node in a crowd that nobody knows: its places are for others, bans outlast the process, and whoever is trusted comes
//! back.
//!
//! All of 127.0.0.0/8 is this machine on Linux, so that identities of one test can stand in different groups of addresses;
//! `private_groups` has the node tell them apart.

use std::time::Duration;

use bytes::Bytes;
use icn_identity::Keypair;
use icn_net::{Handle, Multiaddr, PeerId};
use icn_types::Did;
use tokio::runtime::Runtime;

use super::{agree, balance, found, free_place, join, keeper, until, until_balance};
use crate::node::{Node, PATIENCE, Plan};
use crate::rogue::deaf;
use crate::world::{World, wait_for};

/// Identities in one corner of the address space.
const CROWD: usize = 40;
/// Places of the node for strangers, and for those of one corner. A fifth of the first is for own dials.
const PLACES: usize = 10;
const INBOUND: usize = 8;
const PER_GROUP: usize = 3;
/// How long an identity waits until it knocks again.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody with a key and no node.
#[derive(Clone)]
struct Identity {
    did: Did,
    net: Handle,
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Identity {
    /// Makes one that dials from a corner: 127.0.`corner`.1.
    fn new(runtime: &Runtime, corner: u8) -> Self {
        let key = Keypair::generate_from_os().unwrap();
        let config = icn_net::Config {
            listen: vec![format!("/ip4/127.0.{corner}.1/udp/0/quic-v1").parse().unwrap()],
            ..icn_net::Config::new(key.to_libp2p())
        };
        Self { did: key.did(), net: deaf(runtime, config) }
    }

    /// Comes, and comes again when it is put out, for as long as the test lasts.
    fn knock(self, runtime: &Runtime, at: &Node) {
        let (peer, address) = place(at);
        runtime.spawn(async move {
            loop {
                // It may be refused.
                let _ = self.net.dial(address.clone()).await;
                while self.net.peers().await.iter().any(|other| other.peer_id == peer) {
                    tokio::time::sleep(PAUSE).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Sends bytes that are no message, and tells whether they were answered.
    fn offends(&self, runtime: &Runtime, at: &Node) -> bool {
        let (peer, address) = place(at);
        runtime.block_on(async {
            let _ = self.net.dial(address).await;
            self.net.request(peer, NOISE).await.is_ok()
        })
    }
}

/// Bytes that are no message.
const NOISE: Bytes = Bytes::from_static(b"no message");

fn place(node: &Node) -> (PeerId, Multiaddr) {
    (icn_identity::peer_id(&node.did()), node.address().parse().unwrap())
}

/// How many connections a node has refused for a reason.
fn refused(node: &Node, reason: &str) -> u64 {
    node.metric(&format!("network_connection_rejected_total{{reason=\"{reason}\"}}"))
}

/// Who is connected to a node.
fn connected(node: &Node) -> Vec<String> {
    let peers = node.json(&["peers"]);
    peers["items"].as_array().unwrap().iter().map(|peer| super::word(&peer["did"])).collect()
}

#[track_caller]
fn until_connected(node: &Node, other: &Did) {
    wait_for("the connection", PATIENCE, || connected(node).contains(&other.to_string()).then_some(()));
}

/// What follows on a node from what somebody did.
fn action(node: &Node, did: &Did) -> Option<String> {
    let offenders = node.json(&["trust", "offenders"]);
    let mine = offenders["items"].as_array().unwrap().iter().find(|item| item["did"] == did.to_string())?;
    Some(super::word(&mine["action"]))
}

/// Waits until a node has written down so many bans.
#[track_caller]
fn until_written(node: &Node, world: &World, bans: usize) {
    let log = world.path(&format!("{}.log", node.plan.folder().file_name().unwrap().to_str().unwrap()));
    let said = format!("bans={bans}");
    wait_for("a ban on the disk", PATIENCE, || {
        let text = std::fs::read_to_string(&log).unwrap();
        let start = text.rfind("--- start").unwrap_or_default();
        let last =
            text[start..].lines().rfind(|line| line.contains("offenders and bans were written down"))?;
        last.contains(&said).then_some(())
    });
}

#[test]
fn a_crowd_from_one_corner_keeps_neither_members_nor_other_strangers_out() {
    let world = World::new();
    let ada = keeper(&world, "ada")
        .no_executor()
        .env("ICN_NETWORK_MAX_PEERS", "20")
        .env("ICN_NETWORK_STRANGERS_PLACES", &PLACES.to_string())
        .env("ICN_NETWORK_STRANGERS_PLACES_PER_GROUP", &PER_GROUP.to_string())
        .env("ICN_NETWORK_STRANGERS_PRIVATE_GROUPS", "true")
        .start();
    // Bob stands where the crowd will.
    let bob = keeper(&world, "bob").no_executor().listen("/ip4/127.0.66.2/udp/0/quic-v1").peer(&ada).start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    agree([&ada, &bob]);
    let bob = bob.kill();
    wait_for("bob's end", PATIENCE, || connected(&ada).is_empty().then_some(()));

    let runtime = runtime();
    for _ in 0..CROWD {
        Identity::new(&runtime, 66).knock(&runtime, &ada);
    }
    wait_for("a crowd at the door", PATIENCE, || {
        (refused(&ada, "address_group") + refused(&ada, "churn") > 2 * CROWD as u64).then_some(())
    });
    let inside = connected(&ada).len();
    assert!((1..=PER_GROUP).contains(&inside), "{inside} of one corner are connected");
    // A stranger from elsewhere finds a place.
    let elsewhere = Identity::new(&runtime, 77);
    let did = elsewhere.did;
    elsewhere.knock(&runtime, &ada);
    until_connected(&ada, &did);

    let bob = bob.start();
    until_connected(&ada, &bob.did());
    bob.json(&["ledger", "pay", "ada", "1 hours"]);
    until_balance(&ada, "ada", 100);

    // The whole pool of strangers, from many corners, keeps no member out either.
    let bob = bob.kill();
    for corner in 67..75 {
        for _ in 0..PER_GROUP {
            Identity::new(&runtime, corner).knock(&runtime, &ada);
        }
    }
    wait_for("all places taken", PATIENCE, || (refused(&ada, "strangers") > 20).then_some(()));
    let inside = connected(&ada).len();
    assert!(inside <= INBOUND + 1, "{inside} strangers are connected");
    let bob = bob.start();
    until_connected(&ada, &bob.did());
    bob.json(&["ledger", "pay", "ada", "2 hours"]);
    until_balance(&ada, "ada", 300);
    agree([&ada, &bob]);
    assert_eq!(balance(&bob, "bob"), -300);
}

#[test]
fn a_node_on_which_a_member_lives_is_no_stranger() {
    let world = World::new();
    let ada = keeper(&world, "ada")
        .no_executor()
        .env("ICN_NETWORK_STRANGERS_PLACES_PER_GROUP", "1")
        .env("ICN_NETWORK_STRANGERS_PRIVATE_GROUPS", "true")
        .start();
    let bob = keeper(&world, "bob").no_executor().listen("/ip4/127.0.90.2/udp/0/quic-v1").peer(&ada).start();
    found(&ada, "ada");
    bob.json(&["id", "new", "ben"]);
    let invitation = super::invite(&ada);
    bob.json(&["space", "join", &invitation, "--as", "ben", "--nickname", "ben"]);
    agree([&ada, &bob]);
    let members = ada.json(&["space", "members"]).to_string();
    assert!(!members.contains(&bob.did().to_string()), "the node's own key is no member: {members}");
    // The corner has one place for strangers: somebody else has it as soon as the node is known by its member.
    let runtime = runtime();
    let other = Identity::new(&runtime, 90);
    let did = other.did;
    other.knock(&runtime, &ada);
    until_connected(&ada, &did);
    assert!(connected(&ada).contains(&bob.did().to_string()));
    let bob = bob.kill();
    for _ in 0..5 {
        Identity::new(&runtime, 90).knock(&runtime, &ada);
    }
    wait_for("a crowd at the door", PATIENCE, || (refused(&ada, "address_group") > 20).then_some(()));
    wait_for("one of them", PATIENCE, || (connected(&ada) == [did.to_string()]).then_some(()));
    let bob = bob.start();
    until_connected(&ada, &bob.did());
    bob.json(&["ledger", "pay", "ada", "1 hours", "--as", "ben"]);
    until_balance(&ada, "ada", 100);
}

/// Whoever showed the books of a space counted as known, also of a space that the node only reads: its founder could take
/// every place with nodes of made-up members.
#[test]
fn nodes_of_a_space_that_is_only_followed_are_strangers() {
    let world = World::new();
    let ada = keeper(&world, "ada")
        .no_executor()
        .env("ICN_NETWORK_STRANGERS_PLACES_PER_GROUP", "1")
        .env("ICN_NETWORK_STRANGERS_PRIVATE_GROUPS", "true")
        .start();
    let plan = |name: &str, at: &str| keeper(&world, name).no_executor().listen(at);
    let mallory = plan("mallory", "/ip4/127.0.91.2/udp/0/quic-v1").peer(&ada).start();
    let root = super::word(&found(&mallory, "mallory")["id"]);
    mallory.json(&["trust", "add", &ada.did().to_string(), "0.2"]);
    ada.json(&["space", "follow", &root]);
    // Its corner has one place for strangers, and that is mallory's.
    let mole = plan("mole", "/ip4/127.0.91.3/udp/0/quic-v1").peer(&mallory).peer(&ada).start();
    join(&mallory, &mole, "mole");
    until(&ada, &["space", "members"], |members| members["total"] == 3);
    wait_for("refusals", PATIENCE, || (refused(&ada, "address_group") > 2).then_some(()));
    assert_eq!(connected(&ada), [mallory.did().to_string()]);
}

#[test]
fn who_is_banned_is_banned_after_a_crash_and_who_is_forgiven_is_not() {
    let world = World::new();
    let runtime = runtime();
    let ada = keeper(&world, "ada").no_executor().start();
    let rogue = Identity::new(&runtime, 80);
    wait_for("a ban", PATIENCE, || {
        rogue.offends(&runtime, &ada);
        (action(&ada, &rogue.did).as_deref() == Some("ban")).then_some(())
    });
    until_written(&ada, &world, 1);

    let ada = ada.kill_to_return().start();
    assert_eq!(action(&ada, &rogue.did).as_deref(), Some("ban"));
    wait_for("a refusal", PATIENCE, || {
        assert!(!rogue.offends(&runtime, &ada), "who is banned is let in after a restart");
        (refused(&ada, "banned") > 0).then_some(())
    });
    // Only who did it is kept out.
    let other = Identity::new(&runtime, 80);
    let did = other.did;
    other.knock(&runtime, &ada);
    until_connected(&ada, &did);

    ada.json(&["trust", "forgive", &rogue.did.to_string()]);
    let ada = ada.kill_to_return().start();
    assert_eq!(action(&ada, &rogue.did), None, "what was forgiven before the crash is forgiven after it");
    wait_for("an answer", PATIENCE, || rogue.offends(&runtime, &ada).then_some(()));
}

/// A node that lets in whom it trusts by 0.3.
fn strict(plan: Plan) -> Plan {
    plan.env("ICN_NETWORK_MIN_TRUST_THRESHOLD", "300000")
}

#[test]
fn a_node_that_lets_in_only_whom_it_trusts_does_so_after_a_restart_too() {
    let world = World::new();
    let at = free_place();
    let plan = |name: &str| keeper(&world, name).no_executor();
    let ada = plan("ada").listen(&at).start();
    let bob = plan("bob").peer(&ada).start();
    let carl = plan("carl").peer(&ada).start();
    found(&ada, "ada");
    join(&ada, &bob, "bob");
    join(&ada, &carl, "carl");
    agree([&ada, &bob, &carl]);
    ada.json(&["trust", "add", "bob", "0.8"]);
    until(&ada, &["trust", "path", "bob"], |answer| answer["score_ppm"] == 800_000);

    // Bob and carl dial her; she knows from her books which of them she trusts.
    let ada = strict(ada.kill()).start();
    until_connected(&ada, &bob.did());
    wait_for("a refusal", PATIENCE, || (refused(&ada, "trust_too_low") > 0).then_some(()));
    bob.json(&["ledger", "pay", "ada", "1 hours"]);
    until_balance(&ada, "ada", 100);
    assert!(!connected(&ada).contains(&carl.did().to_string()), "nobody vouches for carl");

    // At another place, where nobody named her, she and whom she met before find each other again.
    let (status, _) = ada.terminate();
    assert!(status.success());
    let ada = strict(plan("ada")).start();
    until_connected(&ada, &bob.did());
    // A word lets carl in.
    ada.json(&["trust", "add", "carl", "0.5"]);
    until_connected(&ada, &carl.did());
    agree([&ada, &bob, &carl]);
}
