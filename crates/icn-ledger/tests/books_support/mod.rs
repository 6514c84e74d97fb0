//! Histories of a space, written by hand or drawn from a seed. Signatures are not checked by the books and stay empty.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "only tests use it, each a part of it"
)]

use std::collections::{BTreeMap, BTreeSet};

use icn_ledger::{
    Act, Approval, Books, Budget, Certificate, CreditPolicy, Demurrage, DisputeAct, DisputeOutcome,
    DisputePolicy, Every, Invitation, Item, Mandate, OrderRef, Post, Proposal, SpacePolicy, StandingOrder,
    Tier, Verdict,
};
use icn_types::{Cid, Did, JobOutcome, Timestamp, TrustContext, codec};
use serde_bytes::ByteBuf;

pub const HOURS: &str = "hours";

/// One entry, by the places of others in the history.
#[derive(Debug, Clone)]
pub struct Raw {
    pub id: Cid,
    pub author: Did,
    pub seq: u64,
    pub prev: Option<usize>,
    pub deps: Vec<usize>,
    pub post: Post,
    pub at: u64,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub raws: Vec<Raw>,
    pub by_id: BTreeMap<Cid, usize>,
    /// What lies in the past of each, itself with it.
    pub pasts: Vec<BTreeSet<usize>>,
}

pub fn did(n: u8) -> Did {
    Did::from_public_key([n; 32])
}

pub fn root() -> Did {
    did(1)
}

impl History {
    /// Writes an entry behind `prev`, with these others in its past.
    pub fn write(&mut self, author: Did, prev: Option<usize>, deps: &[usize], post: Post) -> usize {
        let seq = prev.map_or(1, |prev| self.raws[prev].seq + 1);
        let at = self.raws.len() as u64;
        let named: Vec<Cid> = deps.iter().map(|dep| self.raws[*dep].id).collect();
        let before = prev.map(|prev| self.raws[prev].id);
        let body = codec::encode(&(author, seq, before, named, &post, at)).unwrap();
        let id = Cid::of_dag_cbor(&body);
        let mut past = BTreeSet::from([self.raws.len()]);
        let refs: Vec<usize> = post.refs().iter().map(|id| self.by_id[id]).collect();
        for parent in prev.iter().chain(deps).chain(&refs) {
            past.extend(self.pasts[*parent].clone());
        }
        self.by_id.insert(id, self.raws.len());
        self.pasts.push(past);
        self.raws.push(Raw { id, author, seq, prev, deps: deps.to_vec(), post, at });
        self.raws.len() - 1
    }

    /// Turns entries into items, in this order, which is a causal one.
    pub fn items(&self, order: &[usize]) -> Vec<Item> {
        let place: BTreeMap<usize, u32> = order.iter().enumerate().map(|(n, raw)| (*raw, n as u32)).collect();
        let item = |(n, raw): (usize, &usize)| {
            let raw = &self.raws[*raw];
            Item {
                idx: n as u32,
                prev: raw.prev.map(|prev| place[&prev]),
                deps: raw.deps.iter().map(|dep| place[dep]).collect(),
                refs: raw.post.refs().iter().map(|id| (*id, place[&self.by_id[id]])).collect(),
                id: raw.id,
                author: raw.author,
                seq: raw.seq,
                at: Timestamp::from_millis(raw.at),
                space: root(),
                post: raw.post.clone(),
            }
        };
        order.iter().enumerate().map(item).collect()
    }

    /// Applies in an order, and judges anew whenever the books ask for it.
    pub fn apply(&self, order: &[usize]) -> Books {
        let items = self.items(order);
        let mut books = Books::new(root());
        for (n, item) in items.iter().enumerate() {
            if books.apply(item.clone()).rejudge {
                books.rejudge(items[..=n].to_vec());
            }
        }
        books
    }

