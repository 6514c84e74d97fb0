//! What is on disk of the payment of a job, at both sides.

use std::fmt;

use icn_protocol::PriceRates;
use icn_types::{Cid, Did, Timestamp, TokenAmount};
use serde::{Deserialize, Serialize};

use crate::effect::HoldEnd;

/// How the payment of one lease epoch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// The payer wants a hold; the ledger has not answered.
    Placing,
    /// The ledger has refused the hold.
    Refused,
    /// The hold stands and the job runs, or is about to.
    Held,
    /// The payee has done the work and waits for the capture.
    Owed,
    /// The payer takes the price out of the hold; the ledger has not answered.
    Capturing,
    /// The price went from payer to payee.
    Captured,
    /// The payer would have paid, and the ledger refused.
    Unpaid,
    /// The payee gives the hold back; the ledger has not answered.
    Releasing,
    /// The payee gave the hold back.
    Released,
    /// The payee claims its price; the ledger has not answered.
    Claiming,
    /// The payee claimed its price, because no capture came.
    Claimed,
    /// The hold ended unused.
    Expired,
}

impl PaymentState {
    /// Tells whether nothing follows any more.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        match self {
            Self::Refused
            | Self::Captured
            | Self::Unpaid
            | Self::Released
            | Self::Claimed
            | Self::Expired => true,
            Self::Placing | Self::Held | Self::Owed | Self::Capturing | Self::Releasing | Self::Claiming => {
                false
            }
        }
    }

    /// Returns the word for people and for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placing => "placing",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Owed => "owed",
            Self::Capturing => "capturing",
            Self::Captured => "captured",
            Self::Unpaid => "unpaid",
            Self::Releasing => "releasing",
            Self::Released => "released",
            Self::Claiming => "claiming",
            Self::Claimed => "claimed",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for PaymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The payment of one lease epoch, as its originator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRecord {
    /// The lease epoch. With the job's id it is the name under which the ledger places one hold, however often it is asked.
    pub epoch: u64,
    /// In which round of bidding the bid was chosen.
    pub round: u64,
    /// To whom.
    pub to: Did,
    /// The bid that is taken.
    pub bid: Cid,
    /// The price of the bid: what is held.
    pub amount: TokenAmount,
    /// When the hold ends by itself.
    pub expires: Timestamp,
    /// The hold, `<entry CID>#<act index>`, once it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// How it stands.
    pub state: PaymentState,
    /// What is, or was, taken out of the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<TokenAmount>,
    /// The receipt that it is taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Cid>,
    /// What the ledger said when it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The payment of one lease epoch, as its executor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRecord {
    /// The lease epoch.
    pub epoch: u64,
    /// The hold, `<entry CID>#<act index>`.
    pub hold: String,
    /// The price of the bid: the most that can be due.
    pub price: TokenAmount,
    /// When the hold ends by itself.
    pub expires: Timestamp,
    /// The CID of the signed assignment.
    pub assignment: Cid,
    /// How it stands.
    pub state: PaymentState,
    /// What is, or was, taken out of the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<TokenAmount>,
    /// The receipt that it is taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Cid>,
    /// Why the hold is given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl PaymentRecord {
    /// Takes note of how the hold ended.
    pub(crate) fn end(&mut self, how: HoldEnd) {
        ended(&mut self.state, &mut self.taken, how);
    }
}

impl DueRecord {
    /// Takes note of how the hold ended.
    pub(crate) fn end(&mut self, how: HoldEnd) {
        ended(&mut self.state, &mut self.taken, how);
    }
}

/// Prices an execution by what its bid asks: by the rates if it states them, and never more than the bid.
pub(crate) fn metered(
    price: Option<&TokenAmount>,
    rates: Option<&PriceRates>,
    fuel_used: u64,
) -> Option<TokenAmount> {
    let price = price?;
    let amount = rates.map_or(price.amount, |rates| rates.charge(fuel_used).min(price.amount));
    Some(TokenAmount { amount, currency: price.currency.clone() })
}

fn ended(state: &mut PaymentState, taken: &mut Option<TokenAmount>, how: HoldEnd) {
    (*state, *taken) = match how {
        HoldEnd::Captured(amount) => (PaymentState::Captured, Some(amount)),
        HoldEnd::Claimed(amount) => (PaymentState::Claimed, Some(amount)),
        HoldEnd::Released => (PaymentState::Released, None),
        HoldEnd::Expired => (PaymentState::Expired, None),
    };
}

impl fmt::Display for PaymentRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.state, self.taken.as_ref(), self.reason.as_deref())
    }
}

impl fmt::Display for DueRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        words(f, self.state, self.taken.as_ref(), self.reason.as_deref())
    }
}

/// Says how a payment stands: `held`, `captured 3 hours`, `refused: …`.
fn words(
    f: &mut fmt::Formatter<'_>,
    state: PaymentState,
    taken: Option<&TokenAmount>,
    reason: Option<&str>,
) -> fmt::Result {
    f.write_str(state.as_str())?;
    if let Some(amount) = taken {
        write!(f, " {amount}")?;
    }
    match reason {
        Some(reason) => write!(f, ": {reason}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_says_how_it_stands() {
        let hours = |amount| TokenAmount { amount, currency: "hours".into() };
        let mut payment = PaymentRecord {
            epoch: 1,
            round: 1,
            to: Did::from_public_key([1; 32]),
            bid: Cid::of_raw(b"bid"),
            amount: hours(5),
            expires: Timestamp::default(),
            hold: None,
            state: PaymentState::Held,
            taken: None,
            receipt: None,
            reason: None,
        };
        assert_eq!(payment.to_string(), "held");
        payment.end(HoldEnd::Captured(hours(3)));
        assert_eq!(payment.to_string(), "captured 3 hours");
        payment.end(HoldEnd::Released);
        assert_eq!(payment.to_string(), "released");
        (payment.state, payment.reason) = (PaymentState::Refused, Some("not covered".into()));
        assert_eq!(payment.to_string(), "refused: not covered");
    }

    #[test]
    fn the_words_on_disk_are_the_words_shown() {
        for state in [PaymentState::Placing, PaymentState::Held, PaymentState::Owed, PaymentState::Unpaid] {
            let bytes = icn_types::codec::encode(&state).unwrap();
            assert_eq!(icn_types::codec::decode::<String>(&bytes).unwrap(), state.as_str());
            assert_eq!(icn_types::codec::decode::<PaymentState>(&bytes).unwrap(), state);
        }
    }
}
