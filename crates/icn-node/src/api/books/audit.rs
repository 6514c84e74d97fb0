//! Entries and what shows that the books are right.

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    Branch, DebtClaim, EntryView, Fork, JudgedAct, Listing, Misbehaviour, Party, Quarantined, Seal,
};
use icn_ledger::replica::Replica;
use icn_ledger::{Act, Evidence, ForkRule, Reason, Violation};
use icn_types::{Cid, Page};

use super::words::Words;
use super::{BooksFace, acts, convert, read};
use crate::spaces::disk::OffenceRecord;

/// The most acts without effect that the books list.
const QUARANTINE_MAX: usize = 10_000;
/// The most recorded offences that are listed. Full: the oldest are not.
const OFFENCES_MAX: usize = 10_000;

impl BooksFace {
    pub(super) async fn list_entries(&self, space: &str, part: &Listing) -> Result<Page<EntryView>, Problem> {
        let space = self.find(space)?;
        let author = match &part.account {
            Some(_) => Some(self.account_of(&space, part).await?),
            None => None,
        };
        let replica = space.replica();
        let words = Words::of(replica.books());
        let log = replica.log();
        let (ids, total): (Vec<Cid>, usize) = match author {
            Some(author) => {
                let last = log.head_of(&author).map_or(0, |(seq, _)| seq);
                let forks = replica.books().forks();
                let more: usize = forks
                    .iter()
                    .filter(|fork| fork.author == author)
                    .map(|fork| fork.branches.len().saturating_sub(1))
                    .sum();
                let total = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(more);
                let ids = (1..=last).rev().flat_map(|seq| log.at(&author, seq));
                (ids.skip(part.offset).take(part.limit).collect(), total)
            }
            None => {
                let total = log.len();
                let newest = total.saturating_sub(part.offset);
                let oldest = newest.saturating_sub(part.limit);
                let ids = (oldest..newest).rev().filter_map(|idx| u32::try_from(idx).ok());
                (ids.filter_map(|idx| log.id(icn_gossip::Idx(idx))).collect(), total)
            }
        };
        let has_more = part.offset.saturating_add(ids.len()) < total;
        let items = ids.iter().filter_map(|id| entry_view(&replica, &words, id)).collect();
        Ok(Page { items, total: total as u64, has_more })
    }

    pub(super) fn list_forks(&self, space: &str, part: &Listing) -> Result<Page<Fork>, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let page = Page::cut(replica.books().forks().into_iter(), part.offset, part.limit);
        let items = page.items.iter().map(|fork| fork_view(&replica, &words, fork)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) fn list_claims(&self, space: &str, part: &Listing) -> Result<Page<DebtClaim>, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let open: Vec<DebtClaim> = replica
            .books()
            .claims()
            .into_iter()
            .filter(|claim| part.all || !claim.is_settled)
            .map(|claim| DebtClaim {
                id: claim.id,
                creditor: words.party(claim.creditor),
                debtor: words.party(claim.debtor),
                amount: words.amount(claim.amount, &claim.currency),
                cause: claim.order.to_string(),
            })
            .collect();
        Ok(Page::cut(open.into_iter(), part.offset, part.limit))
    }

    pub(super) fn list_quarantine(&self, space: &str, part: &Listing) -> Result<Page<Quarantined>, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let page =
            Page::cut(replica.books().quarantine(0, QUARANTINE_MAX).into_iter(), part.offset, part.limit);
        let show = |item: &icn_ledger::Quarantined| Quarantined {
            reference: item.act.to_string(),
            author: words.party(item.author),
            reason: convert::reason_code(&item.reason),
            detail: detail(&replica, &words, item),
        };
        let items = page.items.iter().map(show).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) fn list_misbehaviour(
        &self,
        space: &str,
        part: &Listing,
    ) -> Result<Page<Misbehaviour>, Problem> {
        let space = self.find(space)?;
        let words = Words::of(space.replica().books());
        let mut records: Vec<OffenceRecord> = Vec::new();
        for row in self.0.spaces.tables.offences.scan((space.root,)).rev().take(OFFENCES_MAX) {
            let (_, record) = row.map_err(|error| crate::api::store_problem(&error))?;
            records.push(record);
        }
        let page = Page::cut(records.into_iter(), part.offset, part.limit);
        let items = page.items.into_iter().map(|record| misbehaviour(&words, record)).collect();
        Ok(Page { items, total: page.total, has_more: page.has_more })
    }

    pub(super) fn list_seals(&self, space: &str, part: &Listing) -> Result<Page<Seal>, Problem> {
        let space = self.find(space)?;
        let replica = space.replica();
        let words = Words::of(replica.books());
        let mut seals = replica.books().seals();
        seals.reverse();
        let total = seals.len();
        let show = |(place, seal): (usize, &icn_ledger::SealView)| {
            let before = seals.iter().skip(place + 1).find(|other| other.is_in_line);
            let (author, digest) = said(&replica, &seal.entry);
            Seal {
                number: seal.number,
                entry: seal.entry,
                author: author.map_or_else(|| words.party(space.root), |author| words.party(author)),
                time: seal.time,
                counts: seal.is_in_line,
                entries: covered(&replica, &seal.entry, before.map(|before| &before.entry)),
                digest,
            }
        };
        let items: Vec<Seal> =
            seals.iter().enumerate().skip(part.offset).take(part.limit).map(show).collect();
        let has_more = part.offset.saturating_add(items.len()) < total;
        Ok(Page { items, total: total as u64, has_more })
    }
}

