//! A peer that speaks nothing but raw streams.

use std::time::Duration;

use futures::StreamExt;
use icn_net::{Keypair, Multiaddr, PeerId};
use libp2p::swarm::Swarm;
use libp2p::{SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::Control;

pub(crate) struct Stranger {
    pub(crate) id: PeerId,
    pub(crate) control: Control,
    swarm: tokio::task::JoinHandle<()>,
}

impl Stranger {
    pub(crate) fn dial(address: Multiaddr) -> Self {
        let mut swarm: Swarm<libp2p_stream::Behaviour> =
            SwarmBuilder::with_existing_identity(Keypair::generate_ed25519())
                .with_tokio()
                .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
                .unwrap()
                .with_quic()
                .with_behaviour(|_| libp2p_stream::Behaviour::new())
                .unwrap()
                .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
                .build();
        let (id, control) = (*swarm.local_peer_id(), swarm.behaviour().new_control());
        swarm.dial(address).unwrap();
        let swarm = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { id, control, swarm }
    }

    /// Ends the swarm without a word to anybody.
    pub(crate) fn vanish(self) {
        self.swarm.abort();
    }
}
