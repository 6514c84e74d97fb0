use icn_gossip::Entry;
use icn_identity::{Ed25519Verifier, Keypair};
use icn_types::codec;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::certificate::{Approval, Certificate, Vote, approval_bytes};
use crate::error::PostError;
use crate::invitation::InvitationTerms;
use crate::policy::{Finality, Tier};
use crate::treasury::Mandate;
use crate::{DisputeAct, DisputeOutcome, Every};

fn key(n: u8) -> Keypair {
    Keypair::from_seed([n; 32])
}

fn entry(author: u8, seq: u64, post: &Post) -> Entry {
    Entry {
        v: 1,
        space: key(1).did(),
        topic: crate::LEDGER_TOPIC.parse().unwrap(),
        author: key(author).did(),
        seq,
        prev: (seq > 1).then(|| Cid::of_dag_cbor(b"before")),
        deps: vec![],
        at: Timestamp::from_millis(1),
        body: post.encode().unwrap(),
    }
}

fn pay(amount: i64) -> Act {
    let currency = "hours".into();
    Act::Pay { to: key(3).did(), amount, currency, memo: None, request: None, expires: None }
}

fn trust(score_ppm: u32, note: Option<String>) -> Act {
    Act::Trust { of: key(3).did(), context: TrustContext::General, score_ppm, expires: None, note }
}

fn check(author: u8, seq: u64, post: &Post) -> Result<(), PostError> {
    post.check_signatures(&entry(author, seq, post), &Ed25519Verifier::new())
}

#[test]
fn certificates_in_a_post_must_hold_in_its_space() {
    let vote = |space| Vote { space, author: key(4).did(), seq: 1, entry: Cid::of_dag_cbor(b"x"), set: 1 };
    let post = |space| {
        let Vote { author, seq, entry, set, .. } = vote(space);
        let signed = vote(space).sign(&key(9)).unwrap();
        let certificate = Certificate { author, seq, entry, set, votes: vec![(signed.by, signed.sig)] };
        Post { certificates: vec![certificate], ..Post::new(vec![]) }
    };
    check(2, 1, &post(key(1).did())).unwrap();
    assert!(matches!(check(2, 1, &post(key(5).did())), Err(PostError::Signature(_))));
}

#[test]
fn approvals_in_a_post_are_for_its_acts_its_author_and_its_place() {
    let acts = vec![pay(5)];
    let post = |seq, acts: &[Act]| {
        let bytes = approval_bytes(key(1).did(), key(2).did(), seq, acts).unwrap();
        let mut approvals = vec![Approval::sign(&key(6), &bytes), Approval::sign(&key(7), &bytes)];
        approvals.sort_by_key(|approval| approval.by);
        Post { approvals, ..Post::new(vec![pay(5)]) }
    };
    check(2, 3, &post(3, &acts)).unwrap();
    assert!(matches!(check(2, 4, &post(3, &acts)), Err(PostError::Signature(_))));
    assert!(matches!(check(8, 3, &post(3, &acts)), Err(PostError::Signature(_))));
    assert!(matches!(check(2, 3, &post(3, &[pay(6)])), Err(PostError::Signature(_))));
    // One approver twice would pass for two.
    let mut doubled = post(3, &acts);
    doubled.approvals[1] = doubled.approvals[0].clone();
    assert!(matches!(doubled.encode(), Err(PostError::Field("approvals", _))));
    doubled = post(3, &acts);
    doubled.approvals.reverse();
    assert!(matches!(doubled.encode(), Err(PostError::Field("approvals", _))));
}

#[test]
fn an_invitation_is_taken_up_in_its_space_by_whom_it_names() {
    let join = |space: u8, member: Option<u8>, edit: &dyn Fn(&mut Invitation)| {
        let terms = InvitationTerms {
            space: key(space).did(),
            name: "Bakers".into(),
            member: member.map(|member| key(member).did()),
            expires: Timestamp::from_millis(9),
            nonce: [1; 16],
            peers: vec![],
        };
        let mut invitation = Invitation::issue(&key(1), terms).unwrap();
        edit(&mut invitation);
        Post::new(vec![Act::Join { invitation: Box::new(invitation), nickname: None }])
    };
    check(2, 1, &join(1, None, &|_| ())).unwrap();
    check(2, 1, &join(1, Some(2), &|_| ())).unwrap();
    assert!(matches!(check(2, 1, &join(1, Some(3), &|_| ())), Err(PostError::Field("invitation", _))));
    assert!(matches!(check(2, 1, &join(5, None, &|_| ())), Err(PostError::Field("invitation", _))));
    let later = |invitation: &mut Invitation| invitation.expires = Timestamp::from_millis(10);
    assert!(matches!(check(2, 1, &join(1, None, &later)), Err(PostError::Signature(_))));
}

