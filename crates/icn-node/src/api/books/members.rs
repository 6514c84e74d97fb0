//! Members, witnesses, and the rules that stewards set.

use std::collections::BTreeSet;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Amount, Listing, Member, Rule, RuleRequest, Space as SpaceView, WitnessSet, Written,
};
use icn_ledger::replica::{Posted, Refusal, Replica};
use icn_ledger::{Act, Books, Demurrage, Reason, Tier, quorum};
use icn_types::{Did, Page, Timestamp};

use super::spaces::DECIMALS;
use super::words::Words;
use super::{BooksFace, convert, read};
use crate::spaces::Space;

/// How often a rule act is numbered anew when another one took its number.
const NUMBER_TRIES_MAX: u32 = 3;

impl BooksFace {
    pub(super) fn list_members(&self, space: &str, part: &Listing) -> Result<Page<Member>, Problem> {
        let space = self.find(space)?;
        let identities = self.own();
        let replica = space.replica();
        let books = replica.books();
        let mut all = books.members();
        all.sort_by(|a, b| {
            // Whoever has no name comes last.
            (a.nickname.is_none(), &a.nickname, a.did).cmp(&(b.nickname.is_none(), &b.nickname, b.did))
        });
        let page = Page::cut(all.into_iter(), part.offset, part.limit);
        let witnesses = books.witness_set().map(|set| set.members).unwrap_or_default();
        let treasuries: BTreeSet<Did> =
            books.treasuries().into_iter().map(|treasury| treasury.account).collect();
        let show = |member: &icn_ledger::Member| Member {
            did: member.did,
            nickname: member.nickname.clone(),
            since: since(&replica, space.root, &member.did),
            steward: member.is_steward,
            witness: witnesses.contains(&member.did),
            treasury: treasuries.contains(&member.did),
            frozen: (member.is_frozen || books.is_forked(&member.did))
                .then(|| convert::frozen(books, &member.did))
                .flatten(),
            identity: identities.iter().find(|(_, did)| *did == member.did).map(|(name, _)| name.clone()),
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) fn show_witnesses(&self, space: &str) -> Result<WitnessSet, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        Ok(witness_set(replica.books(), &Words::of(replica.books())))
    }

    pub(super) async fn set_rule(&self, space: &str, request: RuleRequest) -> Result<Written, Problem> {
        let space = self.find(space)?;
        let author = self.steward(&space, request.identity.as_deref()).await?;
        let act = self.act_of(&space, request.act)?;
        let overrun = overrun(&space, &act);
        let (posted, act) = self.post_numbered(&space, author, act, request.key).await?;
        let overrun = overrun.filter(|_| !posted.is_repeat);
        let note = note_of(&act);
        Ok(Written {
            entry: posted.entry,
            author,
            seq: posted.seq,
            repeated: posted.is_repeat,
            note,
            overrun,
        })
    }

    /// Writes an act; where the books say that its number is not the next one, with the next one.
    async fn post_numbered(
        &self,
        space: &Space,
        author: Did,
        mut act: Act,
        key: Option<String>,
    ) -> Result<(Posted, Act), Problem> {
        let mut tries = 1;
        loop {
            let result = self.try_post(space, author, vec![act.clone()], key.clone()).await;
            if let Err(Refusal::Books { reason: Reason::Number(next), .. }) = &result
                && tries < NUMBER_TRIES_MAX
                && let Act::Line { number, .. } | Act::Witnesses { number, .. } | Act::WriteOff { number, .. } =
                    &mut act
            {
                *number = *next;
                tries += 1;
                continue;
            }
            let posted = self.answered(space, author, std::slice::from_ref(&act), result)?;
            return Ok((posted, act));
        }
    }

