//! The form in which an entry travels and is stored: its exact bytes, and a signature that is given or promised.

use std::fmt;
use std::sync::{Arc, OnceLock};

use icn_identity::{SIGNATURE_BYTES, Signer};
use icn_types::{Cid, codec};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

use super::{ENTRY_BYTES_MAX, ENTRY_SIGNATURE, Entry, RawEntry};
use crate::error::EntryError;

/// An entry as it travels and is stored: the exact unsigned bytes, and a signature over them. Clones share both.
///
/// Layout: a DAG-CBOR map `{"entry": bytes, "sig": bytes}`.
///
/// The signature of an own entry may be a *promise* ([`Entry::promise`]): it is made when it is first asked for, at most
/// once for all clones. Whoever encodes, compares or prints the entry asks for it, so no entry leaves without one.
#[derive(Clone)]
pub struct SignedEntry(Arc<Parts>);

struct Parts {
    entry: Box<[u8]>,
    sig: Sig,
}

enum Sig {
    /// As it came: of any length until it is checked.
    Given(Box<[u8]>),
    Promised(Box<Promise>),
}

/// A signature to be made.
struct Promise {
    signer: Arc<dyn Signer>,
    made: OnceLock<[u8; SIGNATURE_BYTES]>,
}

impl SignedEntry {
    /// Takes the bytes of an entry and what is said to be their signature; neither is checked.
    #[must_use]
    pub fn new(entry: Vec<u8>, sig: Vec<u8>) -> Self {
        Self(Arc::new(Parts { entry: entry.into(), sig: Sig::Given(sig.into()) }))
    }

    /// Takes the bytes of an entry that `signer` will sign. Its caller has checked that they are the signer's to say.
    pub(super) fn promised(entry: Vec<u8>, signer: Arc<dyn Signer>) -> Self {
        let promise = Promise { signer, made: OnceLock::new() };
        Self(Arc::new(Parts { entry: entry.into(), sig: Sig::Promised(Box::new(promise)) }))
    }

    /// Reads the wire form and checks everything but the signature.
    ///
    /// # Errors
    ///
    /// [`EntryError`] with what is not right.
    pub fn parse(bytes: &[u8]) -> Result<RawEntry, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX + 256 {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        codec::decode::<Self>(bytes)?.check()
    }

    /// Checks everything but the signature. One that is promised is not made for this.
    ///
    /// # Errors
    ///
    /// [`EntryError`] with what is not right.
    pub fn check(self) -> Result<RawEntry, EntryError> {
        if self.entry().len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(self.entry().len()));
        }
        match &self.0.sig {
            Sig::Given(sig) if sig.len() != SIGNATURE_BYTES => {
                return Err(EntryError::Field("sig", "a signature has 64 bytes"));
            }
            Sig::Given(_) | Sig::Promised(_) => {}
        }
        let entry: Entry = codec::decode(self.entry())?;
        entry.check()?;
        Ok(RawEntry { id: Cid::of_dag_cbor(self.entry()), entry, signed: self })
    }

    /// Returns the canonical bytes of the [`Entry`].
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.0.entry
    }

    /// Returns the author's signature over them: 64 bytes once it is checked. Makes it, if it is promised; whoever asks
    /// meanwhile waits.
    #[must_use]
    pub fn sig(&self) -> &[u8] {
        match &self.0.sig {
            Sig::Given(sig) => sig,
            Sig::Promised(promise) => {
                promise.made.get_or_init(|| *promise.signer.sign(ENTRY_SIGNATURE, &self.0.entry).as_bytes())
            }
        }
    }

    /// Makes the signature, if it is promised: for whoever has a processor to spare before it is asked for.
    pub fn keep_promise(&self) {
        let _ = self.sig();
    }

    /// Tells whether the signature is promised and not made yet.
    #[must_use]
    pub fn is_promise(&self) -> bool {
        match &self.0.sig {
            Sig::Given(_) => false,
            Sig::Promised(promise) => promise.made.get().is_none(),
        }
    }

    /// Encodes the wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Two byte strings always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }
}

impl PartialEq for SignedEntry {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.entry() == other.entry() && self.sig() == other.sig())
    }
}

impl Eq for SignedEntry {}

impl fmt::Debug for SignedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedEntry").field("entry", &self.entry()).field("sig", &self.sig()).finish()
    }
}

/// The wire form, to be written.
#[derive(Serialize)]
#[serde(rename = "SignedEntry")]
struct Written<'a> {
    entry: &'a Bytes,
    sig: &'a Bytes,
}

/// The wire form, as it is read.
#[derive(Deserialize)]
#[serde(rename = "SignedEntry", deny_unknown_fields)]
struct Read {
    entry: ByteBuf,
    sig: ByteBuf,
}