    /// Applies everything, and judges anew at the end at most.
    pub fn apply_late(&self, order: &[usize]) -> Books {
        let items = self.items(order);
        let mut books = Books::new(root());
        for item in &items {
            books.apply(item.clone());
        }
        if books.needs_rejudge() {
            books.rejudge(items);
        }
        books
    }

    /// Judges everything at once.
    pub fn replay(&self, order: &[usize]) -> Books {
        let mut books = Books::new(root());
        books.rejudge(self.items(order));
        books
    }

    pub fn all(&self) -> Vec<usize> {
        (0..self.raws.len()).collect()
    }

    /// Draws some causal order of these entries.
    pub fn shuffle(&self, random: &mut Random, of: &[usize]) -> Vec<usize> {
        let mut left: BTreeSet<usize> = of.iter().copied().collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let ready: Vec<usize> = left
                .iter()
                .copied()
                .filter(|raw| self.pasts[*raw].iter().all(|one| one == raw || !left.contains(one)))
                .collect();
            let next = ready[random.below(ready.len())];
            left.remove(&next);
            order.push(next);
        }
        order
    }

    pub fn heads(&self, of: &BTreeSet<usize>) -> Vec<usize> {
        let covered: BTreeSet<usize> = of
            .iter()
            .flat_map(|raw| self.pasts[*raw].iter().copied().filter(move |one| one != raw))
            .collect();
        of.difference(&covered).copied().collect()
    }

    pub fn order(&self, raw: usize, index: u32) -> OrderRef {
        OrderRef { entry: self.raws[raw].id, index }
    }

    pub fn certificate(&self, raw: usize, set: u64, voters: &[Did]) -> Certificate {
        let raw = &self.raws[raw];
        let mut voters = voters.to_vec();
        voters.sort_unstable();
        let votes = voters.into_iter().map(|voter| (voter, ByteBuf::from(vec![0; 64]))).collect();
        Certificate { author: raw.author, seq: raw.seq, entry: raw.id, set, votes }
    }

    /// Verdicts of all entries, by id.
    pub fn verdicts(&self, order: &[usize], books: &Books) -> BTreeMap<usize, Vec<Verdict>> {
        order.iter().enumerate().map(|(n, raw)| (*raw, books.verdicts(n as u32))).collect()
    }
}

/// A chain of entries per author, each with all that was written before in its past.
#[derive(Debug, Default)]
pub struct Story {
    pub history: History,
    pub heads: BTreeMap<Did, usize>,
}

impl Story {
    /// Founds a space with a currency without decimals; members 2.. are admitted with lines of 20.
    pub fn founded(members: u8) -> Self {
        let mut story = Self::default();
        let mut acts = vec![
            Act::Found { name: "north".into(), created: Timestamp::from_millis(1) },
            Act::Currency { code: HOURS.into(), decimals: 0, policy: CreditPolicy::default() },
        ];
        acts.extend((2..2 + members).map(|n| Act::Admit { member: did(n), nickname: None }));
        story.says(root(), acts);
        story
    }

    /// Lets an author say something, with everything in its past.
    pub fn says(&mut self, author: Did, acts: Vec<Act>) -> usize {
        self.posts(author, Post::new(acts))
    }

    pub fn posts(&mut self, author: Did, post: Post) -> usize {
        let all: BTreeSet<usize> = self.history.all().into_iter().collect();
        self.posts_knowing(author, &all, post)
    }

    pub fn says_knowing(&mut self, author: Did, known: &[usize], acts: Vec<Act>) -> usize {
        let mut past = BTreeSet::new();
        for one in known {
            past.extend(self.history.pasts[*one].clone());
        }
        self.posts_knowing(author, &past, Post::new(acts))
    }

    pub fn posts_knowing(&mut self, author: Did, known: &BTreeSet<usize>, post: Post) -> usize {
        let prev = self.heads.get(&author).copied();
        let mut known = known.clone();
        if let Some(prev) = prev {
            known.extend(self.history.pasts[prev].clone());
        }
        let deps: Vec<usize> =
            self.history.heads(&known).into_iter().filter(|head| Some(*head) != prev).collect();
        let raw = self.history.write(author, prev, &deps, post);
        self.heads.insert(author, raw);
        raw
    }

