//! A space with members, and entries of theirs that hold.

use anyhow::Result;
use icn_gossip::{ENTRY_VERSION, Entry, SignedEntry, VerifiedEntry};
use icn_identity::Keypair;
use icn_ledger::replica::log_of;
use icn_ledger::{Act, CreditPolicy, OrderRef, Post, SpacePolicy};
use icn_types::{Cid, Did, Timestamp};

/// The currency of the payments.
pub(super) const CURRENCY: &str = "hours";

/// No payer reaches its limit.
const LINE: i64 = 1_000_000_000;

/// Members that one entry admits.
const ADMITTED_AT_ONCE: usize = 200;

/// Keys of a root and of members, and what each has said.
pub(super) struct World {
    /// The founder, whose DID names the space.
    pub(super) root: Keypair,
    /// Everybody else.
    pub(super) members: Vec<Keypair>,
    /// The root's last entry, then each member's.
    chains: Vec<Option<(u64, Cid)>>,
    last: Option<Cid>,
    clock: u64,
}

impl World {
    /// Makes a space with so many members beside its root; nobody has said anything.
    pub(super) fn new(members: usize) -> Self {
        Self {
            root: key(0),
            members: (1..=members).map(key).collect(),
            chains: vec![None; members + 1],
            last: None,
            clock: 1_790_000_000_000,
        }
    }

    /// Returns the space.
    pub(super) fn space(&self) -> Did {
        self.root.did()
    }

    /// Founds the space: a currency, its rules, all members.
    pub(super) fn found(&mut self, epoch_seconds: u64) -> Result<Vec<SignedEntry>> {
        let policy = CreditPolicy { initial: LINE, max: LINE, ..CreditPolicy::default() };
        let mut acts = vec![
            Act::Found { name: "bench".into(), created: Timestamp::from_millis(self.clock) },
            Act::Currency { code: CURRENCY.into(), decimals: 0, policy },
            Act::Policy(SpacePolicy { epoch_seconds, ..SpacePolicy::default() }),
        ];
        let dids: Vec<Did> = self.members.iter().map(Keypair::did).collect();
        let mut entries = Vec::new();
        for some in dids.chunks(ADMITTED_AT_ONCE) {
            acts.extend(some.iter().map(|member| Act::Admit { member: *member, nickname: None }));
            entries.push(self.say(0, std::mem::take(&mut acts))?.signed().clone());
        }
        Ok(entries)
    }

    /// Lets somebody (0 is the root) say something after the last entry of all.
    pub(super) fn say(&mut self, who: usize, acts: Vec<Act>) -> Result<VerifiedEntry> {
        let log = log_of(self.space());
        let key = who.checked_sub(1).and_then(|member| self.members.get(member)).unwrap_or(&self.root);
        let before = self.chains.get(who).copied().flatten();
        let prev = before.map(|(_, head)| head);
        self.clock += 1;
        let entry = Entry {
            v: ENTRY_VERSION,
            space: log.space,
            topic: log.topic,
            author: key.did(),
            seq: before.map_or(1, |(seq, _)| seq + 1),
            prev,
            deps: self.last.filter(|last| Some(*last) != prev).into_iter().collect(),
            at: Timestamp::from_millis(self.clock),
            body: Post::new(acts).encode()?,
        };
        let seq = entry.seq;
        let signed = entry.sign(key)?;
        if let Some(chain) = self.chains.get_mut(who) {
            *chain = Some((seq, signed.id()));
        }
        self.last = Some(signed.id());
        Ok(signed)
    }

    /// Makes so many entries: everybody pays the next member, then everybody accepts, and so on.
    pub(super) fn payments(
        &mut self,
        count: u32,
        mut each: impl FnMut(SignedEntry) -> Result<()>,
    ) -> Result<()> {
        let mut left = count;
        loop {
            let mut paid = Vec::new();
            for payer in 0..self.members.len() {
                if left == 0 {
                    return Ok(());
                }
                let payee = (payer + 1) % self.members.len();
                let to = self.members.get(payee).map_or(self.space(), Keypair::did);
                let entry = self.say(payer + 1, vec![pay(to)])?;
                paid.push((payee, OrderRef { entry: entry.id(), index: 0 }));
                each(entry.signed().clone())?;
                left -= 1;
            }
            for (payee, order) in paid {
                if left == 0 {
                    return Ok(());
                }
                let entry = self.say(payee + 1, vec![Act::Accept { order }])?;
                each(entry.signed().clone())?;
                left -= 1;
            }
        }
    }
}

/// Pays one unit.
pub(super) fn pay(to: Did) -> Act {
    Act::Pay { to, amount: 1, currency: CURRENCY.into(), memo: None, request: None, expires: None }
}

/// Makes the same keys each time.
fn key(n: usize) -> Keypair {
    let mut seed = [0xbe; 32];
    for (to, from) in seed.iter_mut().zip(n.to_be_bytes()) {
        *to = from;
    }
    Keypair::from_seed(seed)
}
