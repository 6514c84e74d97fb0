use icn_types::codec;
use serde_bytes::ByteBuf;

use super::*;

fn did(n: u8) -> Did {
    Did::from_public_key([n; 32])
}

fn cid(name: &str) -> Cid {
    Cid::of_dag_cbor(name.as_bytes())
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

/// Books that answer what the test wants.
struct Books {
    set: Option<WitnessSet>,
    has_certified: bool,
    is_valid: bool,
    is_alone: bool,
    is_forked: bool,
    exceeds_known_line: bool,
    seal_is_right: bool,
}

impl WitnessView for Books {
    fn witness_set(&self) -> Option<WitnessSet> {
        self.set.clone()
    }
    fn set_has_certified(&self, _: u64) -> bool {
        self.has_certified
    }
    fn is_valid(&self, _: &Cid) -> bool {
        self.is_valid
    }
    fn is_alone(&self, _: &Did, _: u64) -> bool {
        self.is_alone
    }
    fn is_forked(&self, _: &Did) -> bool {
        self.is_forked
    }
    fn exceeds_known_line(&self, _: &Cid) -> bool {
        self.exceeds_known_line
    }
    fn seal_is_right(&self, _: &Cid, _: u32) -> bool {
        self.seal_is_right
    }
}

fn set(number: u64, members: &[u8], before: Option<(&[u8], &[u8])>) -> WitnessSet {
    let dids = |of: &[u8]| of.iter().map(|n| did(*n)).collect();
    let before = before.map(|(members, voters)| Handover { members: dids(members), voters: dids(voters) });
    WitnessSet { number, members: dids(members), before }
}

fn books() -> Books {
    Books {
        set: Some(set(1, &[1, 2, 3, 4], None)),
        has_certified: true,
        is_valid: true,
        is_alone: true,
        is_forked: false,
        exceeds_known_line: false,
        seal_is_right: true,
    }
}

fn post() -> Post {
    Post::new(vec![Act::Unfreeze { account: did(9) }])
}

fn seal(time: Timestamp) -> Post {
    Post::new(vec![Act::Seal { number: 1, prev: None, time, digest: ByteBuf::from(vec![0; 32]) }])
}

fn names_set(number: u64) -> Post {
    Post::new(vec![Act::Witnesses { number, members: vec![did(1)] }])
}

fn at<'a>(seq: u64, name: &str, prev: &str, post: &'a Post) -> Candidate<'a> {
    Candidate { id: cid(name), author: did(50), seq, prev: (seq > 1).then(|| cid(prev)), post }
}

fn witness(memory: Memory) -> Witness {
    Witness::new(did(100), did(1), memory)
}

fn consider(witness: &mut Witness, name: &str, books: &Books) -> Result<Vec<WitnessEffect>, Refusal> {
    witness.consider(NOW, &at(1, name, "", &post()), books)
}

#[test]
fn a_vote_is_durable_before_it_leaves_and_is_repeated_alike() {
    let mut witness = witness(Memory::Kept);
    let effects = consider(&mut witness, "x", &books()).unwrap();
    let record = VoteRecord { author: did(50), seq: 1, entry: cid("x"), set: 1, hands_over: None };
    let vote = Vote { space: did(100), author: did(50), seq: 1, entry: cid("x"), set: 1 };
    assert_eq!(effects, [WitnessEffect::Persist(record.clone()), WitnessEffect::Send(vote)]);
    assert_eq!(consider(&mut witness, "x", &books()).unwrap(), effects);
    assert_eq!(consider(&mut witness, "y", &books()), Err(Refusal::VotedOtherwise(cid("x"))));
    // The record is what a restart comes back with.
    let bytes = codec::encode(&record).unwrap();
    let mut restarted = Witness::new(did(100), did(1), Memory::Kept);
    restarted.restore(&codec::decode(&bytes).unwrap());
    assert_eq!(consider(&mut restarted, "y", &books()), Err(Refusal::VotedOtherwise(cid("x"))));
    assert_eq!(restarted.voted(&did(50), 1), Some(cid("x")));
    assert_eq!(consider(&mut restarted, "x", &books()).unwrap(), effects);
    restarted.forget(&did(50), 1);
    assert_eq!(consider(&mut restarted, "x", &books()), Err(Refusal::Decided));
    assert_eq!(consider(&mut restarted, "y", &books()), Err(Refusal::Decided));
}

#[test]
fn what_the_books_do_not_bear_out_gets_no_vote() {
    let refused = |edit: &dyn Fn(&mut Books), expected| {
        let mut books = books();
        edit(&mut books);
        let mut witness = witness(Memory::Kept);
        assert_eq!(consider(&mut witness, "x", &books), Err(expected));
        assert_eq!(witness.voted(&did(50), 1), None, "a refusal leaves no vote");
        assert_eq!(expected.is_lasting(), expected == Refusal::NotAlone);
    };
    refused(&|books| books.set = None, Refusal::NotAWitness);
    refused(&|books| books.set = Some(set(1, &[2, 3], None)), Refusal::NotAWitness);
    refused(&|books| books.is_valid = false, Refusal::Invalid);
    refused(&|books| books.is_alone = false, Refusal::NotAlone);
    refused(&|books| books.is_forked = true, Refusal::Forked);
    refused(&|books| books.exceeds_known_line = true, Refusal::AboveLine);
}