    pub fn books(&self) -> Books {
        let order = self.history.all();
        let books = self.history.apply(&order);
        let again = self.history.replay(&order);
        assert_eq!(books.digest(), again.digest(), "incremental and replayed books differ");
        assert!(books.check_zero_sum());
        books
    }

    pub fn verdict(&self, raw: usize) -> Verdict {
        self.books().verdicts(raw as u32)[0]
    }

    /// Seals all that was written so far.
    pub fn seal(&mut self, author: Did, number: u64, prev: Option<usize>, time: u64) -> usize {
        let books = self.books();
        let digest =
            books.cut_digest(&self.history.all().iter().map(|n| *n as u32).collect::<Vec<_>>()).unwrap();
        let prev = prev.map(|prev| self.history.raws[prev].id);
        self.says(
            author,
            vec![Act::Seal {
                number,
                prev,
                time: Timestamp::from_millis(time),
                digest: ByteBuf::from(digest.to_vec()),
            }],
        )
    }

    pub fn certify(&mut self, carrier: Did, raw: usize, set: u64, voters: &[Did]) -> usize {
        let certificate = self.history.certificate(raw, set, voters);
        self.posts(carrier, Post { certificates: vec![certificate], ..Post::new(vec![]) })
    }
}

pub fn pay(to: Did, amount: i64) -> Act {
    Act::Pay { to, amount, currency: HOURS.into(), memo: None, request: None, expires: None }
}

pub fn pay_until(to: Did, amount: i64, expires: u64) -> Act {
    let expires = Some(Timestamp::from_millis(expires));
    Act::Pay { to, amount, currency: HOURS.into(), memo: None, request: None, expires }
}

pub fn hold(to: Did, amount: i64, expires: u64) -> Act {
    Act::Hold { to, amount, currency: HOURS.into(), expires: Timestamp::from_millis(expires), purpose: None }
}

pub fn accept(order: OrderRef) -> Act {
    Act::Accept { order }
}

pub fn trust(of: Did, score_ppm: u32) -> Act {
    Act::Trust { of, context: TrustContext::General, score_ppm, expires: None, note: None }
}

pub fn rate(executor: Did, job: u8) -> Act {
    let job = Cid::of_dag_cbor(&[job]);
    Act::Rate { executor, job, receipt: None, outcome: JobOutcome::Valid }
}

pub fn line(account: Did, limit: i64, number: u64) -> Act {
    Act::Line { account, currency: HOURS.into(), limit, number }
}

/// A small generator with a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What a drawn history may hold.
#[derive(Debug, Clone, Copy)]
pub struct Wild {
    pub steps: usize,
    pub forks: bool,
    pub seals: bool,
    pub witnesses: bool,
    /// Whatever moves money without the account's own word, and what ends by sealed time.
    pub derived: bool,
    /// Member 5 is a treasury with three approvers and budgets.
    pub treasuries: bool,
}

pub const DAY: u64 = 86_400_000;

pub fn demurrage(fund: Did) -> Act {
    let rule = Demurrage { threshold: 2, rate_ppm: 300_000, period_days: 1 };
    Act::Demurrage { currency: HOURS.into(), rule: Some(rule), fund: Some(fund) }
}

/// Two mediators, who are chosen after a day; the fund is member 6.
pub fn dispute_rules() -> SpacePolicy {
    let mediators = vec![did(3), did(4)];
    let disputes = DisputePolicy { mediators, assign_seconds: 86_400, mediation_seconds: 2 * 86_400 };
    SpacePolicy { disputes: Some(disputes), fund: Some(did(6)), ..SpacePolicy::default() }
}

pub fn standing(to: Did, amount: i64, start: u64, days: u32) -> StandingOrder {
    StandingOrder {
        to,
        amount,
        currency: HOURS.into(),
        memo: None,
        start: Timestamp::from_millis(start),
        every: Every::Days(days),
        count: None,
        until: None,
        budget: None,
    }
}

