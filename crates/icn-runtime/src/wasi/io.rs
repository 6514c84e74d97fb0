//! Reading and writing.

use wasmtime::Linker;

use super::define;
use crate::abi::Call;
use crate::fs::descriptor::{FLAG_APPEND, Target, rights};
use crate::fs::tree::read_blob;
use crate::fs::{Errno, Failure};
use crate::job::Job;
use crate::memory::{BUFFERS_MAX, Buffer, Memory};
use crate::stop::Stop;

/// How many bytes are read between two looks at the clock: a blob may take its time.
const PIECE_BYTES: usize = 1024 * 1024;

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, FdRead, |job, memory, fd: u32, list: u32, count: u32, out: u32| {
        let descriptor = job.descriptors.get(fd)?;
        let at = descriptor.position;
        let target = source(job, fd)?;
        let read = read(job, memory, Call::FdRead, &target, at, (list, count))?;
        job.descriptors.get_mut(fd)?.position = at.saturating_add(u64::from(read));
        Ok(memory.put_u32(out, read)?)
    });
    define!(linker, FdPread, |job, memory, fd: u32, list: u32, count: u32, offset: u64, out: u32| {
        job.descriptors.get(fd)?.file(rights::FD_READ)?;
        let target = source(job, fd)?;
        let read = read(job, memory, Call::FdPread, &target, offset, (list, count))?;
        Ok(memory.put_u32(out, read)?)
    });
    define!(linker, FdWrite, |job, memory, fd: u32, list: u32, count: u32, out: u32| {
        let descriptor = job.descriptors.get(fd)?;
        let (target, position, append) =
            (descriptor.target.clone(), descriptor.position, descriptor.flags & FLAG_APPEND != 0);
        if descriptor.rights & rights::FD_WRITE == 0 {
            return Err(Errno::BadDescriptor.into());
        }
        let written = match target {
            Target::Node(node) => {
                let at = if append { job.tree.stat(node)?.size } else { position };
                let written = write(job, memory, Call::FdWrite, fd, at, (list, count))?;
                job.descriptors.get_mut(fd)?.position = at.saturating_add(u64::from(written));
                written
            }
            Target::Stdin | Target::Stdout | Target::Stderr => {
                write_stream(job, memory, &target, (list, count))?
            }
        };
        Ok(memory.put_u32(out, written)?)
    });
    define!(linker, FdPwrite, |job, memory, fd: u32, list: u32, count: u32, offset: u64, out: u32| {
        let written = write(job, memory, Call::FdPwrite, fd, offset, (list, count))?;
        Ok(memory.put_u32(out, written)?)
    });
    Ok(())
}

fn buffers(memory: &Memory<'_>, (list, count): (u32, u32)) -> Result<Vec<Buffer>, Failure> {
    if count > BUFFERS_MAX {
        return Err(Errno::Invalid.into());
    }
    Ok(memory.buffers(list, count)?)
}

/// Checks that a descriptor may be read.
fn source(job: &Job, fd: u32) -> Result<Target, Errno> {
    let descriptor = job.descriptors.get(fd)?;
    match descriptor.target {
        Target::Node(_) => descriptor.file(rights::FD_READ).map(Target::Node),
        Target::Stdin => Ok(Target::Stdin),
        Target::Stdout | Target::Stderr => Err(Errno::BadDescriptor),
    }
}

/// Fills the buffers one after the other until the source ends.
fn read(
    job: &mut Job,
    memory: &mut Memory<'_>,
    call: Call,
    target: &Target,
    offset: u64,
    list: (u32, u32),
) -> Result<u32, Failure> {
    let mut total: u32 = 0;
    for buffer in buffers(memory, list)? {
        for piece in memory.write(buffer)?.chunks_mut(PIECE_BYTES) {
            job.interrupt.check()?;
            let at = offset.saturating_add(u64::from(total));
            let read = match target {
                Target::Node(node) => job.tree.read_at(*node, at, piece)?,
                Target::Stdin => match &job.stdin {
                    Some(stdin) => read_blob(stdin.blob.as_ref(), at, piece)?,
                    None => 0,
                },
                Target::Stdout | Target::Stderr => return Err(Errno::BadDescriptor.into()),
            };
            job.spend_bytes(call, read as u64)?;
            // Buffers may overlap, so their sum may pass what a u32 can tell.
            let more = u32::try_from(read).map_err(|_| Errno::Invalid)?;
            total = total.checked_add(more).ok_or(Errno::Invalid)?;
            if read < piece.len() {
                return Ok(total);
            }
        }
    }
    Ok(total)
}

/// Writes the buffers to a file, one after the other.
fn write(
    job: &mut Job,
    memory: &Memory<'_>,
    call: Call,
    fd: u32,
    offset: u64,
    list: (u32, u32),
) -> Result<u32, Failure> {
    let node = job.descriptors.get(fd)?.file(rights::FD_WRITE)?;
    let mut total: u32 = 0;
    for buffer in buffers(memory, list)? {
        let at = offset.saturating_add(u64::from(total));
        // What a gap costs to fill; the bytes themselves come on top.
        let gap = if buffer.len == 0 { 0 } else { job.tree.growth(node, at) };
        job.spend_bytes(call, gap.saturating_add(u64::from(buffer.len)))?;
        job.tree.write_at(node, at, memory.read(buffer)?)?;
        total = total.checked_add(buffer.len).ok_or(Errno::Invalid)?;
    }
    Ok(total)
}

/// Appends the buffers to stdout or stderr; what is over the limit is cut off and ends the guest.
fn write_stream(
    job: &mut Job,
    memory: &Memory<'_>,
    target: &Target,
    list: (u32, u32),
) -> Result<u32, Failure> {
    let max = job.limits.stream_bytes_max;
    let mut total: u32 = 0;
    for buffer in buffers(memory, list)? {
        job.spend_bytes(Call::FdWrite, u64::from(buffer.len))?;
        let bytes = memory.read(buffer)?;
        let (stream, name) = match target {
            Target::Stdout => (&mut job.stdout, "stdout"),
            Target::Stderr => (&mut job.stderr, "stderr"),
            Target::Stdin | Target::Node(_) => return Err(Errno::BadDescriptor.into()),
        };
        let room = usize::try_from(max.saturating_sub(stream.len() as u64)).unwrap_or(usize::MAX);
        stream.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        if bytes.len() > room {
            return Err(Stop::OutputLimit(format!("the guest wrote more than {max} bytes to {name}")).into());
        }
        total = total.checked_add(buffer.len).ok_or(Errno::Invalid)?;
    }
    Ok(total)
}
