//! Standing orders, as the payer's own chain has them.

use icn_types::Did;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Books;
use super::judge::Judge;
use super::reason::Reason;
use super::state::{NONE, State, cid_of};
use super::views::StandingView;
use crate::act::OrderRef;
use crate::standing::{StandingOrder, standing_key};

/// The most standing orders that one account has at a time. Full: end one first.
const STANDINGS_MAX: usize = 256;

/// A standing order that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StandingRec {
    pub(super) account: u32,
    pub(super) terms: StandingOrder,
    /// The entry that ended it.
    pub(super) ended: u32,
}

impl Judge<'_> {
    pub(super) fn standing(&mut self, index: u32, terms: &StandingOrder) -> Result<(), Reason> {
        if terms.to == self.item.author {
            return Err(Reason::SelfPayment);
        }
        let to = self.account(terms.to);
        let currency = self.find_currency(&terms.currency).ok_or(Reason::UnknownCurrency)?;
        let lens = self.lens();
        if lens.currency(currency).is_none() {
            return Err(Reason::UnknownCurrency);
        }
        if !lens.is_member(to) {
            return Err(Reason::NotAMember(terms.to));
        }
        self.check_fork()?;
        self.check_standing_approvals(terms.budget.as_ref())?;
        let account = self.draft.author;
        let own = self.state.standings.values().filter(|one| one.account == account && one.ended == NONE);
        if own.count() + self.draft.standings.len() >= STANDINGS_MAX {
            return Err(Reason::Full);
        }
        let rec = StandingRec { account, terms: terms.clone(), ended: NONE };
        self.draft.standings.push((index, rec));
        Ok(())
    }

    pub(super) fn end_standing(&mut self, named: &OrderRef) -> Result<(), Reason> {
        let entry = self.referred(&named.entry).ok_or(Reason::NoSuchOrder)?;
        let place = (entry, named.index);
        let standing = self.state.standings.get(&place).ok_or(Reason::NoSuchOrder)?;
        if standing.account != self.draft.author {
            return Err(Reason::NotYours);
        }
        if standing.ended != NONE || self.draft.ended.contains(&place) {
            return Err(Reason::AlreadyDone);
        }
        self.check_approvals()?;
        self.draft.ended.push(place);
        Ok(())
    }
}

/// Finds a standing order of an account that is not ended.
pub(super) fn open(state: &State, account: u32, place: (u32, u32)) -> Option<&StandingOrder> {
    let standing = state.standings.get(&place)?;
    (standing.account == account && standing.ended == NONE).then_some(&standing.terms)
}

/// Shortens an idempotency key to what is kept of it.
pub(super) fn short_key(key: &str) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    *hash.first_chunk().unwrap_or(&[0; 16])
}

impl State {
    fn is_paid(&self, account: u32, standing: &OrderRef, number: u32) -> bool {
        let key = short_key(&standing_key(standing, number));
        self.account(account).is_some_and(|account| account.keys.contains(&key))
    }
}

impl Books {
    /// Lists the standing orders of an account, oldest first. `paid_before` says how many of the first payments are known to be
    /// made: they are not looked for again.
    #[must_use]
    pub fn standings(&self, of: &Did, paid_before: impl Fn(&OrderRef) -> u32) -> Vec<StandingView> {
        let Some(account) = self.account_of(of) else { return Vec::new() };
        let own = self.state.standings.iter().filter(|(_, standing)| standing.account == account);
        own.map(|((entry, index), standing)| {
            let id = OrderRef { entry: cid_of(&self.state.id(*entry)), index: *index };
            let mut next = paid_before(&id);
            while standing.terms.due(next).is_some() && self.state.is_paid(account, &id, next) {
                next += 1;
            }
            StandingView {
                id,
                terms: standing.terms.clone(),
                is_ended: standing.ended != NONE,
                paid: next,
                next_due: standing.terms.due(next).filter(|_| standing.ended == NONE),
            }
        })
        .collect()
    }
}
