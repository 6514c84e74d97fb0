//! Posts: one with each act, and what is wrong with others.

use std::collections::BTreeMap;

use icn_gossip::Entry;
use icn_identity::Ed25519Verifier;
use icn_ledger::{
    Act, Approval, Budget, Certificate, CreditPolicy, Demurrage, DisputeAct, DisputeOutcome, DisputePolicy,
    Every, Finality, Mandate, OrderRef, Post, PostError, Proposal, SpacePolicy, StandingOrder, Tier,
    approval_bytes,
};
use icn_types::{Cid, JobOutcome, Timestamp, TrustContext, Value, codec};
use serde_bytes::ByteBuf;
use serde_json::{Value as Json, json};

use crate::certificates::certificate;
use crate::passes::{invitation, now};
use crate::{hex, key, verdict};

fn order() -> OrderRef {
    OrderRef { entry: Cid::of_dag_cbor(b"an order"), index: 1 }
}

fn pay(amount: i64) -> Act {
    Act::Pay {
        to: key(3).did(),
        amount,
        currency: "hours".into(),
        memo: Some("bread".into()),
        request: Some(order()),
        expires: Some(now()),
    }
}

/// One of each kind, by its name on the wire.
fn acts() -> Vec<(&'static str, Act)> {
    let member = key(3).did();
    let code = || "hours".to_owned();
    let hold = order();
    let receipt = Cid::of_dag_cbor(b"a receipt");
    let mut set = vec![key(4).did(), key(5).did(), key(6).did()];
    set.sort();
    let policy = SpacePolicy {
        finality: vec![
            Tier { from: 0, level: Finality::Accepted },
            Tier { from: 1_000, level: Finality::Certified },
            Tier { from: 100_000, level: Finality::Sealed },
        ],
        free_jobs: true,
        epoch_seconds: 60,
        ..SpacePolicy::default()
    };
    let mut mediators = vec![key(4).did(), key(5).did()];
    mediators.sort();
    let disputes = DisputePolicy { mediators, assign_seconds: 86_400, mediation_seconds: 1_209_600 };
    let full = SpacePolicy { disputes: Some(disputes), fund: Some(key(6).did()), ..policy.clone() };
    let rule = Demurrage { threshold: 5_000, rate_ppm: 20_000, period_days: 30 };
    let standing = StandingOrder {
        to: member,
        amount: 250,
        currency: code(),
        memo: Some("rent".into()),
        start: now(),
        every: Every::Months(1),
        count: Some(12),
        until: None,
        budget: None,
    };
    let within = StandingOrder { budget: Some(order()), memo: None, count: None, ..standing.clone() };
    let proposal = Proposal { treasury: member, acts: vec![pay(500)], budget: None, expires: None };
    let spending = Proposal {
        budget: Some(order()),
        expires: Some(now()),
        acts: vec![pay(3), pay(4)],
        ..proposal.clone()
    };
    let budget = Budget {
        treasury: member,
        holder: Some(key(4).did()),
        purpose: Some("tools".into()),
        currency: code(),
        amount: 5_000,
        every: Some(Every::Months(1)),
        start: now(),
        until: None,
    };
    let plain = Budget { holder: None, purpose: None, every: None, ..budget.clone() };
    let dispute = Act::Dispute;
    let resolve = |outcome| dispute(DisputeAct::Resolve { dispute: order(), outcome });
    let capped = CreditPolicy { balance_max: Some(300), ..CreditPolicy::default() };
    vec![
        ("found", Act::Found { name: "Bakers".into(), created: now() }),
        ("policy", Act::Policy(policy)),
        ("appoint", Act::Appoint { member }),
        ("dismiss", Act::Dismiss { member }),
        ("admit", Act::Admit { member, nickname: Some("Ben".into()) }),
        ("expel", Act::Expel { member }),
        ("join", Act::Join { invitation: Box::new(invitation(None)), nickname: None }),
        ("currency", Act::Currency { code: code(), decimals: 2, policy: CreditPolicy::default() }),
        ("line", Act::Line { account: member, currency: code(), limit: 5_000, number: 1 }),
        ("freeze", Act::Freeze { account: member, reason: "two entries at one place".into(), expires: None }),
        ("unfreeze", Act::Unfreeze { account: member }),
        ("witnesses", Act::Witnesses { number: 1, members: set.clone() }),
        ("treasury", Act::Treasury { account: member, approvers: set, threshold: 2 }),
        ("pay", pay(1_250)),
        ("request", Act::Request { of: member, amount: 1_250, currency: code(), memo: None, expires: None }),
        ("accept", Act::Accept { order: order() }),
        ("decline", Act::Decline { order: order(), reason: Some("twice".into()) }),
        ("return", Act::Return { order: order(), decline: Cid::of_dag_cbor(b"a decline") }),
        (
            "hold",
            Act::Hold {
                to: member,
                amount: 1_250,
                currency: code(),
                expires: now(),
                purpose: Some(Cid::of_dag_cbor(b"a job")),
            },
        ),
        ("capture", Act::Capture { hold, amount: 1_000, evidence: Some(receipt) }),
        ("claim", Act::Claim { hold, amount: 1_000, evidence: vec![receipt] }),
        (
            "seal",
            Act::Seal {
                number: 2,
                prev: Some(Cid::of_dag_cbor(b"the seal before")),
                time: now(),
                digest: ByteBuf::from(vec![7; 32]),
            },
        ),
        ("repair", Act::Repair { at: 3, lost: vec![Cid::of_dag_cbor(b"a lost entry")] }),
        (
            "trust",
            Act::Trust {
                of: member,
                context: TrustContext::Compute,
                score_ppm: 700_000,
                expires: Some(now()),
                note: Some("we have worked together".into()),
            },
        ),
        (
            "rate",
            Act::Rate {
                executor: member,
                job: Cid::of_dag_cbor(b"a job"),
                receipt: Some(receipt),
                outcome: JobOutcome::Valid,
            },
        ),
        ("policy with disputes and a fund", Act::Policy(full)),
        ("currency with a highest balance", Act::Currency { code: code(), decimals: 2, policy: capped }),
        ("freeze until a time", Act::Freeze { account: member, reason: "late".into(), expires: Some(now()) }),
        ("demurrage", Act::Demurrage { currency: code(), rule: Some(rule), fund: Some(member) }),
        ("demurrage that ends", Act::Demurrage { currency: code(), rule: None, fund: None }),
        (
            "dispute",
            dispute(DisputeAct::File {
                order: order(),
                acceptance: Cid::of_dag_cbor(b"an acceptance"),
                reason: "the wheel is loose".into(),
                evidence: vec![receipt],
            }),
        ),
        (
            "dispute: evidence",
            dispute(DisputeAct::Evidence {
                dispute: order(),
                items: vec![receipt],
                note: Some("see".into()),
            }),
        ),
        ("dispute: mediate", dispute(DisputeAct::Mediate { dispute: order(), mediator: member })),
        ("dispute: escalate", dispute(DisputeAct::Escalate { dispute: order() })),
        ("dispute: it stands", resolve(DisputeOutcome::EntryValid)),
        ("dispute: reversed", resolve(DisputeOutcome::EntryReversed)),
        ("dispute: a part", resolve(DisputeOutcome::PartialRefund { amount: 500 })),
        ("dispute: written off", resolve(DisputeOutcome::WriteOff { amount: 500 })),
        ("end_standing", Act::EndStanding { standing: order() }),
        ("standing", Act::Standing(standing)),
        (
            "write_off",
            Act::WriteOff {
                account: member,
                currency: code(),
                amount: 1_250,
                number: 1,
                reason: "left the village".into(),
            },
        ),
        ("standing: within a budget", Act::Standing(within)),
        ("propose", Act::Propose(Box::new(proposal))),
        ("propose: within a budget", Act::Propose(Box::new(spending))),
        ("approve", Act::Approve { proposal: order() }),
        ("withdraw", Act::Withdraw { proposal: order() }),
        ("budget", Act::Budget(budget)),
        ("budget: once, for standing orders", Act::Budget(plain)),
        ("end_budget", Act::EndBudget { budget: order() }),
    ]
}

