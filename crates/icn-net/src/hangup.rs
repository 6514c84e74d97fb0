//! QUIC dials that can be hung up.
//!
//! The library cannot end a dial to a peer that has meanwhile come by itself. Such a dial repeats its first packet and may
//! be answered seconds later. The other side then sees a second connection, and takes it for that of a restarted process.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, FutureExt as _, select};
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::{Multiaddr, PeerId, quic};

use crate::behaviour::peer_of;

/// Peers whose ended dials are kept. Full: they are forgotten. Dials under way are bounded by the swarm.
const PEERS_MAX: usize = 128;

/// The dials under way, by peer.
#[derive(Clone, Default)]
pub(crate) struct Ringing(Arc<Mutex<HashMap<PeerId, Vec<oneshot::Sender<()>>>>>);

impl Ringing {
    /// Ends all dials to a peer.
    pub(crate) fn hang_up(&self, peer: PeerId) {
        // Dropped senders tell.
        drop(self.lock().remove(&peer));
    }

    /// Notes a dial, which is to end with what is returned.
    fn ring(&self, peer: PeerId) -> oneshot::Receiver<()> {
        let mut dials = self.lock();
        if dials.len() >= PEERS_MAX {
            dials.retain(|_, dials| dials.iter().any(|dial| !dial.is_canceled()));
        }
        let (sender, receiver) = oneshot::channel();
        let of_peer = dials.entry(peer).or_default();
        of_peer.retain(|dial| !dial.is_canceled());
        of_peer.push(sender);
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The QUIC transport of the library, whose dials end when they are hung up.
pub(crate) struct Quic {
    inner: quic::tokio::Transport,
    ringing: Ringing,
}

impl Quic {
    pub(crate) fn new(config: quic::Config, ringing: Ringing) -> Self {
        Self { inner: quic::tokio::Transport::new(config), ringing }
    }
}

impl Transport for Quic {
    type Output = (PeerId, quic::Connection);
    type Error = quic::Error;
    type ListenerUpgrade = quic::Connecting;
    type Dial = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let peer = peer_of(&address);
        let dial = self.inner.dial(address, options)?;
        let Some(peer) = peer else { return Ok(dial) };
        let hung_up = self.ringing.ring(peer);
        Ok(select(dial, hung_up)
            .map(|ended| match ended {
                Either::Left((answered, _)) => answered,
                Either::Right(_) => {
                    Err(quic::Error::Io(io::Error::other("hung up: the peer is connected otherwise")))
                }
            })
            .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_that_have_ended_are_forgotten() {
        let ringing = Ringing::default();
        let peer = PeerId::random();
        let mut dial = ringing.ring(peer);
        for _ in 0..PEERS_MAX * 2 {
            drop(ringing.ring(PeerId::random()));
        }
        assert!(ringing.lock().len() <= PEERS_MAX);
        assert_eq!(dial.try_recv(), Ok(None), "it still rings");
        ringing.hang_up(peer);
        assert!(dial.try_recv().is_err());
    }
}
