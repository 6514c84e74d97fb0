//! Judging the acts that change the rules of the space.

use icn_types::{Cid, Did, Timestamp};

use super::derived::{Charge, Moved};
use super::judge::{Judge, SealMemo};
use super::reason::Reason;
use super::state::{NONE, Rule, SealRec, hash_of};
use crate::act::Act;
use crate::invitation::Invitation;

impl<'a> Judge<'a> {
    pub(super) fn rule(&mut self, index: u32, act: &'a Act) -> Result<(), Reason> {
        let author = self.draft.author;
        match act {
            Act::Found { name, .. } => self.found(index, name),
            Act::Join { invitation, nickname } => self.join(index, invitation, nickname.as_deref()),
            Act::Seal { number, prev, time, digest } => {
                self.check_fork()?;
                self.seal(index, *number, *prev, *time, digest)
            }
            Act::Policy(_)
            | Act::Appoint { .. }
            | Act::Dismiss { .. }
            | Act::Admit { .. }
            | Act::Expel { .. }
            | Act::Currency { .. }
            | Act::Line { .. }
            | Act::Freeze { .. }
            | Act::Unfreeze { .. }
            | Act::Witnesses { .. }
            | Act::Treasury { .. }
            | Act::Pay { .. }
            | Act::Request { .. }
            | Act::Accept { .. }
            | Act::Decline { .. }
            | Act::Return { .. }
            | Act::Hold { .. }
            | Act::Capture { .. }
            | Act::Claim { .. }
            | Act::Repair { .. }
            | Act::Trust { .. }
            | Act::Rate { .. }
            | Act::Demurrage { .. }
            | Act::Dispute(_)
            | Act::EndStanding { .. }
            | Act::Standing(_)
            | Act::Propose(_)
            | Act::Approve { .. }
            | Act::Withdraw { .. }
            | Act::Budget(_)
            | Act::EndBudget { .. }
            | Act::WriteOff { .. } => {
                if !self.lens().is_steward(author) {
                    return Err(Reason::NotASteward(self.item.author));
                }
                self.check_fork()?;
                self.check_approvals()?;
                let rule = self.steward(act)?;
                self.event(index, rule);
                Ok(())
            }
        }
    }

    fn found(&mut self, index: u32, name: &str) -> Result<(), Reason> {
        if self.item.author != self.root || self.item.seq != 1 || index != 0 {
            return Err(Reason::NotTheFounder);
        }
        let root = self.root();
        self.event(index, Rule::Found { name: name.to_owned() });
        self.event(index, Rule::Admit(root, None));
        self.event(index, Rule::Appoint(root));
        Ok(())
    }

    fn join(&mut self, index: u32, invitation: &Invitation, nickname: Option<&str>) -> Result<(), Reason> {
        let author = self.draft.author;
        let issuer = self.account(invitation.issuer);
        let sealed = self.last_seal_time();
        let lens = self.lens();
        let fits = invitation.space == self.root
            && invitation.member.is_none_or(|member| member == self.item.author)
            && lens.is_steward(issuer)
            && !lens.is_expelled(author);
        if !fits {
            return Err(Reason::Invitation);
        }
        if sealed.is_some_and(|time| time > invitation.expires.as_millis()) {
            return Err(Reason::Expired);
        }
        self.event(index, Rule::Join(author, nickname.map(str::to_owned), issuer));
        Ok(())
    }

    fn steward(&mut self, act: &'a Act) -> Result<Rule, Reason> {
        Ok(match act {
            Act::Policy(policy) => Rule::Policy(policy.clone()),
            Act::Appoint { member } => {
                let account = self.account(*member);
                if !self.lens().is_member(account) {
                    return Err(Reason::NotAMember(*member));
                }
                Rule::Appoint(account)
            }
            Act::Dismiss { member } if *member == self.root => return Err(Reason::Root),
            Act::Dismiss { member } => Rule::Dismiss(self.account(*member)),
            Act::Admit { member, nickname } => Rule::Admit(self.account(*member), nickname.clone()),
            Act::Expel { member } if *member == self.root => return Err(Reason::Root),
            Act::Expel { member } => Rule::Expel(self.account(*member)),
            Act::Currency { code, decimals, policy } => {
                let currency = self.new_currency(code);
                if self.lens().currency(currency).is_some_and(|(known, ..)| known != *decimals) {
                    return Err(Reason::Decimals);
                }
                Rule::Currency { currency, decimals: *decimals, policy: policy.clone() }
            }
            Act::Line { account, currency, limit, number } => {
                let account = self.account(*account);
                let currency = self.find_currency(currency).ok_or(Reason::UnknownCurrency)?;
                let lens = self.lens();
                if lens.currency(currency).is_none() {
                    return Err(Reason::UnknownCurrency);
                }
                let known = lens.line_number(account, currency);
                if *number <= known {
                    return Err(Reason::Number(known.saturating_add(1)));
                }
                Rule::Line { account, currency, limit: *limit, number: *number }
            }
            Act::Freeze { account, expires, .. } => {
                Rule::Freeze(self.account(*account), expires.map(Timestamp::as_millis))
            }
            Act::Demurrage { currency, rule, fund } => {
                let currency = self.known_currency(currency)?;
                let charge = match rule.zip(*fund) {
                    Some((rule, fund)) => Some((rule, self.payable(fund)?)),
                    None => None,
                };
                Rule::Demurrage { currency, charge }
            }
            Act::WriteOff { account, currency, amount, number, .. } => {
                let to = self.account(*account);
                let currency = self.known_currency(currency)?;
                if self.lens().is_member(to) {
                    return Err(Reason::StillAMember(*account));
                }
                let next = self.lens().write_off_number(to, currency).saturating_add(1);
                if *number != next {
                    return Err(Reason::Number(next));
                }
                let from = self.lens().policy().fund.ok_or(Reason::NoFund)?;
                let from = self.payable(from)?;
                Rule::WriteOff { moved: Moved { from, to, currency, amount: *amount }, number: *number }
            }
            Act::Unfreeze { account } => Rule::Unfreeze(self.account(*account)),
            Act::Witnesses { number, members } => {
                let next = self.lens().set().map_or(1, |(number, _)| number.saturating_add(1));
                if *number != next {
                    return Err(Reason::Number(next));
                }
                for member in members {
                    let account = self.account(*member);
                    if !self.lens().is_member(account) {
                        return Err(Reason::NotAMember(*member));
                    }
                }
                Rule::Witnesses { number: *number, members: members.clone() }
            }
            Act::Treasury { account, approvers, threshold } => Rule::Treasury {
                account: self.account(*account),
                approvers: approvers.clone(),
                threshold: *threshold,
            },
            Act::Found { .. }
            | Act::Join { .. }
            | Act::Seal { .. }
            | Act::Pay { .. }
            | Act::Request { .. }
            | Act::Accept { .. }
            | Act::Decline { .. }
            | Act::Return { .. }
            | Act::Hold { .. }
            | Act::Capture { .. }
            | Act::Claim { .. }
            | Act::Repair { .. }
            | Act::Trust { .. }
            | Act::Rate { .. }
            | Act::Dispute(_)
            | Act::EndStanding { .. }
            | Act::Standing(_)
            | Act::Propose(_)
            | Act::Approve { .. }
            | Act::Withdraw { .. }
            | Act::Budget(_)
            | Act::EndBudget { .. } => return Err(Reason::NoSuchOrder),
        })
    }