    /// Makes the act that a rule is: names become DIDs, texts amounts, and what is absent stays as it is.
    pub(super) fn act_of(&self, space: &Space, rule: Rule) -> Result<Act, Problem> {
        let replica = space.replica();
        let words = Words::of(replica.books());
        let books = replica.books();
        let member = |text: &str| self.member(text, &words);
        let all = |texts: &[String]| {
            let found: Result<BTreeSet<Did>, Problem> = texts.iter().map(|text| member(text)).collect();
            found.map(|found| found.into_iter().collect::<Vec<Did>>())
        };
        Ok(match rule {
            Rule::Admit { member, nickname } => Act::Admit { member, nickname },
            Rule::Expel { member: text } => Act::Expel { member: member(&text)? },
            Rule::Appoint { member: text } => Act::Appoint { member: member(&text)? },
            Rule::Dismiss { member: text } => Act::Dismiss { member: member(&text)? },
            Rule::Currency { code, decimals, policy } => {
                let known = books.currency(&code);
                let policy = policy.map(|rules| convert::credit_policy(&rules));
                let (old_decimals, old_policy) = match known {
                    Some(known) => (known.decimals, known.policy),
                    None => (DECIMALS, self.usual_policy()),
                };
                Act::Currency {
                    code,
                    decimals: decimals.unwrap_or(old_decimals),
                    policy: policy.unwrap_or(old_policy),
                }
            }
            Rule::Line { account, limit } => {
                let account = member(&account)?;
                let limit = words.parse(&limit)?;
                // The books say which number is the next.
                Act::Line { account, currency: limit.currency, limit: limit.smallest, number: 1 }
            }
            Rule::Freeze { account, reason, expires_seconds } => {
                let now = self.0.clock.now().at;
                let expires = expires_seconds.map(|seconds| convert::after(now, seconds));
                Act::Freeze { account: member(&account)?, reason, expires }
            }
            Rule::Demurrage { currency, above, rate_ppm, period_days, fund } => {
                let currency = words.one(currency.as_deref())?;
                let above = convert::amount_in(&words, &above, &currency)?;
                let rule = Demurrage { threshold: above.smallest, rate_ppm, period_days };
                Act::Demurrage { currency, rule: Some(rule), fund: Some(member(&fund)?) }
            }
            Rule::EndDemurrage { currency } => {
                let currency = words.one(currency.as_deref())?;
                if books.demurrage().iter().all(|(code, ..)| *code != currency) {
                    let detail = format!("balances in {currency} are not charged: there is nothing to end");
                    return Err(Problem::new(409, "already-decided", detail));
                }
                Act::Demurrage { currency, rule: None, fund: None }
            }
            Rule::WriteOff { account, amount, currency, reason } => {
                let (amount, currency) =
                    debt(books, &words, &account, amount.as_deref(), currency.as_deref())?;
                let number = books.next_write_off(&account, &currency);
                Act::WriteOff { account, currency, amount, number, reason }
            }
            Rule::Unfreeze { account } => Act::Unfreeze { account: member(&account)? },
            Rule::Witnesses { members } => {
                let number = books.witness_set().map_or(1, |set| set.number.saturating_add(1));
                Act::Witnesses { number, members: all(&members)? }
            }
            Rule::Treasury { account, approvers, threshold } => {
                Act::Treasury { account: member(&account)?, approvers: all(&approvers)?, threshold }
            }
            Rule::Policy {
                finality,
                free_jobs,
                epoch_seconds,
                fund,
                mediators,
                assign_seconds,
                mediation_seconds,
            } => {
                let mut policy = books.policy();
                if let Some(fund) = fund {
                    policy.fund = Some(member(&fund)?);
                }
                if mediators.is_some() || assign_seconds.is_some() || mediation_seconds.is_some() {
                    let mut disputes = policy.disputes.unwrap_or_default();
                    if let Some(mediators) = mediators {
                        disputes.mediators = all(&mediators)?;
                    }
                    disputes.assign_seconds = assign_seconds.unwrap_or(disputes.assign_seconds);
                    disputes.mediation_seconds = mediation_seconds.unwrap_or(disputes.mediation_seconds);
                    policy.disputes = Some(disputes);
                }
                if let Some(tiers) = finality {
                    policy.finality = tiers
                        .iter()
                        .map(|tier| Tier { from: tier.from, level: convert::finality(tier.level) })
                        .collect();
                }
                policy.free_jobs = free_jobs.unwrap_or(policy.free_jobs);
                policy.epoch_seconds = epoch_seconds.unwrap_or(policy.epoch_seconds);
                Act::Policy(policy)
            }
        })
    }

    pub(super) async fn show_one_space(&self, space: &str) -> Result<SpaceView, Problem> {
        let space = self.find(space)?;
        Ok(self.show_space(&space).await)
    }
}

/// Finds out how much of a former member's debt is written off: so much, or all of it; never more than there is.
fn debt(
    books: &Books,
    words: &Words,
    account: &Did,
    amount: Option<&str>,
    currency: Option<&str>,
) -> Result<(i64, String), Problem> {
    let wanted = amount.map(|text| words.parse_positive(text)).transpose()?;
    let currency = match &wanted {
        Some(wanted) => wanted.currency.clone(),
        None => words.one(currency)?,
    };
    let owed = books.balance(account, &currency).booked.saturating_neg();
    if owed <= 0 || wanted.as_ref().is_some_and(|wanted| wanted.smallest > owed) {
        let owed = words.amount(owed.max(0), &currency).text;
        let detail = format!("{account} owes {owed}: write off at most that");
        return Err(Problem::invalid("bad-amount", detail));
    }
    Ok((wanted.map_or(owed, |wanted| wanted.smallest), currency))
}

/// Says what is still needed before an act counts, or what it means.
fn note_of(act: &Act) -> Option<String> {
    if let Act::Witnesses { number, .. } = act
        && *number > 1
    {
        return Some(format!("counts once witness set {} has certified it", number - 1));
    }
    if let Act::Expel { .. } = act {
        let note = "what the member wrote before stands; nothing that it says from now on counts";
        return Some(note.to_owned());
    }
    if let Act::Demurrage { rule: Some(_), .. } = act {
        return Some(
            "its time starts with the next seal; the first charge follows when a period ends".to_owned(),
        );
    }
    if let Act::Freeze { expires: Some(until), .. } = act {
        return Some(format!("ends with the first seal at or after {until}"));
    }
    None
}

/// Tells how much may be spent beyond a line that an act lowers, by those who have not seen it.
fn overrun(space: &Space, act: &Act) -> Option<Amount> {
    let Act::Line { account, currency, limit, .. } = act else { return None };
    let replica = space.replica();
    let books = replica.books();
    if *limit >= books.balance(account, currency).line {
        return None;
    }
    let words = Words::of(books);
    Some(words.amount(books.overrun(account, currency, *limit), currency))
}

/// Tells since when somebody is a member: by its own first entry, or, as long as it wrote none, since the space began.
pub(super) fn since(replica: &Replica, root: Did, member: &Did) -> Timestamp {
    let first_of = |did: &Did| {
        let first = replica.log().at(did, 1).into_iter().next()?;
        read::entry(replica, &first).map(|(entry, _)| entry.at)
    };
    first_of(member).or_else(|| first_of(&root)).unwrap_or_default()
}

/// Shows the witness set that counts.
pub(super) fn witness_set(books: &Books, words: &Words) -> WitnessSet {
    match books.witness_set() {
        Some(set) => WitnessSet {
            number: set.number,
            quorum: quorum(set.members.len()) as u64,
            members: words.parties(&set.members),
            change_pending: false,
        },
        None => WitnessSet::default(),
    }
}
