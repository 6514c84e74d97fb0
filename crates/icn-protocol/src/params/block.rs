//! Job parameters as the block that was signed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use icn_types::codec::{self, CodecError};
use icn_types::{Cid, Did, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MeshJobParams;
use crate::error::ProtocolError;
use crate::limits::PARAMS_BYTES_MAX;

/// The `job_params` of an announcement exactly as they were signed: the fields that this version knows, and the bytes with
/// all the others. Their CID is the same on every node, whatever fields each of them knows.
#[derive(Clone)]
pub struct Params {
    fields: MeshJobParams,
    value: Value,
    bytes: Vec<u8>,
    cid: Cid,
}

impl Params {
    /// Takes the parameters of a new job.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when a field is out of its range, or all together are too large to be announced.
    pub fn new(fields: MeshJobParams) -> Result<Self, ProtocolError> {
        Self::from_value(codec::to_value(&fields)?)
    }

    /// Reads a block of parameters.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the bytes are too many, not strict DAG-CBOR, or a field is missing or out of its range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > PARAMS_BYTES_MAX {
            return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: PARAMS_BYTES_MAX });
        }
        Self::from_value(codec::decode_value(bytes)?)
    }

    fn from_value(value: Value) -> Result<Self, ProtocolError> {
        if let Value::Map(map) = &value {
            crate::bounds::refuse_null(map)?;
        }
        let params =
            Self::shape(value).map_err(|source| ProtocolError::Shape { name: "job_params", source })?;
        if params.bytes.len() > PARAMS_BYTES_MAX {
            return Err(ProtocolError::TooLarge { bytes: params.bytes.len(), max: PARAMS_BYTES_MAX });
        }
        params.check()?;
        Ok(params)
    }

    fn shape(value: Value) -> Result<Self, CodecError> {
        let bytes = codec::encode(&value)?;
        let fields = crate::bounds::typed(&bytes)?;
        let cid = Cid::of_dag_cbor(&bytes);
        Ok(Self { fields, value, bytes, cid })
    }

    /// Returns the block: strict DAG-CBOR, as signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Names the block: `params_cid` of the assignment, `job_params_cid` of the receipt.
    #[must_use]
    pub const fn cid(&self) -> Cid {
        self.cid
    }

    /// Returns the fields that this version knows.
    #[must_use]
    pub const fn fields(&self) -> &MeshJobParams {
        &self.fields
    }
}

impl Deref for Params {
    type Target = MeshJobParams;

    fn deref(&self) -> &MeshJobParams {
        &self.fields
    }
}

impl PartialEq for Params {
    fn eq(&self, other: &Self) -> bool {
        self.cid == other.cid
    }
}

impl Eq for Params {}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.fmt(f)
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::shape(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Names a job: the CID of `{job_params, originator_did}`, which every receiver computes again.
#[must_use]
pub fn announcement_id(params: &Params, originator: &Did) -> Cid {
    let map = BTreeMap::from([
        ("job_params".to_owned(), params.value.clone()),
        ("originator_did".to_owned(), Value::String(originator.to_string())),
    ]);
    #[expect(clippy::expect_used, reason = "the parameters were encoded before, texts always can be")]
    let bytes = codec::encode(&Value::Map(map)).expect("the parameters can be encoded");
    Cid::of_dag_cbor(&bytes)
}