    fn known_currency(&self, code: &str) -> Result<u32, Reason> {
        let currency = self.find_currency(code).ok_or(Reason::UnknownCurrency)?;
        if self.lens().currency(currency).is_none() { Err(Reason::UnknownCurrency) } else { Ok(currency) }
    }

    /// Finds the account of a member or treasury.
    fn payable(&mut self, did: Did) -> Result<u32, Reason> {
        let account = self.account(did);
        let lens = self.lens();
        let is_known = lens.is_member(account) || lens.treasury(account).is_some();
        if is_known { Ok(account) } else { Err(Reason::NotAMember(did)) }
    }

    /// Returns the time of the last seal of the line in the entry's past, in milliseconds.
    pub(super) fn last_seal_time(&self) -> Option<u64> {
        self.lens().sealed_time()
    }

    fn seal(
        &mut self,
        index: u32,
        number: u64,
        prev: Option<Cid>,
        time: Timestamp,
        digest: &[u8],
    ) -> Result<(), Reason> {
        let author = self.draft.author;
        let lens = self.lens();
        let at_once = match lens.set() {
            Some((_, members)) if !members.is_empty() => {
                if !members.contains(&self.item.author) {
                    return Err(Reason::NotAWitness(self.item.author));
                }
                false
            }
            Some(_) | None if lens.is_steward(author) => true,
            Some(_) | None => return Err(Reason::NotASteward(self.item.author)),
        };
        if self.draft.seal.is_some() {
            return Err(Reason::AlreadyDone);
        }
        let before = match prev {
            None => None,
            Some(prev) => {
                let entry = self.referred(&prev).ok_or(Reason::SealPrev)?;
                let seal = self.state.seals.get(&entry).ok_or(Reason::SealPrev)?;
                if !self.lens().is_in_force(entry) {
                    return Err(Reason::SealPrev);
                }
                Some((entry, seal))
            }
        };
        if let Some((_, seal)) = before {
            if number <= seal.number {
                return Err(Reason::Number(seal.number.saturating_add(1)));
            }
            if time.as_millis() <= seal.time {
                return Err(Reason::SealTime);
            }
        }
        let before = before.map_or(NONE, |(entry, _)| entry);
        let time = time.as_millis();
        let charges = self.check_digest(before, time, digest)?;
        let charges = charges
            .iter()
            .filter_map(|charge| {
                let currency = self.find_currency(&charge.currency)?;
                Some(charge.numbered(currency, |did| self.account(did)))
            })
            .collect();
        let digest = digest.to_vec();
        let seal = SealRec { index, number, prev: before, time, digest, in_force: at_once, charges };
        self.draft.seal = Some(seal);
        if at_once {
            self.event(index, Rule::Sealed(NONE));
        }
        Ok(())
    }

    /// Compares with the books as they are in the seal's past alone: whatever comes to light later does not matter. Returns
    /// what the seal charges.
    fn check_digest(&mut self, prev: u32, time: u64, digest: &[u8]) -> Result<Vec<Charge>, Reason> {
        let key = hash_of(&self.item.id);
        if let Some(known) = self.memo.get(&key) {
            return if known.is_right { Ok(known.charges.clone()) } else { Err(Reason::SealDigest) };
        }
        let parents: Vec<u32> = super::judge::parents(self.item).collect();
        let is_live = self.mode == super::judge::Mode::Live;
        let tip = self.facts.line.last().map_or(NONE, |seal| seal.entry);
        let known = (is_live && tip == prev).then(|| self.state.cut_totals(self.facts, &parents)).flatten();
        let Some((heads, totals)) = known else {
            self.draft.wants_seal = true;
            return Err(Reason::SealDigest);
        };
        let is_right = self.state.digest_of(&heads, &totals).as_slice() == digest;
        let charges = if is_right {
            self.state.charges(self.facts, &self.view, prev, time, &totals)
        } else {
            Vec::new()
        };
        self.draft.seal_memo = Some(SealMemo { is_right, charges: charges.clone() });
        if is_right { Ok(charges) } else { Err(Reason::SealDigest) }
    }
}
