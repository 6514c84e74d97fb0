//! Making signed objects.

use std::collections::BTreeMap;

use icn_identity::Signer;
use icn_types::{Cid, Value, codec};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::envelope::Verified;
use crate::error::ProtocolError;
use crate::limits::{DIRECT_BYTES_MAX, GOSSIP_BYTES_MAX};
use crate::message::Body;

/// The field that holds the signature.
pub(crate) const SIGNATURE: &str = "signature";

/// A message that this node signed, ready to be sent.
#[derive(Debug, Clone)]
pub struct Signed<T> {
    body: T,
    inner: Vec<u8>,
    wire: Vec<u8>,
}

/// Signs a message.
///
/// # Errors
///
/// [`ProtocolError::Field`] when a field is out of its range, [`ProtocolError::WrongSigner`] when the signer is not who
/// speaks in it, [`ProtocolError::TooLarge`] for its transport: what receivers would refuse is not sent in the first place.
pub fn sign<T: Body>(body: T, signer: &dyn Signer) -> Result<Signed<T>, ProtocolError> {
    body.check()?;
    if body.speaker() != signer.did() {
        return Err(ProtocolError::WrongSigner { speaker: body.speaker(), signer: signer.did() });
    }
    let inner = signed_map(T::NAME, &body, signer)?;
    let wire = wrap(T::NAME, &inner);
    let max = if T::IS_GOSSIP { GOSSIP_BYTES_MAX } else { DIRECT_BYTES_MAX };
    if wire.len() > max {
        return Err(ProtocolError::TooLarge { bytes: wire.len(), max });
    }
    Ok(Signed { body, inner, wire })
}

impl<T> Signed<T> {
    /// Returns the content.
    pub const fn body(&self) -> &T {
        &self.body
    }

    /// Takes the content out.
    pub fn into_body(self) -> T {
        self.body
    }

    /// Returns the bytes for the wire: `{"<variant>": {…}}`.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Takes the bytes for the wire out.
    pub fn into_wire(self) -> Vec<u8> {
        self.wire
    }

    /// Returns the inner map with its signature, as a block.
    pub fn inner(&self) -> &[u8] {
        &self.inner
    }

    /// Names the inner map with its signature: `bid_cid`, `assignment_cid`.
    pub fn cid(&self) -> Cid {
        Cid::of_dag_cbor(&self.inner)
    }

    /// Returns the SHA-256 of the bytes on the wire: what replays, and gossip, are told apart by.
    pub fn id(&self) -> [u8; 32] {
        Sha256::digest(&self.wire).into()
    }
}

impl<T: Body> Signed<T> {
    /// Gives the message as its receivers will see it, for a node that is its own receiver.
    pub fn verified(&self) -> Verified {
        Verified::own(self.body.clone().into_message(), self.id(), self.inner.clone())
    }
}

/// Encodes a structure as a map with the signature over it under [`SIGNATURE`].
pub(crate) fn signed_map<T: Serialize>(
    name: &'static str,
    body: &T,
    signer: &dyn Signer,
) -> Result<Vec<u8>, ProtocolError> {
    let Value::Map(mut map) = codec::to_value(body)? else {
        return Err(ProtocolError::Envelope("only maps are signed"));
    };
    map.remove(SIGNATURE);
    let signature = signer.sign(name, &codec::encode(&map)?);
    map.insert(SIGNATURE.to_owned(), Value::Bytes(signature.as_bytes().to_vec()));
    Ok(codec::encode(&map)?)
}

/// Writes `{"<name>": <inner>}` around an encoded map, without decoding it.
pub(crate) fn wrap(name: &str, inner: &[u8]) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "texts always have a DAG-CBOR form")]
    let key = codec::encode(name).expect("texts can be encoded");
    let mut wire = Vec::with_capacity(1 + key.len() + inner.len());
    wire.push(0xa1);
    wire.extend_from_slice(&key);
    wire.extend_from_slice(inner);
    wire
}

/// Takes the signature out of a map as received, and encodes the rest: what was signed. Refuses nulls on the way.
pub(crate) fn split_signature(
    map: &mut BTreeMap<String, Value>,
    name: &'static str,
) -> Result<(Vec<u8>, Vec<u8>), ProtocolError> {
    crate::bounds::refuse_null(map)?;
    let fields = crate::bounds::Fields(name);
    let signature = match map.remove(SIGNATURE) {
        Some(Value::Bytes(bytes)) => bytes,
        Some(_) => return Err(fields.fault(SIGNATURE, "is not a byte string")),
        None => return Err(fields.fault(SIGNATURE, "is missing")),
    };
    if signature.len() != icn_identity::SIGNATURE_BYTES {
        return Err(fields.fault(SIGNATURE, format!("has {} bytes; it must have 64", signature.len())));
    }
    Ok((signature, codec::encode(map)?))
}
