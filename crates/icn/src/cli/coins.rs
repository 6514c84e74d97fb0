//! Standing orders, charges on idle balances, and debts that are written off.

use clap::{ArgGroup, Args, Subcommand};
use icn_gateway::api::books::{Every, Share};
use icn_types::{Did, Timestamp};

use super::ledger::{AccountArg, KeyArg, ReferenceArg};
use super::scope::PageArgs;
use super::treasury::FromArgs;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RecurringCommand {
    Add(RecurringAddArgs),
    List(RecurringListArgs),
    End(RecurringEndArgs),
}

/// Pay somebody every so often
///
/// This node makes each payment when it is due, and catches up after it was off. A payment that a rule refuses is tried again
/// every ten minutes; those behind it wait.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger recurring add bob 20 hours --every 1mo --memo rent
  icn ledger recurring add bob 2.50 --every 7d --count 10
  icn ledger recurring add bob 20 hours --every 1mo --from pot --budget bafyrei6x
  icn ledger recurring add bob 5 --every 1mo --start 2027-01-01T08:00:00Z --until 2027-12-31T00:00:00Z")]
pub(crate) struct RecurringAddArgs {
    /// Whom: a nickname, a DID, or the name of an identity of this node
    #[arg(value_name = "TO")]
    pub(crate) to: String,

    /// How much each time, and of which currency if there are several
    #[arg(value_name = "AMOUNT", required = true, num_args = 1..=2)]
    pub(crate) amount: Vec<String>,

    /// How often: `7d`, `2w`, `1mo` or `1y`
    #[arg(long, value_name = "HOW-OFTEN", value_parser = every)]
    pub(crate) every: Every,

    /// When the first payment is due [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start: Option<Timestamp>,

    /// How many payments at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,

    /// Nothing is due after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,

    /// A word for people; each payment carries it
    #[arg(long, value_name = "TEXT")]
    pub(crate) memo: Option<String>,

    #[command(flatten)]
    pub(crate) treasury: FromArgs,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

/// List standing orders, oldest first, with what is due next and what was refused
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Examples:\n  icn ledger recurring list\n  icn ledger recurring list --all --json"
)]
pub(crate) struct RecurringListArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Those that have ended, too
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// End a standing order; what it has paid stays paid
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger recurring end bafyrei6x")]
pub(crate) struct RecurringEndArgs {
    #[command(flatten)]
    pub(crate) standing: ReferenceArg,

    /// Ask this treasury, whose standing order it is, to do it
    #[arg(long, value_name = "TREASURY")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) key: KeyArg,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DemurrageCommand {
    Set(DemurrageSetArgs),
    /// Show how idle balances are charged, and what the fund has
    #[command(after_long_help = "Examples:\n  icn ledger demurrage show")]
    Show(PageArgs),
    End(DemurrageEndArgs),
}

/// Charge what members hold above an amount, for a fund of the community
///
/// The charge is taken when an epoch is sealed in a new period: the first time in the period after the one in which the rule
/// was sealed. Share the fund's pot with `icn ledger pay --among`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger demurrage set --above '50 hours' --rate 2% --every 30 --fund pot
  icn ledger demurrage set --above 50 --rate 0.5% --every 7 --fund pot --currency hours")]
pub(crate) struct DemurrageSetArgs {
    /// What is free of charge
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) above: String,

    /// Which part of the rest is charged for each period, such as `2%`
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) rate: u32,

    /// How many days a period has
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub(crate) every: u32,

    /// The member or treasury that gets it, and is charged nothing itself
    #[arg(long, value_name = "MEMBER")]
    pub(crate) fund: String,

    /// Of which currency, if there are several
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
}

/// End the charge on idle balances
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger demurrage end")]
pub(crate) struct DemurrageEndArgs {
    /// Of which currency, if there are several
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
}

/// Move the debt of a former member to the community's fund
///
/// The fund is the one that `icn space policy --fund` names: it goes down by as much as the account goes up.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  icn ledger write-off did:icn:4vJ9… --reason 'left the village'
  icn ledger write-off did:icn:4vJ9… 12.50 hours --reason 'cannot pay'")]
pub(crate) struct WriteOffArgs {
    /// Whose, by DID
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: Did,

    /// How much [default: all of the debt]
    #[arg(value_name = "AMOUNT", num_args = 0..=2)]
    pub(crate) amount: Vec<String>,

