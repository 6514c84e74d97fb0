//! The part of the DHT that this node keeps: bounded in total and for each peer that put it there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};

/// The largest value of a record, in bytes.
pub const RECORD_BYTES_MAX: usize = 8 * 1024;
/// The longest key, in bytes: a multihash of 64 bytes fits.
const KEY_BYTES_MAX: usize = 80;
/// Records kept, and records kept for one peer. Full: the new one is refused.
const RECORDS_MAX: usize = 4_096;
const RECORDS_PER_PEER_MAX: usize = 256;
/// Provider records of others kept, for one provider and for one key. Full: the new one is refused, since throwing out
/// old ones would let newcomers displace honest providers.
const PROVIDERS_MAX: usize = 65_536;
const PROVIDERS_PER_PEER_MAX: usize = 4_096;
const PROVIDERS_PER_KEY_MAX: usize = 64;
/// Keys that this node itself provides.
const PROVIDED_MAX: usize = 262_144;
/// Addresses kept with a provider record.
const ADDRESSES_MAX: usize = 8;
/// The longest that anything is kept without being put again (the libp2p specification's 48 hours).
const AGE_MAX: Duration = Duration::from_secs(48 * 3600);

/// Tells whether a DHT record is what its key says.
pub trait RecordCheck: Send + Sync + 'static {
    /// Checks a record that a peer offers or that a look-up found. May take milliseconds; is called off the swarm's task.
    fn accept(&self, key: &[u8], value: &[u8]) -> bool;
}

#[derive(Debug)]
struct Kept {
    record: Record,
    source: PeerId,
}

/// The records of this node.
#[derive(Debug)]
pub(crate) struct Records {
    local: PeerId,
    values: HashMap<RecordKey, Kept>,
    values_of: HashMap<PeerId, usize>,
    providers: HashMap<RecordKey, Vec<ProviderRecord>>,
    provider_count: usize,
    provided_by: HashMap<PeerId, usize>,
}

impl Records {
    pub(crate) fn new(local: PeerId) -> Self {
        Self {
            local,
            values: HashMap::new(),
            values_of: HashMap::new(),
            providers: HashMap::new(),
            provider_count: 0,
            provided_by: HashMap::new(),
        }
    }

    /// Keeps a record that passed its check, on the account of the peer that sent it.
    pub(crate) fn put_from(&mut self, source: PeerId, mut record: Record) -> Result<()> {
        if record.value.len() > RECORD_BYTES_MAX || record.key.as_ref().len() > KEY_BYTES_MAX {
            return Err(Error::ValueTooLarge);
        }
        let now = Instant::now();
        if self.values.len() >= RECORDS_MAX {
            self.purge(now);
        }
        let replaces = self.values.get(&record.key).map(|kept| kept.source);
        let is_new = replaces.is_none() && self.values.len() >= RECORDS_MAX;
        let is_over = source != self.local
            && replaces != Some(source)
            && self.values_of.get(&source).is_some_and(|count| *count >= RECORDS_PER_PEER_MAX);
        if is_new || is_over {
            return Err(Error::MaxRecords);
        }
        record.expires = Some(clamp(record.expires, now));
        self.remove(&record.key.clone());
        *self.values_of.entry(source).or_default() += 1;
        self.values.insert(record.key.clone(), Kept { record, source });
        Ok(())
    }

    fn purge(&mut self, now: Instant) {
        let expired: Vec<RecordKey> = self
            .values
            .values()
            .filter(|kept| kept.record.is_expired(now))
            .map(|kept| kept.record.key.clone())
            .collect();
        for key in expired {
            self.remove(&key);
        }
    }

    fn purge_providers(&mut self, now: Instant) {
        let expired: Vec<(RecordKey, PeerId)> = self
            .providers
            .values()
            .flatten()
            .filter(|record| record.is_expired(now))
            .map(|record| (record.key.clone(), record.provider))
            .collect();
        for (key, provider) in expired {
            self.remove_provider(&key, &provider);
        }
    }
}

/// Brings an expiry that a peer claims into bounds.
fn clamp(expires: Option<Instant>, now: Instant) -> Instant {
    let latest = now + AGE_MAX;
    expires.map_or(latest, |expires| expires.min(latest))
}

