//! What is known of open descriptors, and moving about in them.

use wasmtime::Linker;

use super::{STREAM, define, put_stat};
use crate::fs::descriptor::{FLAGS_KNOWN, Target};
use crate::fs::{Errno, Failure};
use crate::job::Job;
use crate::memory::Buffer;

pub(super) fn link(linker: &mut Linker<Job>) -> wasmtime::Result<()> {
    define!(linker, FdClose, |job, _memory, fd: u32| close(job, fd));
    define!(linker, FdRenumber, |job, _memory, from: u32, to: u32| {
        job.descriptors.get(to)?;
        job.descriptors.get(from)?;
        if from != to {
            close(job, to)?;
            let moved = job.descriptors.take(from)?;
            job.descriptors.put(to, moved);
        }
        Ok(())
    });
    define!(linker, FdFdstatGet, |job, memory, fd: u32, out: u32| {
        let descriptor = job.descriptors.get(fd)?;
        memory.put(out, &[0; 24])?;
        memory.put(out, &[descriptor.file_type as u8])?;
        // The 24 bytes above lie in memory, so the sums below stay inside of it.
        memory.put(out + 2, &descriptor.flags.to_le_bytes())?;
        memory.put_u64(out + 8, descriptor.rights)?;
        Ok(memory.put_u64(out + 16, descriptor.rights_inheriting)?)
    });
    define!(linker, FdFdstatSetFlags, |job, _memory, fd: u32, flags: u32| {
        let descriptor = job.descriptors.get_mut(fd)?;
        let flags = u16::try_from(flags).ok().filter(|flags| flags & !FLAGS_KNOWN == 0);
        descriptor.flags = flags.ok_or(Errno::Invalid)?;
        Ok(())
    });
    define!(linker, FdFdstatSetRights, |job, _memory, fd: u32, base: u64, inheriting: u64| {
        let descriptor = job.descriptors.get_mut(fd)?;
        if base & !descriptor.rights != 0 || inheriting & !descriptor.rights_inheriting != 0 {
            return Err(Errno::NotCapable.into());
        }
        descriptor.rights = base;
        descriptor.rights_inheriting = inheriting;
        Ok(())
    });
    define!(linker, FdFilestatGet, |job, memory, fd: u32, out: u32| {
        let stat = match job.descriptors.get(fd)?.target {
            Target::Node(node) => job.tree.stat(node)?,
            Target::Stdin | Target::Stdout | Target::Stderr => STREAM,
        };
        Ok(put_stat(memory, out, stat)?)
    });
    define!(linker, FdPrestatGet, |job, memory, fd: u32, out: u32| {
        let name = job.descriptors.get(fd)?.preopen.ok_or(Errno::BadDescriptor)?;
        memory.put_u64(out, (name.len() as u64) << 32)?;
        Ok(())
    });
    define!(linker, FdPrestatDirName, |job, memory, fd: u32, pointer: u32, len: u32| {
        let name = job.descriptors.get(fd)?.preopen.ok_or(Errno::BadDescriptor)?;
        let buffer = memory.write(Buffer::new(pointer, len))?;
        let place = buffer.get_mut(..name.len()).ok_or(Errno::NameTooLong)?;
        place.copy_from_slice(name.as_bytes());
        Ok(())
    });
    define!(linker, FdSeek, |job, memory, fd: u32, offset: i64, whence: u32, out: u32| {
        let descriptor = job.descriptors.get_mut(fd)?;
        let node = descriptor.file(0)?;
        let base = match whence {
            0 => 0,
            1 => descriptor.position,
            2 => job.tree.stat(node)?.size,
            _ => return Err(Errno::Invalid.into()),
        };
        let position = base.checked_add_signed(offset).filter(|place| i64::try_from(*place).is_ok());
        descriptor.position = position.ok_or(Errno::Invalid)?;
        Ok(memory.put_u64(out, descriptor.position)?)
    });
    define!(linker, FdTell, |job, memory, fd: u32, out: u32| {
        let descriptor = job.descriptors.get(fd)?;
        descriptor.file(0)?;
        Ok(memory.put_u64(out, descriptor.position)?)
    });
    define!(linker, FdSync, |job, _memory, fd: u32| Ok(job.descriptors.get(fd).map(drop)?));
    define!(linker, FdDatasync, |job, _memory, fd: u32| Ok(job.descriptors.get(fd).map(drop)?));
    define!(linker, FdAdvise, |job, _memory, fd: u32, _offset: u64, _len: u64, advice: u32| {
        job.descriptors.get(fd)?.file(0)?;
        if advice > 5 { Err(Errno::Invalid.into()) } else { Ok(()) }
    });
    Ok(())
}

/// Closes a descriptor; an unlinked file goes with its last one.
fn close(job: &mut Job, fd: u32) -> Result<(), Failure> {
    if let Target::Node(node) = job.descriptors.take(fd)?.target {
        job.tree.close(node);
    }
    Ok(())
}