#[test]
fn a_vote_on_one_branch_binds_at_the_next_place() {
    let mut witness = witness(Memory::Kept);
    let post = post();
    witness.consider(NOW, &at(1, "x", "", &post), &books()).unwrap();
    assert_eq!(witness.consider(NOW, &at(2, "y2", "y", &post), &books()), Err(Refusal::OtherBranch));
    witness.consider(NOW, &at(2, "x2", "x", &post), &books()).unwrap();
}

#[test]
fn a_seal_must_have_the_right_time_and_content() {
    let consider = |post: &Post, books: &Books, name: &str| {
        let mut candidate = at(1, name, "", post);
        candidate.author = did(60);
        witness(Memory::Kept).consider(NOW, &candidate, books).map(|_| ())
    };
    for (skew_ms, expected) in [
        (0, Ok(())),
        (300_000, Ok(())),
        (300_001, Err(Refusal::SealTime)),
        (10_000_000, Err(Refusal::SealTime)),
    ] {
        let skew = Duration::from_millis(skew_ms);
        assert_eq!(consider(&seal(NOW.plus(skew)), &books(), "s"), expected);
        assert_eq!(consider(&seal(NOW.minus(skew)), &books(), "s"), expected);
    }
    let books = Books { seal_is_right: false, ..books() };
    assert_eq!(consider(&seal(NOW), &books, "s"), Err(Refusal::Seal));
}

#[test]
fn after_a_start_it_abstains_until_it_has_merged_with_enough_witnesses() {
    let mut witness = witness(Memory::Unsure);
    let books = books();
    let era = witness.sync_began(&books);
    for (with, merged) in [(2, 0), (2, 1), (99, 1), (1, 1), (3, 1)] {
        let expected = Err(Refusal::Abstaining { merged, needed: 3 });
        assert_eq!(consider(&mut witness, "x", &books), expected, "before {with}");
        witness.merged(did(with), era);
    }
    assert_eq!(witness.standing(&books), Standing::Abstaining { merged: 2, needed: 3 });
    witness.merged(did(4), era);
    assert!(witness.is_voting(&books));
    assert!(consider(&mut witness, "x", &books).is_ok());
}

#[test]
fn how_many_merges_find_every_certificate() {
    for (n, expected) in [(1, 1), (2, 1), (3, 1), (4, 3), (5, 3), (6, 3), (7, 5), (10, 7), (64, 43)] {
        assert_eq!(merges_needed(n), expected, "{n}");
    }
    for n in 1..200 {
        // Whoever merges with so many meets more voters of any quorum than may withhold it.
        assert!(merges_needed(n) + quorum(n) - n > faults(n) && merges_needed(n) <= n, "{n}");
    }
    // The only witness has nobody to ask.
    let books = Books { set: Some(set(1, &[1], None)), ..books() };
    assert!(witness(Memory::Unsure).is_voting(&books));
}

#[test]
fn the_old_set_stops_once_it_has_voted_for_the_new_one() {
    let mut witness = witness(Memory::Kept);
    let (post, third, second) = (post(), names_set(3), names_set(2));
    witness.consider(NOW, &at(1, "x", "", &post), &books()).unwrap();
    assert_eq!(witness.consider(NOW, &at(2, "w3", "x", &third), &books()), Err(Refusal::SetNumber));
    let both = Post::new(names_set(2).acts.into_iter().chain(names_set(2).acts).collect());
    assert_eq!(witness.consider(NOW, &at(2, "w", "x", &both), &books()), Err(Refusal::SetNumber));
    let effects = witness.consider(NOW, &at(2, "w", "x", &second), &books()).unwrap();
    let WitnessEffect::Persist(record) = &effects[0] else { panic!("first of all the record") };
    assert_eq!(record.hands_over, Some(2));
    assert_eq!(witness.consider(NOW, &at(3, "y", "w", &post), &books()), Err(Refusal::HandedOver(2)));
    assert_eq!(witness.standing(&books()), Standing::HandedOver);
    // What it has said it repeats.
    assert!(witness.consider(NOW, &at(2, "w", "x", &second), &books()).is_ok());
    assert!(witness.consider(NOW, &at(1, "x", "", &post), &books()).is_ok());
    // Another set 2, named elsewhere, gets nothing; a restart remembers.
    let mut other = at(1, "v", "", &second);
    other.author = did(51);
    assert_eq!(witness.consider(NOW, &other, &books()), Err(Refusal::HandedOver(2)));
    let mut restarted = Witness::new(did(100), did(1), Memory::Kept);
    restarted.restore(record);
    assert_eq!(restarted.consider(NOW, &other, &books()), Err(Refusal::HandedOver(2)));
}

