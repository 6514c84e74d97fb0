//! What honest members do: get to know each other, leave, come back, part, vouch anew.

use icn_types::TrustContext;

use super::people::{People, draw_ppm};
use super::plan::Plan;
use crate::random::Random;

/// How many neighbours on each side of the ring somebody knows, and how many from anywhere (as `icn-trust/tests/sybils.rs`).
const KNOWN: usize = 4;
/// After so many days a word is given again.
const RENEWED_DAYS: u64 = 180;
/// How often a word has an end, and how often somebody comes to give it again in one step.
const ENDS_PPM: u64 = 100_000;
const RENEWS_PPM: u64 = 800_000;
/// How often somebody who left comes back in one step.
const RETURNS_PPM: u64 = 300_000;
/// How often those who stay take back what they said of one who leaves.
const FORGOTTEN_PPM: u64 = 500_000;
/// How often a friend is trusted otherwise with money or votes.
const APART_PPM: u64 = 50_000;

impl People {
    /// Makes a small world: each knows its neighbours on a ring, and as many from anywhere.
    pub(super) fn found(&mut self, random: &mut Random) {
        let len = self.honest.len();
        for number in 0..len {
            for step in 1..=KNOWN {
                self.befriend(number, (number + step) % len);
                self.befriend(number, random.index(len));
            }
        }
        for number in 0..len {
            for friend in self.friends(number) {
                self.vouch(number, friend, random.within((0, RENEWED_DAYS)), random);
            }
        }
    }

    /// One step of the lives of honest members.
    pub(super) fn live(&mut self, plan: &Plan, random: &mut Random) {
        for number in 0..self.honest.len() {
            let Some(member) = self.honest.get(number) else { continue };
            let (is_here, stays) = (member.is_here, member.stays);
            if is_here && !stays && random.chance(plan.leave_ppm) {
                self.leave(number, random);
            } else if !is_here && random.chance(RETURNS_PPM) {
                self.come_back(number, random);
            }
        }
        for _ in 0..plan.partings {
            let number = random.index(self.honest.len());
            let friends = self.friends(number);
            if let Some(friend) = friends.get(random.index(friends.len())).copied() {
                self.part(number, friend);
                self.befriend(number, random.index(self.honest.len()));
            }
        }
        self.renew(random);
    }

    /// Lists the friends of somebody, by number.
    pub(super) fn friends(&self, number: usize) -> Vec<usize> {
        self.honest.get(number).map(|member| member.friends.iter().copied().collect()).unwrap_or_default()
    }

    fn befriend(&mut self, one: usize, other: usize) {
        for (one, other) in [(one, other), (other, one)] {
            if let Some(member) = self.honest.get_mut(one).filter(|_| one != other) {
                member.friends.insert(other);
            }
        }
    }

    fn vouch(&mut self, one: usize, other: usize, age_days: u64, random: &mut Random) {
        let (Some(from), Some(to)) = (self.honest.get(one), self.honest.get(other)) else { return };
        let pair = (from.did, to.did);
        let for_days = random.chance(ENDS_PPM).then(|| random.within((30, 120)));
        let score = draw_ppm(random, 500_000, 950_000);
        self.say(TrustContext::General, pair, score, age_days, for_days);
        if random.chance(APART_PPM) {
            let apart = [TrustContext::Ledger, TrustContext::Governance];
            let context = apart.get(random.index(apart.len())).copied().unwrap_or_default();
            let score = draw_ppm(random, 100_000, 950_000);
            self.say(context, pair, score, 0, Some(60));
        }
    }

    /// Ends a friendship on both sides.
    fn part(&mut self, one: usize, other: usize) {
        for (one, other) in [(one, other), (other, one)] {
            if let Some(member) = self.honest.get_mut(one) {
                member.friends.remove(&other);
            }
            self.take_back(one, other);
        }
    }

    fn take_back(&mut self, one: usize, other: usize) {
        let (Some(from), Some(to)) = (self.honest.get(one), self.honest.get(other)) else { return };
        let (from, to) = (from.did, to.did);
        for graph in TrustContext::ALL {
            self.words.take_back(graph, from, to);
        }
    }

    /// Whoever leaves takes its words back, also those that somebody bought; others may leave theirs standing.
    fn leave(&mut self, number: usize, random: &mut Random) {
        let Some(member) = self.honest.get_mut(number) else { return };
        member.is_here = false;
        let did = member.did;
        self.words.take_back_all(|word| word.from == did);
        for friend in self.friends(number) {
            if random.chance(FORGOTTEN_PPM) {
                self.take_back(friend, number);
            }
        }
    }

    fn come_back(&mut self, number: usize, random: &mut Random) {
        let Some(member) = self.honest.get_mut(number) else { return };
        member.is_here = true;
        for friend in self.friends(number) {
            if self.honest.get(friend).is_some_and(|friend| friend.is_here) {
                self.vouch(number, friend, 0, random);
                self.vouch(friend, number, 0, random);
            }
        }
    }

    /// Words that are old, over or missing are given again, by most.
    fn renew(&mut self, random: &mut Random) {
        for number in 0..self.honest.len() {
            let Some(member) = self.honest.get(number).filter(|member| member.is_here) else { continue };
            let did = member.did;
            for friend in self.friends(number) {
                let Some(other) = self.honest.get(friend).filter(|other| other.is_here) else { continue };
                let word = self.word(TrustContext::General, did, other.did);
                let age = word.map(|word| self.now.since(word.given).as_millis() / super::people::DAY_MS);
                if age.is_none_or(|days| days >= RENEWED_DAYS) && random.chance(RENEWS_PPM) {
                    self.vouch(number, friend, 0, random);
                }
            }
        }
    }
}