/// Returns the author and digest of a seal.
fn said(replica: &Replica, id: &Cid) -> (Option<icn_types::Did>, String) {
    let Some((entry, post)) = read::entry(replica, id) else { return (None, String::new()) };
    let digest = post
        .acts
        .into_iter()
        .find_map(|act| if let Act::Seal { digest, .. } = act { Some(hex(&digest)) } else { None });
    (Some(entry.author), digest.unwrap_or_default())
}

/// Counts the entries between two seals, as this node took them in.
fn covered(replica: &Replica, seal: &Cid, before: Option<&Cid>) -> u64 {
    let place = |id: &Cid| replica.log().idx(id).map_or(0, |idx| u64::from(idx.0));
    let from = before.map_or(0, place);
    place(seal).saturating_sub(from)
}

/// Tells in which sealed epoch an entry lies.
pub(super) fn sealed_in(replica: &Replica, idx: u32) -> Option<u64> {
    if !replica.books().is_sealed(idx) {
        return None;
    }
    // A seal comes after everything that it covers.
    let seals = replica.books().seals();
    let mut line = seals.iter().filter(|seal| seal.is_in_line);
    line.find(|seal| replica.log().idx(&seal.entry).is_some_and(|seal| seal.0 > idx)).map(|seal| seal.number)
}

pub(super) fn entry_view(replica: &Replica, words: &Words, id: &Cid) -> Option<EntryView> {
    let (entry, post) = read::entry(replica, id)?;
    let idx = replica.log().idx(id)?.0;
    let books = replica.books();
    let mut verdicts = books.verdicts(idx).into_iter();
    let acts = post
        .acts
        .iter()
        .map(|act| {
            // Without a verdict it waits for the books to be judged anew.
            let reason = verdicts.next().map_or(Some(Reason::Pending), icn_ledger::Verdict::err);
            JudgedAct {
                kind: acts::kind(act).to_owned(),
                text: acts::text(act, words, &|order| convert::order_of(replica, order)),
                valid: reason.is_none(),
                reason: reason.map(|reason| reason.to_string()),
            }
        })
        .collect();
    Some(EntryView {
        id: *id,
        author: words.party(entry.author),
        seq: entry.seq,
        at: entry.at,
        acts,
        certified: replica.is_certified(id),
        sealed_in: sealed_in(replica, idx),
        forked: replica.log().at(&entry.author, entry.seq).len() > 1,
    })
}

fn fork_view(replica: &Replica, words: &Words, fork: &icn_ledger::ForkView) -> Fork {
    let branch = |id: &Cid| {
        let idx = replica.log().idx(id).map(|idx| idx.0);
        Branch {
            entry: *id,
            stands: *id == fork.winner,
            certified: replica.is_certified(id),
            sealed_in: idx.and_then(|idx| sealed_in(replica, idx)),
        }
    };
    let repaired = fork.rule == ForkRule::Repaired;
    let proof = replica.log().proof(&fork.author, fork.seq, &|id| replica.entry(id));
    Fork {
        author: words.party(fork.author),
        seq: fork.seq,
        branches: fork.branches.iter().map(branch).collect(),
        winner: fork.winner,
        rule: match fork.rule {
            ForkRule::Certified => "certified",
            ForkRule::Sealed => "sealed",
            ForkRule::Repaired => "repaired",
            ForkRule::LowestId => "lowest-id",
        }
        .to_owned(),
        repaired,
        frozen: !repaired && !fork.is_lifted,
        proof: proof.map(|proof| hex(&proof.to_bytes())).unwrap_or_default(),
    }
}

/// Says why an act does not count, with amounts as people read them.
fn detail(replica: &Replica, words: &Words, item: &icn_ledger::Quarantined) -> String {
    match (item.reason, read::act(replica, &item.act)) {
        (
            Reason::LimitExceeded { available, requested },
            Some(Act::Pay { currency, .. } | Act::Hold { currency, .. }),
        ) => format!(
            "{} could spend {}, but this takes {}: it counts once an earlier credit turns out to be in its past",
            words.name(&item.author),
            words.amount(available, &currency).text,
            words.amount(requested, &currency).text
        ),
        (reason, _) => reason.to_string(),
    }
}

fn misbehaviour(words: &Words, record: OffenceRecord) -> Misbehaviour {
    let OffenceRecord { offender, offence } = record;
    let who: Party = words.party(offender);
    let evidence = match offence.evidence {
        Evidence::None => None,
        Evidence::Block(cid) => Some(hex(&cid.to_bytes())),
        Evidence::Bytes(bytes) => Some(hex(&bytes)),
        Evidence::Digest { sha256, .. } => Some(hex(&sha256)),
    };
    Misbehaviour {
        at: offence.at,
        kind: match offence.violation {
            Violation::InvalidSignature => "bad-signature",
            Violation::Equivocation => "equivocation",
            Violation::Malformed => "malformed",
            Violation::ExcessiveRate => "excess-rate",
        }
        .to_owned(),
        // A fork is its author's; everything else falls on the node that sent it.
        peer: (offence.violation != Violation::Equivocation)
            .then(|| icn_identity::peer_id(&offender).to_string()),
        who: Some(who),
        detail: offence.detail,
        evidence,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
