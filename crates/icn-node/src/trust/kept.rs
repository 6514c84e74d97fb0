//! What a node remembers of offenders and bans over a restart: two small tables, written seldom.
//!
//! Points come in floods, so the tables follow what is in memory some seconds later, and soon after something follows from
//! points. Both are as bounded as what is in memory: 4,096 offenders, 1,024 banned peers and as many groups of addresses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use icn_net::{Ban, Banned, PeerId};
use icn_store::{Batch, StoreError, Table};
use icn_trust::{Offender, Violation};
use icn_types::{Cid, Did, Timestamp};
use serde::{Deserialize, Serialize};

use crate::core::{Node, lock};

/// How often what has changed is written.
const PERIOD: Duration = Duration::from_secs(5);
/// The least pause between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// The version of both forms.
const VERSION: u32 = 1;

/// One offender on the disk, by its DID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OffenderRow {
    version: u32,
    /// Thousandths, as they were at the time of the last violation.
    milli_points: u64,
    last: Timestamp,
    counts: BTreeMap<Violation, u64>,
    has_equivocated: bool,
    banned_until: Option<Timestamp>,
    evidence: Option<Cid>,
}

/// One ban on the disk, by the peer's identity or the group of addresses as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BanRow {
    version: u32,
    until: Timestamp,
    /// The group of addresses that a banned peer came from.
    from: Option<String>,
}

/// The tables.
#[derive(Clone)]
pub(crate) struct KeptTables {
    pub(crate) offenders: Table<OffenderRow>,
    pub(crate) bans: Table<BanRow>,
}

/// What stands in the tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    offenders: BTreeMap<Did, OffenderRow>,
    bans: BTreeMap<String, BanRow>,
}

impl KeptTables {
    pub(crate) fn open(db: &icn_store::Database) -> Self {
        Self { offenders: db.table("offenders"), bans: db.table("bans") }
    }
}

impl OffenderRow {
    fn of(offender: &Offender) -> Self {
        Self {
            version: VERSION,
            milli_points: offender.milli,
            last: offender.at,
            counts: offender.counts.clone(),
            has_equivocated: offender.has_equivocated,
            banned_until: offender.banned_until,
            evidence: offender.evidence,
        }
    }

    fn offender(&self) -> Offender {
        Offender {
            milli: self.milli_points,
            at: self.last,
            counts: self.counts.clone(),
            has_equivocated: self.has_equivocated,
            banned_until: self.banned_until,
            excess_at: None,
            evidence: self.evidence,
        }
    }
}