/// Draws a history: six members that hear of each other now and then.
pub fn draw(seed: u64, wild: Wild) -> History {
    let mut random = Random(seed);
    let mut story = Story::founded(5);
    let members: Vec<Did> = (1..=6).map(did).collect();
    let witnesses: Vec<Did> = (1..=4).map(did).collect();
    if wild.witnesses {
        story.says(root(), vec![Act::Witnesses { number: 1, members: witnesses.clone() }]);
    }
    if random.chance(50) {
        story.says(root(), vec![Act::Appoint { member: did(2) }]);
    }
    if random.chance(40) {
        let tier = |from, level| Tier { from, level };
        let finality = vec![
            tier(0, icn_ledger::Finality::Accepted),
            tier(5, icn_ledger::Finality::Certified),
            tier(12, icn_ledger::Finality::Sealed),
        ];
        story.says(root(), vec![Act::Policy(SpacePolicy { finality, ..SpacePolicy::default() })]);
    }
    if wild.derived {
        let second = Act::Appoint { member: did(2) };
        let mut rules = dispute_rules();
        let quick = DisputePolicy { assign_seconds: 0, ..rules.disputes.unwrap_or_default() };
        rules.disputes = Some(quick);
        story.says(root(), vec![Act::Policy(rules), demurrage(did(6)), second]);
        // Something to quarrel about from the start.
        for (payer, payee) in [(2, 5), (5, 6), (6, 1)] {
            let sent = story.says(did(payer), vec![pay(did(payee), 6)]);
            let order = story.history.order(sent, 0);
            let taken = story.says(did(payee), vec![accept(order)]);
            let acceptance = story.history.raws[taken].id;
            let act = DisputeAct::File { order, acceptance, reason: "late".into(), evidence: vec![] };
            story.says(did(payer), vec![Act::Dispute(act)]);
        }
    }
    if wild.treasuries {
        let daily = Some(Every::Days(1));
        let acts = vec![
            Act::Treasury { account: did(5), approvers: vec![did(2), did(3), did(4)], threshold: 2 },
            Act::Budget(budget(Some(did(4)), 8, daily)),
            Act::Budget(budget(None, 9, None)),
        ];
        story.says(root(), acts);
    }
    let start: BTreeSet<usize> = story.history.all().into_iter().collect();
    let mut known: BTreeMap<Did, BTreeSet<usize>> = members.iter().map(|who| (*who, start.clone())).collect();
    let mut certified: BTreeMap<(Did, u64), Cid> = BTreeMap::new();
    let mut clock = 1_000;
    let mut lines = 1;
    for _ in 0..wild.steps {
        let who =
            if wild.derived && random.chance(25) { root() } else { members[random.below(members.len())] };
        if random.chance(60) {
            let other = members[random.below(members.len())];
            let more = known[&other].clone();
            known.get_mut(&who).unwrap().extend(more);
        }
        let who = match if wild.treasuries { random.below(100) } else { 100 } {
            0..20 => did(5),
            20..35 => did(4),
            _ => who,
        };
        clock += if (wild.derived || wild.treasuries) && random.chance(20) { DAY } else { 10 };
        let mine = known[&who].clone();
        let mut prev = story.heads.get(&who).copied();
        let mut seen = mine.clone();
        if wild.forks && random.chance(4) {
            // A second entry where one stands already, by what was known then or by all that is known now.
            let own: Vec<usize> =
                mine.iter().copied().filter(|raw| story.history.raws[*raw].author == who).collect();
            if let Some(at) = own.get(random.below(own.len().max(1))).copied() {
                prev = story.history.raws[at].prev;
                if random.chance(50) {
                    seen = story.history.pasts[at].clone();
                    seen.remove(&at);
                }
            }
        }
        if let Some(prev) = prev {
            seen.extend(story.history.pasts[prev].clone());
        }
        let post =
            draw_post(&mut random, &story, who, &seen, wild, &mut lines, clock, &witnesses, &mut certified);
        let deps: Vec<usize> =
            story.history.heads(&seen).into_iter().filter(|head| Some(*head) != prev).take(60).collect();
        let raw = story.history.write(who, prev, &deps, post);
        let past = story.history.pasts[raw].clone();
        known.get_mut(&who).unwrap().extend(past);
        let goes_on = story.heads.get(&who).copied() == prev || !story.heads.contains_key(&who);
        if random.chance(80) || goes_on {
            story.heads.insert(who, raw);
        }
    }
    story.history
}

