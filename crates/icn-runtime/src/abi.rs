//! The functions that a guest may import, and what each costs. This page is the reference; `docs/protocol.md`,
//! section 8, and `examples/guests/README.md` repeat it.
//!
//! # Profile `icn-canonical-1`
//!
//! One fuel for each WebAssembly instruction (none for `nop`, `drop`, `block`, `loop`, `unreachable`, `return`, `else`,
//! `end`); 255 for `memory.grow` and 255 more for each page asked for; 255 for `table.grow`; one more for each byte of
//! `memory.copy`, `memory.fill`, `memory.init`, and for each element of their table twins and of `table.grow`. Each
//! function call costs one fuel more. The running guest is looked at (for its time, for a cancellation) every
//! [`YIELD_FUEL`] fuel and at host calls; that number is part of the profile. Host calls cost what the tables below
//! say: a fixed part, and a part for each byte that the column names. A host call that costs more than what is left
//! ends the guest as `out_of_fuel`.
//!
//! NaNs are canonical, relaxed SIMD is deterministic; threads, exceptions, garbage collection, several memories and
//! 64-bit memories are off. A module has at most one memory and four tables.
//!
//! `memory.grow` past the job's `memory_bytes_max` answers -1 and is remembered: a guest that then traps (`abort`,
//! `unreachable`) ends as `memory_limit`; one that copes and exits ends as `exit`. A module whose memory starts
//! larger than the limit ends as `memory_limit` at once. The same holds for tables and 100,000 elements.
//!
//! The virtual clock starts at 2000-01-01T00:00:00Z for all clock ids and advances by 1 ms after each reading, and by
//! as much as `poll_oneoff` is asked to wait. `random_get` hands out, without gaps, the ChaCha20 key stream (nonce 0,
//! 64-bit block counter from 0) whose key is the SHA-256 of the execution key's text. How deep calls may nest depends
//! on the processor architecture: 512 KiB of native stack.
//!
//! # Module `icn_mesh_v1`
//!
//! All parameters and results are `i32`; pointers and lengths are unsigned, into the memory exported as `memory`. A
//! result below 0 is an error code. A pointer outside the memory traps the guest (`bad_pointer`).
//!
//! | function | parameters | result | fuel | per byte of |
//! |---|---|---|---|---|
//! | `host_job_get_id` | `buffer, capacity` | length of the id; nothing is written when `capacity` is 0; -2 when it is too small | 500 | 1, id |
//! | `host_anchor_to_dag` | `codec, data, data_len, cid, cid_capacity` | length of the CID's text, written to `cid`; `codec` is 0x55 (raw) or 0x71 (strict DAG-CBOR); -1 unknown codec or not strict, -2 `cid_capacity` too small, -3 more than 256 KiB | 5,000 | 16, data |
//! | `host_report_progress` | `parts_per_million, text, text_len` | 0; -1 above 1,000,000 or not UTF-8, -3 more than 1 KiB | 2,000 | 4, text |
//! | `host_log` | `level, text, text_len` | 0; levels are 0 error, 1 warn, 2 info, 3 debug, 4 trace; -1 other level or not UTF-8, -3 more than 4 KiB | 2,000 | 4, text |
//! | `host_sha256` | `data, data_len, digest` | 0; writes 32 bytes | 1,000 | 6, data |
//! | `host_blake3` | `data, data_len, digest` | 0; writes 32 bytes | 1,000 | 3, data |
//! | `host_ed25519_verify` | `key, message, message_len, signature` | 1 valid, 0 not; `key` is 32 bytes, `signature` 64; strict (no small-order points) | 400,000 | 6, message |
//!
//! The error codes are [`ERROR_INVALID`] -1, [`ERROR_BUFFER_TOO_SMALL`] -2, [`ERROR_TOO_LARGE`] -3.
//!
//! # Module `wasi_snapshot_preview1`
//!
//! | functions | fuel | per byte of |
//! |---|---|---|
//! | `args_*`, `environ_*` | 500 | 1, what is written |
//! | `clock_*`, `sched_yield`, `proc_*`, `fd_close`, `fd_tell`, `fd_seek`, `fd_prestat_*`, `fd_fdstat_*`, `fd_renumber`, `fd_sync`, `fd_datasync`, `fd_advise`, `fd_filestat_get`, `fd_filestat_set_times`, `sock_*` | 500 | – |
//! | `fd_read`, `fd_pread`, `fd_write`, `fd_pwrite` | 1,000 | 1, what is moved, and what a file grows by beyond it |
//! | `fd_allocate`, `fd_filestat_set_size` | 1,000 | 1, what the file grows by |
//! | `fd_readdir` | 1,000 | 4, what is written; also 4 for each entry passed over |
//! | `path_*` | 2,000 | 8, paths; `path_rename` of a folder also 64 for each file and folder in it |
//! | `poll_oneoff` | 1,000 | 2, subscriptions (48 bytes each) |
//! | `random_get` | 500 | 4, what is written |
//!
//! `/in` is read-only, `/out` is writable, `/` holds both; all three are preopened, as descriptors 3, 4 and 5. Inodes,
//! devices and times are 0; `fd_readdir` gives names in the order of their bytes, without `.` and `..`. Links and
//! sockets answer `ENOTSUP`. Names that no output may have answer `ENAMETOOLONG` or `EINVAL`. A file or stream that
//! outgrows the job's limits ends the guest as `output_limit`. Folders without files do not come back.