impl Serialize for SignedEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { entry: Bytes::new(self.entry()), sig: Bytes::new(self.sig()) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignedEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Read { entry, sig } = Read::deserialize(deserializer)?;
        Ok(Self::new(entry.into_vec(), sig.into_vec()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use icn_identity::{Ed25519Verifier, Keypair, Signature};
    use icn_types::{Did, Timestamp};
    use proptest::prelude::*;

    use super::*;

    /// Counts how often it signs.
    struct Counting {
        key: Keypair,
        signed: AtomicUsize,
    }

    impl Counting {
        fn new(seed: u8) -> Arc<Self> {
            Arc::new(Self { key: Keypair::from_seed([seed; 32]), signed: AtomicUsize::new(0) })
        }

        fn count(&self) -> usize {
            self.signed.load(Ordering::SeqCst)
        }
    }

    impl Signer for Counting {
        fn did(&self) -> Did {
            self.key.did()
        }

        fn sign(&self, name: &str, body: &[u8]) -> Signature {
            self.signed.fetch_add(1, Ordering::SeqCst);
            self.key.sign(name, body)
        }
    }

    fn entry(author: Did, seq: u64, at: u64, body: Vec<u8>) -> Entry {
        Entry {
            v: 1,
            space: Did::from_public_key([7; 32]),
            topic: "ledger:sync".parse().unwrap(),
            author,
            seq,
            prev: (seq > 1).then(|| Cid::of_dag_cbor(b"before")),
            deps: Vec::new(),
            at: Timestamp::from_millis(at),
            body: ByteBuf::from(body),
        }
    }

    proptest! {
        #[test]
        fn a_promised_entry_is_the_signed_one(
            seed: u8,
            seq in 1_u64..1_000,
            at in 0_u64..1 << 40,
            body in prop::collection::vec(any::<u8>(), 0..300),
            compares: bool,
        ) {
            let signer = Counting::new(seed);
            let said = entry(signer.did(), seq, at, body);
            let signed = said.clone().sign(&signer.key).unwrap();
            let promised = said.promise(Arc::clone(&signer) as Arc<dyn Signer>).unwrap();
            let clone = promised.clone();
            prop_assert_eq!((promised.id(), promised.entry()), (signed.id(), signed.entry()));
            prop_assert!(promised.signed().is_promise() && signer.count() == 0);
            if compares {
                prop_assert_eq!(&promised, &signed);
            } else {
                prop_assert_eq!(promised.signed().to_bytes(), signed.signed().to_bytes());
            }
            prop_assert!(!promised.signed().is_promise() && !clone.signed().is_promise());
            prop_assert_eq!(clone.signature(), signed.signature());
            prop_assert_eq!(format!("{:?}", clone), format!("{:?}", signed));
            let read = SignedEntry::parse(&clone.signed().to_bytes()).unwrap();
            prop_assert_eq!(read.verify(&Ed25519Verifier::new()).unwrap(), clone);
            prop_assert_eq!(signer.count(), 1);
        }
    }

    #[test]
    fn a_promise_is_kept_once_however_many_ask() {
        for _ in 0..50 {
            let signer = Counting::new(5);
            let said = entry(signer.did(), 1, 9, vec![0xa0]);
            let promised = said.promise(Arc::clone(&signer) as Arc<dyn Signer>).unwrap();
            let sigs: Vec<Vec<u8>> = std::thread::scope(|scope| {
                let asking: Vec<_> = (0..8)
                    .map(|_| promised.signed().clone())
                    .map(|signed| scope.spawn(move || signed.sig().to_vec()))
                    .collect();
                asking.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(signer.count(), 1);
            assert!(sigs.iter().all(|sig| sig == promised.signed().sig() && sig.len() == 64));
        }
    }

    #[test]
    fn what_needs_no_signature_makes_none() {
        let signer = Counting::new(5);
        let said = entry(signer.did(), 1, 9, vec![0xa0]);
        let promised = said.promise(Arc::clone(&signer) as Arc<dyn Signer>).unwrap();
        let raw = promised.signed().clone().check().unwrap();
        assert_eq!(raw.id(), promised.id());
        assert!(raw.trusted() == promised, "both share one promise");
        let other = entry(signer.did(), 1, 10, vec![0xa0]).sign(&signer.key).unwrap();
        assert!(other != promised);
        assert_eq!(signer.count(), 0);
    }

    #[test]
    fn nobody_promises_for_another() {
        let signer = Counting::new(5);
        let said = entry(Did::from_public_key([9; 32]), 1, 9, vec![0xa0]);
        assert!(said.promise(signer).is_err());
    }

    #[test]
    fn the_wire_form_has_two_fields() {
        let signed = SignedEntry::new(vec![1, 2], vec![3]);
        let bytes = signed.to_bytes();
        assert_eq!(bytes, b"\xa2\x63sig\x41\x03\x65entry\x42\x01\x02");
        assert_eq!(codec::decode::<SignedEntry>(&bytes), Ok(signed));
        for refused in [
            &b"\xa1\x65entry\x42\x01\x02"[..],
            b"\xa3\x63sig\x41\x03\x64more\x00\x65entry\x42\x01\x02",
            b"\xa2\x63sig\x61a\x65entry\x42\x01\x02",
        ] {
            assert!(codec::decode::<SignedEntry>(refused).is_err(), "{refused:?}");
        }
    }
}