const NO_KIND: usize = 99;

/// A budget of member 5.
pub fn budget(holder: Option<Did>, amount: i64, every: Option<Every>) -> Budget {
    let currency = HOURS.into();
    let start = Timestamp::from_millis(1_000);
    Budget { treasury: did(5), holder, purpose: None, currency, amount, every, start, until: None }
}

pub fn proposal(acts: Vec<Act>, budget: Option<OrderRef>) -> Act {
    Act::Propose(Box::new(Proposal { treasury: did(5), acts, budget, expires: None }))
}

/// The entry of a treasury that carries a proposal out.
pub fn enacting(history: &History, proposal: OrderRef) -> Post {
    let raw = &history.raws[history.by_id[&proposal.entry]];
    let acts = match &raw.post.acts[proposal.index as usize] {
        Act::Propose(said) => said.acts.clone(),
        _ => vec![],
    };
    Post { mandate: Some(Mandate::Proposal(proposal)), ..Post::new(acts) }
}

/// Draws what is said about the treasury, often by somebody who may not.
fn draw_treasury(
    random: &mut Random,
    history: &History,
    who: Did,
    seen: &BTreeSet<usize>,
    clock: u64,
) -> Option<Post> {
    let find = |random: &mut Random, wanted: &dyn Fn(&Act) -> bool| {
        let places = seen.iter().flat_map(|raw| {
            let acts = history.raws[*raw].post.acts.iter().enumerate();
            acts.filter(|(_, act)| wanted(act))
                .map(|(n, _)| history.order(*raw, n as u32))
                .collect::<Vec<_>>()
        });
        let found: Vec<OrderRef> = places.collect();
        (!found.is_empty())
            .then(|| found[if random.chance(60) { found.len() - 1 } else { random.below(found.len()) }])
    };
    let is_proposal = |act: &Act| matches!(act, Act::Propose(_));
    let anybody = random.chance(15);
    let is_mine = |act: &Act| matches!(act, Act::Budget(terms) if anybody || terms.holder == Some(who));
    let is_budget = |act: &Act| matches!(act, Act::Budget(_));
    let amount = 1 + random.below(6) as i64;
    let to = did([1, 2, 3, 4, 6][random.below(5)]);
    if !anybody && ![did(2), did(3), did(4), did(5), root()].contains(&who) {
        return None;
    }
    if who == did(5) && random.chance(80) {
        let standing = find(random, &|act| matches!(act, Act::Standing(_)));
        if let Some(standing) = standing.filter(|_| random.chance(30)) {
            let raw = &history.raws[history.by_id[&standing.entry]];
            let Act::Standing(terms) = &raw.post.acts[standing.index as usize] else { return None };
            let mandate = Some(Mandate::Standing(standing));
            return Some(Post { mandate, ..Post::new(vec![terms.payment()]) });
        }
        let mut post = enacting(history, find(random, &is_proposal)?);
        if random.chance(5) {
            post.acts.push(pay(to, 1));
        }
        return Some(post);
    }
    let acts = match random.below(10) {
        0..=2 => vec![proposal(vec![pay(to, amount)], None)],
        3 | 4 => vec![proposal(vec![pay(to, amount)], Some(find(random, &is_mine)?))],
        5 => {
            let budget = find(random, if anybody { &is_budget } else { &is_mine })?;
            let terms = StandingOrder { budget: Some(budget), ..standing(to, amount, clock, 1) };
            vec![proposal(vec![Act::Standing(terms)], random.chance(50).then_some(budget))]
        }
        6 | 7 => vec![Act::Approve { proposal: find(random, &is_proposal)? }],
        8 if random.chance(40) => vec![Act::Withdraw { proposal: find(random, &is_proposal)? }],
        8 => vec![Act::Approve { proposal: find(random, &is_proposal)? }],
        _ if random.chance(60) => vec![Act::EndBudget { budget: find(random, &is_budget)? }],
        _ => vec![Act::Budget(budget(Some(to).filter(|to| *to != did(5)), amount, Some(Every::Days(1))))],
    };
    Some(Post::new(acts))
}

