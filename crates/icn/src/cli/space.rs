//! Spaces: co-ops that keep common books.

use clap::{Args, Subcommand, ValueEnum};
use icn_gateway::api::books::{FinalityLevel, FinalityTier};
use icn_types::Did;

use super::scope::{PageArgs, ScopeArgs};
use super::values;

/// Found, join and look after spaces: co-ops that keep common books
#[derive(Debug, Clone, Args)]
pub(crate) struct SpaceArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(subcommand)]
    pub(crate) command: SpaceCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SpaceCommand {
    Create(SpaceCreateArgs),
    Join(SpaceJoinArgs),
    Follow(SpaceFollowArgs),
    Unfollow(SpaceUnfollowArgs),
    /// List the spaces whose books this node keeps
    #[command(after_long_help = "Examples:\n  icn space list\n  icn space list --json | jq -r '.items[].id'")]
    List(PageArgs),
    /// Show a space: its members, witnesses, currencies and rules
    #[command(after_long_help = "Examples:\n  icn space show\n  icn space show --space Bakery --json")]
    Show,
    Invite(SpaceInviteArgs),
    /// List the members of a space
    #[command(
        after_long_help = "Examples:\n  icn space members\n  icn space members --limit 100 --offset 100"
    )]
    Members(PageArgs),
    Admit(SpaceAdmitArgs),
    /// End a membership: what the former member writes later does not count
    #[command(after_long_help = "Examples:\n  icn space expel bob")]
    Expel(MemberArg),
    /// Make a member a steward, who may change the space's rules
    #[command(after_long_help = "Examples:\n  icn space appoint bob")]
    Appoint(MemberArg),
    /// End a stewardship; the founder's cannot be ended
    #[command(after_long_help = "Examples:\n  icn space dismiss bob")]
    Dismiss(MemberArg),
    Currency(SpaceCurrencyArgs),
    Witnesses(SpaceWitnessesArgs),
    Treasury(SpaceTreasuryArgs),
    Policy(SpacePolicyArgs),
}

/// Found a space, with one currency to begin with
///
/// The space gets a root key of its own, kept on this node; the identity that founds it is its first member and steward.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space create Bakery --nickname ada
  icn space create Bakery --currency loaves --decimals 0
  icn space create Bakery --as till")]
pub(crate) struct SpaceCreateArgs {
    /// What people call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What the members are to call the founder
    #[arg(long, value_name = "NAME")]
    pub(crate) nickname: Option<String>,

    /// The code of its first currency
    #[arg(long, value_name = "CODE", default_value = values::CURRENCY_DEFAULT, conflicts_with = "no_currency")]
    pub(crate) currency: String,

    /// How many decimals the currency has; it can never be changed
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=9))]
    pub(crate) decimals: u8,

    /// Bring in no currency yet
    #[arg(long)]
    pub(crate) no_currency: bool,
}

/// Take up an invitation and become a member
///
/// Fetches the space's books first, which may take a while.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space join icn-invite:3mJr7A… --nickname bob
  icn space join $(cat invitation.txt) --as till")]
pub(crate) struct SpaceJoinArgs {
    /// The invitation, as `icn space invite` printed it
    #[arg(value_name = "INVITATION")]
    pub(crate) invitation: String,

    /// What the members are to call you
    #[arg(long, value_name = "NAME")]
    pub(crate) nickname: Option<String>,
}

/// Read the books of a space without being a member
///
/// Its members' nodes show them to whoever is trusted by 0.1 at least, in general and with money (`icn trust add`). They are kept
/// up to date and can be read like those of any space; nothing can be written.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space follow did:icn:4vJ9…
  icn space follow did:icn:4vJ9… --peer /ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3…")]
pub(crate) struct SpaceFollowArgs {
    /// The root DID of the space
    #[arg(value_name = "DID")]
    pub(crate) root: Did,

    /// The address of a node that keeps its books; may be given several times
    #[arg(long, value_name = "MULTIADDR", value_parser = values::peer)]
    pub(crate) peer: Vec<String>,
}

/// Stop reading the books of a space that nobody here is a member of
///
/// Nothing more is fetched, also after a restart. The books that came so far stay on this disk, so that following again goes on from
/// them, unless `--delete` says otherwise.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space unfollow Bakery
  icn space unfollow did:icn:4vJ9… --delete")]
pub(crate) struct SpaceUnfollowArgs {
    /// Its name, its DID or a beginning of it; a copy that was kept is named by its whole DID
    #[arg(value_name = "SPACE")]
    pub(crate) followed: String,

    /// Delete the copy of its books; to have them again, the members must still trust this node
    #[arg(long)]
    pub(crate) delete: bool,
}

/// Make an invitation and print it
///
/// Hand it over by any way you trust: whoever holds it may join, unless it names a member.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space invite
  icn space invite did:icn:4vJ9… --expires 2d > invitation.txt")]
pub(crate) struct SpaceInviteArgs {
    /// Only for this DID
    #[arg(value_name = "DID")]
    pub(crate) member: Option<Did>,

    /// How long it may be used [default: 7d]
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) expires: Option<u64>,
}