impl RecordStore for Records {
    type RecordsIter<'a> = Box<dyn Iterator<Item = Cow<'a, Record>> + 'a>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.values.get(key).map(|kept| Cow::Borrowed(&kept.record))
    }

    fn put(&mut self, record: Record) -> Result<()> {
        self.put_from(self.local, record)
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(kept) = self.values.remove(key) {
            lower(&mut self.values_of, &kept.source);
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        Box::new(self.values.values().map(|kept| Cow::Borrowed(&kept.record)))
    }

    fn add_provider(&mut self, mut record: ProviderRecord) -> Result<()> {
        if record.key.as_ref().len() > KEY_BYTES_MAX {
            return Err(Error::ValueTooLarge);
        }
        let now = Instant::now();
        let is_own = record.provider == self.local;
        if self.provider_count >= PROVIDERS_MAX && !is_own {
            self.purge_providers(now);
        }
        // Our own are put again by ourselves and never expire here.
        record.expires = if is_own { None } else { Some(clamp(record.expires, now)) };
        record.addresses.truncate(ADDRESSES_MAX);
        let of_peer = self.provided_by.get(&record.provider).copied().unwrap_or_default();
        let of_key = self.providers.get(&record.key);
        if let Some(place) =
            of_key.and_then(|all| all.iter().position(|known| known.provider == record.provider))
        {
            if let Some(known) = self.providers.get_mut(&record.key).and_then(|all| all.get_mut(place)) {
                *known = record;
            }
            return Ok(());
        }
        let of_key = of_key.map_or(0, Vec::len);
        let has_room = if is_own {
            of_peer < PROVIDED_MAX
        } else {
            of_peer < PROVIDERS_PER_PEER_MAX
                && of_key < PROVIDERS_PER_KEY_MAX
                && self.provider_count < PROVIDERS_MAX
        };
        if !has_room {
            return Err(Error::MaxProvidedKeys);
        }
        self.provider_count += usize::from(!is_own);
        *self.provided_by.entry(record.provider).or_default() += 1;
        self.providers.entry(record.key.clone()).or_default().push(record);
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.providers.get(key).cloned().unwrap_or_default()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        let own = |record: &&ProviderRecord| record.provider == self.local;
        Box::new(self.providers.values().flatten().filter(own).map(Cow::Borrowed))
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        let Some(records) = self.providers.get_mut(key) else { return };
        let before = records.len();
        records.retain(|record| record.provider != *provider);
        let removed = before - records.len();
        if records.is_empty() {
            self.providers.remove(key);
        }
        if removed > 0 {
            lower(&mut self.provided_by, provider);
            self.provider_count -= usize::from(*provider != self.local).min(self.provider_count);
        }
    }
}

fn lower(counts: &mut HashMap<PeerId, usize>, peer: &PeerId) {
    if let Some(count) = counts.get_mut(peer) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> RecordKey {
        RecordKey::new(&number.to_be_bytes())
    }

    #[test]
    fn records_are_bounded_by_peer_and_in_total() {
        let mut records = Records::new(PeerId::random());
        let greedy = PeerId::random();
        let kept = |records: &mut Records, from, range: std::ops::Range<usize>| {
            range.filter(|n| records.put_from(from, Record::new(key(*n), vec![1])).is_ok()).count()
        };
        assert_eq!(kept(&mut records, greedy, 0..1_000), RECORDS_PER_PEER_MAX);
        // Putting its own again is allowed, and another peer is not hindered.
        assert_eq!(kept(&mut records, greedy, 0..10), 10);
        assert_eq!(kept(&mut records, PeerId::random(), 5_000..5_010), 10);
        for n in 0..RECORDS_MAX {
            let _ = records.put_from(PeerId::random(), Record::new(key(10_000 + n), vec![1]));
        }
        assert_eq!(records.values.len(), RECORDS_MAX);
        assert!(records.put_from(greedy, Record::new(key(1), vec![0; RECORD_BYTES_MAX + 1])).is_err());
    }

    #[test]
    fn expired_records_make_room() {
        let mut records = Records::new(PeerId::random());
        for n in 0..RECORDS_MAX {
            let mut record = Record::new(key(n), vec![1]);
            record.expires = Some(Instant::now());
            records.put_from(PeerId::random(), record).unwrap();
        }
        records.put_from(PeerId::random(), Record::new(key(RECORDS_MAX), vec![1])).unwrap();
        assert_eq!(records.values.len(), 1);
    }

    #[test]
    fn newcomers_do_not_displace_providers() {
        let local = PeerId::random();
        let mut records = Records::new(local);
        let honest = PeerId::random();
        records.add_provider(ProviderRecord::new(key(1), honest, Vec::new())).unwrap();
        for _ in 0..1_000 {
            let _ = records.add_provider(ProviderRecord::new(key(1), PeerId::random(), Vec::new()));
        }
        let providers = records.providers(&key(1));
        assert_eq!(providers.len(), PROVIDERS_PER_KEY_MAX);
        assert!(providers.iter().any(|record| record.provider == honest));
        // Our own always has a place.
        records.add_provider(ProviderRecord::new(key(1), local, Vec::new())).unwrap();
        assert_eq!(records.provided().count(), 1);
        let greedy = PeerId::random();
        let kept = (0..PROVIDERS_PER_PEER_MAX * 2)
            .filter(|n| records.add_provider(ProviderRecord::new(key(100 + n), greedy, Vec::new())).is_ok())
            .count();
        assert_eq!(kept, PROVIDERS_PER_PEER_MAX);
        records.remove_provider(&key(1), &honest);
        assert_eq!(records.providers(&key(1)).len(), PROVIDERS_PER_KEY_MAX);
    }
}
