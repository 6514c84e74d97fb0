//! The DHT: providers, records, and where a peer is reached.

use std::collections::HashSet;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::kad::store::RecordStore;
use libp2p::kad::{
    Event, GetProvidersOk, GetRecordOk, InboundRequest, ProviderRecord, QueryId, QueryResult, Quorum, Record,
    RecordKey,
};

use super::{Driver, give};
use crate::error::NetError;
use crate::handle::Answer;
use crate::limits::Kind;
use crate::records::RECORD_BYTES_MAX;

/// Values and providers taken from one look-up.
const FOUND_MAX: usize = 64;
/// Look-ups under way. Full: the next finds nothing.
const QUERIES_MAX: usize = 256;

/// Who waits for a look-up.
pub(super) enum Query {
    Providers { found: HashSet<PeerId>, answer: Answer<Vec<PeerId>> },
    Record { found: Vec<Vec<u8>>, answer: Answer<Vec<Vec<u8>>> },
    Addresses { peer: PeerId },
}

/// A record that a peer offers, after its check.
pub(super) struct Checked {
    source: PeerId,
    record: Record,
    is_valid: bool,
}

impl Driver {
    pub(super) fn provide(&mut self, key: &[u8]) -> Result<(), NetError> {
        let started = self.swarm.behaviour_mut().kad.start_providing(RecordKey::new(&key));
        started.map(drop).map_err(|_| NetError::Full("list of provided blocks"))
    }

    pub(super) fn find_providers(&mut self, key: &[u8], answer: Answer<Vec<PeerId>>) {
        if self.queries.len() >= QUERIES_MAX {
            self.shared.metrics.dropped("queries");
            return give(answer, Vec::new());
        }
        let id = self.swarm.behaviour_mut().kad.get_providers(RecordKey::new(&key));
        self.queries.insert(id, Query::Providers { found: HashSet::new(), answer });
    }

    pub(super) fn put_record(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), NetError> {
        let record = Record::new(RecordKey::new(&key), value);
        let put = self.swarm.behaviour_mut().kad.put_record(record, Quorum::One);
        put.map(drop).map_err(|_| NetError::Full("store of DHT records"))
    }

    pub(super) fn get_record(&mut self, key: &[u8], answer: Answer<Vec<Vec<u8>>>) {
        if self.queries.len() >= QUERIES_MAX {
            self.shared.metrics.dropped("queries");
            return give(answer, Vec::new());
        }
        let id = self.swarm.behaviour_mut().kad.get_record(RecordKey::new(&key));
        self.queries.insert(id, Query::Record { found: Vec::new(), answer });
    }

    /// Asks the DHT where a peer is reached; false when too much is asked already.
    pub(super) fn look_up(&mut self, peer: PeerId) -> bool {
        if self.queries.len() >= QUERIES_MAX {
            return false;
        }
        let id = self.swarm.behaviour_mut().kad.get_closest_peers(peer);
        self.queries.insert(id, Query::Addresses { peer });
        true
    }

    pub(super) fn on_kad(&mut self, event: Event) {
        match event {
            Event::OutboundQueryProgressed { id, result, step, .. } => {
                self.on_progress(id, result, step.last)
            }
            Event::InboundRequest {
                request: InboundRequest::PutRecord { source, record: Some(record), .. },
            } => {
                self.on_record(source, record);
            }
            Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                self.on_provider(record);
            }
            Event::InboundRequest { .. }
            | Event::RoutingUpdated { .. }
            | Event::UnroutablePeer { .. }
            | Event::RoutablePeer { .. }
            | Event::PendingRoutablePeer { .. }
            | Event::ModeChanged { .. } => {}
        }
    }

    fn on_progress(&mut self, id: QueryId, result: QueryResult, is_last: bool) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        match (query, result) {
            (
                Query::Providers { found, .. },
                QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })),
            ) => {
                let room = FOUND_MAX.saturating_sub(found.len());
                found.extend(providers.into_iter().take(room));
            }
            (Query::Record { found, .. }, QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(record)))) => {
                let value = record.record.value;
                if found.len() < FOUND_MAX && value.len() <= RECORD_BYTES_MAX && !found.contains(&value) {
                    found.push(value);
                }
            }
            (Query::Addresses { peer }, QueryResult::GetClosestPeers(result)) => {
                let peer = *peer;
                let peers = result.map_or_else(
                    |libp2p::kad::GetClosestPeersError::Timeout { peers, .. }| peers,
                    |closest| closest.peers,
                );
                if let Some(found) = peers.into_iter().find(|found| found.peer_id == peer) {
                    self.shared.with_book(|book| book.add(peer, found.addrs));
                }
            }
            // Other progress of a query tells nothing that is waited for.
            _ => {}
        }
        if is_last && let Some(query) = self.queries.remove(&id) {
            self.end_query(query);
        }
    }

    fn end_query(&mut self, query: Query) {
        match query {
            Query::Providers { found, answer } => give(answer, found.into_iter().collect()),
            Query::Record { found, answer } => give(answer, found),
            Query::Addresses { peer } => self.looked_up(peer),
        }
    }

    /// A peer asks us to keep a record: its limits first, then the check, off this task.
    fn on_record(&mut self, source: PeerId, record: Record) {
        if record.value.len() > RECORD_BYTES_MAX {
            return;
        }
        if self.shared.limits.take(source, Kind::Record, 0).is_err() {
            self.shared.metrics.limited("records");
            return;
        }
        let Ok(permit) = Arc::clone(&self.check_room).try_acquire_owned() else {
            self.shared.metrics.dropped("records");
            return;
        };
        let records = Arc::clone(&self.records);
        let checked = self.checked.0.clone();
        tokio::task::spawn_blocking(move || {
            let is_valid = records.accept(record.key.as_ref(), &record.value);
            // There is a place for each permit; an error says that the swarm has ended.
            let _ = checked.try_send(Checked { source, record, is_valid });
            drop(permit);
        });
    }

    pub(super) fn on_checked(&mut self, checked: Checked) {
        let Checked { source, record, is_valid } = checked;
        if !is_valid {
            self.shared.metrics.dropped("invalid_records");
            self.on_report(source, crate::Misbehaviour::Major);
            return;
        }
        match self.swarm.behaviour_mut().kad.store_mut().put_from(source, record) {
            Ok(()) => self.shared.metrics.record_kept(),
            Err(error) => {
                tracing::debug!(%source, %error, "a record is not kept");
                self.shared.metrics.dropped("records");
            }
        }
    }

    /// A peer says that it provides something; the library has checked that it speaks for itself.
    fn on_provider(&mut self, record: ProviderRecord) {
        if self.shared.limits.take(record.provider, Kind::Record, 0).is_err() {
            self.shared.metrics.limited("records");
            return;
        }
        if self.swarm.behaviour_mut().kad.store_mut().add_provider(record).is_err() {
            self.shared.metrics.dropped("providers");
        }
    }
}
