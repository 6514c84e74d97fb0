//! How much fuel a job of this node asks for when nobody says: no more than those give it who may run it.
//!
//! An executor reads the trust in an originator from its own members and from the stewards. The books are the same here, so
//! that its reading can be repeated. What it saw this node do wrong, its settings and its other spaces are its own affair:
//! when it gives less than expected, it says so in its decline, which `icn job why` shows.

use std::sync::Arc;

use icn_protocol::MeshJobParams;
use icn_trust::TrustClass;
use icn_types::Did;

use super::{Oracle, Web};
use crate::core::Node;

/// Of how many executors it is worked out what they give; each may cost a search through the web of trust.
const EXECUTORS_MAX: usize = 32;

/// Returns the fuel that a job may use for which nobody named an amount: `usual`, or the most that an executor which is
/// known here is expected to give, if that is less.
pub(crate) fn usual_fuel(node: &Node, params: &MeshJobParams, remote: bool) -> u64 {
    let usual = params.max_fuel;
    let executors = node.machines().originator.askable(node.clock.now(), params, remote);
    if executors.is_empty() {
        // None is known yet: whoever comes gives as much as whoever trusts only the stewards.
        let seen: Vec<(Arc<Web>, Option<Did>)> =
            node.trust.webs().into_iter().map(|web| (web, None)).collect();
        return usual.min(node.trust.fuel_seen(&node.me, &seen));
    }
    let mut most = 0;
    for (executor, allowed) in executors.into_iter().take(EXECUTORS_MAX) {
        most = most.max(usual.min(allowed).min(fuel_from(node, &executor)));
        if most == usual {
            break;
        }
    }
    most
}

/// Returns the fuel that an executor is expected to give this node; no bound where nothing is known of it.
fn fuel_from(node: &Node, executor: &Did) -> u64 {
    if *executor == node.me {
        return u64::MAX;
    }
    let mut seen = Vec::new();
    for space in node.spaces.all() {
        let Some(web) = node.trust.web(&space.root).filter(|web| web.is_own) else { continue };
        let lives_there = |(of, member): (Did, Did)| (of == *executor).then_some(member);
        let member = if web.has(executor) {
            Some(*executor)
        } else {
            space.replica().serving().find_map(lives_there).filter(|member| web.has(member))
        };
        if member.is_some() {
            seen.push((web, member));
        }
    }
    if seen.is_empty() { u64::MAX } else { node.trust.fuel_seen(&node.me, &seen) }
}

impl Oracle {
    /// Returns the fuel that somebody gets from a node that keeps these books, for the member that is named beside each.
    fn fuel_seen(&self, did: &Did, seen: &[(Arc<Web>, Option<Did>)]) -> u64 {
        // Limits begin with the first word about anybody.
        if !seen.iter().any(|(web, _)| web.has_edges()) {
            return u64::MAX;
        }
        let class = if seen.iter().any(|(web, _)| web.has_forked(did)) {
            TrustClass::Isolated
        } else {
            let scores =
                seen.iter().map(|(web, member)| web.score_on(&self.settings.path, member.as_ref(), did));
            self.class(scores.max().unwrap_or(0))
        };
        self.policy.rule(class).fuel_max
    }
}

#[cfg(test)]
mod tests {
    use icn_ledger::Act;
    use icn_types::TrustContext;

    use super::super::tests::{did, oracle_of};
    use super::*;
    use crate::config::TrustLimits;

    /// What members say: by whom (0: the space), of whom, how far.
    fn seen(words: &[(u8, u8, u32)], by: Option<u8>) -> u64 {
        let members = [1, 2, 3].map(did);
        let say = |(by, of, score_ppm): &(u8, u8, u32)| {
            let act = Act::Trust {
                of: did(*of),
                context: TrustContext::General,
                score_ppm: *score_ppm,
                expires: None,
                note: None,
            };
            ((*by > 0).then(|| did(*by)), act)
        };
        let said: Vec<(Option<Did>, Act)> = words.iter().map(say).collect();
        let oracle = oracle_of(TrustLimits::Auto, &members, &said);
        let webs = oracle.webs().into_iter().map(|web| (web, by.map(did))).collect::<Vec<_>>();
        oracle.fuel_seen(&did(3), &webs)
    }

    #[test]
    fn an_executor_gives_what_its_members_and_the_stewards_trust_one_with() {
        const LITTLE: u64 = 1_000_000_000;
        const MORE: u64 = 10_000_000_000;
        const USUAL: u64 = 1_000_000_000_000;
        for (words, by, expected) in [
            // Nobody has said anything: nobody limits anybody.
            (&[][..], Some(1), u64::MAX),
            (&[(0, 2, 800_000)], Some(1), LITTLE),
            (&[(0, 3, 200_000)], None, MORE),
            (&[(0, 3, 500_000)], Some(1), USUAL),
            // A member's own word counts on its node and on no other.
            (&[(1, 3, 900_000)], Some(1), u64::MAX),
            (&[(1, 3, 500_000)], Some(1), USUAL),
            (&[(1, 3, 500_000)], Some(2), LITTLE),
            (&[(1, 3, 500_000)], None, LITTLE),
            // 0.8 · 0.5 · 0.8
            (&[(0, 1, 800_000), (1, 3, 500_000)], Some(2), USUAL),
            (&[(0, 1, 800_000), (1, 3, 400_000)], Some(2), MORE),
            // What the newcomer says of others raises nobody's trust in it.
            (&[(3, 1, 1_000_000), (3, 2, 1_000_000)], Some(1), LITTLE),
        ] {
            assert_eq!(seen(words, by), expected, "{words:?} seen by {by:?}");
        }
    }
}
