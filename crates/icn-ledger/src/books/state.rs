//! What the books know: entries, accounts, orders and rule events, all by small numbers.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};

use super::derived::{Leg, Moved, SealCharge};
use super::reason::Reason;
use super::snapshot::{column, pairs, wide};
use super::standings::StandingRec;
use super::treasuries::{Treasuries, TreasuryStep};
use super::view::Views;
use super::words::Words;
use crate::demurrage::Demurrage;
use crate::dispute::Outcome;
use crate::policy::{CreditPolicy, SpacePolicy};

/// No number: of an entry, an order, an account.
pub(super) const NONE: u32 = u32::MAX;

/// The entry is on a losing branch.
pub(super) const VOID: u8 = 1;
/// A certificate for the entry is known.
pub(super) const CERTIFIED: u8 = 2;
/// Some act of it was stopped by a fork of its author.
pub(super) const STOPPED: u8 = 4;

#[derive(Debug, Clone)]
pub(super) struct EntryRec {
    pub(super) id: [u8; 32],
    pub(super) author: u32,
    pub(super) seq: u32,
    pub(super) prev: u32,
    pub(super) view: u32,
    pub(super) first_order: u32,
    pub(super) acts: u16,
    pub(super) flags: u8,
    /// The place of the first seal of the line that covers it.
    pub(super) sealed: u32,
    pub(super) at: u64,
    /// What stands directly before it; emptied once it is sealed.
    pub(super) parents: Box<[u32]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pay,
    Hold,
    Capture,
    Request,
}

/// Why an order has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Good,
    /// It never counted.
    Bad,
    /// Its entry is on a losing branch.
    Void,
    /// Its author had forked before.
    Stopped,
    /// What it relied on is void.
    Uncovered,
    /// A seal that its author had not seen ended the hold before.
    Lapsed,
}

impl Standing {
    /// Tells whether the order counted from its author's own past and was undone by something else.
    pub(super) const fn is_undone(self) -> bool {
        match self {
            Self::Good | Self::Bad => false,
            Self::Void | Self::Stopped | Self::Uncovered | Self::Lapsed => true,
        }
    }
}

/// The payer has its credit back: by a return, or by an expiry it has seen.
pub(super) const RELEASED: u8 = 1;
/// The payee claims it.
pub(super) const CLAIMED: u8 = 2;
/// The credit is spendable.
pub(super) const FINAL: u8 = 4;
/// The request was paid.
pub(super) const PAID: u8 = 8;
/// The release was an expiry.
pub(super) const LAPSED: u8 = 16;
/// The payer took it back after a decline that is void.
pub(super) const MISLED: u8 = 32;
/// An entry of the payee carries a certificate of the payer's.
pub(super) const SHOWN: u8 = 64;

#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) entry: u32,
    pub(super) index: u16,
    pub(super) kind: Kind,
    pub(super) standing: Standing,
    pub(super) flags: u8,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) currency: u32,
    pub(super) amount: i64,
    /// Milliseconds; `u64::MAX` never.
    pub(super) expires: u64,
    /// Of a capture its hold, of a hold its capture.
    pub(super) link: u32,
    pub(super) accepted: u32,
    pub(super) declined: u32,
    pub(super) returned: u32,
}

