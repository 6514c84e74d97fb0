//! A checkpoint of the reduced state, for a start without all entries. It is kept on the own disk; whether it is right
//! can be told by judging the entries anew ([`Books::verify`]).

use icn_types::Did;
use icn_types::codec::{self, CodecError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Books;
use super::facts::Facts;
use super::judge::SealMemo;
use super::reason::Reason;
use super::standings::StandingRec;
use super::state::{Account, ClaimRec, EntryRec, Event, Kind, Order, SealRec, Standing, State, number};
use super::treasuries::Treasuries;
use super::view::{View, Views};
use super::words::{WordRows, Words};

/// The version of the form.
const VERSION: u8 = 4;

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The bytes are not strict DAG-CBOR of this shape.
    #[error("this is not a checkpoint of the books: judge the entries anew")]
    Unreadable(#[from] CodecError),
    /// The form has another version, or is cut short.
    #[error("this checkpoint was written by another version or is damaged: judge the entries anew")]
    Other,
    /// The books wait for a rejudgement.
    #[error("the books are about to be judged anew: write the checkpoint afterwards")]
    Stale,
}

/// The acts that showed something, by entry and place.
type Shown = Vec<(u32, u32)>;

/// Everything that cannot be rebuilt from the rest. What there is one of for each entry is packed into byte columns.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    v: u8,
    space: Did,
    entries: ByteBuf,
    orders: ByteBuf,
    accounts: Vec<Account>,
    currencies: Vec<String>,
    events: Vec<Event>,
    views: Vec<(ByteBuf, u32, u32)>,
    all: u32,
    seals: Vec<(u32, SealRec)>,
    sets_used: Vec<u64>,
    claims: Vec<ClaimRec>,
    invalid: Vec<(u32, u32, Reason)>,
    base: Vec<(u32, u32, ByteBuf)>,
    base_len: Vec<(u32, u32)>,
    moves: Vec<(u32, Vec<u32>)>,
    sensitive: Vec<u32>,
    relied: Vec<u32>,
    repairs: Vec<(u32, u64, Vec<ByteBuf>)>,
    void_declines: Vec<(u32, u32)>,
    words: WordRows,
    facts: Facts,
    memo: Vec<(ByteBuf, SealMemo)>,
    evidence: Vec<(u32, u32, Shown)>,
    standings: Vec<(u32, u32, StandingRec)>,
    treasuries: Treasuries,
}

