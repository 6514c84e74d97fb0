//! Who vouches for whom: edges with a score, a subject and an end.
//!
//! An edge is what one member says of another. A later one by the same member about the same other, in the same graph,
//! takes the place of the earlier; a score of 0 takes it away. Members get small numbers inside, so that ten thousand of
//! them and a hundred thousand edges are read in milliseconds; the numbers never show, and no result depends on them.

use std::collections::BTreeMap;

use icn_types::{Did, Timestamp, TrustContext};
use serde::{Deserialize, Serialize};

use crate::error::EdgeError;

/// Full trust, and the whole of anything here: a million parts per million.
pub const PPM: u32 = 1_000_000;
/// How many members a graph names. Full: an edge that would name another is refused.
pub const NODES_MAX: usize = 100_000;
/// How many edges a graph holds, all subjects together. Full: a new one is refused; old ones can be changed and removed.
pub const EDGES_MAX: usize = 1_000_000;
/// For how many others one member vouches in one graph: as many as the books of a space take in all graphs together (Ğ1
/// allows 100). Full: a new edge is refused.
pub const OUT_DEGREE_MAX: usize = 1_024;

/// What one member says of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Who vouches.
    pub from: Did,
    /// For whom.
    pub to: Did,
    /// With what.
    pub graph: TrustContext,
    /// How much, in parts per million, at most [`PPM`]; 0 takes the edge away.
    pub score_ppm: u32,
    /// When it was said; it fades from then on.
    pub given: Timestamp,
    /// From when on it no longer counts.
    pub expires: Option<Timestamp>,
}

impl Edge {
    /// Tells whether it counts at a moment.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// An edge without its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) score_ppm: u32,
    pub(crate) given: Timestamp,
    pub(crate) expires: Option<Timestamp>,
}

impl Weight {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// The edges of all graphs.
///
/// Two graphs with the same edges are equal to every reader, whatever the order in which the edges were set.
#[derive(Debug, Clone, Default)]
pub struct TrustGraph {
    /// Each member that an edge names, and its number.
    numbers: BTreeMap<Did, u32>,
    members: Vec<Member>,
    /// Numbers of members that no edge names any longer.
    free: Vec<u32>,
    edges_len: usize,
    generation: u64,
}

#[derive(Debug, Clone)]
struct Member {
    did: Did,
    /// How many edges name it, as either end.
    named: usize,
    /// What it says: by graph (as [`TrustContext`] is ordered), then by the number of whom it is about.
    out: [BTreeMap<u32, Weight>; 4],
}

impl TrustGraph {
    /// Makes one without edges.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what one member says of another, in the place of what it said before in the same graph. A score of 0
    /// removes it. Tells whether anything changed.
    ///
    /// # Errors
    ///
    /// [`EdgeError`] when the edge is about its own author, its score exceeds [`PPM`], or a bound is reached; nothing
    /// changes then.
    pub fn set(&mut self, edge: &Edge) -> Result<bool, EdgeError> {
        if edge.from == edge.to {
            return Err(EdgeError::OwnVoucher(edge.from));
        }
        if edge.score_ppm > PPM {
            return Err(EdgeError::Score(edge.score_ppm));
        }
        if edge.score_ppm == 0 {
            return Ok(self.remove(edge.graph, &edge.from, &edge.to));
        }
        let before = self.weight(edge.graph, &edge.from, &edge.to);
        let weight = Weight { score_ppm: edge.score_ppm, given: edge.given, expires: edge.expires };
        if before == Some(weight) {
            return Ok(false);
        }
        if before.is_none() {
            self.check_room(edge)?;
        }
        let (from, to) = (self.number(edge.from), self.number(edge.to));
        if let Some(out) = self.out_mut(edge.graph, from) {
            out.insert(to, weight);
        }
        if before.is_none() {
            self.edges_len += 1;
            self.name(from, 1);
            self.name(to, 1);
        }
        self.generation += 1;
        Ok(true)
    }

    /// Takes away what one member says of another in one graph. Tells whether there was anything.
    pub fn remove(&mut self, graph: TrustContext, from: &Did, to: &Did) -> bool {
        let (Some(from), Some(to)) = (self.numbers.get(from).copied(), self.numbers.get(to).copied()) else {
            return false;
        };
        if self.out_mut(graph, from).and_then(|out| out.remove(&to)).is_none() {
            return false;
        }
        self.edges_len -= 1;
        self.generation += 1;
        self.name(from, -1);
        self.name(to, -1);
        true
    }

