//! The file system that a guest sees: `/in` with the named inputs, `/out` for its outputs, both in memory.
//!
//! Host folders would leak order, inodes and times. Here folders are ordered maps, nothing has a time or a number,
//! and inputs are read from their [`Blob`] only where and when the guest reads. [`tree`] holds files and folders,
//! [`descriptor`] what is open.

pub(crate) mod descriptor;
pub(crate) mod errno;
pub(crate) mod tree;

pub(crate) use self::errno::{Errno, Failure};
pub(crate) use self::tree::{NodeId, OpenFlags, Stat, Tree};

/// What a name stands for, by its number in WASI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    /// A standard stream.
    Unknown = 0,
    Folder = 3,
    File = 4,
}