#[test]
fn ranges_are_refused() {
    let cid = Cid::of_dag_cbor(b"x");
    let hold = OrderRef { entry: cid, index: 0 };
    let did = key(3).did();
    let currency =
        |code: &str, decimals| Act::Currency { code: code.into(), decimals, policy: CreditPolicy::default() };
    let memo = |memo: &str| Act::Pay {
        to: did,
        amount: 1,
        currency: "hours".into(),
        memo: Some(memo.into()),
        request: None,
        expires: None,
    };
    let credit = |edit: &dyn Fn(&mut CreditPolicy)| {
        let mut policy = CreditPolicy::default();
        edit(&mut policy);
        Act::Currency { code: "hours".into(), decimals: 2, policy }
    };
    let tiers = |finality: Vec<(i64, Finality)>| {
        let finality = finality.into_iter().map(|(from, level)| Tier { from, level }).collect();
        Act::Policy(SpacePolicy { finality, ..SpacePolicy::default() })
    };
    let seal = |number, len| Act::Seal {
        number,
        prev: None,
        time: Timestamp::from_millis(0),
        digest: ByteBuf::from(vec![0; len]),
    };
    let treasury = |approvers: Vec<Did>, threshold| Act::Treasury { account: did, approvers, threshold };
    let refused = [
        pay(0),
        pay(-1),
        pay(i64::MIN),
        memo(&"m".repeat(513)),
        memo("two\nlines"),
        currency("", 0),
        currency("two words", 0),
        currency("hours", 10),
        credit(&|policy| policy.initial = -20),
        credit(&|policy| policy.initial = 501),
        credit(&|policy| policy.growth_per = 0),
        credit(&|policy| policy.max = 1_000_000_001),
        tiers(vec![(1, Finality::Accepted)]),
        tiers(vec![(0, Finality::Certified), (5, Finality::Accepted)]),
        tiers(vec![(0, Finality::Accepted); 2]),
        Act::Line { account: did, currency: "hours".into(), limit: -1, number: 1 },
        Act::Capture { hold, amount: -1, evidence: None },
        Act::Claim { hold, amount: 0, evidence: vec![] },
        Act::Claim { hold, amount: 1, evidence: vec![cid; 17] },
        Act::Witnesses { number: 0, members: vec![] },
        Act::Witnesses { number: 1, members: vec![did, did] },
        treasury(vec![did], 0),
        treasury(vec![did], 2),
        treasury(vec![], 1),
        seal(0, 32),
        seal(1, 31),
        Act::Repair { at: 1, lost: vec![] },
        trust(1_000_001, None),
        trust(1, Some("n".repeat(513))),
        Act::Found { name: String::new(), created: Timestamp::from_millis(0) },
        Act::Admit { member: did, nickname: Some("n".repeat(65)) },
    ];
    for act in refused {
        assert!(Post::new(vec![act.clone()]).encode().is_err(), "{act:?}");
        // What the own encoder refuses, a stranger's bytes must not bring in either.
        let bytes = codec::encode(&Post::new(vec![act.clone()])).unwrap();
        assert!(Post::decode(&bytes).is_err(), "{act:?}");
    }
    assert!(Post::new(vec![]).encode().is_err());
    assert!(Post::new(vec![pay(1); 257]).encode().is_err());
    assert!(Post { v: 2, ..Post::new(vec![pay(1)]) }.encode().is_err());
    assert!(Post { key: Some("k".repeat(65)), ..Post::new(vec![pay(1)]) }.encode().is_err());
    assert!(Post::new(vec![pay(1); 256]).encode().is_ok());
}

#[test]
fn one_post_has_one_byte_string() {
    let value = codec::decode_value(&Post::new(vec![pay(1)]).encode().unwrap()).unwrap();
    let icn_types::Value::Map(map) = value else { panic!("a post is a map") };
    let add = |name: &str, value| {
        let mut map = map.clone();
        map.insert(name.to_owned(), value);
        codec::encode(&icn_types::Value::Map(map)).unwrap()
    };
    assert!(Post::decode(&add("v", icn_types::Value::Integer(1))).is_ok());
    assert!(Post::decode(&add("extra", icn_types::Value::Integer(1))).is_err());
    assert!(Post::decode(&add("key", icn_types::Value::Null)).is_err());
    assert!(Post::decode(&add("approvals", icn_types::Value::List(vec![]))).is_err());
}