use icn_types::Mode;

/// The rules and costs of canonical mode, by name. A new table gets a new name.
pub const PROFILE_CANONICAL: &str = "icn-canonical-1";

/// The rules of fast mode, by name: no fuel for instructions, the host's clock and randomness, no canonical NaNs.
pub const PROFILE_FAST: &str = "icn-fast-1";

/// How much fuel a guest burns between two looks at the clock and the cancellation.
///
/// Measured at 4 to 18 fuel per nanosecond: some 20 to 50 µs, or a few milliseconds when every instruction misses the
/// caches. It is part of the profile, because what a trap leaves in the fuel counter depends on it.
pub const YIELD_FUEL: u64 = 200_000;

/// An argument has no meaning: unknown codec or level, text that is not UTF-8, bytes that are not strict DAG-CBOR.
pub const ERROR_INVALID: i32 = -1;
/// The buffer for the answer is too small.
pub const ERROR_BUFFER_TOO_SMALL: i32 = -2;
/// The data are longer than this function takes.
pub const ERROR_TOO_LARGE: i32 = -3;

/// The largest block that a guest may anchor, in bytes: larger things are outputs.
pub const ANCHOR_BYTES_MAX: usize = 256 * 1024;
/// The longest text of a progress report, in bytes.
pub const PROGRESS_BYTES_MAX: usize = 1_024;
/// The longest log line, in bytes.
pub const LOG_BYTES_MAX: usize = 4_096;

/// The module name of the mesh functions.
pub const MESH: &str = "icn_mesh_v1";
/// The module name of WASI preview 1.
pub const WASI: &str = "wasi_snapshot_preview1";

/// Returns the name of a mode's profile.
pub(crate) const fn profile(mode: Mode) -> &'static str {
    match mode {
        Mode::Canonical => PROFILE_CANONICAL,
        Mode::Fast => PROFILE_FAST,
    }
}

/// Makes the enum of host functions out of the table of costs, so that no function is without a cost.
macro_rules! calls {
    ($($call:ident $module:ident $name:literal $fixed:literal $per_byte:literal;)*) => {
        /// A host function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Call { $($call),* }

        impl Call {
            /// All of them, in the order of their numbers.
            pub(crate) const ALL: &[Self] = &[$(Self::$call),*];

            /// Returns the module and the name under which it is imported.
            pub(crate) const fn import(self) -> (&'static str, &'static str) {
                match self { $(Self::$call => ($module, $name)),* }
            }

            /// Returns the fuel for a call and for each byte.
            pub(crate) const fn cost(self) -> (u64, u64) {
                match self { $(Self::$call => ($fixed, $per_byte)),* }
            }
        }
    };
}