    /// Returns what one member says of another in one graph, expired or not.
    #[must_use]
    pub fn get(&self, graph: TrustContext, from: &Did, to: &Did) -> Option<Edge> {
        let weight = self.weight(graph, from, to)?;
        Some(edge(graph, *from, *to, &weight))
    }

    /// Goes through all edges, expired ones included, by author, then graph, then whom they are about.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.numbers.values().flat_map(move |number| {
            let member = self.members.get(*number as usize);
            member.into_iter().flat_map(move |member| {
                TrustContext::ALL.into_iter().zip(&member.out).flat_map(move |(graph, out)| {
                    let mut edges: Vec<Edge> = out
                        .iter()
                        .filter_map(|(to, weight)| Some(edge(graph, member.did, self.did(*to)?, weight)))
                        .collect();
                    edges.sort_unstable_by_key(|edge| edge.to);
                    edges
                })
            })
        })
    }

    /// Counts the edges.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.edges_len
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.edges_len == 0
    }

    /// Counts the members that an edge names.
    #[must_use]
    pub fn members_len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns a number that rises with each change.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Each member, in the order of DIDs, with its number.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (Did, u32)> + '_ {
        self.numbers.iter().map(|(did, number)| (*did, *number))
    }

    /// One more than the highest number in use.
    pub(crate) fn numbers_bound(&self) -> usize {
        self.members.len()
    }

    /// What a member says in one graph, by number.
    pub(crate) fn out(&self, graph: TrustContext, number: u32) -> Option<&BTreeMap<u32, Weight>> {
        self.members.get(number as usize)?.out.get(graph as usize)
    }

    fn out_mut(&mut self, graph: TrustContext, number: u32) -> Option<&mut BTreeMap<u32, Weight>> {
        self.members.get_mut(number as usize)?.out.get_mut(graph as usize)
    }

    fn weight(&self, graph: TrustContext, from: &Did, to: &Did) -> Option<Weight> {
        let (from, to) = (self.numbers.get(from)?, self.numbers.get(to)?);
        self.out(graph, *from)?.get(to).copied()
    }

    fn did(&self, number: u32) -> Option<Did> {
        Some(self.members.get(number as usize)?.did)
    }

    fn check_room(&self, edge: &Edge) -> Result<(), EdgeError> {
        if self.edges_len >= EDGES_MAX {
            return Err(EdgeError::EdgesFull);
        }
        let new = [edge.from, edge.to].iter().filter(|did| !self.numbers.contains_key(did)).count();
        if self.numbers.len() + new > NODES_MAX {
            return Err(EdgeError::MembersFull);
        }
        let out = self.numbers.get(&edge.from).and_then(|from| self.out(edge.graph, *from));
        if out.is_some_and(|out| out.len() >= OUT_DEGREE_MAX) {
            return Err(EdgeError::TooManyVouched(edge.from));
        }
        Ok(())
    }

    /// Returns the number of a member, a new one if it has none yet.
    fn number(&mut self, did: Did) -> u32 {
        if let Some(number) = self.numbers.get(&did) {
            return *number;
        }
        let member = Member { did, named: 0, out: Default::default() };
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(slot) = self.members.get_mut(number as usize) {
                    *slot = member;
                }
                number
            }
            None => {
                self.members.push(member);
                // `NODES_MAX` fits.
                (self.members.len() - 1) as u32
            }
        };
        self.numbers.insert(did, number);
        number
    }

    /// Counts an edge that names a member, or no longer does; the last one frees its number.
    fn name(&mut self, number: u32, by: isize) {
        let Some(member) = self.members.get_mut(number as usize) else { return };
        member.named = member.named.saturating_add_signed(by);
        if member.named == 0 {
            self.numbers.remove(&member.did);
            self.free.push(number);
        }
    }
}

const fn edge(graph: TrustContext, from: Did, to: Did, weight: &Weight) -> Edge {
    Edge { from, to, graph, score_ppm: weight.score_ppm, given: weight.given, expires: weight.expires }
}