#[test]
fn proposals_within_proposals_are_refused_however_deep_they_are() {
    // Written by hand: to make so deep an act, or to drop one, would need the stack that reading it must not need.
    let did = codec::encode(&key(1).did()).unwrap();
    let inner = codec::encode(&pay(1)).unwrap();
    for depth in [1_usize, 100, 2_000, 20_000] {
        let mut bytes = Vec::new();
        // {"v": 1, "acts": [act]}, and in it {"propose": {"acts": [act], "treasury": did}}.
        bytes.extend([0xa2, 0x61, b'v', 1, 0x64]);
        bytes.extend(b"acts");
        bytes.push(0x81);
        for _ in 0..depth {
            bytes.extend([0xa1, 0x67]);
            bytes.extend(b"propose");
            bytes.extend([0xa2, 0x64]);
            bytes.extend(b"acts");
            bytes.push(0x81);
        }
        bytes.extend(&inner);
        for _ in 0..depth {
            bytes.push(0x68);
            bytes.extend(b"treasury");
            bytes.extend(&did);
        }
        assert_eq!(Post::decode(&bytes).is_ok(), depth == 1, "{depth}");
    }
}

fn any_did() -> impl Strategy<Value = Did> {
    any::<[u8; 32]>().prop_map(Did::from_public_key)
}

fn any_cid() -> impl Strategy<Value = Cid> {
    any::<[u8; 8]>().prop_map(|bytes| Cid::of_dag_cbor(&bytes))
}

fn any_order() -> impl Strategy<Value = OrderRef> {
    (any_cid(), any::<u32>()).prop_map(|(entry, index)| OrderRef { entry, index })
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_799_999_u64).prop_map(Timestamp::from_millis)
}

fn any_set() -> impl Strategy<Value = Vec<Did>> {
    proptest::collection::btree_set(any_did(), 1..6).prop_map(|set| set.into_iter().collect())
}

fn any_sig() -> impl Strategy<Value = ByteBuf> {
    vec(any::<u8>(), 64).prop_map(ByteBuf::from)
}

fn any_invitation() -> impl Strategy<Value = Box<Invitation>> {
    let who = (any_did(), any_did(), option::of(any_did()));
    (who, any_time(), vec(any::<u8>(), 16), any_sig(), vec("[a-z/]{0,20}", 0..4)).prop_map(
        |((space, issuer, member), expires, nonce, sig, peers)| {
            let (name, nonce) = ("Bäcker".into(), ByteBuf::from(nonce));
            Box::new(Invitation { space, name, issuer, member, expires, nonce, peers, sig })
        },
    )
}