/// Draws an act that moves money in others' accounts, or one that ends by itself; often by somebody who may not.
fn draw_derived(
    random: &mut Random,
    story: &Story,
    who: Did,
    seen: &BTreeSet<usize>,
    clock: u64,
    amount: i64,
) -> Option<Act> {
    let history = &story.history;
    let anybody = random.chance(90);
    let find = |random: &mut Random, wanted: &dyn Fn(&Act) -> bool| {
        let found: Vec<OrderRef> = seen
            .iter()
            .filter(|raw| anybody || history.raws[**raw].author == who)
            .flat_map(|raw| {
                let acts = history.raws[*raw].post.acts.iter().enumerate();
                acts.filter(|(_, act)| wanted(act)).map(|(n, _)| history.order(*raw, n as u32))
            })
            .collect();
        (!found.is_empty()).then(|| found[random.below(found.len())])
    };
    let act =
        |order: &OrderRef| history.raws[history.by_id[&order.entry]].post.acts[order.index as usize].clone();
    let dispute =
        |random: &mut Random| find(random, &|act| matches!(act, Act::Dispute(DisputeAct::File { .. })));
    let other = did(1 + random.below(6) as u8);
    let naming =
        |act: &Act| matches!(act, Act::Dispute(DisputeAct::Mediate { mediator, .. }) if *mediator == who);
    let named = find(random, &naming).map(|named| act(&named));
    let has_dispute = find(random, &|act| matches!(act, Act::Dispute(DisputeAct::File { .. }))).is_some();
    let kind = match named {
        Some(_) if random.chance(60) => 8,
        _ if has_dispute && (who == did(3) || who == did(4)) && random.chance(50) => 8,
        _ if has_dispute && (who == root() || who == did(2)) && random.chance(50) => 5,
        _ => random.below(18),
    };
    Some(match kind {
        0..=3 | 12 | 15 if kind < 12 || !has_dispute => {
            let acceptance = find(random, &|act| matches!(act, Act::Accept { .. }))?;
            let Act::Accept { order } = act(&acceptance) else { return None };
            let acceptance = acceptance.entry;
            Act::Dispute(DisputeAct::File { order, acceptance, reason: "late".into(), evidence: vec![] })
        }
        4 => {
            let dispute = dispute(random)?;
            Act::Dispute(DisputeAct::Evidence { dispute, items: vec![], note: Some("see".into()) })
        }
        5 | 6 | 16 => Act::Dispute(DisputeAct::Mediate {
            dispute: dispute(random)?,
            mediator: if random.chance(70) { did(3 + random.below(2) as u8) } else { other },
        }),
        7 => Act::Dispute(DisputeAct::Escalate { dispute: dispute(random)? }),
        8..=10 => {
            let outcome = match random.below(5) {
                0 => DisputeOutcome::EntryValid,
                1 | 2 => DisputeOutcome::EntryReversed,
                3 => DisputeOutcome::PartialRefund { amount },
                _ => DisputeOutcome::WriteOff { amount },
            };
            let dispute = match named {
                Some(Act::Dispute(DisputeAct::Mediate { dispute, .. })) => dispute,
                _ => dispute(random)?,
            };
            Act::Dispute(DisputeAct::Resolve { dispute, outcome })
        }
        17 => Act::Expel { member: did(5) },
        11 => Act::WriteOff {
            account: if random.chance(70) { did(5) } else { other },
            currency: HOURS.into(),
            amount,
            number: 1 + random.below(2) as u64,
            reason: "left".into(),
        },
        12 => {
            let expires = Some(Timestamp::from_millis(clock + random.below(2) as u64 * DAY));
            Act::Freeze { account: other, reason: "late".into(), expires }
        }
        13 if random.chance(30) => Act::Demurrage { currency: HOURS.into(), rule: None, fund: None },
        13 => demurrage(other),
        14 => Act::Standing(standing(other, amount, clock, 1)),
        _ => Act::EndStanding { standing: find(random, &|act| matches!(act, Act::Standing(_)))? },
    })
}

