//! Strict DAG-CBOR: one value, one byte string.
//!
//! Everything signed, hashed, stored or sent goes through here. Decoding refuses any bytes that are not exactly what
//! encoding would give: map keys sorted (length first, then bytes) and unique, shortest integers, 64-bit floats, no NaN
//! or infinity, definite lengths, no tag but 42 (IPLD DAG-CBOR specification, strictness section).

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
    check_depth(bytes)?;
    let value: Value =
        serde_ipld_dagcbor::from_slice(bytes).map_err(|error| CodecError::Unreadable(error.to_string()))?;
    // Whatever the decoder tolerates (unsorted or repeated keys, long integers, short floats) comes back different.
    if encode(&value)? == bytes { Ok(value) } else { Err(CodecError::NotCanonical) }
}

/// Decodes bytes to a type, refusing all that is not canonical. Unknown fields are the type's own affair.
///
/// # Errors
///
/// See [`CodecError`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_value(bytes)?;
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

/// Walks the item heads (RFC 8949, section 3) before anything is built, so that depth and lengths are known to be sane.
fn check_depth(bytes: &[u8]) -> Result<(), CodecError> {
    let truncated = || CodecError::Unreadable("the bytes end in the middle of a value".into());
    // How many items each open container still expects.
    let mut open: Vec<u64> = vec![1];
    let mut rest = bytes;
    while let Some(expected) = open.last_mut() {
        if *expected == 0 {
            open.pop();
            continue;
        }
        *expected -= 1;
        let (head, tail) = rest.split_first().ok_or_else(truncated)?;
        let (major, info) = (head >> 5, head & 0x1f);
        let width = match info {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(CodecError::NotCanonical),
        };
        let (argument_bytes, tail) = tail.split_at_checked(width).ok_or_else(truncated)?;
        let argument = if width == 0 {
            u64::from(info)
        } else {
            argument_bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
        };
        rest = match major {
            2 | 3 => {
                let len = usize::try_from(argument).map_err(|_| truncated())?;
                tail.split_at_checked(len).ok_or_else(truncated)?.1
            }
            4..=6 => {
                let items = match major {
                    5 => argument.checked_mul(2).ok_or_else(truncated)?,
                    6 => 1,
                    _ => argument,
                };
                if items > tail.len() as u64 {
                    return Err(truncated());
                }
                if open.len() > DEPTH_MAX {
                    return Err(CodecError::TooDeep);
                }
                open.push(items);
                tail
            }
            _ => tail,
        };
    }
    if rest.is_empty() { Ok(()) } else { Err(CodecError::Unreadable("bytes follow the value".into())) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_bytes_are_read() {
        for hex in
            ["a0", "01", "1818", "a2616101616202", "fb3ff8000000000000", "f5", "f6", "8301820203820405"]
        {
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
            "a10101",
            "0101",
            "a1",
            "",
        ] {
            assert!(decode_value(&hex::decode(hex).unwrap()).is_err(), "{hex}");
        }
    }

    #[test]
    fn deep_or_boastful_bytes_cost_nothing() {
        assert_eq!(decode_value(&vec![0x81; 100_000]), Err(CodecError::TooDeep));
        // A list that claims 2^60 items.
        assert!(decode_value(&hex::decode("9b1000000000000000").unwrap()).is_err());
        assert!(decode_value(&hex::decode("bbffffffffffffffff").unwrap()).is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| Value::Integer(i128::from(n))),
            any::<u64>().prop_map(|n| Value::Integer(i128::from(n))),
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
        fn what_decodes_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode_value(&bytes) {
                prop_assert_eq!(encode(&value).unwrap(), bytes);
            }
        }
    }
}