fn any_act() -> impl Strategy<Value = Act> {
    let amount = || 1..=i64::MAX;
    let code = || "[A-Za-z0-9_-]{1,32}";
    let memo = || option::of("[^\\p{Cc}]{0,40}");
    let nickname = || option::of("[a-zä ]{1,20}");
    prop_oneof![
        ("[a-z]{1,64}", any_time()).prop_map(|(name, created)| Act::Found { name, created }),
        (any::<bool>(), any::<u64>()).prop_map(|(free_jobs, epoch_seconds)| {
            let epoch_seconds = epoch_seconds >> 1;
            Act::Policy(SpacePolicy { free_jobs, epoch_seconds, ..SpacePolicy::default() })
        }),
        any_did().prop_map(|member| Act::Appoint { member }),
        any_did().prop_map(|member| Act::Dismiss { member }),
        (any_did(), nickname()).prop_map(|(member, nickname)| Act::Admit { member, nickname }),
        any_did().prop_map(|member| Act::Expel { member }),
        (any_invitation(), nickname()).prop_map(|(invitation, nickname)| Act::Join { invitation, nickname }),
        (code(), 0..=9u8, 0..1_000_000_i64).prop_map(|(code, decimals, initial)| {
            let policy = CreditPolicy { initial, max: initial * 2, ..CreditPolicy::default() };
            Act::Currency { code, decimals, policy }
        }),
        (any_did(), code(), 0..=i64::MAX, any::<u64>())
            .prop_map(|(account, currency, limit, number)| Act::Line { account, currency, limit, number }),
        (any_did(), "[^\\p{Cc}]{0,40}", option::of(any_time()))
            .prop_map(|(account, reason, expires)| Act::Freeze { account, reason, expires }),
        any_did().prop_map(|account| Act::Unfreeze { account }),
        (1..=u64::MAX, any_set()).prop_map(|(number, members)| Act::Witnesses { number, members }),
        (any_did(), any_set()).prop_map(|(account, approvers)| {
            let threshold = u32::try_from(approvers.len()).unwrap();
            Act::Treasury { account, approvers, threshold }
        }),
        (any_did(), amount(), code(), memo(), option::of(any_order()), option::of(any_time())).prop_map(
            |(to, amount, currency, memo, request, expires)| Act::Pay {
                to,
                amount,
                currency,
                memo,
                request,
                expires
            }
        ),
        (any_did(), amount(), code(), memo(), option::of(any_time())).prop_map(
            |(of, amount, currency, memo, expires)| Act::Request { of, amount, currency, memo, expires }
        ),
        any_order().prop_map(|order| Act::Accept { order }),
        (any_order(), memo()).prop_map(|(order, reason)| Act::Decline { order, reason }),
        (any_order(), any_cid()).prop_map(|(order, decline)| Act::Return { order, decline }),
        (any_did(), amount(), code(), any_time(), option::of(any_cid())).prop_map(
            |(to, amount, currency, expires, purpose)| Act::Hold { to, amount, currency, expires, purpose }
        ),
        (any_order(), 0..=i64::MAX, option::of(any_cid()))
            .prop_map(|(hold, amount, evidence)| Act::Capture { hold, amount, evidence }),
        (any_order(), amount(), vec(any_cid(), 0..4)).prop_map(|(hold, amount, evidence)| Act::Claim {
            hold,
            amount,
            evidence
        }),
        (1..=u64::MAX, option::of(any_cid()), any_time(), any::<[u8; 32]>()).prop_map(
            |(number, prev, time, digest)| Act::Seal {
                number,
                prev,
                time,
                digest: ByteBuf::from(digest.to_vec())
            }
        ),
        (any::<u64>(), vec(any_cid(), 1..4)).prop_map(|(at, lost)| Act::Repair { at, lost }),
        (any_did(), 0_u32..=1_000_000, option::of(any_time()), memo()).prop_map(
            |(of, score_ppm, expires, note)| Act::Trust {
                of,
                context: TrustContext::Ledger,
                score_ppm,
                expires,
                note
            }
        ),
        (any_did(), any_cid(), option::of(any_cid())).prop_map(|(executor, job, receipt)| Act::Rate {
            executor,
            job,
            receipt,
            outcome: JobOutcome::Missing
        }),
        (code(), option::of((0..=i64::MAX, 1..=1_000_000_u32, 1..=3_660_u32, any_did()))).prop_map(
            |(currency, rule)| {
                let fund = rule.map(|(.., fund)| fund);
                let rule = rule.map(|(threshold, rate_ppm, period_days, _)| crate::Demurrage {
                    threshold,
                    rate_ppm,
                    period_days,
                });
                Act::Demurrage { currency, rule, fund }
            }
        ),
        any_dispute().prop_map(Act::Dispute),
        any_order().prop_map(|standing| Act::EndStanding { standing }),
        (any_did(), amount(), code(), memo(), any_time(), 1..=3_660_u32, option::of(1..=100_000_u32))
            .prop_map(|(to, amount, currency, memo, start, every, count)| Act::Standing(
                crate::StandingOrder {
                    to,
                    amount,
                    currency,
                    memo,
                    start,
                    every: if every % 2 == 0 {
                        crate::Every::Days(every)
                    } else {
                        crate::Every::Months(every)
                    },
                    count,
                    until: count.map(|_| start),
                    budget: None,
                }
            )),
        (any_did(), code(), amount(), 1..=u64::MAX, "[^\\p{Cc}]{0,40}").prop_map(
            |(account, currency, amount, number, reason)| Act::WriteOff {
                account,
                currency,
                amount,
                number,
                reason
            }
        ),
    ]
}

