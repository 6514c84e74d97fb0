//! What others say of an entry: votes of witnesses, certificates of a quorum, approvals of a treasury's posts.

use icn_identity::{SIGNATURE_BYTES, Signer, Verifier};
use icn_types::{Cid, Did, Timestamp, codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::act::{Act, SET_MAX, strict};
use crate::error::PostError;

/// The name under which votes are signed: `icn-sig-v1/VoteV1`.
pub const VOTE_SIGNATURE: &str = "VoteV1";
/// The name under which approvals are signed: `icn-sig-v1/ApprovalV1`.
pub const APPROVAL_SIGNATURE: &str = "ApprovalV1";
/// The largest signed vote, in bytes; a real one has fewer than 450.
const VOTE_BYTES_MAX: usize = 1_024;
/// Votes, approvals and invitations bear no time: the key that counts is the one that the DID itself names.
pub(crate) const UNDATED: Timestamp = Timestamp::from_millis(0);

/// What a witness signs: it has seen this entry at this place, and will never sign another one there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The space, by its root DID.
    pub space: Did,
    /// The author of the entry.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The entry.
    pub entry: Cid,
    /// The number of the witness set.
    pub set: u64,
}

/// A vote with its signature, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedVote {
    /// What is signed.
    pub vote: Vote,
    /// Who signs.
    pub by: Did,
    /// Signature as `VoteV1`, 64 bytes.
    pub sig: ByteBuf,
}

/// A quorum of a witness set saw this entry, and no other, at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The author of the entry.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// The entry.
    pub entry: Cid,
    /// The number of the witness set.
    pub set: u64,
    /// Who signed, sorted by DID, each once; signatures of 64 bytes over the [`Vote`].
    pub votes: Vec<(Did, ByteBuf)>,
}

/// One approver's signature under a treasury's acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who approves.
    pub by: Did,
    /// Signature as `ApprovalV1` over space, account, place and acts, 64 bytes.
    pub sig: ByteBuf,
}

/// Returns how many of `n` witnesses are a quorum: ⌊2n/3⌋ + 1.
#[must_use]
pub const fn quorum(n: usize) -> usize {
    n * 2 / 3 + 1
}

/// Returns how many of `n` witnesses may lie without two certificates ever standing at one place: fewer than a third.
#[must_use]
pub const fn faults(n: usize) -> usize {
    n.saturating_sub(1) / 3
}

impl Vote {
    /// Signs as a witness. The vote must be durable before this leaves the node.
    ///
    /// # Errors
    ///
    /// [`PostError`] when everybody else would refuse the vote.
    pub fn sign(self, signer: &dyn Signer) -> Result<SignedVote, PostError> {
        let sig = signer.sign(VOTE_SIGNATURE, &codec::encode(&self)?);
        let signed = SignedVote { by: signer.did(), sig: ByteBuf::from(sig.as_bytes().to_vec()), vote: self };
        signed.check()?;
        Ok(signed)
    }

    /// Checks that `by` signed this vote.
    ///
    /// # Errors
    ///
    /// [`PostError::Signature`] when not.
    pub fn verify(&self, by: &Did, sig: &[u8], verifier: &dyn Verifier) -> Result<(), PostError> {
        verifier.verify(by, UNDATED, VOTE_SIGNATURE, &codec::encode(self)?, sig)?;
        Ok(())
    }
}

impl SignedVote {
    /// Reads the form in which votes travel; whether the signature holds is not known yet.
    ///
    /// # Errors
    ///
    /// [`PostError`] with what is not right.
    pub fn parse(bytes: &[u8]) -> Result<Self, PostError> {
        if bytes.len() > VOTE_BYTES_MAX {
            return Err(PostError::Field("vote", "it has at most 1,024 bytes"));
        }
        let signed: Self = strict(bytes)?;
        signed.check()?;
        Ok(signed)
    }

    /// Encodes the form in which votes travel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Names, numbers and bytes always have a DAG-CBOR form.
        codec::encode(self).unwrap_or_default()
    }

    /// Checks the signature. Whether the signer is a witness is for the books to say.
    ///
    /// # Errors
    ///
    /// [`PostError::Signature`] when it does not hold.
    pub fn verify(&self, verifier: &dyn Verifier) -> Result<(), PostError> {
        self.vote.verify(&self.by, &self.sig, verifier)
    }

    fn check(&self) -> Result<(), PostError> {
        if self.sig.len() != SIGNATURE_BYTES {
            return Err(PostError::Field("sig", "a signature has 64 bytes"));
        }
        place(self.vote.seq, self.vote.set)
    }
}