/// Take a member in without an invitation
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn space admit did:icn:4vJ9… --nickname bob")]
pub(crate) struct SpaceAdmitArgs {
    /// Whom
    #[arg(value_name = "DID")]
    pub(crate) member: Did,

    /// What the members are to call it
    #[arg(long, value_name = "NAME")]
    pub(crate) nickname: Option<String>,
}

/// Names a member.
#[derive(Debug, Clone, Args)]
pub(crate) struct MemberArg {
    /// A nickname, a DID, or the name of an identity of this node
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
}

/// Bring in a currency, or change how its credit lines are measured
///
/// All figures are whole units of the currency. What is not given stays as it is, or is as usual for a new currency.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space currency hours
  icn space currency loaves --decimals 0 --initial 10 --max 200
  icn space currency hours --ramp-days 30")]
pub(crate) struct SpaceCurrencyArgs {
    /// Its code
    #[arg(value_name = "CODE")]
    pub(crate) code: String,

    /// How many decimals, for a new one; it can never be changed [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
    pub(crate) decimals: Option<u8>,

    /// The credit line of a new member
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) initial: Option<i64>,

    /// The highest credit line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) max: Option<i64>,

    /// How much a line grows each time `--growth-per` was cleared
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) growth: Option<i64>,

    /// The step of cleared volume
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) growth_per: Option<i64>,

    /// What a balance may come to at most, in whole units; 0: no bound
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) max_balance: Option<i64>,

    /// Over how many days a newcomer's line rises
    #[arg(long, value_name = "N")]
    pub(crate) ramp_days: Option<u32>,

    /// What must be cleared before a line exceeds `--initial`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) required_cleared: Option<i64>,

    /// The most that one counterparty adds to the cleared volume
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) per_counterparty_max: Option<i64>,
}

/// Show the witnesses, or name others
///
/// Witnesses certify payments: two thirds of them and one must have seen nothing else at its place. A new set counts
/// once the one before has certified it.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space witnesses
  icn space witnesses ada bob cleo dan
  icn space witnesses --none")]
pub(crate) struct SpaceWitnessesArgs {
    /// The new witnesses, all of them
    #[arg(value_name = "MEMBER", conflicts_with = "none")]
    pub(crate) members: Vec<String>,

    /// End witnessing
    #[arg(long)]
    pub(crate) none: bool,
}

/// Make an account a treasury, whose payments need approvals
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Examples:\n  icn space treasury till --approver ada --approver bob --threshold 2"
)]
pub(crate) struct SpaceTreasuryArgs {
    /// The account
    #[arg(value_name = "MEMBER")]
    pub(crate) account: String,

    /// Who may approve; may be given several times
    #[arg(long = "approver", value_name = "MEMBER", required = true)]
    pub(crate) approvers: Vec<String>,

    /// How many of them must
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) threshold: u32,
}

/// Show or change the space's rules: what is final, free jobs, epochs
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn space policy
  icn space policy --final 0=accepted --final 10000=certified
  icn space policy --free-jobs no --epoch 5m
  icn space policy --fund pot --mediator carla --mediator dora --mediation 14d")]
pub(crate) struct SpacePolicyArgs {
    /// From which amount (in the smallest unit) a payee must wait for which level; may be given several times
    #[arg(long = "final", value_name = "FROM=LEVEL", value_parser = tier)]
    pub(crate) finality: Vec<FinalityTier>,

    /// Whether members may run jobs for each other without payment
    #[arg(long, value_name = "WHETHER")]
    pub(crate) free_jobs: Option<YesNo>,

    /// How long an epoch lasts before it is sealed, such as `60s`
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) epoch: Option<u64>,

    /// The account that bears what the community writes off
    #[arg(long, value_name = "MEMBER")]
    pub(crate) fund: Option<String>,

    /// Who mediates when the parties of a dispute do not agree on anybody; may be given several times
    #[arg(long = "mediator", value_name = "MEMBER")]
    pub(crate) mediators: Vec<String>,

    /// After how long, in sealed time, one of them is chosen
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) assign: Option<u64>,

    /// After how long, in sealed time, anybody may hand a dispute to the stewards
    #[arg(long, value_name = "D", value_parser = values::long_seconds)]
    pub(crate) mediation: Option<u64>,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    Yes,
    No,
}

fn tier(text: &str) -> Result<FinalityTier, String> {
    let wrong = || "expected `FROM=accepted`, `FROM=certified` or `FROM=sealed`".to_owned();
    let (from, level) = text.split_once('=').ok_or_else(wrong)?;
    let level = match level {
        "accepted" => FinalityLevel::Accepted,
        "certified" => FinalityLevel::Certified,
        "sealed" => FinalityLevel::Sealed,
        _ => return Err(wrong()),
    };
    let from = from.parse::<i64>().ok().filter(|from| *from >= 0).ok_or_else(wrong)?;
    Ok(FinalityTier { from, level })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_an_amount_and_a_level() {
        assert_eq!(tier("1000=certified"), Ok(FinalityTier { from: 1_000, level: FinalityLevel::Certified }));
        for bad in ["", "certified", "=certified", "-1=sealed", "1=final", "1 sealed"] {
            assert!(tier(bad).is_err(), "{bad}");
        }
    }
}