impl Books {
    /// Writes a checkpoint.
    ///
    /// # Errors
    ///
    /// [`BooksError::Stale`] while a rejudgement is due.
    pub fn snapshot(&self) -> Result<Vec<u8>, BooksError> {
        if self.is_stale {
            return Err(BooksError::Stale);
        }
        let state = &self.state;
        let views = state.views.all().iter().map(|view| {
            let words: Vec<u8> = view.words().iter().flat_map(|word| word.to_be_bytes()).collect();
            (ByteBuf::from(words), view.height, view.seals)
        });
        Ok(codec::encode(&Checkpoint {
            v: VERSION,
            space: self.space,
            entries: ByteBuf::from(pack_entries(&state.entries)),
            orders: ByteBuf::from(pack_orders(&state.orders)),
            accounts: state.accounts.clone(),
            currencies: state.currencies.clone(),
            events: state.events.clone(),
            views: views.collect(),
            all: state.all,
            seals: state.seals.iter().map(|(entry, seal)| (*entry, seal.clone())).collect(),
            sets_used: state.sets_used.iter().copied().collect(),
            claims: state.claims.clone(),
            invalid: state.invalid.iter().map(|((entry, act), reason)| (*entry, *act, *reason)).collect(),
            base: state
                .base
                .iter()
                .map(|((account, currency), total)| {
                    (*account, *currency, ByteBuf::from(total.to_be_bytes().to_vec()))
                })
                .collect(),
            base_len: state.base_len.iter().map(|(account, len)| (*account, *len)).collect(),
            moves: state.moves.iter().map(|(entry, orders)| (*entry, orders.clone())).collect(),
            sensitive: state.sensitive.iter().copied().collect(),
            relied: state.relied.iter().copied().collect(),
            repairs: state
                .repairs
                .iter()
                .map(|(entry, at, lost)| {
                    (*entry, *at, lost.iter().map(|hash| ByteBuf::from(hash.to_vec())).collect())
                })
                .collect(),
            void_declines: state.void_declines.iter().copied().collect(),
            words: state.words.rows(),
            facts: self.facts.clone(),
            memo: self
                .memo
                .iter()
                .map(|(seal, known)| (ByteBuf::from(seal.to_vec()), known.clone()))
                .collect(),
            evidence: state
                .evidence
                .iter()
                .map(|((order, party), shown)| (*order, *party, shown.clone()))
                .collect(),
            treasuries: state.treasuries.clone(),
            standings: state
                .standings
                .iter()
                .map(|((entry, act), standing)| (*entry, *act, standing.clone()))
                .collect(),
        })?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    ///
    /// [`BooksError`] when it is not one, or of another version.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, BooksError> {
        let read: Checkpoint = codec::decode(bytes)?;
        if read.v != VERSION {
            return Err(BooksError::Other);
        }
        let mut state = State::new();
        state.entries = unpack_entries(&read.entries).ok_or(BooksError::Other)?;
        state.orders = unpack_orders(&read.orders).ok_or(BooksError::Other)?;
        state.accounts = read.accounts;
        for (account, known) in state.accounts.iter_mut().enumerate() {
            state.by_did.insert(known.did, number(account));
            for list in
                [&mut known.membership, &mut known.stewardship, &mut known.freezes, &mut known.treasury]
            {
                list.clear();
            }
        }
        for (currency, code) in read.currencies.iter().enumerate() {
            state.by_code.insert(code.clone(), number(currency));
        }
        state.currencies = read.currencies;
        state.seals = read.seals.into_iter().collect();
        state.treasuries = read.treasuries;
        state.treasuries.index_errands();
        for (event_number, event) in read.events.iter().enumerate() {
            state.index_event(number(event_number), event);
        }
        state.events = read.events;
        // The legs of seals are no part of what is indexed by events.
        let seals = std::mem::take(&mut state.seals);
        for (entry, seal) in &seals {
            state.index_charges(*entry, &seal.charges);
        }
        state.seals = seals;
        state.evidence =
            read.evidence.into_iter().map(|(order, party, shown)| ((order, party), shown)).collect();
        state.standings =
            read.standings.into_iter().map(|(entry, act, standing)| ((entry, act), standing)).collect();
        let mut views = Views::new();
        for (place, (words, height, seals)) in read.views.into_iter().enumerate() {
            let words: Vec<u64> = words
                .chunks_exact(8)
                .map(|word| u64::from_be_bytes(word.try_into().unwrap_or_default()))
                .collect();
            if views.intern(View::of_words(&words, height, seals)) != number(place) {
                return Err(BooksError::Other);
            }
        }
        state.views = views;
        state.all = read.all;
        state.sets_used = read.sets_used.into_iter().collect();
        state.claims = read.claims;
        state.invalid = read.invalid.into_iter().map(|(entry, act, why)| ((entry, act), why)).collect();
        for (account, currency, total) in read.base {
            let total = total.as_slice().try_into().map_err(|_| BooksError::Other)?;
            state.base.insert((account, currency), i128::from_be_bytes(total));
        }
        state.base_len = read.base_len.into_iter().collect();
        state.moves = read.moves.into_iter().collect();
        for (idx, entry) in state.entries.iter().enumerate() {
            if entry.sealed == super::state::NONE {
                state.unsealed.insert(number(idx));
            }
        }
        state.sensitive = read.sensitive.into_iter().collect();
        state.relied = read.relied.into_iter().collect();
        state.void_declines = read.void_declines.into_iter().collect();
        state.words = Words::of_rows(read.words);
        for (entry, at, lost) in read.repairs {
            let lost: Option<Vec<[u8; 32]>> =
                lost.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
            state.repairs.push((entry, at, lost.ok_or(BooksError::Other)?));
        }
        let mut books =
            Self { len: number(state.entries.len()), state, facts: read.facts, ..Self::new(read.space) };
        for (seal, known) in read.memo {
            books.memo.insert(seal.as_slice().try_into().map_err(|_| BooksError::Other)?, known);
        }
        Ok(books)
    }
}

fn pack_entries(entries: &[EntryRec]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 80);
    for entry in entries {
        bytes.extend_from_slice(&entry.id);
        for field in [entry.author, entry.seq, entry.prev, entry.view, entry.first_order, entry.sealed] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&entry.acts.to_be_bytes());
        bytes.push(entry.flags);
        bytes.extend_from_slice(&entry.at.to_be_bytes());
        bytes.extend_from_slice(&number(entry.parents.len()).to_be_bytes());
        for parent in &entry.parents {
            bytes.extend_from_slice(&parent.to_be_bytes());
        }
    }
    bytes
}