/// The entry that a post is read in: of the member with seed 2, at place 7.
fn entry(body: ByteBuf) -> Entry {
    Entry {
        v: 1,
        space: key(1).did(),
        topic: "ledger:sync".parse().unwrap(),
        author: key(2).did(),
        seq: 7,
        prev: Some(Cid::of_dag_cbor(b"before")),
        deps: vec![],
        at: now(),
        body,
    }
}

fn read(bytes: &[u8]) -> Result<Post, PostError> {
    let post = Post::decode(bytes)?;
    post.check_signatures(&entry(ByteBuf::from(bytes.to_vec())), &Ed25519Verifier::new())?;
    Ok(post)
}

fn case(why: &str, wanted: Option<&str>, bytes: &[u8]) -> Json {
    let mut case = json!({"why": why, "bytes": hex(bytes)});
    let read = read(bytes);
    verdict(&mut case, wanted, &read);
    if let Ok(post) = read {
        assert_eq!(post.encode().unwrap().as_slice(), bytes, "{why}");
        case["refs"] = json!(post.refs());
    }
    case
}

fn valid() -> Vec<Json> {
    let encode = |post: Post| post.encode().unwrap();
    let mut cases: Vec<Json> =
        acts().into_iter().map(|(name, act)| case(name, None, &encode(Post::new(vec![act])))).collect();
    let certificates = vec![certificate(&[4, 5, 6])];
    let alone = Post { certificates: certificates.clone(), ..Post::new(vec![]) };
    cases.push(case("a certificate alone", None, &encode(alone)));
    let acts = vec![pay(1), Act::Accept { order: order() }];
    let bytes = approval_bytes(key(1).did(), key(2).did(), 7, &acts).unwrap();
    let mut approvals: Vec<Approval> =
        [4, 5].iter().map(|seed| Approval::sign(&key(*seed), &bytes)).collect();
    approvals.sort_by_key(|approval| approval.by);
    let key = Some("rent of November".to_owned());
    let all = Post { certificates, approvals, key, ..Post::new(acts) };
    cases.push(case("two acts, a certificate, approvals and a key", None, &encode(all)));
    for (why, mandate) in [
        ("what a proposal asks for", Mandate::Proposal(order())),
        ("what a standing order within a budget pays", Mandate::Standing(order())),
    ] {
        let post = Post { mandate: Some(mandate), ..Post::new(vec![pay(500)]) };
        cases.push(case(why, None, &encode(post)));
    }
    cases
}