calls! {
    ArgsGet WASI "args_get" 500 1;
    ArgsSizesGet WASI "args_sizes_get" 500 1;
    EnvironGet WASI "environ_get" 500 1;
    EnvironSizesGet WASI "environ_sizes_get" 500 1;
    ClockResGet WASI "clock_res_get" 500 0;
    ClockTimeGet WASI "clock_time_get" 500 0;
    FdAdvise WASI "fd_advise" 500 0;
    FdAllocate WASI "fd_allocate" 1000 1;
    FdClose WASI "fd_close" 500 0;
    FdDatasync WASI "fd_datasync" 500 0;
    FdFdstatGet WASI "fd_fdstat_get" 500 0;
    FdFdstatSetFlags WASI "fd_fdstat_set_flags" 500 0;
    FdFdstatSetRights WASI "fd_fdstat_set_rights" 500 0;
    FdFilestatGet WASI "fd_filestat_get" 500 0;
    FdFilestatSetSize WASI "fd_filestat_set_size" 1000 1;
    FdFilestatSetTimes WASI "fd_filestat_set_times" 500 0;
    FdPread WASI "fd_pread" 1000 1;
    FdPrestatGet WASI "fd_prestat_get" 500 0;
    FdPrestatDirName WASI "fd_prestat_dir_name" 500 0;
    FdPwrite WASI "fd_pwrite" 1000 1;
    FdRead WASI "fd_read" 1000 1;
    FdReaddir WASI "fd_readdir" 1000 4;
    FdRenumber WASI "fd_renumber" 500 0;
    FdSeek WASI "fd_seek" 500 0;
    FdSync WASI "fd_sync" 500 0;
    FdTell WASI "fd_tell" 500 0;
    FdWrite WASI "fd_write" 1000 1;
    PathCreateDirectory WASI "path_create_directory" 2000 8;
    PathFilestatGet WASI "path_filestat_get" 2000 8;
    PathFilestatSetTimes WASI "path_filestat_set_times" 2000 8;
    PathLink WASI "path_link" 2000 8;
    PathOpen WASI "path_open" 2000 8;
    PathReadlink WASI "path_readlink" 2000 8;
    PathRemoveDirectory WASI "path_remove_directory" 2000 8;
    PathRename WASI "path_rename" 2000 8;
    PathSymlink WASI "path_symlink" 2000 8;
    PathUnlinkFile WASI "path_unlink_file" 2000 8;
    PollOneoff WASI "poll_oneoff" 1000 2;
    ProcExit WASI "proc_exit" 500 0;
    ProcRaise WASI "proc_raise" 500 0;
    RandomGet WASI "random_get" 500 4;
    SchedYield WASI "sched_yield" 500 0;
    SockAccept WASI "sock_accept" 500 0;
    SockRecv WASI "sock_recv" 500 0;
    SockSend WASI "sock_send" 500 0;
    SockShutdown WASI "sock_shutdown" 500 0;
    JobGetId MESH "host_job_get_id" 500 1;
    AnchorToDag MESH "host_anchor_to_dag" 5000 16;
    ReportProgress MESH "host_report_progress" 2000 4;
    Log MESH "host_log" 2000 4;
    Sha256 MESH "host_sha256" 1000 6;
    Blake3 MESH "host_blake3" 1000 3;
    Ed25519Verify MESH "host_ed25519_verify" 400_000 6;
}

/// How many host functions there are.
pub(crate) const CALLS: usize = Call::ALL.len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_one_number_and_one_name() {
        let mut names: Vec<_> = Call::ALL.iter().map(|call| call.import()).collect();
        assert!(Call::ALL.iter().enumerate().all(|(number, call)| *call as usize == number));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CALLS);
        assert_eq!(CALLS, 53, "46 of WASI preview 1, 7 of the mesh");
    }
}
