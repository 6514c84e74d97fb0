//! A small space, entry by entry: verdicts, totals, and the digest of a seal.

use std::collections::BTreeMap;

use icn_gossip::{Entry, VerifiedEntry};
use icn_ledger::{Act, Books, CreditPolicy, Item, OrderRef, Post, Verdict};
use icn_types::{Cid, Did, Timestamp};
use serde_bytes::ByteBuf;
use serde_json::{Value as Json, json};

use crate::{hex, key};

/// The space as it grows. Every entry names all heads.
struct Story {
    books: Books,
    entries: Vec<VerifiedEntry>,
    heads: Vec<Cid>,
    places: BTreeMap<Cid, u32>,
    steps: Vec<Json>,
}

impl Story {
    fn last_of(&self, author: Did) -> Option<&VerifiedEntry> {
        self.entries.iter().rev().find(|entry| entry.entry().author == author)
    }

    /// Returns the places of `prev` and `deps` of the author's next entry.
    fn parents(&self, author: Did) -> Vec<u32> {
        let prev = self.last_of(author).map(VerifiedEntry::id);
        self.heads.iter().chain(prev.iter()).map(|id| self.places[id]).collect()
    }

    /// Writes an entry; `codes` are what is to become of its acts.
    fn say(&mut self, seed: u8, acts: Vec<Act>, codes: &[&str]) -> Cid {
        let author = key(seed).did();
        let prev = self.last_of(author).map(|last| (last.id(), last.entry().seq));
        let mut deps = self.heads.clone();
        deps.retain(|head| Some(*head) != prev.map(|(id, _)| id));
        deps.sort();
        let post = Post::new(acts);
        let at: Timestamp = "2026-11-20T09:30:00.000Z".parse().unwrap();
        let entry = Entry {
            v: 1,
            space: key(1).did(),
            topic: "ledger:sync".parse().unwrap(),
            author,
            seq: prev.map_or(1, |(_, seq)| seq + 1),
            prev: prev.map(|(id, _)| id),
            deps: deps.clone(),
            at,
            body: post.encode().unwrap(),
        };
        let entry = entry.sign(&key(seed)).unwrap();
        let place = |id: &Cid| self.places[id];
        let item = Item {
            idx: u32::try_from(self.entries.len()).unwrap(),
            prev: entry.entry().prev.as_ref().map(place),
            deps: deps.iter().map(place).collect(),
            refs: post.refs().iter().map(|id| (*id, place(id))).collect(),
            id: entry.id(),
            author,
            seq: entry.entry().seq,
            at,
            space: key(1).did(),
            post,
        };
        self.places.insert(entry.id(), item.idx);
        let outcome = self.books.apply(item);
        assert!(!outcome.rejudge);
        let verdicts: Vec<&str> = outcome
            .verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Valid => "valid",
                Verdict::Invalid(reason) => reason.code(),
            })
            .collect();
        assert_eq!(verdicts, codes);
        self.steps.push(json!({
            "entry": hex(&entry.signed().to_bytes()),
            "id": entry.id(),
            "verdicts": verdicts,
        }));
        let id = entry.id();
        self.heads = vec![id];
        self.entries.push(entry);
        id
    }
}

fn pay(amount: i64) -> Act {
    Act::Pay { to: key(3).did(), amount, currency: "hours".into(), memo: None, request: None, expires: None }
}

fn seal(number: u64, prev: Option<Cid>, digest: &[u8]) -> Act {
    let time = Timestamp::from_millis(1_795_167_000_000 + 60_000 * number);
    Act::Seal { number, prev, time, digest: ByteBuf::from(digest.to_vec()) }
}

pub fn file() -> Json {
    let mut story = Story {
        books: Books::new(key(1).did()),
        entries: Vec::new(),
        heads: Vec::new(),
        places: BTreeMap::new(),
        steps: Vec::new(),
    };
    let created = "2026-11-20T09:30:00.000Z".parse().unwrap();
    let currency = Act::Currency { code: "hours".into(), decimals: 2, policy: CreditPolicy::default() };
    let admit = |seed: u8| Act::Admit { member: key(seed).did(), nickname: None };
    let found = vec![Act::Found { name: "Bakers".into(), created }, currency, admit(2), admit(3)];
    story.say(1, found, &["valid"; 4]);
    // The line of a newcomer is 20.00.
    let paid = story.say(2, vec![pay(1_250), pay(751), pay(750)], &["valid", "limit_exceeded", "valid"]);
    let order = |index: u32| OrderRef { entry: paid, index };
    let accept = |index: u32| Act::Accept { order: order(index) };
    story.say(3, vec![accept(0), accept(0), accept(1)], &["valid", "already_done", "order_invalid"]);
    story.say(2, vec![Act::Accept { order: order(2) }], &["not_yours"]);
    story.say(4, vec![pay(1)], &["not_a_member"]);
    let digest = story.books.cut_digest(&story.parents(key(1).did())).unwrap();
    let first = story.say(1, vec![seal(1, None, &digest)], &["valid"]);
    let decline = story.say(3, vec![Act::Decline { order: order(2), reason: None }], &["valid"]);
    story.say(2, vec![Act::Return { order: order(2), decline }], &["valid"]);
    let second = story.books.cut_digest(&story.parents(key(1).did())).unwrap();
    story.say(1, vec![seal(2, Some(first), &second)], &["valid"]);
    let balances: Vec<Json> = [2, 3]
        .map(|seed| {
            let balance = story.books.balance(&key(seed).did(), "hours");
            json!({
                "account": key(seed).did(),
                "currency": "hours",
                "booked": balance.booked,
                "reserved": balance.reserved,
                "available": balance.available,
            })
        })
        .into();
    json!({
        "space": key(1).did(),
        "steps": story.steps,
        "balances": balances,
        "seals": [hex(&digest), hex(&second)],
    })
}
