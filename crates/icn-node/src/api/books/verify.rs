//! Computing everything again from the entries on the disk, and comparing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{CurrencySum, LedgerVerdict};
use icn_gossip::{Admitted, Applied, Log, LogLimits, SignedEntry};
use icn_identity::Verifier;
use icn_ledger::replica::Checked;
use icn_ledger::{Books, Item, Post};

use super::BooksFace;
use super::words::Words;
use crate::receipt;
use crate::spaces::Space;

/// How many entries are read while the books are held.
const READ_AT_ONCE: u32 = 256;
/// The most differences that are told. Full: the rest is counted.
const DIFFERENCES_MAX: usize = 100;
/// How often the state is looked at again because the books were about to be judged anew.
const LOOKS_MAX: usize = 50;

/// The books as they were when the verification began.
struct Before {
    entries: u32,
    digest: String,
    is_zero_sum: bool,
    currencies: Vec<CurrencySum>,
    forks: u64,
    claims: u64,
    quarantined: u64,
    waiting: u64,
}

impl BooksFace {
    pub(super) async fn verify_books(&self, space: &str) -> Result<LedgerVerdict, Problem> {
        let space = self.find(space)?;
        let node = Arc::clone(&self.0);
        let verifying = tokio::task::spawn_blocking(move || verify(&space, &node.verifier));
        verifying.await.map_err(|error| Problem::internal(error.to_string()))?
    }
}

fn verify(space: &Arc<Space>, verifier: &dyn Verifier) -> Result<LedgerVerdict, Problem> {
    let began = Instant::now();
    let before = look(space)?;
    let mut again = Again::new(space);
    for idx in 0..before.entries {
        if idx.is_multiple_of(READ_AT_ONCE) {
            again.read(space, idx, before.entries);
        }
        again.take(idx, verifier);
    }
    let Again { mut books, mut differences, more, .. } = again;
    if books.needs_rejudge() {
        let items = Items { again: Again::new(space), space, next: 0, end: before.entries };
        books.rejudge(items);
    }
    let digest = books.digest();
    if digest != before.digest {
        differences.push(format!(
            "the entries give the digest {digest}, but the books that are in use have {}: start the node again, so \
             that it reads them anew",
            before.digest
        ));
    }
    if !before.is_zero_sum || !books.check_zero_sum() {
        differences.push("the balances of a currency do not sum to zero: report this as a fault".to_owned());
    }
    if more > 0 {
        differences.push(format!("{more} more differences"));
    }
    Ok(LedgerVerdict {
        ok: differences.is_empty(),
        space: space.root,
        entries: u64::from(before.entries),
        digest: before.digest,
        currencies: before.currencies,
        forks: before.forks,
        claims: before.claims,
        quarantined: before.quarantined,
        waiting: before.waiting,
        differences,
        elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
    })
}

/// Takes down the state that is to be compared with.
fn look(space: &Space) -> Result<Before, Problem> {
    for _ in 0..LOOKS_MAX {
        let replica = space.replica();
        let books = replica.books();
        if books.needs_rejudge() {
            drop(replica);
            std::thread::sleep(std::time::Duration::from_millis(20));
            continue;
        }
        let words = Words::of(books);
        return Ok(Before {
            entries: u32::try_from(replica.log().len()).unwrap_or(u32::MAX),
            digest: books.digest(),
            is_zero_sum: books.check_zero_sum(),
            currencies: words.codes().iter().map(|code| sum_of(books, &words, code)).collect(),
            forks: books.forks().len() as u64,
            claims: books.claims().len() as u64,
            quarantined: books.quarantine(0, usize::MAX).len() as u64,
            waiting: replica.log().waiting_len() as u64,
        });
    }
    Err(Problem::new(503, "busy", "the books are being judged anew: try again in a moment"))
}

