//! Strict DAG-CBOR: one value, one byte string.
//!
//! Everything signed, hashed, stored or sent goes through here. Decoding refuses any bytes that are not exactly what
//! encoding would give: map keys sorted (length first, then bytes) and unique, shortest integers, 64-bit floats, no NaN
//! or infinity, definite lengths, no tag but 42 (IPLD DAG-CBOR specification, strictness section).

mod strict;

use ipld_core::ipld::Ipld;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any value of the IPLD data model, as decoded from strict DAG-CBOR.
pub type Value = Ipld;

/// How deep maps and lists may nest. A stranger's bytes must not exhaust the stack.
pub const DEPTH_MAX: usize = 64;

/// Bytes that are not strict DAG-CBOR, or not of the wanted shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not DAG-CBOR at all, or with bytes left over.
    #[error("not DAG-CBOR: {0}")]
    Unreadable(String),
    /// Readable, but another byte string is the one for this value.
    #[error("not in canonical form: keys must be sorted and unique, integers shortest, floats 64 bits wide")]
    NotCanonical,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Canonical, but not the shape that was asked for.
    #[error("unexpected shape: {0}")]
    Shape(String),
    /// The value has no DAG-CBOR form.
    #[error("this value has no DAG-CBOR form: {0}")]
    Unencodable(String),
}

/// Encodes a value. The same value always gives the same bytes.
///
/// # Errors
///
/// [`CodecError::Unencodable`] for values outside the data model (NaN, infinity, integers beyond 64 bits).
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    serde_ipld_dagcbor::to_vec(value).map_err(|error| CodecError::Unencodable(error.to_string()))
}

/// Decodes bytes to a value of the data model, refusing all that is not canonical.
///
/// # Errors
///
/// See [`CodecError`].
pub fn decode_value(bytes: &[u8]) -> Result<Value, CodecError> {
    decode(bytes)
}

/// Decodes bytes to a type, refusing all that is not canonical. Unknown fields are the type's own affair.
///
/// # Errors
///
/// See [`CodecError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    strict::check(bytes)?;
    serde_ipld_dagcbor::from_slice(bytes).map_err(|error| CodecError::Shape(error.to_string()))
}

