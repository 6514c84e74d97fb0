//! Checks of single fields, shared by all structures.

use std::collections::BTreeMap;

use icn_types::codec::CodecError;
use icn_types::{ResourceProfile, Resources, TokenAmount, Value};

use serde::de::DeserializeOwned;

use crate::error::ProtocolError;
use crate::limits::{NAME_BYTES_MAX, RESOURCES_LEN_MAX};

/// Collects what is wrong with the fields of one structure; the first fault ends the check.
#[derive(Clone, Copy)]
pub(crate) struct Fields(pub(crate) &'static str);

/// The most of a decoder's complaint that is kept: it may quote what a stranger sent.
const COMPLAINT_CHARS_MAX: usize = 300;

type Checked = Result<(), ProtocolError>;

impl Fields {
    /// Builds the error for a field.
    pub(crate) fn fault(self, field: &'static str, reason: impl Into<String>) -> ProtocolError {
        ProtocolError::Field { name: self.0, field, reason: reason.into() }
    }

    /// Demands a condition.
    pub(crate) fn ensure(self, field: &'static str, holds: bool, reason: &str) -> Checked {
        if holds { Ok(()) } else { Err(self.fault(field, reason)) }
    }

    /// Demands a number within bounds, both included.
    pub(crate) fn within(self, field: &'static str, value: u64, min: u64, max: u64) -> Checked {
        if (min..=max).contains(&value) {
            Ok(())
        } else {
            Err(self.fault(field, format!("is {value}; it must be from {min} to {max}")))
        }
    }

    /// Demands a text of at most `max` bytes.
    pub(crate) fn text(self, field: &'static str, text: Option<&str>, max: usize) -> Checked {
        match text {
            Some(text) if text.len() > max => {
                Err(self.fault(field, format!("has {} bytes; at most {max} are allowed", text.len())))
            }
            _ => Ok(()),
        }
    }

    /// Demands a short text: at least one byte, no control characters.
    pub(crate) fn name(self, field: &'static str, text: &str) -> Checked {
        self.text(field, Some(text), NAME_BYTES_MAX)?;
        let valid = !text.is_empty() && !text.chars().any(char::is_control);
        self.ensure(field, valid, "must not be empty or contain control characters")
    }

    /// Demands a list of at most `max` items.
    pub(crate) fn len(self, field: &'static str, len: usize, max: usize) -> Checked {
        if len <= max {
            Ok(())
        } else {
            Err(self.fault(field, format!("has {len} entries; at most {max} are allowed")))
        }
    }

    /// Demands short texts, at most `max` of them.
    pub(crate) fn names(self, field: &'static str, names: &[String], max: usize) -> Checked {
        self.len(field, names.len(), max)?;
        names.iter().try_for_each(|name| self.name(field, name))
    }

    /// Demands a well-formed currency and an amount that fits into 63 bits.
    pub(crate) fn amount(self, field: &'static str, amount: Option<&TokenAmount>) -> Checked {
        self.ensure(
            field,
            amount.is_none_or(TokenAmount::is_valid),
            "is not an amount of a currency below 2^63",
        )
    }

    /// Demands resource names that are well formed and amounts that fit into 63 bits.
    pub(crate) fn resources(self, field: &'static str, resources: &Resources) -> Checked {
        self.len(field, resources.len(), RESOURCES_LEN_MAX)?;
        for (kind, amount) in resources {
            self.name(field, kind.as_str())?;
            self.ensure(field, i64::try_from(*amount).is_ok(), "has an amount beyond 63 bits")?;
        }
        Ok(())
    }

    /// As [`Self::resources`], for a job's wishes.
    pub(crate) fn profile(self, field: &'static str, profile: &ResourceProfile) -> Checked {
        self.resources(field, &profile.0)
    }

    /// Demands something in parts per million.
    pub(crate) fn ppm(self, field: &'static str, value: u32) -> Checked {
        self.within(field, u64::from(value), 0, u64::from(crate::limits::PPM))
    }
}

/// Demands that nothing in a map is null: an absent field is left out, so that one content has one form.
pub(crate) fn refuse_null(map: &BTreeMap<String, Value>) -> Checked {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::List(items) => items.iter().any(has_null),
            Value::Map(map) => map.values().any(has_null),
            Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Link(_) => false,
        }
    }
    if map.values().any(has_null) {
        Err(ProtocolError::Envelope("it contains null; what is absent is left out"))
    } else {
        Ok(())
    }
}

/// Reads a type out of bytes whose strict form was checked before.
///
/// Not out of the decoded value: `ipld-core` writes the whole value into its error, so that a megabyte in a field of the
/// wrong kind would cost a hundred times what it takes to refuse it.
pub(crate) fn typed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    serde_ipld_dagcbor::from_slice(bytes)
        .map_err(|error| CodecError::Shape(error.to_string().chars().take(COMPLAINT_CHARS_MAX).collect()))
}
