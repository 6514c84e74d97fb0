//! Every bound of the protocol, in one place (`docs/protocol.md`, section 9).

use icn_types::Duration;

/// The largest message on gossipsub, in bytes.
pub const GOSSIP_BYTES_MAX: usize = 256 * 1024;
/// The largest direct request or response, in bytes.
pub const DIRECT_BYTES_MAX: usize = 1024 * 1024;
/// The largest receipt, in bytes: that of a block.
pub const RECEIPT_BYTES_MAX: usize = icn_types::BLOCK_BYTES_MAX;
/// The largest receipt that is kept as a value in the DHT, in bytes; larger ones are found by provider records.
pub const DHT_RECEIPT_BYTES_MAX: usize = 8 * 1024;
/// The largest `job_params`, in bytes: an announcement of them must fit into gossip.
pub const PARAMS_BYTES_MAX: usize = GOSSIP_BYTES_MAX - 4 * 1024;
/// The largest receipt bundle, in bytes.
pub const BUNDLE_BYTES_MAX: usize = RECEIPT_BYTES_MAX + DIRECT_BYTES_MAX + PARAMS_BYTES_MAX + 1024;

/// How old a message may be.
pub const MESSAGE_AGE_MAX: Duration = Duration::from_secs(300);
/// How far ahead of the receiver's clock a message may be.
pub const MESSAGE_SKEW_MAX: Duration = Duration::from_secs(30);

/// The longest short text (alias, runtime, feature, policy name, currency), in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The longest free text (description, detail, reason), in bytes.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The most entries of a short list (runtimes, features, blobs, providers, executors, stages).
pub const LIST_LEN_MAX: usize = 256;
/// The most kinds of resources named in one map.
pub const RESOURCES_LEN_MAX: usize = 64;
/// The most arguments of a job, and the most environment variables.
pub const ARGS_LEN_MAX: usize = 1_024;
/// The most bytes of arguments and environment of a job together.
pub const ARGS_BYTES_MAX: usize = 64 * 1024;
/// The most microsecond stages, and host functions counted, of a receipt.
pub const COUNTS_LEN_MAX: usize = 128;
/// The most blocks that one guest may anchor.
pub const ANCHORS_LEN_MAX: usize = 4_096;

/// The longest execution time that a job may ask for, in seconds: a week.
pub const TIMEOUT_SECONDS_MAX: u64 = 7 * 24 * 3_600;
/// The most fuel that a job may ask for: what a signed 64-bit counter holds.
pub const FUEL_MAX: u64 = i64::MAX as u64;
/// The most memory that a job may ask for, in bytes: the address space of a 32-bit guest.
pub const MEMORY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// The most output that a job may ask for, in bytes.
pub const OUTPUT_BYTES_MAX: u64 = 1 << 40;
/// The most executors that may run one job beside each other.
pub const REPLICAS_MAX: u32 = 16;
/// One whole, in the parts per million that weights and reputations are counted in.
pub const PPM: u32 = 1_000_000;

/// The shortest lease, in seconds.
pub const LEASE_SECONDS_MIN: u64 = 1;
/// The longest lease, in seconds.
pub const LEASE_SECONDS_MAX: u64 = 3_600;
/// The lease when nothing else is wanted, in seconds.
pub const LEASE_SECONDS_DEFAULT: u64 = 10;
/// How much longer than the lease the originator waits before it assigns again.
pub const LEASE_GRACE: Duration = Duration::from_secs(1);

/// The most bytes of one interactive chunk.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// The most interactive chunks that wait for an acknowledgement.
pub const CHUNKS_IN_FLIGHT_MAX: usize = 16;
/// The most declines that an originator keeps for one job.
pub const DECLINES_KEPT_MAX: usize = 64;