/// A post whose first act was changed after it was made.
fn edited(act: Act, edit: impl Fn(&mut BTreeMap<String, Value>)) -> Vec<u8> {
    changed(&Post::new(vec![act]), |post| {
        let Some(Value::List(acts)) = post.get_mut("acts") else { panic!("a post has acts") };
        let Some(Value::Map(act)) = acts.first_mut() else { panic!("an act is a map") };
        let Some(Value::Map(fields)) = act.values_mut().next() else { panic!("of fields") };
        edit(fields);
    })
}

fn changed(post: &Post, edit: impl Fn(&mut BTreeMap<String, Value>)) -> Vec<u8> {
    let Value::Map(mut map) = codec::to_value(post).unwrap() else { panic!("a post is a map") };
    edit(&mut map);
    codec::encode(&map).unwrap()
}

fn refused() -> Vec<Json> {
    let wanted: BTreeMap<&str, Act> = acts().into_iter().collect();
    let mut cases = Vec::new();
    let mut field = |why: &str, act: &str, name: &str, value: Value| {
        let bytes = edited(wanted[act].clone(), |fields| {
            fields.insert(name.to_owned(), value.clone());
        });
        cases.push(case(why, Some("field"), &bytes));
    };
    let text = |length: usize| Value::String("x".repeat(length));
    let did = |seed: u8| Value::String(key(seed).did().to_string());
    let unsorted = || {
        let mut set = [key(4).did(), key(5).did()];
        set.sort();
        Value::List(set.iter().rev().map(|did| Value::String(did.to_string())).collect())
    };
    field("a payment of 0", "pay", "amount", Value::Integer(0));
    field("a payment of less than 0", "pay", "amount", Value::Integer(-5));
    field("a memo of 513 bytes", "pay", "memo", text(513));
    field("a memo with a control character", "pay", "memo", Value::String("a\u{7}b".into()));
    field("a code of 33 letters", "pay", "currency", text(33));
    field("an empty name", "found", "name", text(0));
    field("a nickname of 65 bytes", "admit", "nickname", text(65));
    field("10 decimals", "currency", "decimals", Value::Integer(10));
    field("a line below 0", "line", "limit", Value::Integer(-1));
    field("witness set 0", "witnesses", "number", Value::Integer(0));
    field("witnesses that are not sorted", "witnesses", "members", unsorted());
    field("a witness twice", "witnesses", "members", Value::List(vec![did(4), did(4)]));
    field("threshold 0", "treasury", "threshold", Value::Integer(0));
    field("a threshold above the number of approvers", "treasury", "threshold", Value::Integer(4));
    field("a capture of less than 0", "capture", "amount", Value::Integer(-1));
    field("a claim of 0", "claim", "amount", Value::Integer(0));
    let receipt = Value::String(Cid::of_dag_cbor(b"a receipt").to_string());
    field("17 pieces of evidence", "claim", "evidence", Value::List(vec![receipt; 17]));
    field("seal 0", "seal", "number", Value::Integer(0));
    field("a digest of 31 bytes", "seal", "digest", Value::Bytes(vec![0; 31]));
    field("more than full trust", "trust", "score_ppm", Value::Integer(1_000_001));
    field("a charge of more than everything", "demurrage", "rule", {
        let rule = Demurrage { threshold: 0, rate_ppm: 1_000_001, period_days: 30 };
        codec::decode(&codec::encode(&rule).unwrap()).unwrap()
    });
    field("write-off number 0", "write_off", "number", Value::Integer(0));
    field("a standing order of nothing", "standing", "amount", Value::Integer(0));
    field("a budget of nothing", "budget", "amount", Value::Integer(0));
    field("a budget that its treasury holds", "budget", "holder", did(3));
    field("a budget whose period is no time", "budget", "every", {
        codec::decode(&codec::encode(&Every::Days(0)).unwrap()).unwrap()
    });
    field("a proposal of nothing", "propose", "acts", Value::List(vec![]));
    field("a proposal to accept something", "propose", "acts", {
        let act = codec::to_value(&Act::Accept { order: order() }).unwrap();
        Value::List(vec![act])
    });
    field("a proposal to propose", "propose", "acts", {
        Value::List(vec![codec::to_value(&wanted["propose"]).unwrap()])
    });
    field("a repair that gives up nothing", "repair", "lost", Value::List(vec![]));
    let mut malformed = |why: &str, bytes: &[u8]| cases.push(case(why, Some("malformed"), bytes));
    let set = |act: &str, name: &str, value: Value| {
        edited(wanted[act].clone(), |fields| {
            fields.insert(name.to_owned(), value.clone());
        })
    };
    malformed("a payment of 2^63", &set("pay", "amount", Value::Integer(1 << 63)));
    malformed("a freeze with a null that should be left out", &set("freeze", "expires", Value::Null));
    malformed("an unknown field in an act", &set("pay", "tip", Value::Integer(1)));
    malformed(
        "a field left out that should be null",
        &edited(wanted["pay"].clone(), |fields| {
            fields.remove("memo");
        }),
    );
    let post = Post::new(vec![wanted["pay"].clone()]);
    let post_with = |name: &str, value: Value| {
        changed(&post, |fields| {
            fields.insert(name.to_owned(), value.clone());
        })
    };
    malformed("an unknown field of the post", &post_with("more", Value::Null));
    malformed("a null that should be left out", &post_with("key", Value::Null));
    malformed("an empty list that should be left out", &post_with("approvals", Value::List(vec![])));
    malformed("no map", b"\x80");
    let unknown = Value::Map(BTreeMap::from([("mint".to_owned(), Value::Map(BTreeMap::new()))]));
    malformed("an unknown act", &post_with("acts", Value::List(vec![unknown])));
    cases.push(case("version 2", Some("version"), &post_with("v", Value::Integer(2))));
    cases.push(case("no act and no certificate", Some("field"), &post_with("acts", Value::List(vec![]))));
    cases.push(case("a key of 65 bytes", Some("field"), &post_with("key", text(65))));
    let certified = |certificate: Certificate| {
        codec::encode(&Post { certificates: vec![certificate], ..Post::new(vec![]) }).unwrap()
    };
    let with = |edit: &dyn Fn(&mut Certificate)| {
        let mut certificate = certificate(&[4, 5, 6]);
        edit(&mut certificate);
        certified(certificate)
    };
    cases.push(case("a certificate without votes", Some("field"), &with(&|one| one.votes.clear())));
    cases.push(case("votes that are not sorted", Some("field"), &with(&|one| one.votes.reverse())));
    cases.push(case("a certificate for another place", Some("signature"), &with(&|one| one.seq = 4)));
    let joined = |edit: &dyn Fn(&mut icn_ledger::Invitation)| {
        let mut invitation = Box::new(invitation(Some(key(2).did())));
        edit(&mut invitation);
        codec::encode(&Post::new(vec![Act::Join { invitation, nickname: None }])).unwrap()
    };
    let prolonged: Timestamp = "2027-11-20T09:30:00.000Z".parse().unwrap();
    let prolong = joined(&|one| one.expires = prolonged);
    cases.push(case("an invitation that was prolonged", Some("signature"), &prolong));
    cases.push(case(
        "an invitation for another member",
        Some("field"),
        &joined(&|one| {
            *one = invitation(Some(key(3).did()));
        }),
    ));
    cases.push(case(
        "an invitation to another space",
        Some("field"),
        &joined(&|one| {
            one.space = key(9).did();
        }),
    ));
    let approval = Approval::sign(&key(4), b"something else");
    let approved = Post { approvals: vec![approval], ..post };
    cases.push(case("an approval of something else", Some("signature"), &codec::encode(&approved).unwrap()));
    cases
}

pub fn file() -> Json {
    json!({
        "space": key(1).did(),
        "author": key(2).did(),
        "seq": 7,
        "valid": valid(),
        "refused": refused(),
    })
}