impl Certificate {
    /// Returns what each of the voters signed.
    #[must_use]
    pub const fn vote(&self, space: Did) -> Vote {
        Vote { space, author: self.author, seq: self.seq, entry: self.entry, set: self.set }
    }

    /// Lists who voted, sorted.
    pub fn voters(&self) -> impl Iterator<Item = &Did> {
        self.votes.iter().map(|(by, _)| by)
    }

    /// Tells whether a quorum of these witnesses is among the voters; an empty set certifies nothing.
    #[must_use]
    pub fn reaches(&self, members: &[Did]) -> bool {
        // A certificate from disk or wire is sorted, each once; one made by hand may not be.
        let voters: std::collections::BTreeSet<&Did> =
            self.voters().filter(|voter| members.contains(voter)).collect();
        !members.is_empty() && voters.len() >= quorum(members.len())
    }

    /// Checks every signature. Whether the voters are a quorum of their set is for the books to say.
    ///
    /// # Errors
    ///
    /// [`PostError`] for the first one that does not hold.
    pub fn verify(&self, space: Did, verifier: &dyn Verifier) -> Result<(), PostError> {
        let body = codec::encode(&self.vote(space))?;
        for (by, sig) in &self.votes {
            verifier.verify(by, UNDATED, VOTE_SIGNATURE, &body, sig)?;
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        let is_sorted = self.votes.is_sorted_by(|a, b| a.0 < b.0);
        if self.votes.is_empty() || self.votes.len() > SET_MAX || !is_sorted {
            return Err(PostError::Field("votes", "1 to 64 votes, sorted by witness, each once"));
        }
        if self.votes.iter().any(|(_, sig)| sig.len() != SIGNATURE_BYTES) {
            return Err(PostError::Field("votes", "a signature has 64 bytes"));
        }
        place(self.seq, self.set)
    }
}

/// Builds the bytes that approvers of a treasury sign: space, account, place in its chain, and the acts.
///
/// # Errors
///
/// [`PostError::Codec`] when the acts have no DAG-CBOR form.
pub fn approval_bytes(space: Did, account: Did, seq: u64, acts: &[Act]) -> Result<Vec<u8>, PostError> {
    #[derive(Serialize)]
    struct Approved<'a> {
        space: Did,
        account: Did,
        seq: u64,
        acts: &'a [Act],
    }
    Ok(codec::encode(&Approved { space, account, seq, acts })?)
}

impl Approval {
    /// Signs, as an approver, what [`approval_bytes`] built.
    #[must_use]
    pub fn sign(signer: &dyn Signer, bytes: &[u8]) -> Self {
        let sig = signer.sign(APPROVAL_SIGNATURE, bytes);
        Self { by: signer.did(), sig: ByteBuf::from(sig.as_bytes().to_vec()) }
    }

    /// Checks the signature under what [`approval_bytes`] built.
    ///
    /// # Errors
    ///
    /// [`PostError::Signature`] when it does not hold.
    pub fn verify(&self, bytes: &[u8], verifier: &dyn Verifier) -> Result<(), PostError> {
        verifier.verify(&self.by, UNDATED, APPROVAL_SIGNATURE, bytes, &self.sig)?;
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), PostError> {
        if self.sig.len() == SIGNATURE_BYTES {
            Ok(())
        } else {
            Err(PostError::Field("approvals", "a signature has 64 bytes"))
        }
    }
}

