//! Guest memory: the one place where a guest's pointers become bytes.
//!
//! Every access is checked against the memory's present size; a pointer outside is [`Stop::BadPointer`], which traps
//! the guest. Pointers need not be aligned. Numbers are little-endian, as WebAssembly has them.

use crate::stop::Stop;

/// The most buffers in one list of a read or write (POSIX calls it `IOV_MAX`).
pub(crate) const BUFFERS_MAX: u32 = 1_024;

/// A guest's linear memory during one host call.
pub(crate) struct Memory<'a>(pub(crate) &'a mut [u8]);

/// A piece of guest memory, as a guest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Buffer {
    pub(crate) pointer: u32,
    pub(crate) len: u32,
}

impl Buffer {
    pub(crate) const fn new(pointer: u32, len: u32) -> Self {
        Self { pointer, len }
    }
}

impl Memory<'_> {
    fn range(&self, pointer: u32, len: u64) -> Result<std::ops::Range<usize>, Stop> {
        let memory = self.0.len() as u64;
        let end = u64::from(pointer).saturating_add(len);
        // Both fit into usize once they are known to lie within a slice.
        match (usize::try_from(pointer), usize::try_from(end)) {
            (Ok(start), Ok(stop)) if end <= memory => Ok(start..stop),
            _ => Err(Stop::BadPointer { pointer, len, memory }),
        }
    }

    /// Borrows the bytes of a buffer.
    pub(crate) fn read(&self, buffer: Buffer) -> Result<&[u8], Stop> {
        let range = self.range(buffer.pointer, u64::from(buffer.len))?;
        Ok(self.0.get(range).unwrap_or_default())
    }

    /// Borrows the bytes of a buffer to write into.
    pub(crate) fn write(&mut self, buffer: Buffer) -> Result<&mut [u8], Stop> {
        let range = self.range(buffer.pointer, u64::from(buffer.len))?;
        Ok(self.0.get_mut(range).unwrap_or_default())
    }

    /// Copies `bytes` to `pointer`.
    pub(crate) fn put(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Stop> {
        let range = self.range(pointer, bytes.len() as u64)?;
        self.0.get_mut(range).unwrap_or_default().copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn put_u32(&mut self, pointer: u32, value: u32) -> Result<(), Stop> {
        self.put(pointer, &value.to_le_bytes())
    }

    pub(crate) fn put_u64(&mut self, pointer: u32, value: u64) -> Result<(), Stop> {
        self.put(pointer, &value.to_le_bytes())
    }

    /// Copies `N` bytes from `pointer`.
    pub(crate) fn array<const N: usize>(&self, pointer: u32) -> Result<[u8; N], Stop> {
        let range = self.range(pointer, N as u64)?;
        Ok(self.0.get(range).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N]))
    }

    pub(crate) fn u32(&self, pointer: u32) -> Result<u32, Stop> {
        self.array(pointer).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&self, pointer: u32) -> Result<u64, Stop> {
        self.array(pointer).map(u64::from_le_bytes)
    }

    /// Reads a list of `count` buffers (pointer and length, 8 bytes each) and checks each of them. The caller has
    /// checked that `count` is at most [`BUFFERS_MAX`].
    pub(crate) fn buffers(&self, list: u32, count: u32) -> Result<Vec<Buffer>, Stop> {
        self.range(list, u64::from(count) * 8)?;
        (0..count)
            .map(|n| {
                let at = list + n * 8;
                let buffer = Buffer::new(self.u32(at)?, self.u32(at + 4)?);
                self.range(buffer.pointer, u64::from(buffer.len))?;
                Ok(buffer)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_little_endian_and_unaligned() {
        let mut bytes = [0; 16];
        let mut memory = Memory(&mut bytes);
        memory.put_u32(1, 0x0102_0304).unwrap();
        memory.put_u64(5, 0x0102_0304_0506_0708).unwrap();
        assert_eq!(memory.u32(1).unwrap(), 0x0102_0304);
        assert_eq!(memory.u64(5).unwrap(), 0x0102_0304_0506_0708);
        assert_eq!(memory.0, [0, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn the_edge_is_exact() {
        let mut bytes = [0; 16];
        let mut memory = Memory(&mut bytes);
        assert!(memory.read(Buffer::new(16, 0)).is_ok());
        assert!(memory.read(Buffer::new(17, 0)).is_err());
        assert!(memory.write(Buffer::new(12, 4)).is_ok());
        assert!(memory.write(Buffer::new(12, 5)).is_err());
        assert!(memory.put_u64(9, 0).is_err());
        assert!(memory.u32(u32::MAX).is_err());
        assert_eq!(
            memory.read(Buffer::new(u32::MAX, u32::MAX)),
            Err(Stop::BadPointer { pointer: u32::MAX, len: u64::from(u32::MAX), memory: 16 })
        );
    }

    #[test]
    fn lists_of_buffers_are_checked_whole() {
        let mut bytes = [0; 32];
        let mut memory = Memory(&mut bytes);
        memory.put_u32(0, 16).unwrap();
        memory.put_u32(4, 16).unwrap();
        memory.put_u32(8, 31).unwrap();
        memory.put_u32(12, 2).unwrap();
        assert_eq!(memory.buffers(0, 1).unwrap(), [Buffer::new(16, 16)]);
        assert!(memory.buffers(0, 2).is_err());
        assert!(memory.buffers(0, u32::MAX).is_err());
        assert!(memory.buffers(u32::MAX - 7, 1).is_err());
    }

    proptest! {
        #[test]
        fn no_pointer_reaches_outside(pointer: u32, len: u32, size in 0_usize..300) {
            let mut bytes = vec![0; size];
            let mut memory = Memory(&mut bytes);
            let inside = u64::from(pointer) + u64::from(len) <= size as u64;
            prop_assert_eq!(memory.read(Buffer::new(pointer, len)).is_ok(), inside);
            prop_assert_eq!(memory.write(Buffer::new(pointer, len)).map(|b| b.len()).ok(), inside.then_some(len as usize));
            prop_assert_eq!(memory.put_u32(pointer, 1).is_ok(), u64::from(pointer) + 4 <= size as u64);
        }
    }
}
