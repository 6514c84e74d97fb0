//! What things of a space are called: names for members, decimals for amounts.

use std::collections::BTreeMap;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{Amount, Party};
use icn_ledger::Books;
use icn_types::Did;

/// How many characters of a DID stand for a member without a nickname.
const DID_CHARS_SHOWN: usize = 18;

/// The words of one space, from one look at its books.
pub(in crate::api) struct Words {
    space: Did,
    names: BTreeMap<Did, Option<String>>,
    decimals: BTreeMap<String, u8>,
}

impl Words {
    pub(in crate::api) fn of(books: &Books) -> Self {
        Self {
            space: books.space(),
            names: books.members().into_iter().map(|member| (member.did, member.nickname)).collect(),
            decimals: books
                .currencies()
                .into_iter()
                .map(|currency| (currency.code, currency.decimals))
                .collect(),
        }
    }

    /// Lists the members with their nicknames, by DID.
    pub(in crate::api) fn members(&self) -> impl Iterator<Item = (Did, Option<&str>)> {
        self.names.iter().map(|(did, nickname)| (*did, nickname.as_deref()))
    }

    /// Lists the members but one and the space itself, which is a member, too, and nobody's.
    pub(in crate::api) fn others(&self, than: Did) -> impl Iterator<Item = Did> {
        self.names.keys().copied().filter(move |did| *did != than && *did != self.space)
    }

    pub(in crate::api) fn nickname(&self, did: &Did) -> Option<String> {
        self.names.get(did).cloned().flatten()
    }

    pub(in crate::api) fn party(&self, did: Did) -> Party {
        Party { did, nickname: self.nickname(&did) }
    }

    pub(in crate::api) fn parties<'a>(&self, dids: impl IntoIterator<Item = &'a Did>) -> Vec<Party> {
        dids.into_iter().map(|did| self.party(*did)).collect()
    }

    /// Names somebody in a sentence.
    pub(in crate::api) fn name(&self, did: &Did) -> String {
        self.nickname(did).unwrap_or_else(|| did.to_string().chars().take(DID_CHARS_SHOWN).collect())
    }

    /// Lists the codes of the currencies.
    pub(in crate::api) fn codes(&self) -> Vec<String> {
        self.decimals.keys().cloned().collect()
    }

    pub(in crate::api) fn decimals(&self, code: &str) -> u8 {
        self.decimals.get(code).copied().unwrap_or_default()
    }

    pub(in crate::api) fn amount(&self, smallest: i64, code: &str) -> Amount {
        Amount::new(smallest, code, self.decimals(code))
    }

    /// Reads an amount of 0 or more.
    pub(in crate::api) fn parse(&self, text: &str) -> Result<Amount, Problem> {
        Amount::parse(text, self.decimals.iter().map(|(code, decimals)| (code.as_str(), *decimals)))
    }

    /// Reads an amount above 0.
    pub(in crate::api) fn parse_positive(&self, text: &str) -> Result<Amount, Problem> {
        let amount = self.parse(text)?;
        if amount.smallest > 0 {
            Ok(amount)
        } else {
            Err(Problem::invalid("bad-amount", format!("`{}` is nothing: give more than 0", amount.text)))
        }
    }

    /// Checks the code of a currency.
    pub(in crate::api) fn known(&self, code: &str) -> Result<(), Problem> {
        if self.decimals.contains_key(code) {
            return Ok(());
        }
        let code: String = code.chars().take(32).collect();
        let known = self.codes();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        Err(Problem::invalid(
            "unknown-currency",
            format!("the space has no currency `{code}`: it has {known}"),
        ))
    }

    /// Lists the codes that a list is about: the one that is named, or all.
    pub(in crate::api) fn chosen(&self, code: Option<&str>) -> Result<Vec<String>, Problem> {
        match code {
            Some(code) => self.known(code).map(|()| vec![code.to_owned()]),
            None => Ok(self.codes()),
        }
    }

    /// Chooses one currency: the one that is named, or the only one.
    pub(in crate::api) fn one(&self, code: Option<&str>) -> Result<String, Problem> {
        let mut codes = self.chosen(code)?;
        match (codes.pop(), codes.is_empty()) {
            (Some(only), true) => Ok(only),
            (Some(_), false) => Err(Problem::invalid(
                "currency-needed",
                format!("the space has several currencies: name one of {}", self.codes().join(", ")),
            )),
            (None, _) => Err(Problem::invalid(
                "unknown-currency",
                "the space has no currency yet: a steward brings one in with `icn space currency`",
            )),
        }
    }
}