/// Turns a type into a value.
///
/// # Errors
///
/// [`CodecError::Unencodable`] for values outside the data model.
pub fn to_value<T: Serialize>(value: T) -> Result<Value, CodecError> {
    ipld_core::serde::to_ipld(value).map_err(|error| CodecError::Unencodable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_bytes_are_read() {
        for hex in [
            "a0",
            "01",
            "1818",
            "a2616101616202",
            "fb3ff8000000000000",
            "f5",
            "f6",
            "d82a450001550000",
            "8301820203820405",
        ] {
            assert!(decode_value(&hex::decode(hex).unwrap()).is_ok(), "{hex}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for hex in [
            "1801",             // 1 in two bytes
            "a2616201616102",   // keys b, a
            "a262616101616202", // a longer key first
            "a2616101616102",   // key a twice
            "9f01ff",           // indefinite list
            "f93c00",           // half-width float
            "fa3fc00000",       // single-width float
            "fb7ff8000000000000",
            "fb7ff0000000000000",
            "c101", // a tag that is not 42
            "f7",
            "f818",               // a simple value in two bytes
            "fb8000000000000000", // the negative zero
            "a10101",
            "61ff",       // not UTF-8
            "d82a4100",   // a CID of no bytes
            "d82a450001", // a CID cut short
            "d82a01",
            "d82a46000155000000", // a CID with a byte too many
            "d82a4401550000",     // a CID without the zero byte before it
            "d829450001550000",   // a CID behind another tag
            "a1416101",           // a key of bytes
            "d9002a4100",         // a tag in three bytes
            "0101",
            "a1",
            "",
        ] {
            assert!(strict::check(&hex::decode(hex).unwrap()).is_err(), "{hex}");
        }
    }

    #[test]
    fn deep_or_boastful_bytes_cost_nothing() {
        assert_eq!(decode_value(&vec![0x81; 100_000]), Err(CodecError::TooDeep));
        // A list that claims 2^60 items.
        assert!(decode_value(&hex::decode("9b1000000000000000").unwrap()).is_err());
        assert!(decode_value(&hex::decode("bbffffffffffffffff").unwrap()).is_err());
    }

    #[test]
    fn containers_nest_to_the_bound() {
        let nested = |depth: usize, inner: &[u8]| [&vec![0x81; depth], inner].concat();
        for inner in ["00", "a16161f6"] {
            let inner = hex::decode(inner).unwrap();
            for depth in [1, DEPTH_MAX - 1, DEPTH_MAX, DEPTH_MAX + 1, 300] {
                let bytes = nested(depth, &inner);
                assert_eq!(strict::check(&bytes).is_ok(), is_encoded_alike(&bytes), "{depth}");
            }
        }
        assert!(decode_value(&nested(DEPTH_MAX, &[0])).is_ok());
        assert_eq!(decode_value(&nested(DEPTH_MAX, &[0x80])), Err(CodecError::TooDeep));
    }

    /// What the walk over the heads must agree with: whatever a decoder tolerates comes back different.
    fn is_encoded_alike(bytes: &[u8]) -> bool {
        serde_ipld_dagcbor::from_slice::<Value>(bytes)
            .is_ok_and(|value| depth(&value) <= DEPTH_MAX && encode(&value).as_deref() == Ok(bytes))
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
            Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
            Value::Link(_) => 1,
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Bytes(_) => 0,
        }
    }

    /// Bytes that are canonical but for a few changes.
    fn nearly_canonical() -> impl Strategy<Value = Vec<u8>> {
        // Heads of every kind, and what may stand behind one.
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(
                &b"\x00\x17\x18\x19\x1a\x1b\x3b\x41\x58\x61\x78\x81\x98\xa1\xb8\xd8\x2a\xf4\xf6\xf7\xf9\xfb\x80\x7f\xff"[..]
            ),
        ];
        let change = (any::<prop::sample::Index>(), 0..3_u8, byte);
        (any_value(), prop::collection::vec(change, 0..4)).prop_map(|(value, changes)| {
            let mut bytes = encode(&value).unwrap();
            for (at, kind, byte) in changes {
                let at = at.index(bytes.len() + 1);
                match kind {
                    0 => bytes.insert(at, byte),
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
                }
            }
            bytes
        })
    }

    fn any_link() -> impl Strategy<Value = Value> {
        let digest = prop::collection::vec(any::<u8>(), 0..40);
        (any::<bool>(), any::<u16>(), any::<u16>(), digest).prop_filter_map(
            "a CID",
            |(is_v0, codec, hash, digest)| {
                use ipld_core::cid::{Cid, multihash::Multihash};
                let digest = Multihash::wrap(u64::from(hash), &digest).ok()?;
                let v1 = Cid::new_v1(u64::from(codec), digest);
                let v0 = Multihash::wrap(0x12, &[7; 32]).ok().and_then(|digest| Cid::new_v0(digest).ok());
                Some(Value::Link(if is_v0 { v0? } else { v1 }))
            },
        )
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any_link(),
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| Value::Integer(i128::from(n))),
            any::<u64>().prop_map(|n| Value::Integer(i128::from(n))),
            any::<u64>().prop_map(|n| Value::Integer(-1 - i128::from(n))),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
            ".{0,12}".prop_map(Value::String),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                proptest::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Map(map.into_iter().collect::<BTreeMap<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(value in any_value()) {
            prop_assert_eq!(decode_value(&encode(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn the_walk_agrees_with_encoding_again(bytes in nearly_canonical()) {
            prop_assert_eq!(strict::check(&bytes).is_ok(), is_encoded_alike(&bytes));
        }

        #[test]
        fn what_decodes_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode_value(&bytes) {
                prop_assert_eq!(encode(&value).unwrap(), bytes);
            }
        }
    }
}