    /// In which currency, when no amount is given
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// List what seals and decisions of others have moved into and out of an account, newest first
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "Examples:\n  icn ledger transfers\n  icn ledger transfers bob --currency hours")]
pub(crate) struct TransfersArgs {
    #[command(flatten)]
    pub(crate) account: AccountArg,

    /// Only this currency
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// How a payment is shared.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("several"))]
pub(crate) struct ShareArgs {
    /// Pay several at once by weight, such as `bob:2,ada:1`; then TO is left out
    #[arg(long, value_name = "MEMBER:WEIGHT", value_delimiter = ',', value_parser = share, group = "several")]
    pub(crate) split: Vec<Share>,

    /// Pay all other members at once, each the same; then TO is left out
    #[arg(long, group = "several")]
    pub(crate) among: bool,
}

/// Reads how often something happens.
pub(super) fn every(text: &str) -> Result<Every, String> {
    let wrong = || "expected how often, such as `7d`, `2w`, `1mo` or `1y`".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: u32 = count.parse().map_err(|_| wrong())?;
    let (every, size) = match unit {
        "d" => (Every::Days(count), Some(count)),
        "w" => (Every::Days(count.saturating_mul(7)), count.checked_mul(7)),
        "mo" => (Every::Months(count), Some(count)),
        "y" => (Every::Months(count.saturating_mul(12)), count.checked_mul(12)),
        _ => return Err(wrong()),
    };
    if size.is_some_and(|size| (1..=3_660).contains(&size)) { Ok(every) } else { Err(wrong()) }
}

/// Reads a time, with or without milliseconds.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let read: jiff::Timestamp =
        text.parse().map_err(|_| "expected a time such as `2027-01-31T08:00:00Z`".to_owned())?;
    let millis = u64::try_from(read.as_millisecond());
    millis.map(Timestamp::from_millis).map_err(|_| "expected a time after 1970".to_owned())
}

/// Reads a percentage, exactly, as parts per million.
fn percent(text: &str) -> Result<u32, String> {
    let wrong =
        || "expected a percentage such as `2%` or `0.5%`, at most 100% and with 4 decimals".to_owned();
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 4 || !is_number(whole) || !is_number(part) {
        return Err(wrong());
    }
    let ppm = format!("{whole}{part:0<4}").parse::<u32>().map_err(|_| wrong())?;
    if (1..=1_000_000).contains(&ppm) { Ok(ppm) } else { Err(wrong()) }
}

/// Reads one share: a member and a weight; 1 when there is none.
fn share(text: &str) -> Result<Share, String> {
    let wrong = || "expected a member and a weight, such as `bob:2`".to_owned();
    // A DID has colons of its own.
    let (to, weight) = match text.rsplit_once(':') {
        Some((to, weight)) if !weight.is_empty() && weight.bytes().all(|byte| byte.is_ascii_digit()) => {
            (to, weight.parse().map_err(|_| wrong())?)
        }
        Some(_) | None => (text, 1),
    };
    if to.is_empty() || weight == 0 { Err(wrong()) } else { Ok(Share { to: to.to_owned(), weight }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_time_are_days_or_months() {
        assert_eq!(every("7d"), Ok(Every::Days(7)));
        assert_eq!(every("2w"), Ok(Every::Days(14)));
        assert_eq!(every("1mo"), Ok(Every::Months(1)));
        assert_eq!(every("1y"), Ok(Every::Months(12)));
        for bad in ["", "d", "0d", "1h", "-1d", "1 d", "4000d", "99999999999d", "999999999y"] {
            assert!(every(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percentages_are_exact() {
        assert_eq!(percent("2%"), Ok(20_000));
        assert_eq!(percent("0.5%"), Ok(5_000));
        assert_eq!(percent("0.0001%"), Ok(1));
        assert_eq!(percent("100%"), Ok(1_000_000));
        for bad in ["2", "%", "0%", "101%", "-1%", "0.00001%", "1e1%", "99999999999%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_have_weights() {
        assert_eq!(share("bob:2"), Ok(Share { to: "bob".into(), weight: 2 }));
        assert_eq!(share("did:icn:abc"), Ok(Share { to: "did:icn:abc".into(), weight: 1 }));
        assert!(share("bob:0").is_err() && share(":2").is_err());
    }

    #[test]
    fn times_need_no_milliseconds() {
        assert_eq!(time("2027-01-31T08:00:00Z").unwrap().to_string(), "2027-01-31T08:00:00.000Z");
        assert!(time("tomorrow").is_err());
    }
}
