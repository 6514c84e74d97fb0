//! The body of an entry: acts, and what goes with them.

use icn_gossip::Entry;
use icn_identity::Verifier;
use icn_types::codec::CodecError;
use icn_types::{Cid, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Act, name};
use crate::certificate::{Approval, Certificate, approval_bytes};
use crate::error::PostError;
use crate::treasury::Mandate;

/// The version of the form.
pub const POST_VERSION: u8 = 1;
/// The most acts in one post.
pub const ACTS_MAX: usize = 256;
/// The most certificates, and approvals, beside them.
pub const PROOFS_MAX: usize = 32;

/// The body of an entry: what is done, and what proves that it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The version of the form: 1.
    pub v: u8,
    /// What is done, in this order; each is judged by itself.
    pub acts: Vec<Act>,
    /// Certificates that the author holds, for any earlier entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// For a treasury: who approves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// A word of the client's choice: an author's second post with the same word is the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a treasury: what this carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<Mandate>,
}

impl Post {
    /// Makes a post of acts alone.
    #[must_use]
    pub const fn new(acts: Vec<Act>) -> Self {
        Self {
            v: POST_VERSION,
            acts,
            certificates: Vec::new(),
            approvals: Vec::new(),
            key: None,
            mandate: None,
        }
    }

    /// Reads the body of an entry and checks form and ranges.
    ///
    /// # Errors
    ///
    /// [`PostError`] with what is not right.
    pub fn decode(body: &[u8]) -> Result<Self, PostError> {
        let post: Self = strict(body)?;
        post.check()?;
        Ok(post)
    }

    /// Encodes the body of an entry.
    ///
    /// # Errors
    ///
    /// [`PostError`] when everybody else would refuse it.
    pub fn encode(&self) -> Result<ByteBuf, PostError> {
        self.check()?;
        Ok(ByteBuf::from(codec::encode(self)?))
    }

    /// Lists the entries that this speaks of, each once: they must be applied before it.
    #[must_use]
    pub fn refs(&self) -> Vec<Cid> {
        let mut refs: Vec<Cid> = self.certificates.iter().map(|certificate| certificate.entry).collect();
        if let Some(Mandate::Proposal(by) | Mandate::Standing(by)) = &self.mandate {
            refs.push(by.entry);
        }
        self.acts.iter().for_each(|act| act.add_refs(&mut refs));
        refs.sort_unstable();
        refs.dedup();
        refs
    }

    /// Checks every signature inside: those of certificates, approvals and invitations. The entry's own is not among
    /// them. Needs no state: whether voters, approvers and issuers had the right to sign is for the books to say.
    ///
    /// # Errors
    ///
    /// [`PostError`] for the first that does not hold, or that was made for something else.
    pub fn check_signatures(&self, entry: &Entry, verifier: &dyn Verifier) -> Result<(), PostError> {
        for certificate in &self.certificates {
            certificate.verify(entry.space, verifier)?;
        }
        if !self.approvals.is_empty() {
            let bytes = approval_bytes(entry.space, entry.author, entry.seq, &self.acts)?;
            self.approvals.iter().try_for_each(|approval| approval.verify(&bytes, verifier))?;
        }
        self.acts.iter().try_for_each(|act| act.check_invitation(entry, verifier))
    }

    fn check(&self) -> Result<(), PostError> {
        if self.v != POST_VERSION {
            return Err(PostError::Version(self.v));
        }
        if self.acts.len() > ACTS_MAX || (self.acts.is_empty() && self.certificates.is_empty()) {
            return Err(PostError::Field("acts", "a post has 1 to 256 of them, or none but a certificate"));
        }
        if self.certificates.len() > PROOFS_MAX || self.approvals.len() > PROOFS_MAX {
            return Err(PostError::Field(
                "certificates",
                "at most 32 of them, and of approvals, go with a post",
            ));
        }
        name("key", self.key.as_deref())?;
        self.certificates.iter().try_for_each(Certificate::check)?;
        self.approvals.iter().try_for_each(Approval::check)?;
        if !self.approvals.is_sorted_by(|a, b| a.by < b.by) {
            return Err(PostError::Field("approvals", "they are sorted by approver, each once"));
        }
        self.acts.iter().try_for_each(Act::check)
    }
}

/// Decodes the body of an entry of the books.
///
/// # Errors
///
/// [`PostError`] with what is not right.
pub fn post_of(entry: &Entry) -> Result<Post, PostError> {
    Post::decode(&entry.body)
}

/// Decodes a type and refuses fields that it does not know and nulls that it would leave out: one value, one byte string.
pub(crate) fn strict<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let value: T = codec::decode(bytes)?;
    if codec::encode(&value)? == bytes { Ok(value) } else { Err(CodecError::NotCanonical) }
}
