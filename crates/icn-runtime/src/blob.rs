//! Bytes that an input is made of, read when the guest asks for them.

use std::io;

use bytes::Bytes;

/// The content of one input: of known length, readable at any place.
///
/// The job's own thread calls it, so it may block (on a disk, on a block that is still to arrive). A reading that
/// never returns is given up shortly after the job's time is up, but it keeps its thread and its slot until then.
pub trait Blob: Send + Sync {
    /// Returns the length in bytes.
    fn len(&self) -> u64;

    /// Tells whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads bytes from `offset` on into `buffer` and returns how many; 0 at or after the end.
    ///
    /// Fewer bytes than fit are fine: the caller asks again for the rest.
    ///
    /// # Errors
    ///
    /// Whatever keeps the bytes from being read. The job then ends as `node_fault`: it is not the guest's doing.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

fn read_slice(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    let read = rest.len().min(buffer.len());
    if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
        to.copy_from_slice(from);
    }
    read
}

impl Blob for Bytes {
    fn len(&self) -> u64 {
        self.as_ref().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(read_slice(self, offset, buffer))
    }
}

impl Blob for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(read_slice(self, offset, buffer))
    }
}
