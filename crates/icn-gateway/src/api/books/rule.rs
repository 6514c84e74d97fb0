//! The rules that stewards set.

use std::fmt;

use icn_types::{Cid, Did};
use serde::{Deserialize, Serialize};

use super::{Amount, Party};

/// How credit lines of a currency are measured, in whole units of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    /// The line of a new member.
    pub initial: i64,
    /// The highest line.
    pub max: i64,
    /// How much a line grows each time `growth_per` was cleared.
    pub growth: i64,
    /// The step of cleared volume.
    pub growth_per: i64,
    /// How much of the base full trust adds, in parts per million.
    pub trust_multiplier_ppm: u32,
    /// Over how many days a newcomer's line rises to what it would be.
    pub ramp_days: u32,
    /// What must be cleared before a line exceeds `initial`.
    pub required_cleared: i64,
    /// The most that one counterparty adds to the cleared volume.
    pub per_counterparty_max: i64,
    /// What a balance may come to at most: what would lift it above is not accepted. Absent: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_max: Option<i64>,
}

/// How far a payment must have come until the payee may spend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalityLevel {
    /// The payee took it.
    Accepted,
    /// A quorum of witnesses saw nothing else at its place.
    Certified,
    /// It lies in a sealed epoch.
    Sealed,
}

/// From which amount on which level is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalityTier {
    /// From this amount up, in the smallest unit of whatever currency.
    pub from: i64,
    /// The level.
    pub level: FinalityLevel,
}

/// The rules of a space that no currency owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRules {
    /// What is final; empty: accepted without witnesses, certified with them.
    pub finality: Vec<FinalityTier>,
    /// Whether members may run jobs for each other without payment.
    pub free_jobs: bool,
    /// How long an epoch lasts, in seconds; 0: nobody seals by itself.
    pub epoch_seconds: u64,
    /// The account that bears what the community writes off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fund: Option<Party>,
    /// Who mediates when the parties of a dispute do not agree on anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mediators: Vec<Party>,
}

/// A rule act to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRequest {
    /// What is done.
    pub act: Rule,
    /// The steward that does it.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// A word of the client's choice: a second request with it is the first one again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What stewards may do: `{"admit": {"member": "did:icn:…"}}`. Members and accounts are named as people name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Takes a member in.
    Admit {
        /// Whom, by DID.
        member: Did,
        /// What people call it.
        #[serde(default)]
        nickname: Option<String>,
    },
    /// Ends a membership.
    Expel {
        /// Whose.
        member: String,
    },
    /// Makes a member a steward.
    Appoint {
        /// Whom.
        member: String,
    },
    /// Ends a stewardship.
    Dismiss {
        /// Whose.
        member: String,
    },
    /// Brings in a currency, or changes its policy.
    Currency {
        /// Its code.
        code: String,
        /// How many decimals, for a new one; 2 when absent. It never changes.
        #[serde(default)]
        decimals: Option<u8>,
        /// How credit lines are measured; absent: as before, or the usual figures.
        #[serde(default)]
        policy: Option<CreditRules>,
    },
    /// Grants, raises or lowers a credit line.
    Line {
        /// Whose.
        account: String,
        /// How far below zero the balance may go, such as `50 hours`.
        limit: String,
    },
    /// Stops an account from spending.
    Freeze {
        /// Whose.
        account: String,
        /// Why, for people.
        reason: String,
        /// After how many seconds it ends, by sealed time; absent: when a steward ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_seconds: Option<u64>,
    },
    /// Ends a freeze, the one after a fork too.
    Unfreeze {
        /// Whose.
        account: String,
    },
    /// Names the witnesses; nobody ends witnessing.
    Witnesses {
        /// Who.
        members: Vec<String>,
    },
    /// Makes an account a treasury.
    Treasury {
        /// The account.
        account: String,
        /// Who may approve its posts.
        approvers: Vec<String>,
        /// How many of them must.
        threshold: u32,
    },
    /// Changes rules of the space; what is absent stays.
    Policy {
        /// What is final.
        #[serde(default)]
        finality: Option<Vec<FinalityTier>>,
        /// Whether jobs may be free.
        #[serde(default)]
        free_jobs: Option<bool>,
        /// How long an epoch lasts, in seconds.
        #[serde(default)]
        epoch_seconds: Option<u64>,
        /// The account that bears what the community writes off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fund: Option<String>,
        /// Who mediates when the parties of a dispute do not agree on anybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mediators: Option<Vec<String>>,
        /// After how many seconds of sealed time one of them is chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assign_seconds: Option<u64>,
        /// After how many seconds of sealed time anybody may hand a dispute to the stewards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mediation_seconds: Option<u64>,
    },
    /// Charges idle balances, or changes how.
    Demurrage {
        /// The currency; the only one when absent.
        #[serde(default)]
        currency: Option<String>,
        /// What is free of charge, such as `50 hours`.
        above: String,
        /// The part of the rest that is charged for each period, in parts per million.
        rate_ppm: u32,
        /// The length of a period, in days.
        period_days: u32,
        /// The member or treasury that gets it.
        fund: String,
    },
    /// Ends the charge on idle balances.
    EndDemurrage {
        /// The currency; the only one when absent.
        #[serde(default)]
        currency: Option<String>,
    },
    /// Moves the debt of a former member to the fund.
    WriteOff {
        /// Whose, by DID: former members have no nickname.
        account: Did,
        /// How much, such as `12 hours`; absent: all of it.
        #[serde(default)]
        amount: Option<String>,
        /// In which currency, when no amount is given.
        #[serde(default)]
        currency: Option<String>,
        /// Why, for people.
        reason: String,
    },
}

/// An entry that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its name.
    pub entry: Cid,
    /// Who wrote it.
    pub author: Did,
    /// Its place in the author's chain.
    pub seq: u64,
    /// Whether an earlier entry with the same key answers for it.
    pub repeated: bool,
    /// What is still needed before it counts, or what it means.
    pub note: Option<String>,
    /// For a lowered line: the most that may be spent beyond it by those who have not seen it yet.
    pub overrun: Option<Amount>,
}

/// Whose credit lines are to be granted as the policies suggest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrantRequest {
    /// Only this member's.
    pub account: Option<String>,
    /// Only in this currency.
    pub currency: Option<String>,
    /// Shows what would be granted, and writes nothing.
    pub dry_run: bool,
    /// Who grants: a steward.
    #[serde(rename = "as")]
    pub identity: Option<String>,
    /// A word of the client's choice: a second request with it is the first one again.
    pub key: Option<String>,
}

/// A line that was raised, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose.
    pub account: Party,
    /// The line that stood.
    pub before: Amount,
    /// The line that the policy suggests.
    pub after: Amount,
    /// The trust that counted.
    pub trust_ppm: u32,
    /// How it came about.
    pub why: String,
}

/// Lines that were raised, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// At most 256 of them; ask again for more.
    pub grants: Vec<Grant>,
    /// The entry that grants them; none when nothing was written.
    pub entry: Option<Cid>,
}

impl FinalityLevel {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Certified => "certified",
            Self::Sealed => "sealed",
        }
    }
}

impl fmt::Display for FinalityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Default for CreditRules {
    /// The usual figures for a new co-op.
    fn default() -> Self {
        Self {
            initial: 20,
            max: 500,
            growth: 10,
            growth_per: 50,
            trust_multiplier_ppm: 1_000_000,
            ramp_days: 90,
            required_cleared: 10,
            per_counterparty_max: 100,
            balance_max: None,
        }
    }
}
