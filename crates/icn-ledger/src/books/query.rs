//! Asking the books who is who, and by which rules: members, stewards, treasuries, currencies.

mod entries;
mod orders;
mod seals;

use icn_types::Did;

use super::Books;
use super::lens::Lens;
use super::state::{Rule, number};
use super::views::{CurrencyView, Member, TreasuryView};
use crate::policy::SpacePolicy;

impl Books {
    pub(super) fn lens<'a>(&'a self, view: &'a super::view::View) -> Lens<'a> {
        Lens { state: &self.state, facts: &self.facts, view, own: &[], own_id: [0; 32] }
    }

    pub(super) fn account_of(&self, did: &Did) -> Option<u32> {
        self.state.by_did.get(did).copied()
    }

    /// Returns what people call the space, once it is founded.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.state
            .events
            .iter()
            .find_map(|event| if let Rule::Found { name } = &event.rule { Some(name.clone()) } else { None })
    }

    /// Lists the members, by DID.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let view = self.everything();
        let lens = self.lens(&view);
        let mut members: Vec<Member> = (0..number(self.state.accounts.len()))
            .filter(|account| lens.is_member(*account))
            .map(|account| Member {
                did: self.state.did(account),
                nickname: lens.nickname(account),
                is_steward: lens.is_steward(account),
                is_frozen: lens.is_frozen(account),
            })
            .collect();
        members.sort_by_key(|member| member.did);
        members
    }

    /// Tells whether a DID is a member.
    #[must_use]
    pub fn is_member(&self, did: &Did) -> bool {
        let view = self.everything();
        self.account_of(did).is_some_and(|account| self.lens(&view).is_member(account))
    }

    /// Lists the stewards, by DID.
    #[must_use]
    pub fn stewards(&self) -> Vec<Did> {
        self.members().into_iter().filter(|member| member.is_steward).map(|member| member.did).collect()
    }

    /// Tells whether a DID is a steward.
    #[must_use]
    pub fn is_steward(&self, did: &Did) -> bool {
        let view = self.everything();
        self.account_of(did).is_some_and(|account| self.lens(&view).is_steward(account))
    }

    /// Returns the rules of the space.
    #[must_use]
    pub fn policy(&self) -> SpacePolicy {
        self.lens(&self.everything()).policy()
    }

    /// Returns the highest number that a line of the account has; 0 where none was granted.
    #[must_use]
    pub fn line_number(&self, account: &Did, currency: &str) -> u64 {
        let (Some(account), Some(currency)) =
            (self.state.by_did.get(account), self.state.by_code.get(currency))
        else {
            return 0;
        };
        let view = self.everything();
        let lens = self.lens(&view);
        lens.line_number(*account, *currency)
    }

    /// Lists the treasuries.
    #[must_use]
    pub fn treasuries(&self) -> Vec<TreasuryView> {
        let view = self.everything();
        let lens = self.lens(&view);
        let all = 0..number(self.state.accounts.len());
        let mut list: Vec<TreasuryView> = all
            .filter_map(|account| {
                let (approvers, threshold) = lens.treasury(account)?;
                Some(TreasuryView {
                    account: self.state.did(account),
                    approvers: approvers.to_vec(),
                    threshold,
                })
            })
            .collect();
        list.sort_by_key(|treasury| treasury.account);
        list
    }

    /// Lists the currencies, by code.
    #[must_use]
    pub fn currencies(&self) -> Vec<CurrencyView> {
        self.state.by_code.keys().filter_map(|code| self.currency(code)).collect()
    }

    /// Returns a currency.
    #[must_use]
    pub fn currency(&self, code: &str) -> Option<CurrencyView> {
        let view = self.everything();
        let (decimals, policy, entry) = self.lens(&view).currency(*self.state.by_code.get(code)?)?;
        let issuer = self.state.entry(entry).map_or(self.space, |entry| self.state.did(entry.author));
        Some(CurrencyView { code: code.to_owned(), decimals, issuer, policy: policy.clone() })
    }
}