/// What stands about treasuries.
fn any_treasury_act() -> impl Strategy<Value = Act> {
    let every =
        || prop_oneof![(1..=3_660_u32).prop_map(Every::Days), (1..=3_660_u32).prop_map(Every::Months)];
    let text = || option::of("[^\\p{Cc}]{0,40}");
    let budget = (any_did(), option::of(any_did()), text(), 1..=i64::MAX, option::of(every()), any_time());
    prop_oneof![
        (any_did(), vec(any_act(), 1..4), option::of(any_order()), option::of(any_time()))
            .prop_map(|(treasury, acts, budget, expires)| Proposal { treasury, acts, budget, expires })
            .prop_filter("a proposal holds what needs approvals", |proposal| proposal.check().is_ok())
            .prop_map(|proposal| Act::Propose(Box::new(proposal))),
        any_order().prop_map(|proposal| Act::Approve { proposal }),
        any_order().prop_map(|proposal| Act::Withdraw { proposal }),
        any_order().prop_map(|budget| Act::EndBudget { budget }),
        budget.prop_filter_map("it is none", |(treasury, holder, purpose, amount, every, start)| {
            let currency = "hours".to_owned();
            let terms = Budget { treasury, holder, purpose, currency, amount, every, start, until: None };
            terms.check().is_ok().then_some(Act::Budget(terms))
        }),
    ]
}

fn any_dispute() -> impl Strategy<Value = DisputeAct> {
    let outcome = prop_oneof![
        Just(DisputeOutcome::EntryValid),
        Just(DisputeOutcome::EntryReversed),
        (1..=i64::MAX).prop_map(|amount| DisputeOutcome::PartialRefund { amount }),
        (1..=i64::MAX).prop_map(|amount| DisputeOutcome::WriteOff { amount }),
    ];
    let text = || "[^\\p{Cc}]{0,40}";
    prop_oneof![
        (any_order(), any_cid(), text(), vec(any_cid(), 0..4)).prop_map(
            |(order, acceptance, reason, evidence)| DisputeAct::File { order, acceptance, reason, evidence }
        ),
        (any_order(), vec(any_cid(), 1..4), option::of(text()))
            .prop_map(|(dispute, items, note)| DisputeAct::Evidence { dispute, items, note }),
        (any_order(), any_did()).prop_map(|(dispute, mediator)| DisputeAct::Mediate { dispute, mediator }),
        any_order().prop_map(|dispute| DisputeAct::Escalate { dispute }),
        (any_order(), outcome).prop_map(|(dispute, outcome)| DisputeAct::Resolve { dispute, outcome }),
    ]
}

fn any_certificate() -> impl Strategy<Value = Certificate> {
    let place = (any_did(), 1..=i64::MAX as u64, any_cid(), 1..=i64::MAX as u64);
    (place, proptest::collection::btree_map(any_did(), any_sig(), 1..4)).prop_map(
        |((author, seq, entry, set), votes)| {
            let votes = votes.into_iter().collect();
            Certificate { author, seq, entry, set, votes }
        },
    )
}

fn any_post() -> impl Strategy<Value = Post> {
    let approvals = proptest::collection::btree_map(any_did(), any_sig(), 0..3);
    let acts = vec(prop_oneof![4 => any_act(), 1 => any_treasury_act()], 1..5);
    let mandate = option::of(prop_oneof![
        any_order().prop_map(Mandate::Proposal),
        any_order().prop_map(Mandate::Standing)
    ]);
    (acts, vec(any_certificate(), 0..3), approvals, option::of("[a-z0-9]{1,64}"), mandate).prop_map(
        |(acts, certificates, approvals, key, mandate)| {
            let approvals = approvals.into_iter().map(|(by, sig)| Approval { by, sig }).collect();
            Post { certificates, approvals, key, mandate, ..Post::new(acts) }
        },
    )
}

proptest! {
    #[test]
    fn decode_undoes_encode(post in any_post()) {
        let bytes = post.encode().unwrap();
        prop_assert_eq!(Post::decode(&bytes).unwrap(), post.clone());
        let refs = post.refs();
        prop_assert!(refs.is_sorted_by(|a, b| a < b));
        prop_assert!(post.certificates.iter().all(|certificate| refs.contains(&certificate.entry)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Post::decode(&bytes);
        let _ = crate::SignedVote::parse(&bytes);
    }

    #[test]
    fn damaged_posts_do_not_make_it_panic_and_have_one_form(
        post in any_post(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = post.encode().unwrap().into_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = Post::decode(&bytes) {
            prop_assert_eq!(read.encode().unwrap().into_vec(), bytes);
            let _ = read.check_signatures(&entry(2, 1, &read), &Ed25519Verifier::new());
        }
    }

    #[test]
    fn names_of_orders_are_read_back(order in any_order(), text in ".{0,40}") {
        prop_assert_eq!(order.to_string().parse::<OrderRef>().unwrap(), order);
        let _ = text.parse::<OrderRef>();
    }
}