fn sum_of(books: &Books, words: &Words, code: &str) -> CurrencySum {
    let accounts = books.accounts(code);
    let wide = |amounts: &mut dyn Iterator<Item = i64>| {
        let sum: i128 = amounts.map(i128::from).sum();
        i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
    };
    let sum = wide(&mut accounts.iter().map(|(_, booked)| *booked));
    let credit = wide(&mut accounts.iter().map(|(_, booked)| (*booked).max(0)));
    CurrencySum {
        currency: code.to_owned(),
        accounts: accounts.len() as u64,
        sum,
        credit: words.amount(credit, code),
    }
}

/// A second log with second books, made from the entries alone.
struct Again {
    log: Log,
    books: Books,
    chunk: BTreeMap<u32, SignedEntry>,
    differences: Vec<String>,
    /// Differences beyond those.
    more: u64,
}

impl Again {
    fn new(space: &Space) -> Self {
        Self {
            log: Log::new(space.log.clone(), LogLimits::default()),
            books: Books::new(space.root),
            chunk: BTreeMap::new(),
            differences: Vec::new(),
            more: 0,
        }
    }

    /// Reads the next entries.
    fn read(&mut self, space: &Space, from: u32, end: u32) {
        let replica = space.replica();
        let to = from.saturating_add(READ_AT_ONCE).min(end);
        self.chunk = (from..to).filter_map(|idx| Some((idx, replica.entry_at(idx)?))).collect();
    }

    fn differ(&mut self, difference: String) {
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        } else {
            self.more += 1;
        }
    }

    /// Checks an entry and applies it.
    fn take(&mut self, idx: u32, verifier: &dyn Verifier) {
        let Some(signed) = self.chunk.remove(&idx) else {
            return self.differ(format!("entry {idx} cannot be read from the disk: restore a backup"));
        };
        match Checked::new(signed, verifier) {
            Ok(checked) => {
                if let Some(item) = self.admit(idx, checked) {
                    self.books.apply(item);
                }
            }
            Err(error) => {
                let why = receipt::chain(&error);
                self.differ(format!("entry {idx} does not hold: {why}"));
            }
        }
    }

    /// Puts an entry into the log, at the place that it had.
    fn admit(&mut self, idx: u32, checked: Checked) -> Option<Item> {
        let Checked { entry, post } = checked;
        let id = entry.id();
        match self.log.admit(entry, post.refs()) {
            Admitted::Applied(applied) => match <[Applied; 1]>::try_from(applied) {
                Ok([one]) if one.position.idx.0 == idx => return Some(self.item(&one, post)),
                Ok(_) | Err(_) => self.differ(format!("entry {idx}, {id}, is not at its place")),
            },
            Admitted::Known => self.differ(format!("entry {idx}, {id}, is there twice")),
            Admitted::Waiting { .. } => self.differ(format!("entry {idx}, {id}, comes before its past")),
            Admitted::Refused(refusal) => self.differ(format!("entry {idx}, {id}, cannot stand: {refusal}")),
        }
        None
    }

    fn item(&self, applied: &Applied, post: Post) -> Item {
        let position = &applied.position;
        let refs = post.refs().into_iter().filter_map(|id| Some((id, self.log.idx(&id)?.0))).collect();
        let entry = applied.entry.entry();
        Item {
            idx: position.idx.0,
            prev: position.prev.map(|idx| idx.0),
            deps: position.deps.iter().map(|idx| idx.0).collect(),
            refs,
            id: applied.entry.id(),
            author: entry.author,
            seq: entry.seq,
            at: entry.at,
            space: entry.space,
            post,
        }
    }
}

/// Gives all entries once more, whose signatures were checked in the first pass.
struct Items<'a> {
    again: Again,
    space: &'a Space,
    next: u32,
    end: u32,
}

impl Iterator for Items<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.next < self.end {
            let idx = self.next;
            self.next += 1;
            if idx.is_multiple_of(READ_AT_ONCE) {
                self.again.read(self.space, idx, self.end);
            }
            let checked = self.again.chunk.remove(&idx).and_then(|signed| Checked::trusted(signed).ok());
            if let Some(item) = checked.and_then(|checked| self.again.admit(idx, checked)) {
                return Some(item);
            }
        }
        None
    }
}