fn unpack_entries(bytes: &[u8]) -> Option<Vec<EntryRec>> {
    let mut from = Reader(bytes);
    let mut entries = Vec::new();
    while !from.0.is_empty() {
        let id = from.take()?;
        let [author, seq, prev, view, first_order, sealed] =
            [from.u32()?, from.u32()?, from.u32()?, from.u32()?, from.u32()?, from.u32()?];
        let acts = u16::from_be_bytes(from.take()?);
        let [flags] = from.take()?;
        let at = u64::from_be_bytes(from.take()?);
        let parents = from.u32()?;
        let parents = (0..parents).map(|_| from.u32()).collect::<Option<_>>()?;
        entries.push(EntryRec { id, author, seq, prev, view, first_order, acts, flags, sealed, at, parents });
    }
    Some(entries)
}

fn pack_orders(orders: &[Order]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(orders.len() * 61);
    for order in orders {
        for field in [
            order.entry,
            order.from,
            order.to,
            order.currency,
            order.link,
            order.accepted,
            order.declined,
            order.returned,
        ] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&order.index.to_be_bytes());
        let kind = match order.kind {
            Kind::Pay => 0,
            Kind::Hold => 1,
            Kind::Capture => 2,
            Kind::Request => 3,
        };
        let standing = match order.standing {
            Standing::Good => 0,
            Standing::Bad => 1,
            Standing::Void => 2,
            Standing::Stopped => 3,
            Standing::Uncovered => 4,
            Standing::Lapsed => 5,
        };
        bytes.extend_from_slice(&[kind, standing, order.flags]);
        bytes.extend_from_slice(&order.amount.to_be_bytes());
        bytes.extend_from_slice(&order.expires.to_be_bytes());
    }
    bytes
}

fn unpack_orders(bytes: &[u8]) -> Option<Vec<Order>> {
    let mut from = Reader(bytes);
    let mut orders = Vec::new();
    while !from.0.is_empty() {
        let [entry, payer, to, currency] = [from.u32()?, from.u32()?, from.u32()?, from.u32()?];
        let [link, accepted, declined, returned] = [from.u32()?, from.u32()?, from.u32()?, from.u32()?];
        let index = u16::from_be_bytes(from.take()?);
        let [kind, standing, flags] = from.take()?;
        orders.push(Order {
            entry,
            index,
            kind: match kind {
                0 => Kind::Pay,
                1 => Kind::Hold,
                2 => Kind::Capture,
                3 => Kind::Request,
                _ => return None,
            },
            standing: match standing {
                0 => Standing::Good,
                1 => Standing::Bad,
                2 => Standing::Void,
                3 => Standing::Stopped,
                4 => Standing::Uncovered,
                5 => Standing::Lapsed,
                _ => return None,
            },
            flags,
            from: payer,
            to,
            currency,
            amount: i64::from_be_bytes(from.take()?),
            expires: u64::from_be_bytes(from.take()?),
            link,
            accepted,
            declined,
            returned,
        });
    }
    Some(orders)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }
}

/// Maps whose keys are not text, as lists of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::books) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(in crate::books) fn deserialize<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

/// Numbers as one byte string, 4 bytes each.
pub(super) mod column {
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_bytes::ByteBuf;

    pub(in crate::books) fn serialize<S: Serializer>(list: &[u32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&list.iter().flat_map(|one| one.to_be_bytes()).collect::<Vec<u8>>())
    }

    pub(in crate::books) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
        let bytes = ByteBuf::deserialize(from)?;
        let numbers = bytes.chunks_exact(4);
        Ok(numbers.map(|one| u32::from_be_bytes(one.try_into().unwrap_or_default())).collect())
    }
}

/// Sums of 128 bits, as byte strings.
pub(super) mod wide {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use serde_bytes::ByteBuf;

    pub(in crate::books) fn serialize<S: Serializer>(sum: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&sum.to_be_bytes())
    }

    pub(in crate::books) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        let bytes = ByteBuf::deserialize(from)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| de::Error::custom("a sum has 16 bytes"))?;
        Ok(i128::from_be_bytes(bytes))
    }
}