impl Order {
    /// Tells whether the credit has reached a level. A seal alone makes nothing final where there are witnesses: another one,
    /// certified later, may take its place.
    pub(super) const fn is_final(&self, level: u8, is_sealed: bool, has_witnesses: bool) -> bool {
        let is_shown = self.flags & SHOWN != 0;
        match level {
            0 => true,
            1 if has_witnesses => is_shown,
            _ => is_sealed && (is_shown || !has_witnesses),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Purse {
    pub(super) currency: u32,
    /// Spendable credits, and debits that were not given back, as the account's own chain sees them.
    #[serde(with = "wide")]
    pub(super) credits: i128,
    #[serde(with = "wide")]
    pub(super) debits: i128,
    /// Credits that are void although they were accepted, less what was spent of them.
    #[serde(with = "wide")]
    pub(super) lost: i128,
    /// What everybody sees: both legs of what was accepted.
    #[serde(with = "wide")]
    pub(super) booked: i128,
    /// Accepted and not spendable yet; the level that each must reach.
    #[serde(with = "pairs")]
    pub(super) pending: BTreeMap<u32, u8>,
    /// Own orders that still set credit aside.
    pub(super) open: BTreeSet<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) did: Did,
    /// The entries that count, by place.
    #[serde(with = "column")]
    pub(super) chain: Vec<u32>,
    pub(super) purses: Vec<Purse>,
    /// How many seals of the line the chain has taken account of.
    pub(super) seals: u32,
    #[serde(with = "column")]
    pub(super) orders: Vec<u32>,
    /// Idempotency keys, hashed.
    pub(super) keys: BTreeSet<[u8; 16]>,
    pub(super) membership: Vec<u32>,
    pub(super) stewardship: Vec<u32>,
    pub(super) freezes: Vec<u32>,
    pub(super) treasury: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) entry: u32,
    pub(super) index: u32,
    pub(super) height: u32,
    pub(super) rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rule {
    Found {
        name: String,
    },
    Policy(SpacePolicy),
    Appoint(u32),
    Dismiss(u32),
    Admit(u32, Option<String>),
    Expel(u32),
    /// Who joined, by which name, and who had invited.
    Join(u32, Option<String>, u32),
    Currency {
        currency: u32,
        decimals: u8,
        policy: CreditPolicy,
    },
    Line {
        account: u32,
        currency: u32,
        limit: i64,
        number: u64,
    },
    /// With the time of the seal that ends it, in milliseconds.
    Freeze(u32, Option<u64>),
    Unfreeze(u32),
    Witnesses {
        number: u64,
        members: Vec<Did>,
    },
    Treasury {
        account: u32,
        approvers: Vec<Did>,
        threshold: u32,
    },
    /// A certificate for the entry that names a witness set.
    SetCertified {
        of: u32,
        set: u64,
        voters: Vec<Did>,
    },
    /// The seal of this entry is in force.
    Sealed(u32),
    /// The entry is one of several at its place.
    Branch,
    /// How idle balances are charged, and for whom.
    Demurrage {
        currency: u32,
        charge: Option<(Demurrage, u32)>,
    },
    /// A step of the dispute about an order.
    Dispute {
        order: u32,
        by: u32,
        step: DisputeStep,
    },
    /// A former member's debt goes to the fund.
    WriteOff {
        moved: Moved,
        number: u64,
    },
    /// Something about proposals to treasuries, or their budgets.
    Treasuries(TreasuryStep),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DisputeStep {
    File,
    Mediate(u32),
    Escalate,
    Resolve { outcome: Outcome, moved: Option<Moved>, is_refund: bool },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealRec {
    pub(super) index: u32,
    pub(super) number: u64,
    pub(super) prev: u32,
    pub(super) time: u64,
    pub(super) digest: Vec<u8>,
    pub(super) in_force: bool,
    /// What it takes from idle balances, if it is in the line.
    pub(super) charges: Vec<SealCharge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClaimRec {
    pub(super) entry: u32,
    pub(super) index: u32,
    pub(super) order: u32,
    pub(super) amount: i64,
    pub(super) is_hold: bool,
}

/// Everything that follows from the entries and the facts.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) entries: Vec<EntryRec>,
    pub(super) accounts: Vec<Account>,
    /// For lookup alone.
    pub(super) by_did: std::collections::HashMap<Did, u32>,
    pub(super) currencies: Vec<String>,
    pub(super) by_code: BTreeMap<String, u32>,
    pub(super) orders: Vec<Order>,
    pub(super) events: Vec<Event>,
    pub(super) views: Views,
    /// What all entries together have seen.
    pub(super) all: u32,
    pub(super) lines: BTreeMap<(u32, u32), Vec<u32>>,
    pub(super) currency_events: BTreeMap<u32, Vec<u32>>,
    pub(super) policies: Vec<u32>,
    pub(super) witnesses: Vec<u32>,
    pub(super) set_certified: BTreeMap<u32, Vec<u32>>,
    pub(super) seal_events: BTreeMap<u32, Vec<u32>>,
    pub(super) branch_events: BTreeMap<u32, u32>,
    pub(super) seals: BTreeMap<u32, SealRec>,
    pub(super) sets_used: BTreeSet<u64>,
    pub(super) claims: Vec<ClaimRec>,
    pub(super) invalid: BTreeMap<(u32, u32), Reason>,
    /// Booked totals, and lengths of chains, at the last seal of the line.
    pub(super) base: BTreeMap<(u32, u32), i128>,
    pub(super) base_len: BTreeMap<u32, u32>,
    /// Orders that entries outside every seal accepted or captured.
    pub(super) moves: BTreeMap<u32, Vec<u32>>,
    /// Entries outside every seal.
    pub(super) unsealed: BTreeSet<u32>,
    /// Entries that say something about a forked author.
    pub(super) sensitive: BTreeSet<u32>,
    /// Entries of others that accept something of an entry: what a repair must not take back.
    pub(super) relied: BTreeSet<u32>,
    pub(super) repairs: Vec<(u32, u64, Vec<[u8; 32]>)>,
    /// Entries on branches that lost, and the orders that they declined.
    pub(super) void_declines: BTreeSet<(u32, u32)>,
    /// What members say of each other.
    pub(super) words: Words,
    /// By account: the legs of transfers that nobody's chain writes.
    pub(super) derived: BTreeMap<u32, Vec<Leg>>,
    pub(super) demurrage: BTreeMap<u32, Vec<u32>>,
    /// By order: the steps of the dispute about it.
    pub(super) disputes: BTreeMap<u32, Vec<u32>>,
    /// The acts that opened disputes, and the orders.
    pub(super) filings: BTreeMap<(u32, u32), u32>,
    /// By order and party: the acts that show something.
    pub(super) evidence: BTreeMap<(u32, u32), Vec<(u32, u32)>>,
    pub(super) write_offs: BTreeMap<(u32, u32), Vec<u32>>,
    /// By entry and act.
    pub(super) standings: BTreeMap<(u32, u32), StandingRec>,
    /// Proposals to treasuries, and their budgets.
    pub(super) treasuries: Treasuries,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            accounts: Vec::new(),
            by_did: std::collections::HashMap::new(),
            currencies: Vec::new(),
            by_code: BTreeMap::new(),
            orders: Vec::new(),
            events: Vec::new(),
            views: Views::new(),
            all: 0,
            lines: BTreeMap::new(),
            currency_events: BTreeMap::new(),
            policies: Vec::new(),
            witnesses: Vec::new(),
            set_certified: BTreeMap::new(),
            seal_events: BTreeMap::new(),
            branch_events: BTreeMap::new(),
            seals: BTreeMap::new(),
            sets_used: BTreeSet::new(),
            claims: Vec::new(),
            invalid: BTreeMap::new(),
            base: BTreeMap::new(),
            base_len: BTreeMap::new(),
            moves: BTreeMap::new(),
            unsealed: BTreeSet::new(),
            sensitive: BTreeSet::new(),
            relied: BTreeSet::new(),
            repairs: Vec::new(),
            void_declines: BTreeSet::new(),
            words: Words::default(),
            derived: BTreeMap::new(),
            demurrage: BTreeMap::new(),
            disputes: BTreeMap::new(),
            filings: BTreeMap::new(),
            evidence: BTreeMap::new(),
            write_offs: BTreeMap::new(),
            standings: BTreeMap::new(),
            treasuries: Treasuries::default(),
        }
    }

    pub(super) fn entry(&self, idx: u32) -> Option<&EntryRec> {
        self.entries.get(idx as usize)
    }

    pub(super) fn order(&self, order: u32) -> Option<&Order> {
        self.orders.get(order as usize)
    }

    pub(super) fn account(&self, account: u32) -> Option<&Account> {
        self.accounts.get(account as usize)
    }

    pub(super) fn did(&self, account: u32) -> Did {
        self.account(account).map_or(Did::from_public_key([0; 32]), |account| account.did)
    }

    pub(super) fn code(&self, currency: u32) -> &str {
        self.currencies.get(currency as usize).map_or("", String::as_str)
    }

    pub(super) fn id(&self, idx: u32) -> [u8; 32] {
        self.entry(idx).map_or([0; 32], |entry| entry.id)
    }

    /// Returns the place of the first seal of the line that covers an entry; [`NONE`] if none does.
    pub(super) fn sealed(&self, idx: u32) -> u32 {
        self.entry(idx).map_or(NONE, |entry| entry.sealed)
    }

    pub(super) fn is_void(&self, idx: u32) -> bool {
        self.entry(idx).is_some_and(|entry| entry.flags & VOID != 0)
    }

    pub(super) fn find_order(&self, entry: u32, index: u32) -> Option<u32> {
        let mut number = self.entry(entry)?.first_order;
        loop {
            let order = self.order(number)?;
            if order.entry != entry {
                return None;
            }
            if u32::from(order.index) == index {
                return Some(number);
            }
            number += 1;
        }
    }

    pub(super) fn intern_account(&mut self, did: Did) -> u32 {
        let next = number(self.accounts.len());
        *self.by_did.entry(did).or_insert_with(|| {
            self.accounts.push(Account {
                did,
                chain: Vec::new(),
                purses: Vec::new(),
                seals: 0,
                orders: Vec::new(),
                keys: BTreeSet::new(),
                membership: Vec::new(),
                stewardship: Vec::new(),
                freezes: Vec::new(),
                treasury: Vec::new(),
            });
            next
        })
    }

    pub(super) fn intern_currency(&mut self, code: &str) -> u32 {
        if let Some(currency) = self.by_code.get(code) {
            return *currency;
        }
        let next = number(self.currencies.len());
        self.currencies.push(code.to_owned());
        self.by_code.insert(code.to_owned(), next);
        next
    }

    pub(super) fn purse(&self, account: u32, currency: u32) -> Option<&Purse> {
        self.account(account)?.purses.iter().find(|purse| purse.currency == currency)
    }

    pub(super) fn with_purse(&mut self, account: u32, currency: u32, change: impl FnOnce(&mut Purse)) {
        let Some(account) = self.accounts.get_mut(account as usize) else { return };
        if !account.purses.iter().any(|purse| purse.currency == currency) {
            account.purses.push(Purse { currency, ..Purse::default() });
        }
        if let Some(purse) = account.purses.iter_mut().find(|purse| purse.currency == currency) {
            change(purse);
        }
    }

    pub(super) fn with_order(&mut self, order: u32, change: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(order as usize) {
            change(order);
        }
    }
}

/// Numbers an item of a list.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

/// Takes the hash out of an entry's id.
pub(super) fn hash_of(id: &Cid) -> [u8; 32] {
    let bytes = id.to_bytes();
    bytes.get(bytes.len().saturating_sub(32)..).and_then(|hash| hash.try_into().ok()).unwrap_or([0; 32])
}

/// Puts an entry's id together from its hash: entries are DAG-CBOR named by SHA-256.
pub(super) fn cid_of(hash: &[u8; 32]) -> Cid {
    let mut bytes = vec![1, 0x71, 0x12, 0x20];
    bytes.extend_from_slice(hash);
    Cid::from_bytes(&bytes).unwrap_or_else(|_| Cid::of_dag_cbor(hash))
}
