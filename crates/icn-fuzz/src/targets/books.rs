//! The books: posts, votes, invitations, passes.

use icn_gossip::{Entry, TopicName};
use icn_identity::{Ed25519Verifier, Keypair};
use icn_ledger::replica::Pass;
use icn_ledger::{Invitation, OrderRef, Post, SignedVote};
use icn_types::Timestamp;

use super::{Credulous, again};

/// Posts: one post has one form, and the entries that it speaks of are listed once each.
pub fn post(data: &[u8]) {
    let Ok(post) = Post::decode(data) else { return };
    assert!(post.encode().is_ok_and(|bytes| bytes == data), "one post has two forms");
    let refs = post.refs();
    assert!(refs.is_sorted_by(|a, b| a < b));
    let entry = Entry {
        v: 1,
        space: Keypair::from_seed([1; 32]).did(),
        topic: TopicName::ledger(),
        author: Keypair::from_seed([2; 32]).did(),
        seq: 7,
        prev: None,
        deps: Vec::new(),
        at: Timestamp::from_millis(0),
        body: data.to_vec().into(),
    };
    let _ = post.check_signatures(&entry, &Ed25519Verifier::new());
    let _ = post.check_signatures(&entry, &Credulous);
    for certificate in &post.certificates {
        let voters: Vec<_> = certificate.voters().copied().collect();
        // Nobody else's word counts, and a quorum of nobody is none.
        assert!(certificate.reaches(&voters) && !certificate.reaches(&[]));
    }
}

/// Votes: one vote has one form.
pub fn vote(data: &[u8]) {
    if let Ok(vote) = SignedVote::parse(data) {
        assert_eq!(vote.encode(), data, "one vote has two forms");
        let _ = vote.verify(&Ed25519Verifier::new());
    }
}

/// Invitations as text, passes as bytes, names of orders: what is read is printed in one form, which is read as the same.
pub fn pass(data: &[u8]) {
    let (space, node) = (Keypair::from_seed([1; 32]).did(), Keypair::from_seed([8; 32]).did());
    // 2026-11-20T09:30:00.000Z, as in the vectors.
    let now = Timestamp::from_millis(1_795_167_000_000);
    if let Some(pass) = Pass::parse(data) {
        assert_eq!(Pass::parse(&pass.to_bytes()).as_ref(), Some(&pass));
        let _ = pass.verify(space, node, now, &Ed25519Verifier::new());
        let _ = pass.verify(space, node, now, &Credulous);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(invitation) = text.parse::<Invitation>() {
        let printed = invitation.to_text();
        assert!(printed.parse::<Invitation>().is_ok_and(|again| again == invitation));
        let _ = invitation.verify(&Ed25519Verifier::new());
    }
    again::<OrderRef>(text);
}
