//! Credit lines as the policy of a currency suggests them, granted by a steward.
//!
//! Trust enters as a share of one flow from the stewards: whoever makes up members gets no more for all of them together than
//! the introductions into them carry (anchor: Advogato, Bazaar; `docs/trust.md`).

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Grant, GrantRequest, Granted};
use icn_ledger::replica::Refusal;
use icn_ledger::{ACTS_MAX, Act, Books, LineExplanation, Reason, recommended_line};
use icn_types::{Did, Timestamp, format_score};

use super::words::Words;
use super::{BooksFace, members};
use crate::spaces::Space;

/// How often the numbers of lines are read again when another steward was faster.
const TRIES_MAX: u32 = 3;

impl BooksFace {
    /// Grants what the policies suggest; with `dry_run`, shows it only.
    pub(super) async fn grant_lines(&self, space: &str, request: GrantRequest) -> Result<Granted, Problem> {
        let space = self.find(space)?;
        let author = self.steward(&space, request.identity.as_deref()).await?;
        let mut tries = 1;
        loop {
            let (grants, acts) = self.suggested(&space, &request)?;
            if request.dry_run || acts.is_empty() {
                return Ok(Granted { grants, entry: None });
            }
            match self.try_post(&space, author, acts.clone(), request.key.clone()).await {
                Err(Refusal::Books { reason: Reason::Number(_), .. }) if tries < TRIES_MAX => tries += 1,
                result => {
                    let posted = self.answered(&space, author, &acts, result)?;
                    return Ok(Granted { grants, entry: Some(posted.entry) });
                }
            }
        }
    }

    fn suggested(&self, space: &Space, request: &GrantRequest) -> Result<(Vec<Grant>, Vec<Act>), Problem> {
        let now = self.0.clock.now().at;
        let replica = space.replica();
        let books = replica.books();
        let words = Words::of(books);
        let codes = words.chosen(request.currency.as_deref())?;
        let wanted = request.account.as_deref().map(|name| self.member(name, &words)).transpose()?;
        let accounts: Vec<Did> = match wanted {
            Some(did) => vec![did],
            // The space's own key is nobody's account.
            None => {
                let members = books.members().into_iter().map(|member| member.did);
                members.filter(|did| *did != space.root).collect()
            }
        };
        let (mut grants, mut acts) = (Vec::new(), Vec::new());
        for (account, code) in accounts.iter().flat_map(|did| codes.iter().map(move |code| (*did, code))) {
            let trust_ppm = self.credit_trust(space, &account);
            let since = members::since(&replica, space.root, &account);
            let Some((line, why)) = recommended(books, &account, code, (now, since), trust_ppm) else {
                continue;
            };
            let before = books.balance(&account, code).line;
            // A policy never takes away what people gave.
            if line <= before || acts.len() >= ACTS_MAX {
                continue;
            }
            grants.push(Grant {
                account: words.party(account),
                before: words.amount(before, code),
                after: words.amount(line, code),
                trust_ppm,
                why: format!("{why}; trust of {} flows from the stewards", format_score(trust_ppm)),
            });
            let number = books.line_number(&account, code).saturating_add(1);
            acts.push(Act::Line { account, currency: code.clone(), limit: line, number });
        }
        Ok((grants, acts))
    }

    /// Returns the share of one flow of trust from the stewards that reaches a member, in parts per million.
    pub(super) fn credit_trust(&self, space: &Space, account: &Did) -> u32 {
        self.0.trust.web(&space.root).map_or(0, |web| web.credit_ppm(account))
    }
}

/// Computes the line that the policy of a currency suggests for a member now.
pub(super) fn recommended(
    books: &Books,
    account: &Did,
    code: &str,
    (now, since): (Timestamp, Timestamp),
    trust_ppm: u32,
) -> Option<(i64, LineExplanation)> {
    let currency = books.currency(code).filter(|_| books.is_member(account))?;
    let received = books.net_received(account, code);
    Some(recommended_line(&currency.policy, currency.decimals, trust_ppm, &received, now.since(since)))
}
