//! A cable to a node that can be pulled: two sockets, and tasks that carry packets between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use icn_net::Multiaddr;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// The largest UDP packet.
const PACKET_BYTES_MAX: usize = 65_536;

/// Longer than the DHT waits before it asks a new neighbour about others, shorter than the pause of QUIC's keep-alive.
const CALM: Duration = Duration::from_secs(1);

#[derive(Default)]
struct State {
    is_out: AtomicBool,
    /// Packets to the node that arrived.
    carried: AtomicUsize,
    /// Packets to the node that were lost.
    lost: AtomicUsize,
    /// Who sent to the node last: answers go there.
    dialler: Mutex<Option<SocketAddr>>,
}

pub(crate) struct Cable {
    /// Where packets to the node go in.
    pub(crate) port: u16,
    state: Arc<State>,
    _carriers: JoinSet<()>,
}

impl Cable {
    /// Lays a cable to a node that listens here on UDP.
    pub(crate) async fn new(node: &Multiaddr) -> Self {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (near, far) = (Arc::new(bind().await.unwrap()), Arc::new(bind().await.unwrap()));
        far.connect(socket_of(node)).await.unwrap();
        let port = near.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let mut carriers = JoinSet::new();
        carriers.spawn(carry_to(Arc::clone(&near), Arc::clone(&far), Arc::clone(&state)));
        carriers.spawn(carry_back(near, far, Arc::clone(&state)));
        Self { port, state, _carriers: carriers }
    }

    /// Waits until nothing has gone to the node for a second: those who met have told each other everything.
    pub(crate) async fn calm(&self) {
        let carried = || self.state.carried.load(Ordering::SeqCst);
        let mut before = None;
        while before != Some(carried()) {
            before = Some(carried());
            tokio::time::sleep(CALM).await;
        }
    }

    pub(crate) fn pull(&self) {
        self.state.is_out.store(true, Ordering::SeqCst);
    }

    pub(crate) fn plug(&self) {
        self.state.is_out.store(false, Ordering::SeqCst);
    }

    /// Counts the packets to the node that were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

async fn carry_to(near: Arc<UdpSocket>, far: Arc<UdpSocket>, state: Arc<State>) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok((len, from)) = near.recv_from(&mut packet).await else { continue };
        *state.dialler.lock().unwrap() = Some(from);
        if state.is_out.load(Ordering::SeqCst) {
            state.lost.fetch_add(1, Ordering::SeqCst);
        } else {
            state.carried.fetch_add(1, Ordering::SeqCst);
            // An error says that the node has ended.
            let _ = far.send(&packet[..len]).await;
        }
    }
}

async fn carry_back(near: Arc<UdpSocket>, far: Arc<UdpSocket>, state: Arc<State>) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok(len) = far.recv(&mut packet).await else { continue };
        let to = *state.dialler.lock().unwrap();
        if let (Some(to), false) = (to, state.is_out.load(Ordering::SeqCst)) {
            let _ = near.send_to(&packet[..len], to).await;
        }
    }
}

fn socket_of(address: &Multiaddr) -> SocketAddr {
    let text = address.to_string();
    let mut parts = text.split('/').skip(2).step_by(2);
    let (ip, port) = (parts.next().unwrap(), parts.next().unwrap());
    SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap())
}