fn place(seq: u64, set: u64) -> Result<(), PostError> {
    if seq == 0 || i64::try_from(seq).is_err() || set == 0 || i64::try_from(set).is_err() {
        return Err(PostError::Field("vote", "places and witness sets count from 1"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use icn_identity::{Ed25519Verifier, Keypair};

    use super::*;

    fn key(n: u8) -> Keypair {
        Keypair::from_seed([n; 32])
    }

    fn vote() -> Vote {
        Vote { space: key(1).did(), author: key(2).did(), seq: 3, entry: Cid::of_dag_cbor(b"e"), set: 1 }
    }

    fn certificate(by: &[u8]) -> Certificate {
        let Vote { author, seq, entry, set, .. } = vote();
        let mut votes: Vec<(Did, ByteBuf)> =
            by.iter().map(|n| vote().sign(&key(*n)).unwrap()).map(|signed| (signed.by, signed.sig)).collect();
        votes.sort();
        Certificate { author, seq, entry, set, votes }
    }

    #[test]
    fn a_vote_travels_and_its_signature_holds_for_it_alone() {
        let signed = vote().sign(&key(9)).unwrap();
        let bytes = signed.encode();
        let read = SignedVote::parse(&bytes).unwrap();
        assert_eq!(read, signed);
        let verifier = Ed25519Verifier::new();
        read.verify(&verifier).unwrap();
        let refuse = |edit: &dyn Fn(&mut SignedVote)| {
            let mut changed = signed.clone();
            edit(&mut changed);
            assert!(changed.verify(&verifier).is_err());
        };
        refuse(&|signed| signed.by = key(8).did());
        refuse(&|signed| signed.vote.space = key(8).did());
        refuse(&|signed| signed.vote.author = key(8).did());
        refuse(&|signed| signed.vote.seq = 4);
        refuse(&|signed| signed.vote.entry = Cid::of_dag_cbor(b"f"));
        refuse(&|signed| signed.vote.set = 2);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let read = SignedVote::parse(&changed).and_then(|signed| signed.verify(&verifier));
            assert!(read.is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_vote_for_no_place_or_set_is_refused() {
        for (seq, set) in [(0, 1), (1, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert!(Vote { seq, set, ..vote() }.sign(&key(9)).is_err(), "{seq} {set}");
        }
        assert!(SignedVote::parse(&[0; 2_000]).is_err());
    }

    #[test]
    fn a_certificate_holds_when_each_of_its_votes_does() {
        let verifier = Ed25519Verifier::new();
        let space = key(1).did();
        let good = certificate(&[5, 6, 7]);
        good.verify(space, &verifier).unwrap();
        assert!(good.verify(key(2).did(), &verifier).is_err());
        let mut swapped = good.clone();
        let first = swapped.votes[0].1.clone();
        swapped.votes[0].1 = swapped.votes[1].1.clone();
        swapped.votes[1].1 = first;
        assert!(swapped.verify(space, &verifier).is_err());
        // An approval of the same bytes is no vote.
        let body = codec::encode(&good.vote(space)).unwrap();
        let mut crossed = good.clone();
        crossed.votes[0] = (key(5).did(), Approval::sign(&key(5), &body).sig);
        assert!(crossed.verify(space, &verifier).is_err());
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds_of_the_set() {
        let of = |n: u8| -> Vec<Did> { (0..n).map(|n| key(5 + n).did()).collect() };
        for (voters, members, expected) in [
            (1, 1, true),
            (1, 2, false),
            (2, 2, true),
            (2, 3, false),
            (3, 4, true),
            (2, 4, false),
            (3, 5, false),
        ] {
            let certificate = certificate(&(5..5 + voters).collect::<Vec<u8>>());
            assert_eq!(certificate.reaches(&of(members)), expected, "{voters} of {members}");
        }
        assert!(!certificate(&[5]).reaches(&[]));
        // Strangers' votes, and one vote twice, count for nothing.
        assert!(!certificate(&[5, 6, 90]).reaches(&of(4)));
        let mut doubled = certificate(&[5, 6]);
        doubled.votes.push(doubled.votes[0].clone());
        assert!(!doubled.reaches(&of(4)));
        assert!(doubled.check().is_err());
        for n in 1..40 {
            assert!(2 * quorum(n) - n > faults(n) && quorum(n) <= n && faults(n) * 3 < n, "{n}");
        }
    }

    #[test]
    fn an_approval_is_for_one_place_of_one_treasury() {
        let acts = [Act::Appoint { member: key(4).did() }];
        let bytes = |seq, account: u8| approval_bytes(key(1).did(), key(account).did(), seq, &acts).unwrap();
        let approval = Approval::sign(&key(3), &bytes(7, 2));
        let verifier = Ed25519Verifier::new();
        approval.verify(&bytes(7, 2), &verifier).unwrap();
        assert!(approval.verify(&bytes(8, 2), &verifier).is_err());
        assert!(approval.verify(&bytes(7, 3), &verifier).is_err());
        assert!(
            approval.verify(&approval_bytes(key(1).did(), key(2).did(), 7, &[]).unwrap(), &verifier).is_err()
        );
    }
}