#[allow(clippy::too_many_arguments, reason = "a test's generator")]
fn draw_post(
    random: &mut Random,
    story: &Story,
    who: Did,
    seen: &BTreeSet<usize>,
    wild: Wild,
    lines: &mut u64,
    clock: u64,
    witnesses: &[Did],
    certified: &mut BTreeMap<(Did, u64), Cid>,
) -> Post {
    let history = &story.history;
    let mut acts = Vec::new();
    let mut certificates = Vec::new();
    let find = |random: &mut Random, wanted: &dyn Fn(&Raw, &Act) -> bool| {
        let found: Vec<OrderRef> = seen
            .iter()
            .flat_map(|raw| {
                let raw = &history.raws[*raw];
                let acts = raw.post.acts.iter().enumerate();
                acts.filter(|(_, act)| wanted(raw, act))
                    .map(|(n, _)| OrderRef { entry: raw.id, index: n as u32 })
                    .collect::<Vec<_>>()
            })
            .collect();
        (!found.is_empty())
            .then(|| found[if random.chance(60) { found.len() - 1 } else { random.below(found.len()) }])
    };
    if wild.treasuries
        && random.chance(45)
        && let Some(post) = draw_treasury(random, history, who, seen, clock)
    {
        return post;
    }
    for _ in 0..1 + random.below(2) {
        let to = did(1 + random.below(6) as u8);
        let amount = 1 + random.below(18) as i64;
        let derives = wild.derived && random.chance(40);
        if let Some(act) = derives.then(|| draw_derived(random, story, who, seen, clock, amount)).flatten() {
            acts.push(act);
            continue;
        }
        let kind =
            if wild.derived && wild.seals && who == root() && random.chance(40) { 20 } else { NO_KIND };
        match if kind == NO_KIND { random.below(if wild.seals { 22 } else { 20 }) } else { kind } {
            0..=3 => acts.push(pay(to, amount)),
            4 => acts.push(pay_until(to, amount, clock + random.below(300) as u64)),
            5..=9 => {
                if let Some(order) = find(random, &|_, act| matches!(act, Act::Pay { to, .. } if *to == who))
                {
                    acts.push(accept(order));
                }
            }
            10 => {
                let mine = |_: &Raw, act: &Act| matches!(act, Act::Pay { to, .. } | Act::Hold { to, .. } if *to == who);
                if let Some(order) = find(random, &mine) {
                    acts.push(Act::Decline { order, reason: None });
                }
            }
            11 => {
                let declined = find(random, &|_, act| matches!(act, Act::Decline { .. }));
                if let Some(decline) = declined {
                    let act = &history.raws[history.by_id[&decline.entry]].post.acts[decline.index as usize];
                    if let Act::Decline { order, .. } = act {
                        acts.push(Act::Return { order: *order, decline: decline.entry });
                    }
                }
            }
            12 => acts.push(hold(to, amount, clock + random.below(300) as u64)),
            13 => {
                let hold = find(random, &|raw, act| raw.author == who && matches!(act, Act::Hold { .. }));
                if let Some(hold) = hold {
                    acts.push(Act::Capture { hold, amount: random.below(6) as i64, evidence: None });
                }
            }
            14 => {
                let captured =
                    find(random, &|_, act| matches!(act, Act::Capture { amount, .. } if *amount > 0));
                if let Some(order) = captured {
                    acts.push(accept(order));
                }
            }
            15 => {
                if let Some(hold) = find(random, &|_, act| matches!(act, Act::Hold { to, .. } if *to == who))
                {
                    acts.push(Act::Claim { hold, amount: 1, evidence: vec![] });
                }
            }
            16 => {
                *lines += 1;
                acts.push(line(to, random.below(60) as i64, *lines));
            }
            17 => acts.push(match random.below(10) {
                6..=8 => trust(to, 100_000 * random.below(4) as u32),
                9 => rate(to, random.below(3) as u8),
                0 => Act::Freeze { account: to, reason: "late".into(), expires: None },
                1..=3 => Act::Unfreeze { account: to },
                4 => Act::Expel { member: to },
                _ => Act::Admit { member: to, nickname: None },
            }),
            18 if wild.forks => {
                let own: Vec<&Raw> =
                    seen.iter().map(|raw| &history.raws[*raw]).filter(|raw| raw.author == who).collect();
                if let Some(raw) = own.get(random.below(own.len().max(1))) {
                    let lost: Vec<Cid> = history
                        .raws
                        .iter()
                        .filter(|other| other.author == who && other.seq == raw.seq && random.chance(60))
                        .map(|other| other.id)
                        .collect();
                    if !lost.is_empty() {
                        acts.push(Act::Repair { at: raw.seq, lost });
                    }
                }
            }
            18 | 19 => {
                if wild.witnesses {
                    let raws: Vec<usize> = seen.iter().copied().collect();
                    let sealing = raws.iter().copied().filter(|raw| {
                        history.raws[*raw]
                            .post
                            .acts
                            .iter()
                            .any(|act| matches!(act, Act::Seal { .. } | Act::Pay { .. }))
                    });
                    let raws: Vec<usize> = sealing.collect();
                    if let Some(raw) = raws.get(random.below(raws.len().max(1))) {
                        let raw_ = &history.raws[*raw];
                        let place = certified.entry((raw_.author, raw_.seq)).or_insert(raw_.id);
                        if *place == raw_.id || random.chance(5) {
                            certificates.push(history.certificate(*raw, 1, &witnesses[..3]));
                        }
                    }
                }
            }
            _ => {
                // A seal over all that is known, most often with the right digest.
                let order: Vec<usize> = seen.iter().copied().collect();
                let books = history.replay(&order);
                let parents: Vec<u32> = (0..order.len() as u32).collect();
                let digest = books.cut_digest(&parents).unwrap_or_default();
                let digest = if random.chance(90) { digest.to_vec() } else { vec![7; 32] };
                let last = books.last_seal();
                let last = if random.chance(85) { last } else { None };
                if acts.is_empty() {
                    let number = last.as_ref().map_or(1, |last| last.number + 1) + random.below(2) as u64;
                    acts.push(Act::Seal {
                        number,
                        prev: last.map(|last| last.entry),
                        time: Timestamp::from_millis(clock - 20),
                        digest: ByteBuf::from(digest),
                    });
                    break;
                }
            }
        }
    }
    if acts.is_empty() && certificates.is_empty() {
        acts.push(pay(did(1 + random.below(6) as u8), 1));
    }
    let key = random.chance(5).then(|| format!("k{}", random.below(3)));
    Post { certificates, key, ..Post::new(acts) }
}

pub fn invitation(member: Option<Did>, issuer: Did, expires: u64) -> Invitation {
    Invitation {
        space: root(),
        name: "north".into(),
        issuer,
        member,
        expires: Timestamp::from_millis(expires),
        nonce: ByteBuf::from(vec![0; 16]),
        peers: vec![],
        sig: ByteBuf::from(vec![0; 64]),
    }
}

pub fn approval(by: Did) -> Approval {
    Approval { by, sig: ByteBuf::from(vec![0; 64]) }
}
