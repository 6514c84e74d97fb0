//! The libp2p swarm: transports, discovery, gossip, direct messages and content exchange