#[test]
fn a_new_set_waits_until_it_has_merged_with_those_that_handed_over() {
    let mut witness = witness(Memory::Kept);
    let old = books();
    let early = witness.sync_began(&old);
    witness.merged(did(2), early);
    let new = |has_certified| Books {
        set: Some(set(2, &[1, 7, 8], Some((&[2, 3, 4, 5], &[2, 3, 4])))),
        has_certified,
        ..books()
    };
    let era = witness.sync_began(&new(false));
    // A session from before the change does not count, nor one with an old witness that may still vote.
    for (with, began, merged) in
        [(2, early, 0), (5, era, 0), (7, era, 0), (2, era, 0), (3, era, 1), (4, era, 2)]
    {
        let expected = Standing::Abstaining { merged, needed: 3 };
        assert_eq!(witness.standing(&new(false)), expected, "before {with}");
        witness.merged(did(with), began);
    }
    assert!(witness.is_voting(&new(false)));
    consider(&mut witness, "x", &new(false)).unwrap();

    // A member that comes late may ask the new set instead, once it works, by sessions from then on.
    let mut late = Witness::new(did(100), did(1), Memory::Kept);
    let early = late.sync_began(&new(false));
    late.merged(did(7), early);
    assert!(!late.is_voting(&new(true)));
    let era = late.sync_began(&new(true));
    late.merged(did(7), era);
    assert!(late.is_voting(&new(true)), "one other of three suffices: nobody of three may lie");
}

#[test]
fn a_member_of_both_sets_counts_itself_once_it_has_handed_over() {
    // The certificate of the change has three voters of four: without itself a voter could never meet three.
    let new = Books {
        set: Some(set(2, &[1, 2, 3], Some((&[1, 2, 3, 4], &[1, 2, 3])))),
        has_certified: false,
        ..books()
    };
    for memory in [Memory::Kept, Memory::Unsure] {
        let mut first = witness(memory);
        if memory == Memory::Unsure {
            let era = first.sync_began(&books());
            (2..=4).for_each(|n| first.merged(did(n), era));
        }
        let second = names_set(2);
        let effects = first.consider(NOW, &at(1, "w", "", &second), &books()).unwrap();
        let WitnessEffect::Persist(record) = &effects[0] else { panic!("first of all the record") };
        let mut restarted = witness(memory);
        restarted.restore(record);
        for (mut witness, is_restarted) in [(first, false), (restarted, true)] {
            let era = witness.sync_began(&new);
            for n in [2, 3] {
                assert!(!witness.is_voting(&new), "{memory:?} {is_restarted} {n}");
                witness.merged(did(n), era);
            }
            assert!(witness.is_voting(&new), "{memory:?} {is_restarted}");
        }
    }
}

#[test]
fn a_voter_that_forgot_its_handover_asks_all_the_other_voters() {
    let new = |voters: &[u8]| Books {
        set: Some(set(2, &[1, 2, 3], Some((&[1, 2, 3, 4], voters)))),
        has_certified: false,
        ..books()
    };
    // A copy of its disk from before the handover: it cannot count itself, and of three voters two others remain.
    for (voters, needed) in [(&[1, 2, 3][..], 2_u8), (&[1, 2, 3, 4], 3)] {
        let books = new(voters);
        let mut old = witness(Memory::Unsure);
        let era = old.sync_began(&books);
        for n in 2..2 + needed {
            assert!(!old.is_voting(&books), "{voters:?} {n}");
            old.merged(did(n), era);
        }
        assert!(old.is_voting(&books), "{voters:?}");
    }
    // Whoever did not vote for the change needs as many as everybody.
    let books = new(&[2, 3, 4]);
    let mut other = witness(Memory::Unsure);
    let era = other.sync_began(&books);
    (2..=3).for_each(|n| other.merged(did(n), era));
    assert_eq!(other.standing(&books), Standing::Abstaining { merged: 2, needed: 3 });
    // A set of which nobody may lie still has a voter to ask.
    let books =
        Books { set: Some(set(2, &[1, 7], Some((&[1, 2], &[1, 2])))), has_certified: false, ..self::books() };
    let mut one = witness(Memory::Unsure);
    let era = one.sync_began(&books);
    one.merged(did(7), era);
    assert_eq!(one.standing(&books), Standing::Abstaining { merged: 0, needed: 1 });
    one.merged(did(2), era);
    assert!(one.is_voting(&books));
}

#[test]
fn a_vote_of_an_older_set_is_renewed_only_by_all_the_checks() {
    let mut witness = witness(Memory::Kept);
    consider(&mut witness, "x", &books()).unwrap();
    let new = Books {
        set: Some(set(2, &[1, 2], Some((&[1, 2, 3, 4], &[2, 3, 4])))),
        has_certified: false,
        ..books()
    };
    assert!(matches!(consider(&mut witness, "x", &new), Err(Refusal::Abstaining { .. })));
    let era = witness.sync_began(&new);
    (2..=4).for_each(|n| witness.merged(did(n), era));
    assert_eq!(consider(&mut witness, "y", &new), Err(Refusal::VotedOtherwise(cid("x"))));
    let effects = consider(&mut witness, "x", &new).unwrap();
    assert!(matches!(&effects[1], WitnessEffect::Send(vote) if vote.set == 2));
}