impl Kept {
    /// Reads both tables. A row that is none, or of a later version, is left out: the node starts all the same.
    pub(crate) fn read(tables: &KeptTables) -> Self {
        let mut kept = Self::default();
        for row in tables.offenders.iter() {
            match row {
                Ok((key, row)) if row.version == VERSION => {
                    if let Ok(did) = String::from_utf8_lossy(&key).parse() {
                        kept.offenders.insert(did, row);
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %error, "a remembered offender cannot be read"),
            }
        }
        for row in tables.bans.iter() {
            match row {
                Ok((key, row)) if row.version == VERSION => {
                    kept.bans.insert(String::from_utf8_lossy(&key).into_owned(), row);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %error, "a remembered ban cannot be read"),
            }
        }
        kept
    }

    /// Returns the offenders as they were.
    pub(crate) fn offenders(&self) -> impl Iterator<Item = (Did, Offender)> {
        self.offenders.iter().map(|(did, row)| (*did, row.offender()))
    }

    /// Returns the bans that hold: those of the network, and those of offenders that it may not have been told of.
    pub(crate) fn bans(&self, now: Timestamp) -> Vec<Ban> {
        let banned = |text: &str| {
            let peer = || text.parse::<PeerId>().ok().map(Banned::Peer);
            text.parse().ok().map(Banned::Group).or_else(peer)
        };
        let mut bans: BTreeMap<Banned, Ban> = BTreeMap::new();
        for (text, row) in &self.bans {
            if let Some(banned) = banned(text) {
                let from = row.from.as_ref().and_then(|from| from.parse().ok());
                bans.insert(banned, Ban { banned, until: row.until, from });
            }
        }
        for (did, row) in &self.offenders {
            if let Some(until) = row.banned_until {
                let banned = Banned::Peer(icn_identity::peer_id(did));
                let ban = bans.entry(banned).or_insert(Ban { banned, until, from: None });
                ban.until = ban.until.max(until);
            }
        }
        bans.into_values().filter(|ban| ban.until > now).collect()
    }

    /// Puts what has changed into a batch, as far as `self` knows what is on the disk.
    fn difference(&self, next: &Self, tables: &KeptTables) -> Result<Batch, StoreError> {
        let mut batch = Batch::new();
        for (did, row) in &next.offenders {
            if self.offenders.get(did) != Some(row) {
                batch.put(&tables.offenders, *did, row)?;
            }
        }
        for did in self.offenders.keys().filter(|did| !next.offenders.contains_key(did)) {
            batch.delete(&tables.offenders, *did);
        }
        for (key, row) in &next.bans {
            if self.bans.get(key) != Some(row) {
                batch.put(&tables.bans, key.as_str(), row)?;
            }
        }
        for key in self.bans.keys().filter(|key| !next.bans.contains_key(*key)) {
            batch.delete(&tables.bans, key.as_str());
        }
        Ok(batch)
    }
}

/// Returns what is in memory now.
fn in_memory(node: &Node) -> Kept {
    let offenders = lock(&node.trust.standing)
        .remembered()
        .map(|(did, offender)| (*did, OffenderRow::of(offender)))
        .collect();
    let row = |ban: Ban| {
        let key = match ban.banned {
            Banned::Peer(peer) => peer.to_string(),
            Banned::Group(group) => group.to_string(),
        };
        let from = ban.from.map(|from| from.to_string());
        (key, BanRow { version: VERSION, until: ban.until, from })
    };
    Kept { offenders, bans: node.net.bans().into_iter().map(row).collect() }
}

/// Writes down what has changed since the last time.
pub(crate) fn save(node: &Node) {
    let mut kept = lock(&node.trust.kept);
    let next = in_memory(node);
    if *kept == next {
        return;
    }
    let written = kept.difference(&next, &node.tables.kept).and_then(|batch| node.db.commit_relaxed(batch));
    match written {
        Ok(()) => {
            let (offenders, bans) = (next.offenders.len(), next.bans.len());
            tracing::debug!(offenders, bans, "offenders and bans were written down");
            *kept = next;
        }
        // The next round tries again.
        Err(error) => tracing::warn!(error = %error, "offenders and bans were not written down"),
    }
}

/// Writes from time to time, and soon after something follows from what somebody did, until the node ends.
pub(crate) async fn run(node: Arc<Node>) {
    loop {
        // Neither a call nor the end of the period is an error.
        drop(tokio::time::timeout(PERIOD, node.trust.keep_soon.notified()).await);
        let writing = Arc::clone(&node);
        drop(tokio::task::spawn_blocking(move || save(&writing)).await);
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_store::{Database, OpenOptions};

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(icn_types::Duration::from_secs(seconds))
    }

    fn offender(banned_until: Option<Timestamp>) -> OffenderRow {
        OffenderRow {
            version: VERSION,
            milli_points: 105_000,
            last: NOW,
            counts: BTreeMap::from([(Violation::Malformed, 20), (Violation::ExcessiveRate, 5)]),
            has_equivocated: false,
            banned_until,
            evidence: Some(Cid::of_raw(b"it")),
        }
    }

    fn ban(until: Timestamp, from: Option<&str>) -> BanRow {
        BanRow { version: VERSION, until, from: from.map(str::to_owned) }
    }

    #[test]
    fn what_was_written_is_read_and_only_what_changed_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path(), OpenOptions::default()).unwrap();
        let tables = KeptTables::open(&db);
        let dids = [1, 2].map(|n| Did::from_public_key([n; 32]));
        let peer = icn_identity::peer_id(&dids[0]).to_string();
        let mut first = Kept::default();
        first.offenders.insert(dids[0], offender(Some(later(100))));
        first.offenders.insert(dids[1], offender(None));
        first.bans.insert(peer.clone(), ban(later(100), Some("203.0.113.0/24")));
        first.bans.insert("203.0.113.0/24".into(), ban(later(50), None));
        let batch = Kept::default().difference(&first, &tables).unwrap();
        assert_eq!(batch.len(), 4);
        db.commit_relaxed(batch).unwrap();
        assert_eq!(Kept::read(&tables), first);
        assert!(first.difference(&first, &tables).unwrap().is_empty());

        let mut next = Kept::read(&tables);
        next.offenders.remove(&dids[1]);
        next.bans.remove("203.0.113.0/24");
        let batch = first.difference(&next, &tables).unwrap();
        assert_eq!(batch.len(), 2);
        db.commit_relaxed(batch).unwrap();
        assert_eq!(Kept::read(&tables), next);

        // A row of a later version, or one that is none, does not keep the node from starting.
        let mut batch = Batch::new();
        batch.put(&tables.bans, "203.0.113.0/24", &BanRow { version: 2, ..ban(later(9), None) }).unwrap();
        let strange: Table<u32> = db.table("offenders");
        batch.put(&strange, dids[1], &7).unwrap();
        db.commit_relaxed(batch).unwrap();
        assert_eq!(Kept::read(&tables), next);
    }

    #[test]
    fn bans_that_are_over_are_gone_and_an_offenders_ban_is_one_even_if_the_network_was_not_told() {
        let [told, untold, over] = [1, 2, 3].map(|n| Did::from_public_key([n; 32]));
        let mut kept = Kept::default();
        kept.offenders.insert(told, offender(Some(later(100))));
        kept.offenders.insert(untold, offender(Some(later(70))));
        kept.offenders.insert(over, offender(Some(NOW)));
        let name = |did: &Did| icn_identity::peer_id(did).to_string();
        kept.bans.insert(name(&told), ban(later(60), Some("203.0.113.0/24")));
        kept.bans.insert("203.0.113.0/24".into(), ban(later(50), None));
        kept.bans.insert("198.51.100.0/24".into(), ban(NOW, None));
        kept.bans.insert("nonsense".into(), ban(later(50), None));
        let group = "203.0.113.0/24".parse().unwrap();
        let peer = |did| Banned::Peer(icn_identity::peer_id(did));
        let mut expected = vec![
            Ban { banned: peer(&told), until: later(100), from: Some(group) },
            Ban { banned: peer(&untold), until: later(70), from: None },
            Ban { banned: Banned::Group(group), until: later(50), from: None },
        ];
        expected.sort();
        assert_eq!(kept.bans(NOW), expected);
    }
}
