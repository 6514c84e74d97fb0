//! From a signed entry to one that may be applied: the costly checks, which the shell runs on other threads.

use icn_gossip::{EntryError, RawEntry, SignedEntry, VerifiedEntry};
use icn_identity::Verifier;

use crate::act::{Post, post_of};
use crate::error::PostError;

/// An entry of the books whose form, signature, and the signatures within it hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The entry.
    pub entry: VerifiedEntry,
    /// What it says.
    pub post: Post,
}

/// Why an entry is not taken.
///
/// Blame: whoever sent it; its author too, when the signature holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It is no entry, or not signed by its author.
    #[error("the entry is refused")]
    Entry(#[from] EntryError),
    /// Its author signed a body that is no post.
    #[error("the body of the entry is refused")]
    Post(#[from] PostError),
}

impl Checked {
    /// Checks everything that can be checked without the books.
    ///
    /// # Errors
    ///
    /// [`CheckError`] with the first thing that is not right.
    pub fn new(signed: SignedEntry, verifier: &dyn Verifier) -> Result<Self, CheckError> {
        Self::verify(signed.check()?, verifier)
    }

    /// Checks what is left to check of an entry whose form was checked.
    ///
    /// # Errors
    ///
    /// [`CheckError`] with the first thing that is not right.
    pub fn verify(raw: RawEntry, verifier: &dyn Verifier) -> Result<Self, CheckError> {
        let entry = raw.verify(verifier)?;
        let post = post_of(entry.entry())?;
        post.check_signatures(entry.entry(), verifier)?;
        Ok(Self { entry, post })
    }

    /// Takes an entry from the own disk, where only checked ones are written.
    ///
    /// # Errors
    ///
    /// [`CheckError`] when the disk gives something else.
    pub fn trusted(signed: SignedEntry) -> Result<Self, CheckError> {
        let entry = signed.check()?.trusted();
        let post = post_of(entry.entry())?;
        Ok(Self { entry, post })
    }
}
