//! Bytes of strangers on every protocol, and strangers at the door of the API.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use icn_net::{Keypair, Multiaddr, PeerId};
use libp2p::swarm::Swarm;
use libp2p::{StreamProtocol, SwarmBuilder};
use libp2p_stream::Control;
use sha2::{Digest as _, Sha256};

use crate::guests::guest;
use crate::world::World;

/// A peer that speaks nothing but raw streams.
fn stranger(runtime: &tokio::runtime::Runtime, address: &Multiaddr) -> Control {
    let _entered = runtime.enter();
    let mut swarm: Swarm<libp2p_stream::Behaviour> =
        SwarmBuilder::with_existing_identity(Keypair::generate_ed25519())
            .with_tokio()
            .with_quic()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
            .build();
    let control = swarm.behaviour().new_control();
    swarm.dial(address.clone()).unwrap();
    runtime.spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    control
}

/// Sends bytes on a stream of their own; an answer, where there is one, is read and forgotten.
async fn send(control: &mut Control, to: PeerId, protocol: &'static str, bytes: &[u8]) {
    let opened =
        tokio::time::timeout(Duration::from_secs(10), control.open_stream(to, StreamProtocol::new(protocol)));
    // Who is not let in any more has nothing to send.
    let Ok(Ok(mut stream)) = opened.await else { return };
    let talk = async {
        let _ = stream.write_all(bytes).await;
        let _ = stream.close().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    };
    // Not every protocol ends its side.
    let _ = tokio::time::timeout(Duration::from_millis(200), talk).await;
}

/// Bytes that look random and are the same in each run.
fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|n| <[u8; 32]>::from(Sha256::digest([seed.to_be_bytes(), n.to_be_bytes()].concat())))
        .take(bytes)
        .collect()
}

#[test]
fn bytes_of_strangers_harm_nothing() {
    let world = World::new();
    let mut node = world.node("node").start();
    let address: Multiaddr = node.address().parse().unwrap();
    let to = icn_identity::peer_id(&node.did());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let protocols = [
        "/icn/mesh/direct/1.0.0",
        "/ipfs/bitswap/1.2.0",
        "/meshsub/1.2.0",
        "/icn/kad/1.0.0",
        "/ipfs/id/1.0.0",
        "/ipfs/id/push/1.0.0",
        "/ipfs/ping/1.0.0",
    ];
    for (number, protocol) in (0..).zip(protocols) {
        let attacks = [
            noise(number, 1_000),
            // A frame of plausible length with nonsense inside.
            [&[100], noise(number, 100).as_slice()].concat(),
            // A frame that says it is longer than any may be.
            [&[0xff, 0xff, 0xff, 0x7f], noise(number, 5_000).as_slice()].concat(),
            // More than any protocol takes.
            vec![0x81; 3 << 20],
        ];
        runtime.block_on(async {
            let mut control = stranger(&runtime, &address);
            for bytes in &attacks {
                send(&mut control, to, protocol, bytes).await;
            }
        });
        node.assert_alive();
    }
    // It still serves: content to peers, and jobs to its user.
    let other = world.node("other").no_executor().peer(&node).start();
    other.until_knows(1, 1);
    let cid = node.json(&["add", &guest("hello")])["items"][0]["cid"].as_str().unwrap().to_owned();
    other.icn(&["get", &cid, "-o", "hello.wasm"]).code(0);
    assert_eq!(std::fs::read(world.path("hello.wasm")).unwrap(), std::fs::read(guest("hello")).unwrap());
    other.icn(&["job", "run", "hello.wasm", "--arg", "3"]).code(3);
    node.assert_alive();
}

#[test]
fn the_api_is_for_its_owner() {
    let world = World::new();
    let mut node = world.node("node").start();
    let api = node.file["api"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let ask = |request: &[u8]| {
        let mut stream = TcpStream::connect(&api).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        // A connection that is cut is an answer too.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let get = |host: &str, extra: &str| {
        ask(format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{extra}\r\n").as_bytes())
    };
    let token = std::fs::read_to_string(node.folder().join("api.token")).unwrap();
    let owner = format!("Authorization: Bearer {}\r\n", token.trim());
    assert!(get(&api, &owner).starts_with("HTTP/1.1 200"));
    assert!(get(&api, "").starts_with("HTTP/1.1 401"));
    assert!(get(&api, "Authorization: Bearer wrong\r\n").starts_with("HTTP/1.1 401"));
    // A web page that has a name of its own resolve to this machine.
    assert!(!get("evil.example", &owner).starts_with("HTTP/1.1 200"));
    assert!(!ask(&noise(1, 10_000)).contains("200 OK"));
    for name in ["api.token", "keystore.age"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(node.folder().join(name)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    node.assert_alive();
}
