//! What the tests share.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod community;

use std::collections::BTreeSet;

use icn_trust::{Edge, TrustGraph};
use icn_types::{Did, Timestamp, TrustContext};

pub(crate) use self::community::GIVEN;

/// The member with a letter.
pub(crate) fn did(letter: char) -> Did {
    Did::from_public_key([u8::try_from(letter).unwrap_or_default(); 32])
}

/// The letters of members.
pub(crate) fn letters<'a>(dids: impl IntoIterator<Item = &'a Did>) -> String {
    dids.into_iter().map(|did| char::from(did.public_key().first().copied().unwrap_or_default())).collect()
}

/// Members by their letters.
pub(crate) fn dids(letters: &str) -> BTreeSet<Did> {
    letters.chars().map(did).collect()
}

/// An edge in general that never expires.
pub(crate) fn edge(from: char, to: char, score_ppm: u32) -> Edge {
    Edge {
        from: did(from),
        to: did(to),
        graph: TrustContext::General,
        score_ppm,
        given: GIVEN,
        expires: None,
    }
}

/// A graph of edges such as `"ab 0.8, bc 0.5"`, in general.
pub(crate) fn graph(text: &str) -> TrustGraph {
    let mut graph = TrustGraph::new();
    for edge in text.split(',').filter_map(parse) {
        graph.set(&edge).ok();
    }
    graph
}

fn parse(text: &str) -> Option<Edge> {
    let (pair, score) = text.trim().split_once(' ')?;
    let mut pair = pair.chars();
    // Decimals to parts per million, without floats.
    let (whole, part) = score.split_once('.').unwrap_or((score, ""));
    let ppm = whole.parse::<u32>().ok()? * 1_000_000 + format!("{part:0<6}").parse::<u32>().ok()?;
    Some(edge(pair.next()?, pair.next()?, ppm))
}

/// A later moment.
pub(crate) fn days_later(days: u64) -> Timestamp {
    Timestamp::from_millis(GIVEN.as_millis() + days * icn_trust::DAY_MS)
}
