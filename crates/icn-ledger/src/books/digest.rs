//! One number for all that was reduced, and the checks that need it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::state::{DisputeStep, NONE, Rule, State, cid_of};
use super::{Books, Item};

impl Books {
    /// Computes the digest of everything that was reduced, in hexadecimal: equal wherever the entries are.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"icn-books-v1");
        for line in self.reduced() {
            hash.update((line.len() as u64).to_be_bytes());
            hash.update(line);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Lists all that was reduced, in terms that are the same everywhere.
    fn reduced(&self) -> Vec<Vec<u8>> {
        let state = &self.state;
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut line = |kind: u8, parts: &[&[u8]]| {
            let mut bytes = vec![kind];
            for part in parts {
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
                bytes.extend_from_slice(part);
            }
            lines.push(bytes);
        };
        for account in &state.accounts {
            let did = account.did.public_key();
            if let Some(head) = account.chain.last() {
                line(b'h', &[did, &(account.chain.len() as u64).to_be_bytes(), &state.id(*head)]);
            }
            for purse in account.purses.iter() {
                let sums = [purse.credits, purse.debits, purse.lost, purse.booked];
                if sums.iter().any(|sum| *sum != 0) {
                    let sums: Vec<u8> = sums.iter().flat_map(|sum| sum.to_be_bytes()).collect();
                    line(b'p', &[did, state.code(purse.currency).as_bytes(), &sums]);
                }
            }
        }
        let derived = state.derived_totals(&self.facts, &self.everything());
        for ((account, currency), sum) in derived.iter().filter(|(_, sum)| **sum != 0) {
            let did = state.did(*account);
            line(b'd', &[did.public_key(), state.code(*currency).as_bytes(), &sum.to_be_bytes()]);
        }
        for ((entry, index), standing) in &state.standings {
            let ended = if standing.ended == NONE { [0; 32] } else { state.id(standing.ended) };
            line(b't', &[&state.id(*entry), &index.to_be_bytes(), &ended]);
        }
        for ((order, party), shown) in &state.evidence {
            let order = state.order(*order).map_or([0; 32], |order| state.id(order.entry));
            let mut shown: Vec<[u8; 32]> = shown.iter().map(|(entry, _)| state.id(*entry)).collect();
            shown.sort_unstable();
            line(b'v', &[&order, state.did(*party).public_key(), shown.as_flattened()]);
        }
        for entry in &state.entries {
            line(b'e', &[&entry.id, &[entry.flags], &entry.sealed.to_be_bytes()]);
        }
        for order in &state.orders {
            let status = [self.status(order) as u8, order.flags, order.standing as u8];
            let act = order.index.to_be_bytes();
            let decided: Vec<u8> = [order.accepted, order.declined, order.returned]
                .into_iter()
                .flat_map(|idx| if idx == NONE { [0; 32] } else { state.id(idx) })
                .collect();
            let (from, to) = (state.did(order.from), state.did(order.to));
            line(
                b'o',
                &[
                    &state.id(order.entry),
                    &act,
                    &status,
                    from.public_key(),
                    to.public_key(),
                    state.code(order.currency).as_bytes(),
                    &order.amount.to_be_bytes(),
                    &order.expires.to_be_bytes(),
                    &decided,
                ],
            );
        }
        for ((entry, index), reason) in &state.invalid {
            let reason = icn_types::codec::encode(reason).unwrap_or_default();
            line(b'i', &[&state.id(*entry), &index.to_be_bytes(), &reason]);
        }
        for claim in self.claims() {
            line(b'c', &[&claim.id.to_bytes(), &claim.amount.to_be_bytes(), &[u8::from(claim.is_settled)]]);
        }
        for event in &state.events {
            if event.rule == Rule::Branch {
                continue;
            }
            let rule = state.rule_bytes(&event.rule);
            line(b'r', &[&state.id(event.entry), &event.index.to_be_bytes(), &rule]);
        }
        for place in self.forks() {
            let winner = place.winner.to_bytes();
            let lifted = [place.rule as u8, u8::from(place.is_lifted)];
            line(b'f', &[place.author.public_key(), &place.seq.to_be_bytes(), &winner, &lifted]);
        }
        for spent in state.reduced_spending() {
            line(b'b', &[&spent]);
        }
        for word in state.reduced_words() {
            line(b'w', &[&word]);
        }
        for (place, seal) in self.facts.line.iter().enumerate() {
            line(b's', &[&state.id(seal.entry), &(place as u64).to_be_bytes()]);
        }
        lines.sort_unstable();
        lines
    }

    /// Tells whether every currency sums to zero.
    #[must_use]
    pub fn check_zero_sum(&self) -> bool {
        let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
        for ((_, currency), derived) in self.state.derived_totals(&self.facts, &self.everything()) {
            *sums.entry(currency).or_default() += derived;
        }
        for purse in self.state.accounts.iter().flat_map(|account| &account.purses) {
            *sums.entry(purse.currency).or_default() += purse.booked;
        }
        sums.values().all(|sum| *sum == 0)
    }

    /// Recomputes everything from the entries and compares.
    #[must_use]
    pub fn verify(&self, items: impl IntoIterator<Item = Item>) -> bool {
        let mut fresh = Self::new(self.space);
        let items: Vec<Item> = items.into_iter().collect();
        for item in &items {
            fresh.take(item);
        }
        fresh.rejudge_all(&items);
        fresh.check_zero_sum() && fresh.digest() == self.digest()
    }
}

impl State {
    /// Encodes a rule by names instead of numbers.
    fn rule_bytes(&self, rule: &Rule) -> Vec<u8> {
        let did = |account: &u32| self.did(*account).to_string();
        let text = match rule {
            Rule::Appoint(account) => format!("appoint {}", did(account)),
            Rule::Dismiss(account) => format!("dismiss {}", did(account)),
            Rule::Admit(account, name) => format!("admit {} {name:?}", did(account)),
            Rule::Expel(account) => format!("expel {}", did(account)),
            Rule::Join(account, name, by) => format!("join {} {name:?} {}", did(account), did(by)),
            Rule::Currency { currency, decimals, policy } => {
                format!("currency {} {decimals} {policy:?}", self.code(*currency))
            }
            Rule::Line { account, currency, limit, number } => {
                format!("line {} {} {limit} {number}", did(account), self.code(*currency))
            }
            Rule::Freeze(account, None) => format!("freeze {}", did(account)),
            Rule::Freeze(account, Some(until)) => format!("freeze {} until {until}", did(account)),
            Rule::Demurrage { currency, charge } => {
                let charge = charge.map(|(rule, fund)| format!("{rule:?} {}", did(&fund)));
                format!("demurrage {} {charge:?}", self.code(*currency))
            }
            Rule::Dispute { order, by, step } => {
                let about = self.order(*order).map(|order| (cid_of(&self.id(order.entry)), order.index));
                let step = match step {
                    DisputeStep::Mediate(who) => format!("mediate {}", did(who)),
                    DisputeStep::Resolve { outcome, moved, .. } => {
                        let moved = moved.map(|moved| (did(&moved.from), did(&moved.to), moved.amount));
                        format!("resolve {outcome:?} {moved:?}")
                    }
                    DisputeStep::File | DisputeStep::Escalate => format!("{step:?}"),
                };
                format!("dispute {about:?} {} {step}", did(by))
            }
            Rule::WriteOff { moved, number } => {
                let (from, to) = (did(&moved.from), did(&moved.to));
                format!("write off {from} {to} {} {} {number}", self.code(moved.currency), moved.amount)
            }
            Rule::Unfreeze(account) => format!("unfreeze {}", did(account)),
            Rule::Treasury { account, approvers, threshold } => {
                format!("treasury {} {approvers:?} {threshold}", did(account))
            }
            Rule::SetCertified { of, set, voters } => {
                format!("set {} {set} {voters:?}", cid_of(&self.id(*of)))
            }
            Rule::Treasuries(step) => self.treasury_text(step),
            Rule::Sealed(entry) => format!("sealed {}", cid_of(&self.id(*entry))),
            Rule::Found { .. } | Rule::Policy(_) | Rule::Witnesses { .. } | Rule::Branch => {
                format!("{rule:?}")
            }
        };
        text.into_bytes()
    }
}
