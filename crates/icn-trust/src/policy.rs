//! What each class of trust may do: a table, from which the limits below are filled.
//!
//! Rates and bursts are those of conflict C-10, streams and rights those of TRU-18 and C-57. A class may never do less than the
//! one below it. What [`Constraints`] cannot say is said in [`Access`]: that somebody is banned.

mod rule;

use std::collections::BTreeSet;

use icn_types::{Capabilities, Constraints, TopicAccess};
use serde::{Deserialize, Serialize};

pub use self::rule::{Capability, Rule, Topics};
use crate::class::TrustClass;
use crate::error::SettingsError;
use crate::graph::PPM;
use crate::standing::Action;

/// What a throttled member keeps: one part in so many.
const THROTTLED_TO: u32 = 10;

/// The limits of each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Of strangers.
    pub isolated: Rule,
    /// Of those for whom somebody vouches.
    pub known: Rule,
    /// Of those whom one works with.
    pub partner: Rule,
    /// Of those whom one relies on.
    pub federated: Rule,
    /// Of oneself and the like.
    pub intimate: Rule,
    /// The topics that [`Topics::PublicOnly`] means.
    pub public_topics: BTreeSet<String>,
}

impl Default for Policy {
    fn default() -> Self {
        use Capability::{DeployContract, ExecuteContract, ModifyTrust, ReadLedger, ReadTrust, WriteLedger};
        let rule = |rate: u32, streams_max, capabilities: &[Capability], fuel_max, jobs_max| Rule {
            messages_per_second: rate,
            burst: rate * 10,
            streams_max,
            topics: Topics::All,
            capabilities: capabilities.iter().copied().collect(),
            fuel_max,
            jobs_max,
        };
        let known = [ReadLedger, ReadTrust];
        let partner = [ReadLedger, ReadTrust, WriteLedger, ExecuteContract];
        let federated = [ReadLedger, ReadTrust, WriteLedger, ExecuteContract, DeployContract, ModifyTrust];
        let public =
            ["/icn/mesh/capabilities/v1", "/icn/mesh/jobs/announce/v1", "/icn/mesh/receipts/available/v1"];
        Self {
            isolated: Rule { topics: Topics::PublicOnly, ..rule(1, 2, &[], 1_000_000_000, 1) },
            known: rule(10, 5, &known, 10_000_000_000, 4),
            partner: rule(100, 10, &partner, 1_000_000_000_000, 16),
            federated: rule(1_000, 16, &federated, 1_000_000_000_000, 64),
            intimate: rule(10_000, 32, &federated, u64::MAX, 256),
            public_topics: public.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Policy {
    /// Returns the limits of a class.
    #[must_use]
    pub const fn rule(&self, class: TrustClass) -> &Rule {
        match class {
            TrustClass::Isolated => &self.isolated,
            TrustClass::Known => &self.known,
            TrustClass::Partner => &self.partner,
            TrustClass::Federated => &self.federated,
            TrustClass::Intimate => &self.intimate,
        }
    }

    /// Checks that no class may do less than the one below it, and that every rate lets something through.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the class and the limit.
    pub fn check(&self) -> Result<(), SettingsError> {
        let mut below: Option<TrustClass> = None;
        for class in TrustClass::ALL {
            let rule = self.rule(class);
            rule.check()?;
            if let Some(lower) = below
                && let Some(what) = rule.falls_below(self.rule(lower), &self.public_topics)
            {
                return Err(SettingsError::Falls { lower: lower.as_str(), upper: class.as_str(), what });
            }
            below = Some(class);
        }
        Ok(())
    }

    /// Returns what somebody of a class may do, after what followed from its violations.
    #[must_use]
    pub fn access(&self, class: TrustClass, action: Action) -> Access {
        let rule = match action {
            Action::None | Action::Warn => self.rule(class).clone(),
            Action::Throttle => self.rule(class).part(PPM / THROTTLED_TO),
            Action::Quarantine => self.isolated.clone(),
            Action::Ban { .. } => Rule::nothing(),
        };
        Access { class, action, rule, public_topics: self.public_topics.clone() }
    }
}

/// What somebody may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its class.
    pub class: TrustClass,
    /// What followed from its violations.
    pub action: Action,
    /// The limits after that.
    pub rule: Rule,
    public_topics: BTreeSet<String>,
}

impl Access {
    /// Tells whether nothing of it is heard.
    #[must_use]
    pub const fn is_banned(&self) -> bool {
        matches!(self.action, Action::Ban { .. })
    }

    /// Tells whether it may publish on a topic.
    #[must_use]
    pub fn can_access_topic(&self, topic: &str) -> bool {
        !self.is_banned() && self.rule.topics.allow(topic, &self.public_topics)
    }

    /// Tells whether it has a right.
    #[must_use]
    pub fn has_capability(&self, capability: Capability) -> bool {
        !self.is_banned() && self.rule.capabilities.contains(&capability)
    }

    /// Tells how much fuel one job of it may be given (TRU-20).
    #[must_use]
    pub const fn fuel_budget(&self) -> u64 {
        self.rule.fuel_max
    }

    /// Returns the same with a part of the rates, for a member that shares one allowance with others. A rate that lets
    /// something through goes on to let one a second through.
    #[must_use]
    pub fn part(mut self, share_ppm: u32) -> Self {
        self.rule = self.rule.part(share_ppm);
        self
    }

    /// Fills the limits that the floors below enforce. Whoever is banned
    /// has a rate of 0 and must not be listened to at all.
    #[must_use]
    pub fn constraints(&self) -> Constraints {
        let topics = match &self.rule.topics {
            Topics::All => TopicAccess::All,
            Topics::PublicOnly => TopicAccess::Public,
            Topics::Only(topics) => TopicAccess::Only(topics.clone()),
        };
        Constraints {
            messages_per_second: self.rule.messages_per_second,
            burst: self.rule.burst,
            streams_max: self.rule.streams_max,
            topics,
            capabilities: Capabilities::Only(
                self.rule.capabilities.iter().map(|right| right.as_str().to_owned()).collect(),
            ),
            fuel_max: self.rule.fuel_max,
            jobs_max: self.rule.jobs_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_types::Timestamp;

    use super::*;

    #[test]
    fn the_table_is_that_of_the_sources() {
        let policy = Policy::default();
        assert_eq!(policy.check(), Ok(()));
        for (class, rate, burst, streams, rights) in [
            (TrustClass::Isolated, 1, 10, 2, 0),
            (TrustClass::Known, 10, 100, 5, 2),
            (TrustClass::Partner, 100, 1_000, 10, 4),
            (TrustClass::Federated, 1_000, 10_000, 16, 6),
            (TrustClass::Intimate, 10_000, 100_000, 32, 6),
        ] {
            let rule = policy.rule(class);
            let row = (rule.messages_per_second, rule.burst, rule.streams_max, rule.capabilities.len());
            assert_eq!(row, (rate, burst, streams, rights), "{class}");
        }
        let known = policy.access(TrustClass::Known, Action::None);
        assert!(
            known.has_capability(Capability::ReadTrust) && !known.has_capability(Capability::WriteLedger)
        );
        let partner = policy.access(TrustClass::Partner, Action::Warn);
        assert!(partner.has_capability(Capability::ExecuteContract));
        assert!(!partner.has_capability(Capability::ModifyTrust));
        assert_eq!(partner.fuel_budget(), 1_000_000_000_000);
    }

    #[test]
    fn a_stranger_publishes_on_public_topics_alone_and_has_no_right() {
        let policy = Policy::default();
        let stranger = policy.access(TrustClass::Isolated, Action::None);
        assert!(stranger.can_access_topic("/icn/mesh/jobs/announce/v1"));
        assert!(!stranger.can_access_topic("/icn/space/x/ledger:sync/v1"));
        let constraints = stranger.constraints();
        assert_eq!(constraints.topics, TopicAccess::Public);
        assert!(!constraints.allows("read_ledger"));
        let friend = policy.access(TrustClass::Federated, Action::None);
        assert_eq!(friend.constraints().topics, TopicAccess::All);
        assert!(friend.can_access_topic("anything"));
        assert!(friend.constraints().allows("modify_trust"));
    }

    #[test]
    fn violations_take_away_what_trust_gave() {
        let policy = Policy::default();
        let access = |action| policy.access(TrustClass::Federated, action);
        let throttled = access(Action::Throttle);
        assert_eq!((throttled.rule.messages_per_second, throttled.rule.burst), (100, 1_000));
        assert!(throttled.has_capability(Capability::WriteLedger));
        assert_eq!(access(Action::Quarantine).rule, policy.isolated);
        let banned = access(Action::Ban { until: Timestamp::from_millis(1) });
        assert!(banned.is_banned() && !banned.can_access_topic("/icn/mesh/jobs/announce/v1"));
        let constraints = banned.constraints();
        assert_eq!((constraints.messages_per_second, constraints.burst, constraints.jobs_max), (0, 0, 0));
        assert!(!constraints.allows("read_ledger") && !constraints.may_publish("x", true));
        assert_eq!(policy.access(TrustClass::Isolated, Action::Throttle).rule.messages_per_second, 1);
    }

    #[test]
    fn a_part_of_an_allowance_lets_something_through() {
        let partner = Policy::default().access(TrustClass::Partner, Action::None);
        assert_eq!(partner.clone().part(250_000).rule.messages_per_second, 25);
        assert_eq!(partner.clone().part(1).rule.messages_per_second, 1);
        assert_eq!(partner.clone().part(1_000_000), partner);
    }

    #[test]
    fn a_higher_class_gets_no_less() {
        let policy = Policy::default();
        let only = |topic: &str| Topics::Only(BTreeSet::from([topic.to_owned()]));
        for (wrong, what) in [
            (Policy { partner: Rule { burst: 99, ..policy.partner.clone() }, ..policy.clone() }, "burst"),
            (
                Policy { known: Rule { topics: only("x"), ..policy.known.clone() }, ..policy.clone() },
                "topics",
            ),
            (
                Policy {
                    intimate: Rule { capabilities: BTreeSet::new(), ..policy.intimate.clone() },
                    ..policy.clone()
                },
                "capabilities",
            ),
            (
                Policy {
                    isolated: Rule { messages_per_second: 0, ..policy.isolated.clone() },
                    ..policy.clone()
                },
                "messages",
            ),
            (Policy { isolated: Rule { burst: 0, ..policy.isolated.clone() }, ..policy.clone() }, "burst"),
        ] {
            assert!(wrong.check().unwrap_err().to_string().contains(what), "{what}");
        }
    }

    #[test]
    fn it_is_read_from_configuration() {
        let json = serde_json::to_string(&Policy::default()).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), Policy::default());
        assert!(json.contains(r#""topics":"public_only""#) && json.contains(r#""topics":"all""#), "{json}");
        let topics: Topics = serde_json::from_str(r#"{"only":["/icn/mesh/jobs/announce/v1"]}"#).unwrap();
        assert!(
            topics.allow("/icn/mesh/jobs/announce/v1", &BTreeSet::new())
                && !topics.allow("other", &BTreeSet::new())
        );
    }
}
