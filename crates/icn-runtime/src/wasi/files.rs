//! Sizes of files, and listings of folders.

use std::ops::Bound;

use wasmtime::Linker;

use super::define;
use crate::abi::Call;
use crate::fs::descriptor::{Target, rights};
use crate::fs::{Errno, Failure};
use crate::job::Job;
use crate::memory::{Buffer, Memory};

/// The size of a directory entry before its name, in bytes.
const ENTRY_BYTES: usize = 24;

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, FdAllocate, |job, _memory, fd: u32, offset: u64, len: u64| {
        let end = offset.checked_add(len).filter(|_| len > 0).ok_or(Errno::Invalid)?;
        let node = job.descriptors.get(fd)?.file(rights::FD_WRITE)?;
        let growth = job.tree.growth(node, end);
        job.spend_bytes(Call::FdAllocate, growth)?;
        if growth > 0 { job.tree.set_len(node, end) } else { Ok(()) }
    });
    define!(linker, FdFilestatSetSize, |job, _memory, fd: u32, len: u64| {
        let node = job.descriptors.get(fd)?.file(rights::FD_WRITE)?;
        job.spend_bytes(Call::FdFilestatSetSize, job.tree.growth(node, len))?;
        job.tree.set_len(node, len)
    });
    define!(linker, FdFilestatSetTimes, |job, _memory, fd: u32, _access: u64, _change: u64, _flags: u32| {
        // Times are always zero: setting them is accepted where writing is.
        match job.descriptors.get(fd)?.target {
            Target::Node(node) if !job.tree.is_writable(node) => Err(Errno::ReadOnly.into()),
            Target::Node(_) | Target::Stdin | Target::Stdout | Target::Stderr => Ok(()),
        }
    });
    define!(linker, FdReaddir, |job, memory, fd: u32, pointer: u32, len: u32, cookie: u64, out: u32| {
        let used = list(job, memory, fd, Buffer::new(pointer, len), cookie)?;
        Ok(memory.put_u32(out, used)?)
    });
    Ok(())
}

/// Writes entries from `cookie` on, as many as fit; the last one may be cut, which tells that there is more.
///
/// Cookies count entries. A listing that goes on where the last one ended goes on after that name, so that a guest
/// which removes what it has seen misses nothing.
fn list(
    job: &mut Job,
    memory: &mut Memory<'_>,
    fd: u32,
    buffer: Buffer,
    cookie: u64,
) -> Result<u32, Failure> {
    let descriptor = job.descriptors.get(fd)?;
    let folder = descriptor.folder()?;
    let resume = descriptor.listed.as_ref().filter(|(listed, _)| *listed == cookie && cookie > 0);
    let start = resume.map_or(Bound::Unbounded, |(_, name)| Bound::Excluded(name.as_str()));
    let skipped = if resume.is_some() { 0 } else { cookie };
    let entries = job.tree.entries(folder)?;
    let passed = skipped.min(entries.len() as u64);
    let skip = usize::try_from(skipped).unwrap_or(usize::MAX);
    let place = memory.write(buffer)?;
    let mut used = 0;
    let mut listed = None;
    for (number, (name, node)) in
        (cookie..).zip(entries.range::<str, _>((start, Bound::Unbounded)).skip(skip))
    {
        let next = number.saturating_add(1);
        let stat = job.tree.stat(*node)?;
        let mut entry = Vec::with_capacity(ENTRY_BYTES + name.len());
        entry.extend(next.to_le_bytes());
        entry.extend([0; 8]);
        entry.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        entry.extend(u32::from(stat.file_type as u8).to_le_bytes());
        entry.extend(name.as_bytes());
        let rest = place.get_mut(used..).unwrap_or_default();
        let fits = entry.len().min(rest.len());
        rest.get_mut(..fits).unwrap_or_default().copy_from_slice(entry.get(..fits).unwrap_or_default());
        used += fits;
        if fits < entry.len() || used == place.len() {
            if fits == entry.len() {
                listed = Some((next, name.clone()));
            }
            break;
        }
        listed = Some((next, name.clone()));
    }
    // A buffer that is exactly full also tells that there is more.
    job.spend_bytes(Call::FdReaddir, (used as u64).saturating_add(passed))?;
    if listed.is_some() {
        job.descriptors.get_mut(fd)?.listed = listed;
    }
    Ok(u32::try_from(used).map_err(|_| Errno::Invalid)?)
}
