//! The promises, looked at after every turn.

use std::collections::{BTreeMap, BTreeSet};

use icn_gossip::{Idx, LiveMessage, SignedEntry};
use icn_ledger::replica::{Replica, Write};
use icn_ledger::{Act, Books, ClaimCause, Item, OrderRef, OrderStatus, Post, SignedVote, post_of};
use icn_types::{Cid, Did};

use super::disk::Disk;
use super::outside::HOURS;
use super::planted::Planted;
use super::world::Federation;

/// The line of a new member.
pub(super) const LINE: i64 = 100;

/// A payment that somebody honest was seen to have taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) payee: Did,
    pub(super) amount: i64,
    pub(super) can_expire: bool,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) broken: Option<String>,
    /// The books of each set of entries: their digest, and who had them first.
    books: BTreeMap<[u8; 32], (String, usize)>,
    /// The one entry that an honest witness votes for at a place.
    votes: BTreeMap<(Did, Did, u64), Cid>,
    /// The one entry that is certified at a place.
    certified: BTreeMap<(Did, u64), Cid>,
    /// The highest line of each account, ever.
    lines: BTreeMap<Did, i64>,
    /// How many grants there were, by account.
    grants: BTreeMap<Did, u64>,
    /// Accounts whose payments may stay uncertified: frozen, or with a lowered line.
    pub(super) limited: BTreeSet<Did>,
    pub(super) taken: BTreeMap<OrderRef, Taken>,
}

impl Watch {
    /// Notes a grant of a line and returns its number.
    pub(super) fn grant(&mut self, account: Did, limit: i64) -> u64 {
        let line = self.lines.entry(account).or_insert(LINE);
        if limit < *line {
            self.limited.insert(account);
        }
        *line = (*line).max(limit);
        let number = self.grants.entry(account).or_insert(0);
        *number += 1;
        *number
    }

    fn line(&self, account: &Did) -> i64 {
        self.lines.get(account).copied().unwrap_or(LINE)
    }
}

/// Reads what an entry says.
pub(super) fn read(signed: &SignedEntry) -> Option<(Did, u64, Cid, Post)> {
    let raw = signed.clone().check().ok()?;
    let post = post_of(raw.unverified()).ok()?;
    Some((raw.unverified().author, raw.unverified().seq, raw.id(), post))
}

/// Tells whether an order has moved its amount.
pub(super) const fn is_taken(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Accepted | OrderStatus::Certified | OrderStatus::Sealed)
}

impl Federation {
    pub(super) fn is_honest(&self, did: &Did) -> bool {
        self.nodes
            .iter()
            .find(|node| node.signers.iter().any(|signer| signer.did() == *did))
            .is_some_and(super::node::Node::is_honest)
    }

    /// The disk gets every entry once, in order.
    pub(super) fn watch_writes(&mut self, at: usize, writes: &[Write]) {
        for write in writes {
            let Write::Entry { idx, .. } = write else { continue };
            let Some(node) = self.nodes.get_mut(at) else { return };
            let expected = node.written;
            node.written = idx + 1;
            self.ensure(*idx == expected, || {
                format!("n{at} writes entry {idx} where {expected} is the next")
            });
        }
    }

    /// What an honest node says of its own is on its disk, and it never votes twice at one place.
    pub(super) fn watch_publish(&mut self, at: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get(at).filter(|node| node.is_honest()) else { return };
        let owns = |did: &Did| node.signers.iter().any(|signer| signer.did() == *did);
        match LiveMessage::parse(bytes) {
            Ok(LiveMessage::Entry(signed)) => {
                let Some((author, seq, id, _)) = read(&signed).filter(|(author, ..)| owns(author)) else {
                    return;
                };
                let is_written = node.disk.has(&id);
                let name = self.name(&author);
                self.ensure(is_written, || {
                    format!("n{at} publishes {name}/{seq}, which its disk does not have")
                });
            }
            Ok(LiveMessage::Extra(bytes)) => {
                let Some(SignedVote { vote, by, .. }) =
                    SignedVote::parse(&bytes).ok().filter(|vote| owns(&vote.by))
                else {
                    return;
                };
                let is_written = node.disk.has_vote(&by, &vote.entry);
                let may_forget = node.was_restored;
                let place = (by, vote.author, vote.seq);
                let first = *self.watch.votes.entry(place).or_insert(vote.entry);
                let name = format!("{}/{}", self.name(&vote.author), vote.seq);
                self.ensure(is_written, || {
                    format!("n{at} publishes a vote for {name} that its disk does not have")
                });
                self.ensure(first == vote.entry || may_forget, || format!("n{at} votes twice at {name}"));
            }
            Ok(LiveMessage::Proof(_)) | Err(_) => {}
        }
    }

