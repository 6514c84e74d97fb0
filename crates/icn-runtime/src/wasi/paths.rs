//! Functions that take a path.

use wasmtime::Linker;

use super::{define, path, put_stat};
use crate::abi::Call;
use crate::fs::descriptor::{Descriptor, FLAGS_KNOWN, rights};
use crate::fs::{Errno, Failure, OpenFlags};
use crate::job::Job;

/// The bits of `path_open`'s `oflags`.
const CREATE: u32 = 1;
const FOLDER: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

/// What each file and folder costs when the folder that it is in is renamed.
const RENAME_FUEL_EACH: u64 = 64;

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, PathOpen, |job,
                               memory,
                               fd: u32,
                               _lookup: u32,
                               pointer: u32,
                               len: u32,
                               open: u32,
                               base: u64,
                               inheriting: u64,
                               flags: u32,
                               out: u32| {
        let path = path(job, memory, Call::PathOpen, pointer, len)?;
        // Nothing is opened for a guest that could not be told the number.
        memory.put_u32(out, 0)?;
        let number = self::open(job, fd, &path, open, (base, inheriting), flags)?;
        Ok(memory.put_u32(out, number)?)
    });
    define!(linker, PathFilestatGet, |job,
                                      memory,
                                      fd: u32,
                                      _flags: u32,
                                      pointer: u32,
                                      len: u32,
                                      out: u32| {
        let path = path(job, memory, Call::PathFilestatGet, pointer, len)?;
        let node = job.tree.lookup(job.descriptors.get(fd)?.folder()?, &path)?;
        Ok(put_stat(memory, out, job.tree.stat(node)?)?)
    });
    define!(linker, PathFilestatSetTimes, |job,
                                           memory,
                                           fd: u32,
                                           _flags: u32,
                                           pointer: u32,
                                           len: u32,
                                           _access: u64,
                                           _change: u64,
                                           _set: u32| {
        let path = path(job, memory, Call::PathFilestatSetTimes, pointer, len)?;
        let node = job.tree.lookup(job.descriptors.get(fd)?.folder()?, &path)?;
        if job.tree.is_writable(node) { Ok(()) } else { Err(Errno::ReadOnly.into()) }
    });
    define!(linker, PathCreateDirectory, |job, memory, fd: u32, pointer: u32, len: u32| {
        let path = path(job, memory, Call::PathCreateDirectory, pointer, len)?;
        job.tree.create_folder(job.descriptors.get(fd)?.folder()?, &path)
    });
    define!(linker, PathRemoveDirectory, |job, memory, fd: u32, pointer: u32, len: u32| {
        let path = path(job, memory, Call::PathRemoveDirectory, pointer, len)?;
        Ok(job.tree.remove_folder(job.descriptors.get(fd)?.folder()?, &path)?)
    });
    define!(linker, PathUnlinkFile, |job, memory, fd: u32, pointer: u32, len: u32| {
        let path = path(job, memory, Call::PathUnlinkFile, pointer, len)?;
        Ok(job.tree.remove_file(job.descriptors.get(fd)?.folder()?, &path)?)
    });
    define!(linker, PathRename, |job,
                                 memory,
                                 old_fd: u32,
                                 old: u32,
                                 old_len: u32,
                                 new_fd: u32,
                                 new: u32,
                                 new_len: u32| {
        let old = path(job, memory, Call::PathRename, old, old_len)?;
        let new = path(job, memory, Call::PathRename, new, new_len)?;
        let from = job.descriptors.get(old_fd)?.folder()?;
        let to = job.descriptors.get(new_fd)?.folder()?;
        let walked = job.tree.rename((from, &old), (to, &new))?;
        Ok(job.spend(walked.saturating_mul(RENAME_FUEL_EACH))?)
    });
    define!(linker, PathReadlink, |job,
                                   memory,
                                   fd: u32,
                                   pointer: u32,
                                   len: u32,
                                   _to: u32,
                                   _room: u32,
                                   _out: u32| {
        let path = path(job, memory, Call::PathReadlink, pointer, len)?;
        job.tree.lookup(job.descriptors.get(fd)?.folder()?, &path)?;
        // There are no links, so whatever is there is none.
        Err(Errno::Invalid.into())
    });
    define!(linker, PathLink, |_job,
                               _memory,
                               _old_fd: u32,
                               _flags: u32,
                               _old: u32,
                               _old_len: u32,
                               _fd: u32,
                               _new: u32,
                               _new_len: u32| {
        Err(Errno::NotSupported.into())
    });
    define!(linker, PathSymlink, |_job,
                                  _memory,
                                  _old: u32,
                                  _old_len: u32,
                                  _fd: u32,
                                  _new: u32,
                                  _new_len: u32| {
        Err(Errno::NotSupported.into())
    });
    Ok(())
}

/// Opens what a path names and returns the new descriptor's number.
fn open(
    job: &mut Job,
    fd: u32,
    path: &str,
    open: u32,
    (base, inheriting): (u64, u64),
    flags: u32,
) -> Result<u32, Failure> {
    let parent = job.descriptors.get(fd)?;
    let folder = parent.folder()?;
    // A descriptor gives on what it may give on, and no more.
    let (base, inheriting) = (base & parent.rights_inheriting, inheriting & parent.rights_inheriting);
    let flags = u16::try_from(flags).ok().filter(|flags| flags & !FLAGS_KNOWN == 0).ok_or(Errno::Invalid)?;
    let wanted = OpenFlags {
        create: open & CREATE != 0,
        folder: open & FOLDER != 0,
        exclusive: open & EXCLUSIVE != 0,
        truncate: open & TRUNCATE != 0,
        write: base & rights::WRITING != 0,
    };
    let number = job.descriptors.free()?;
    let node = job.tree.open(folder, path, wanted)?;
    let file_type = job.tree.stat(node)?.file_type;
    let mut descriptor = Descriptor::node(node, file_type, base, inheriting);
    descriptor.flags = flags;
    job.descriptors.put(number, descriptor);
    Ok(number)
}
