//! Keys as bytes whose order is the order of the rows.

use icn_types::{Cid, Did, Timestamp};

/// The longest key of a row, in bytes.
pub const KEY_BYTES_MAX: usize = 4_096;

/// A value that can be the key of a row.
///
/// Keys sort as their values do: text and bytes bytewise, numbers by size, tuples part by part. In a tuple, a part of
/// varying length is ended by two zero bytes, and a zero byte inside it is written `00 ff`, so that no part can run into
/// the next. A tuple of one (`(job,)`) is therefore the prefix of every tuple that begins with the same part.
pub trait Key {
    /// Appends the key; `last` tells that no other part follows.
    fn write(&self, out: &mut Vec<u8>, last: bool);

    /// Returns the key as bytes.
    fn to_key(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        self.write(&mut out, true);
        out
    }
}

impl<K: Key + ?Sized> Key for &K {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        (**self).write(out, last);
    }
}

impl Key for [u8] {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        if last {
            out.extend_from_slice(self);
            return;
        }
        for byte in self {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xff);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }
}

impl Key for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.as_slice().write(out, last);
    }
}

impl<const N: usize> Key for [u8; N] {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.as_slice().write(out, last);
    }
}

impl Key for str {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.as_bytes().write(out, last);
    }
}

impl Key for String {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.as_bytes().write(out, last);
    }
}

impl Key for Cid {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.to_bytes().write(out, last);
    }
}

impl Key for Did {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.to_string().write(out, last);
    }
}

impl Key for u64 {
    fn write(&self, out: &mut Vec<u8>, _last: bool) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Key for u32 {
    fn write(&self, out: &mut Vec<u8>, _last: bool) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Key for Timestamp {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.as_millis().write(out, last);
    }
}

impl<A: Key> Key for (A,) {
    fn write(&self, out: &mut Vec<u8>, _last: bool) {
        self.0.write(out, false);
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.0.write(out, false);
        self.1.write(out, last);
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>, last: bool) {
        self.0.write(out, false);
        self.1.write(out, false);
        self.2.write(out, last);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_values(a: (Vec<u8>, u64, Vec<u8>), b: (Vec<u8>, u64, Vec<u8>)) {
            prop_assert_eq!(a.to_key().cmp(&b.to_key()), a.cmp(&b));
        }

        #[test]
        fn a_tuple_of_one_is_a_prefix_of_its_own_tuples_only(a: Vec<u8>, b: Vec<u8>, rest: u64) {
            prop_assert!((&a, rest).to_key().starts_with(&(&a,).to_key()));
            prop_assert_eq!((&b, rest).to_key().starts_with(&(&a,).to_key()), a == b);
        }
    }

    #[test]
    fn text_alone_is_itself() {
        assert_eq!("job".to_key(), b"job");
        assert_eq!(258_u64.to_key(), [0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