    /// Looks at the books of a node after its log grew.
    pub(super) fn look(&mut self, at: usize) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        let Some(replica) = &node.replica else { return };
        let (len, before) = (replica.log().len(), node.looked_at);
        // What a node wrote itself a moment ago may have to be judged with its next turn.
        if len == before || replica.books().needs_rejudge() {
            return;
        }
        node.looked_at = len;
        if node.is_restored && node.told.iter().all(|id| replica.log().contains(id)) {
            node.is_restored = false;
        }
        let frontier = replica.log().frontier_digest();
        let digest = self.digest(at);
        let known = self.watch.books.get(&frontier).cloned();
        match known {
            Some((other, by)) => {
                self.report.compared += 1;
                let differ = (other != digest).then(|| self.compare(at, by, len));
                self.ensure(differ.is_none(), || differ.unwrap_or_default());
            }
            None => drop(self.watch.books.insert(frontier, (digest, at))),
        }
        self.look_at_money(at);
        self.look_at_forks(at);
        self.look_at_takings(at, before);
    }

    fn digest(&self, at: usize) -> String {
        let Some(replica) = self.replica(at) else { return String::new() };
        if self.planted == Some(Planted::CurrentState) {
            // Everything that happened to be here first counts as the past.
            let late = |item: Item| Item { deps: (0..item.idx).collect(), ..item };
            let mut books = Books::new(self.space);
            books.rejudge(replica.items().into_iter().map(late));
            return books.digest();
        }
        replica.books().digest()
    }

    /// Says what is known about two nodes whose books should be equal.
    fn compare(&self, at: usize, by: usize, len: usize) -> String {
        let judge = |at: usize| {
            let follows = self.replica(at).map(|replica| replica.books().verify(replica.items()));
            match follows {
                Some(true) => format!("those of n{at} follow from its entries"),
                Some(false) => format!("those of n{at} are not what its entries come to"),
                None => format!("n{at} is down"),
            }
        };
        format!(
            "n{at} and n{by} had the same {len} entries, and different books; {}, {}",
            judge(at),
            judge(by)
        )
    }

    fn look_at_money(&mut self, at: usize) {
        let Some(replica) = self.replica(at) else { return };
        let books = replica.books();
        let is_zero = books.check_zero_sum();
        let dids = self.nodes.iter().flat_map(|node| node.signers.iter().map(|signer| signer.did()));
        // Certified debits stand when a credit that they relied on becomes a claim.
        let lost = |did: &Did| {
            let claims = books.claims();
            let own = claims.iter().filter(|claim| claim.creditor == *did && claim.cause == ClaimCause::Void);
            let claimed = own.map(|claim| claim.amount).sum::<i64>();
            // What others' decisions and seals take from an account may take it below its line.
            let taken = books.transfers(did, 0, 10_000).into_iter().filter(|transfer| transfer.from == *did);
            claimed + taken.map(|transfer| transfer.amount).sum::<i64>()
        };
        // The fund bears what counted no more after it was spent.
        let dids = dids.filter(|did| *did != self.space || books.transfers(did, 0, 1).is_empty());
        let beyond = dids
            .map(|did| (did, books.balance(&did, HOURS)))
            .find(|(did, balance)| balance.booked - balance.reserved < -self.watch.line(did) - lost(did));
        let offender = replica.offences().list(0, 50).map(|it| it.offender).find(|did| self.is_honest(did));
        let offence = offender.map(|did| {
            let what =
                replica.offences().of(&did).next().map(|it| format!("{:?}: {}", it.violation, it.detail));
            format!("n{at} blames {}: {}", self.name(&did), what.unwrap_or_default())
        });
        let beyond =
            beyond.map(|(did, balance)| format!("{} went beyond its line: {balance:?}", self.name(&did)));
        self.ensure(is_zero, || format!("the books of n{at} do not sum to zero"));
        self.ensure(beyond.is_none(), || beyond.unwrap_or_default());
        self.ensure(offence.is_none(), || offence.unwrap_or_default());
    }

    /// Nobody honest is accused, and at most one entry at each place is certified.
    fn look_at_forks(&mut self, at: usize) {
        let Some(replica) = self.replica(at) else { return };
        let forks = replica.books().forks();
        let accused = forks.iter().find(|fork| self.is_honest(&fork.author));
        let accused = accused
            .map(|fork| format!("n{at} sees a fork of {} at place {}", self.name(&fork.author), fork.seq));
        let mut certified = Vec::new();
        let cheats: BTreeSet<Did> = forks.iter().map(|fork| fork.author).collect();
        for cheat in cheats {
            let last = replica.log().head_of(&cheat).map_or(0, |(seq, _)| seq);
            for seq in 1..=last {
                let entries = replica.log().at(&cheat, seq);
                let branches = entries.iter().filter(|id| replica.is_certified(id));
                certified.extend(branches.map(|id| ((cheat, seq), *id)));
            }
        }
        self.ensure(accused.is_none(), || accused.unwrap_or_default());
        for (place, entry) in certified {
            let first = *self.watch.certified.entry(place).or_insert(entry);
            let name = self.name(&place.0);
            self.ensure(first == entry, || format!("two entries are certified at {name}/{}", place.1));
        }
    }

    /// Forgets what members of a node took in entries that a crash has lost: nobody was told of them.
    pub(super) fn forget_takings(&mut self, at: usize, had: &Replica) {
        let Some(node) = self.nodes.get(at) else { return };
        let lost = node.signers.iter().flat_map(|signer| lost_of(had, &signer.did(), &node.disk));
        for act in lost.filter_map(|signed| read(&signed)).flat_map(|(_, _, _, post)| post.acts) {
            if let Act::Accept { order } = act {
                self.watch.taken.remove(&order);
            }
        }
    }

    /// Notes what honest members have taken, as far as the log of a node grew.
    fn look_at_takings(&mut self, at: usize, before: usize) {
        let Some(replica) = self.replica(at) else { return };
        let from = Idx(u32::try_from(before).unwrap_or(u32::MAX));
        let mut taken = Vec::new();
        for id in replica.log().ids_from(from) {
            let Some((author, _, _, post)) = replica.entry(&id).and_then(|signed| read(&signed)) else {
                continue;
            };
            if !self.is_honest(&author) {
                continue;
            }
            for act in &post.acts {
                let Act::Accept { order } = act else { continue };
                taken.extend(take(replica, order));
            }
        }
        self.watch.taken.extend(taken);
    }
}

/// Lists the last entries of an author that are not on the disk.
fn lost_of(had: &Replica, author: &Did, disk: &Disk) -> Vec<SignedEntry> {
    let last = had.log().head_of(author).map_or(0, |(seq, _)| seq);
    let behind = (1..=last).rev().flat_map(|seq| had.log().at(author, seq));
    behind.take_while(|id| !disk.has(id)).filter_map(|id| had.entry(&id)).collect()
}

fn take(replica: &Replica, order: &OrderRef) -> Option<(OrderRef, Taken)> {
    let view = replica.order(order).filter(|view| is_taken(view.status))?;
    let can_expire = view.expires.is_some();
    Some((*order, Taken { payee: view.to, amount: view.amount, can_expire }))
}
