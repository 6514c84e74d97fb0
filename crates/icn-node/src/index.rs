//! Which jobs a node knows, newest first, and by the beginning of their ids.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::{Cid, Timestamp};

/// What this node is to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It submitted it; more than having run it, when both are true.
    Originator,
    /// It runs or ran it.
    Executor,
}

/// The jobs of a node by time and by id.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_id: BTreeMap<String, (Cid, Timestamp, Role)>,
    by_time: BTreeSet<(Timestamp, Cid)>,
}

/// What the beginning of an id stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    None,
    /// One job.
    One(Cid, Role),
    /// So many jobs.
    Many(usize),
}

impl Index {
    /// Adds a job; a job that is there already keeps its time, and the stronger role.
    pub(crate) fn add(&mut self, id: Cid, at: Timestamp, role: Role) {
        match self.by_id.get_mut(&id.to_string()) {
            Some((_, _, known)) => *known = (*known).min(role),
            None => {
                self.by_id.insert(id.to_string(), (id, at, role));
                self.by_time.insert((at, id));
            }
        }
    }

    /// Removes a job that was never accepted.
    pub(crate) fn remove(&mut self, id: &Cid) {
        if let Some((_, at, _)) = self.by_id.remove(&id.to_string()) {
            self.by_time.remove(&(at, *id));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Finds the one job whose id begins so.
    pub(crate) fn find(&self, prefix: &str) -> Found {
        let mut found = self.by_id.range(prefix.to_owned()..).take_while(|(id, _)| id.starts_with(prefix));
        match (found.next(), found.count()) {
            (None, _) => Found::None,
            (Some((_, (id, _, role))), 0) => Found::One(*id, *role),
            (Some(_), more) => Found::Many(more + 1),
        }
    }

    /// Lists a page of jobs, newest first.
    pub(crate) fn page(&self, offset: usize, limit: usize) -> Vec<(Cid, Role)> {
        let ids = self.by_time.iter().rev().skip(offset).take(limit);
        ids.filter_map(|(_, id)| self.by_id.get(&id.to_string()).map(|(id, _, role)| (*id, *role))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_by_unique_prefix() {
        let mut index = Index::default();
        let (a, b) = (Cid::of_raw(b"a"), Cid::of_raw(b"b"));
        index.add(a, Timestamp::from_millis(1), Role::Executor);
        index.add(b, Timestamp::from_millis(2), Role::Originator);
        index.add(a, Timestamp::from_millis(9), Role::Originator);
        assert_eq!(index.find(&a.to_string()), Found::One(a, Role::Originator));
        assert_eq!(index.find("bafkrei"), Found::Many(2));
        assert_eq!(index.find("nothing"), Found::None);
        assert_eq!(index.page(0, 9), [(b, Role::Originator), (a, Role::Originator)]);
        assert_eq!(index.page(1, 1), [(a, Role::Originator)]);
        index.remove(&b);
        assert_eq!(index.len(), 1);
    }
}
