//! A receipt with everything that is needed to verify it, as one file.

use std::collections::BTreeMap;

use icn_identity::Verifier;
use icn_types::{Value, codec};

use crate::error::ProtocolError;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::verify::{ReceiptError, VerifiedReceipt, verify_receipt};

/// The one key of the outer map.
const NAME: &str = "ReceiptBundleV1";

/// A receipt, the assignment that it was made under, and the parameters of the job: three blocks, byte for byte.
///
/// Form: strict DAG-CBOR `{"ReceiptBundleV1": {"assignment": bytes, "params": bytes, "receipt": bytes}}`, with no other
/// field, since nothing here but the three blocks is vouched for by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptBundle {
    /// The signed receipt.
    pub receipt: Vec<u8>,
    /// The assignment: its inner map with signature.
    pub assignment: Vec<u8>,
    /// The `job_params` of the announcement.
    pub params: Vec<u8>,
}

impl ReceiptBundle {
    /// Writes the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let inner = BTreeMap::from([
            ("assignment".to_owned(), Value::Bytes(self.assignment.clone())),
            ("params".to_owned(), Value::Bytes(self.params.clone())),
            ("receipt".to_owned(), Value::Bytes(self.receipt.clone())),
        ]);
        #[expect(clippy::expect_used, reason = "maps of byte strings always have a DAG-CBOR form")]
        codec::encode(&BTreeMap::from([(NAME, Value::Map(inner))])).expect("bytes can be encoded")
    }

    /// Tells whether bytes say of themselves that they are a bundle; a bare receipt does not.
    #[must_use]
    pub fn is_bundle(bytes: &[u8]) -> bool {
        let prefix = crate::signing::wrap(NAME, &[]);
        bytes.starts_with(&prefix)
    }

    /// Reads the file. What is in it is not verified yet.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] when the bytes are too many, not strict DAG-CBOR, or not exactly the three blocks.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(ProtocolError::TooLarge { bytes: bytes.len(), max: BUNDLE_BYTES_MAX });
        }
        let shape =
            || ProtocolError::Envelope("a receipt bundle holds receipt, assignment and params, no more");
        let Value::Map(mut outer) = codec::decode_value(bytes)? else { return Err(shape()) };
        let Some(Value::Map(mut inner)) = outer.remove(NAME) else { return Err(shape()) };
        let mut block = |name: &str| match inner.remove(name) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(shape()),
        };
        let bundle =
            Self { receipt: block("receipt")?, assignment: block("assignment")?, params: block("params")? };
        if outer.is_empty() && inner.is_empty() { Ok(bundle) } else { Err(shape()) }
    }

    /// Verifies everything in the file; needs nothing else.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] with the first thing that is wrong.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<VerifiedReceipt, ReceiptError> {
        verify_receipt(&self.receipt, Some(&self.assignment), Some(&self.params), verifier)
    }
}
