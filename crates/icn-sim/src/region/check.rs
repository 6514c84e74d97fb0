//! The promises, looked at after every step.

use std::collections::BTreeSet;

use icn_trust::{Group, Introduction};
use icn_types::{Did, TrustContext};

use super::RegionBug;
use super::bound;
use super::messages::messages;
use super::node::Node;
use super::people::People;
use super::reading::Reading;
use super::report::{RegionReport, Resource};

/// With so many attack edges at most, so many of the honest members who could be admitted without the region are admitted, in
/// percent (T17), unless a steward is deceived: a crowd right below a steward is nearer than most members.
const ATTACK_EDGES: usize = 20;
const ADMITTED_PERCENT: u64 = 94;

/// Looks at everything that concerns the whole community.
pub(super) fn check_community(
    people: &People,
    reading: &Reading,
    report: &mut RegionReport,
) -> Result<(), String> {
    check_words(people, reading)?;
    let credit: u64 = people.names.iter().filter_map(|did| reading.credit.get(did)).sum();
    holds(report, Resource::Credit, credit, bound::credit(reading))?;
    let votes = people.names.intersection(&reading.voters).count() as u64;
    holds(report, Resource::Votes, votes, bound::votes(reading, &people.stewards))?;
    check_honest(people, reading, votes, report)
}

/// Nothing counts that nobody says any more, nor counts for more than it was said.
fn check_words(people: &People, reading: &Reading) -> Result<(), String> {
    for (graph, crossing) in &reading.crossing {
        for by in crossing {
            let word = people.word(*graph, by.from, by.to);
            let word = word.or_else(|| people.word(TrustContext::General, by.from, by.to));
            if word.is_none_or(|word| word.score_ppm < by.score_ppm) {
                return Err(format!(
                    "an attack edge counts {} in {graph:?} that was taken back, has ended or was never said so",
                    by.score_ppm
                ));
            }
        }
    }
    Ok(())
}

/// The region takes no more honest members' admission than it gets itself, and few while it has few attack edges.
fn check_honest(
    people: &People,
    reading: &Reading,
    sybils: u64,
    report: &mut RegionReport,
) -> Result<(), String> {
    let before = reading.voters_without.len() as u64;
    let honest = reading.voters.difference(&people.names).count() as u64;
    if honest + sybils < before {
        return Err(format!(
            "{before} are admitted without the region, {honest} with it, and {sybils} sybils"
        ));
    }
    let here: BTreeSet<Did> =
        people.honest.iter().filter(|member| member.is_here).map(|member| member.did).collect();
    let could: BTreeSet<Did> = here.intersection(&reading.voters_without).copied().collect();
    let are = could.intersection(&reading.voters).count() as u64;
    let could = could.len() as u64;
    report.honest += could;
    report.admitted += are;
    let attack_edges = reading.crossing(TrustContext::Governance);
    let is_steward_deceived = attack_edges.iter().any(|by| people.stewards.contains(&by.from));
    let crossing = attack_edges.len();
    report.note_admitted(is_steward_deceived, crossing <= ATTACK_EDGES, are * 1_000_000 / could.max(1));
    if crossing <= ATTACK_EDGES && !is_steward_deceived && are * 100 < could * ADMITTED_PERCENT {
        return Err(format!(
            "{crossing} attack edges leave {are} honest members admitted of {could} who could be without the region"
        ));
    }
    Ok(())
}

/// Looks at one node.
pub(super) fn check_node(
    node: &Node,
    people: &People,
    reading: &Reading,
    planted: Option<RegionBug>,
    report: &mut RegionReport,
) -> Result<(), String> {
    for sybil in &people.sybils {
        let score = node.score(reading, &sybil.did);
        if score > node.ceiling_ppm {
            return Err(format!(
                "a sybil is trusted by {score}, but the attack edges leave {}",
                node.ceiling_ppm
            ));
        }
    }
    let alone_max = bound::alone(reading);
    let is_alone = |did: &&Did| {
        node.view.as_ref().is_some_and(|view| matches!(view.subtrees.group(did), Group::Trusted(_)))
    };
    let alone = people.names.iter().filter(is_alone).count() as u64;
    let partner = reading.settings.cutoffs.partner;
    let here = people.honest.iter().filter(|member| member.is_here).map(|member| &member.did);
    let partners: Vec<&Did> = here.filter(|did| node.score(reading, did) >= partner).collect();
    report.partners += partners.len() as u64;
    report.partners_alone += partners.iter().copied().filter(is_alone).count() as u64;
    holds(report, Resource::Alone, alone, alone_max)?;
    let sent = messages(node, people, reading, alone_max, planted);
    holds(report, Resource::Messages, sent.got, sent.bound)?;
    for (set, sybils, left) in node.neighbors(reading) {
        holds(report, Resource::Neighbors, sybils, left)
            .map_err(|what| format!("{what} ({})", set.as_str()))?;
    }
    Ok(())
}

/// Once every deceived member knows, nothing is left of what words gave.
pub(super) fn check_nothing_left(people: &People, reading: &Reading, nodes: &[Node]) -> Result<(), String> {
    let crossing: Vec<&Introduction> = reading.crossing.values().flatten().collect();
    let credit: u64 = people.names.iter().filter_map(|did| reading.credit.get(did)).sum();
    let votes = people.names.intersection(&reading.voters).count();
    let trusted = |node: &&Node| people.names.iter().any(|did| node.score(reading, did) > 0);
    let trusting = nodes.iter().filter(trusted).count();
    if crossing.is_empty() && credit == 0 && votes == 0 && trusting == 0 {
        return Ok(());
    }
    Err(format!(
        "everybody has taken its words back, but {} attack edges count, the region has {credit} of credit and {votes} votes, and \
         {trusting} nodes trust it",
        crossing.len()
    ))
}

/// Notes what was got, which must not be more than it may.
fn holds(report: &mut RegionReport, resource: Resource, got: u64, bound: u64) -> Result<(), String> {
    report.note(resource, got, bound);
    if got > bound {
        return Err(format!("the region has {got} of {}, but {bound} at most is derived", resource.name()));
    }
    Ok(())
}
