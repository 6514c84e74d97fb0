//! The libp2p swarm: transports, discovery, gossip, direct messages and content exchange.
//!
//! Decides whom to be connected to, how much each peer may ask, and how bytes travel. Never reads what they mean: the
//! application judges gossip ([`Event::Gossip`]), answers direct requests ([`Event::Request`]), talks over streams
//! ([`Event::Sync`]), holds the blocks ([`BlockSource`]) and checks DHT records ([`RecordCheck`]).
//!
//! One task owns the swarm and does nothing slow: verdicts, block reads, hashing and record checks run on other tasks
//! and come back over bounded channels. Each limit that a stranger can push against is a named constant beside the
//! queue that it bounds; what is dropped is counted ([`Metrics`]).
//!
//! What a peer may do is policy and comes from above, while the network runs: limits ([`Handle::set_constraints`]), trust
//! ([`Handle::set_standing`]), bans ([`Handle::ban`]). Here they are only enforced.
//!
//! Follows `docs/protocol.md` section 4, the libp2p specifications (gossipsub v1.1 with `StrictNoSign`, Kademlia,
//! identify, ping, mDNS) and Bitswap 1.2.0.

mod address;
mod behaviour;
pub mod bitswap;
mod book;
mod config;
mod direct;
mod doors;
mod driver;
mod error;
mod event;
mod frame;
mod gate;
mod gossip;
mod handle;
mod hangup;
mod limits;
mod metrics;
pub mod neighbors;
mod outbound;
mod pace;
mod records;
mod shared;
mod start;
mod sync;
mod topics;
mod topology;
mod transport;

pub use crate::address::{AddressGroup, AddressGroupError, GroupOf, address_group, any_address_group};
pub use crate::bitswap::BlockSource;
pub use crate::config::{AGENT, Clock, Config, TopicCheck};
pub use crate::direct::MESSAGE_BYTES_MAX;
pub use crate::doors::{Ban, Banned, Standing, slots};
pub use crate::driver::BAN_TIME;
pub use crate::error::{FetchError, NetError, RequestError};
pub use crate::event::{Event, Offence, ReplySender, Verdict, VerdictSender};
pub use crate::gossip::GOSSIP_BYTES_MAX;
pub use crate::handle::{Handle, Misbehaviour};
pub use crate::limits::{Share, ShareId, ShareLimits, Strangers};
pub use crate::metrics::Metrics;
pub use crate::neighbors::{NeighborCounts, NeighborLimits, NeighborSet};
pub use crate::records::{RECORD_BYTES_MAX, RecordCheck};
pub use crate::shared::{Direction, PeerInfo};
pub use crate::start::start;
pub use crate::sync::{SYNC_FRAME_BYTES_MAX, SyncReceiver, SyncSender, SyncStream};
pub use crate::topics::is_space_topic;
pub use crate::topology::TOPOLOGY_BYTES_MAX;
pub use libp2p::identity::Keypair;
pub use libp2p::{Multiaddr, PeerId};
