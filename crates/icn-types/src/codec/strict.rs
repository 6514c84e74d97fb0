//! The one form of DAG-CBOR, checked in a walk over the item heads (RFC 8949, section 3) that builds nothing.

use ipld_core::cid::Cid;

use super::{CodecError, DEPTH_MAX};

/// The only tag: a CID, as a byte string behind one zero byte.
const CID_TAG: u64 = 42;
/// The longest binary CID: version, codec, hash function and length of at most 10 bytes each, and 64 bytes of digest.
const CID_BYTES_MAX: usize = 4 * 10 + 64;

/// Checks that bytes are one value in the one form that it has.
pub(super) fn check(bytes: &[u8]) -> Result<(), CodecError> {
    let mut walk = Walk { rest: bytes };
    walk.item(0)?;
    if walk.rest.is_empty() { Ok(()) } else { Err(unreadable("bytes follow the value")) }
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Passes an item that so many others enclose.
    fn item(&mut self, depth: usize) -> Result<(), CodecError> {
        let head = self.byte()?;
        match head >> 5 {
            0 | 1 => self.argument(head).map(drop),
            2 => self.string(head).map(drop),
            3 => self.text(head).map(drop),
            4 => {
                for _ in 0..self.enter(head, depth)? {
                    self.item(depth + 1)?;
                }
                Ok(())
            }
            5 => {
                let entries = self.enter(head, depth)?;
                self.entries(entries, depth + 1)
            }
            6 => {
                if self.enter(head, depth)? == CID_TAG {
                    self.cid()
                } else {
                    Err(unreadable("the only tag is 42"))
                }
            }
            _ => self.simple(head),
        }
    }

    fn enter(&mut self, head: u8, depth: usize) -> Result<u64, CodecError> {
        let argument = self.argument(head)?;
        if depth < DEPTH_MAX { Ok(argument) } else { Err(CodecError::TooDeep) }
    }

    /// Passes the entries of a map: each key longer than the one before or, of the same length, greater.
    fn entries(&mut self, count: u64, depth: usize) -> Result<(), CodecError> {
        let mut before: Option<&str> = None;
        for _ in 0..count {
            let head = self.byte()?;
            if head >> 5 != 3 {
                return Err(unreadable("a key is not text"));
            }
            let key = self.text(head)?;
            if before.is_some_and(|before| (before.len(), before) >= (key.len(), key)) {
                return Err(CodecError::NotCanonical);
            }
            before = Some(key);
            self.item(depth)?;
        }
        Ok(())
    }

    fn cid(&mut self) -> Result<(), CodecError> {
        let not_a_cid = || unreadable("tag 42 holds no CID");
        let head = self.byte()?;
        if head >> 5 != 2 {
            return Err(not_a_cid());
        }
        let bytes = self.string(head)?.strip_prefix(&[0]).ok_or_else(not_a_cid)?;
        let cid = Cid::try_from(bytes).map_err(|_| not_a_cid())?;
        let mut again = [0; CID_BYTES_MAX];
        let len = cid.write_bytes(again.as_mut_slice()).map_err(|_| not_a_cid())?;
        if again.get(..len) == Some(bytes) { Ok(()) } else { Err(CodecError::NotCanonical) }
    }

    /// Passes `false`, `true`, `null`, or a finite number of 64 bits that is not the negative zero.
    fn simple(&mut self, head: u8) -> Result<(), CodecError> {
        match head {
            0xf4..=0xf6 => Ok(()),
            0xfb => {
                let number = f64::from_be_bytes(self.array()?);
                let is_negative_zero = number == 0.0 && number.is_sign_negative();
                if number.is_finite() && !is_negative_zero { Ok(()) } else { Err(CodecError::NotCanonical) }
            }
            0xf9 | 0xfa | 0xff => Err(CodecError::NotCanonical),
            _ => Err(unreadable("of the simple values there are false, true and null")),
        }
    }

    fn text(&mut self, head: u8) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.string(head)?).map_err(|_| unreadable("a text is not UTF-8"))
    }

    fn string(&mut self, head: u8) -> Result<&'a [u8], CodecError> {
        let len = usize::try_from(self.argument(head)?).map_err(|_| truncated())?;
        let (string, rest) = self.rest.split_at_checked(len).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(string)
    }

    /// Reads the number in or behind a head, which has to be as short as it can be.
    fn argument(&mut self, head: u8) -> Result<u64, CodecError> {
        let (argument, least) = match head & 0x1f {
            inline @ 0..=23 => return Ok(u64::from(inline)),
            24 => (u64::from(self.byte()?), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array()?), 1 << 32),
            _ => return Err(CodecError::NotCanonical),
        };
        if argument >= least { Ok(argument) } else { Err(CodecError::NotCanonical) }
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        let (byte, rest) = self.rest.split_first().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(truncated)?;
        self.rest = rest;
        Ok(*array)
    }
}

fn truncated() -> CodecError {
    unreadable("the bytes end in the middle of a value")
}

fn unreadable(why: &str) -> CodecError {
    CodecError::Unreadable(why.to_owned())
}
