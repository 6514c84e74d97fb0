//! `[quotas]`: what each co-op may take of this node.

use std::collections::BTreeMap;

use icn_mesh::{Quotas, ResourceQuota};
use icn_types::{Did, TokenAmount};
use serde::{Deserialize, Deserializer};

use super::keys;

/// The most processors that a quota names, in thousandths: a million of them.
const MILLICORES_MAX: f64 = 1e9;

/// Quotas of co-ops: one for everybody, and others for single spaces.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotasConfig {
    /// Processors at once, in thousandths.
    #[serde(deserialize_with = "millicores")]
    pub cpu_cores_max: Option<u64>,
    /// Memory at once, in units of 1,048,576 bytes.
    pub memory_mb_max: Option<u64>,
    /// Jobs at once.
    pub tasks_concurrent_max: Option<u64>,
    /// Credit that is held, or was paid within an hour.
    #[serde(deserialize_with = "keys::price")]
    pub credits_per_hour: Option<TokenAmount>,
    /// For single spaces.
    pub spaces: Vec<SpaceQuotaConfig>,
}

/// The quota of one space; what it leaves out is as in the one for everybody.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceQuotaConfig {
    /// Which space.
    pub space: Did,
    /// Processors at once, in thousandths.
    #[serde(default, deserialize_with = "millicores")]
    pub cpu_cores_max: Option<u64>,
    /// Memory at once, in units of 1,048,576 bytes.
    #[serde(default)]
    pub memory_mb_max: Option<u64>,
    /// Jobs at once.
    #[serde(default)]
    pub tasks_concurrent_max: Option<u64>,
    /// Credit that is held, or was paid within an hour.
    #[serde(default, deserialize_with = "keys::price")]
    pub credits_per_hour: Option<TokenAmount>,
}

/// Quotas that cannot be as the operator wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotasError {
    /// Two quotas of one space.
    #[error("`quotas.spaces` names the space {0} twice: leave one of them out")]
    Twice(Did),
    /// Jobs cost something else here.
    #[error(
        "`quotas` limits credit in {quota}, but `executor.price` is in {price}: write both in one currency"
    )]
    Currency {
        /// Of the quota.
        quota: String,
        /// Of the price.
        price: String,
    },
    /// Jobs cost nothing here.
    #[error(
        "`quotas` limits credit, but jobs are free without `executor.price`: set it, or leave `credits_per_hour` out"
    )]
    Free,
}

impl QuotasConfig {
    /// Makes the quotas that the executor holds co-ops to, at this price.
    ///
    /// # Errors
    ///
    /// [`QuotasError`] names the keys that do not fit together.
    pub fn quotas(&self, price: Option<&TokenAmount>) -> Result<Quotas, QuotasError> {
        let make = |cpu_millicores_max,
                    memory_mb: Option<u64>,
                    tasks_concurrent_max,
                    credits: Option<&TokenAmount>| {
            Ok(ResourceQuota {
                cpu_millicores_max,
                memory_bytes_max: memory_mb.map(|mb| mb.saturating_mul(1 << 20)),
                tasks_concurrent_max,
                credits_per_hour: credits_in(price, credits)?,
            })
        };
        let credits = self.credits_per_hour.as_ref();
        let default = make(self.cpu_cores_max, self.memory_mb_max, self.tasks_concurrent_max, credits)?;
        let mut spaces = BTreeMap::new();
        for one in &self.spaces {
            let credits = one.credits_per_hour.as_ref();
            let quota = make(one.cpu_cores_max, one.memory_mb_max, one.tasks_concurrent_max, credits)?;
            if spaces.insert(one.space, quota).is_some() {
                return Err(QuotasError::Twice(one.space));
            }
        }
        Ok(Quotas { default, spaces })
    }
}

fn credits_in(
    price: Option<&TokenAmount>,
    credits: Option<&TokenAmount>,
) -> Result<Option<u64>, QuotasError> {
    let Some(credits) = credits else { return Ok(None) };
    let price = price.ok_or(QuotasError::Free)?;
    if price.currency != credits.currency {
        let (quota, price) = (credits.currency.clone(), price.currency.clone());
        return Err(QuotasError::Currency { quota, price });
    }
    Ok(Some(credits.amount))
}

/// Reads processors such as `2` or `1.5`, in thousandths.
fn millicores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(u32),
        Number(f64),
    }
    let number = match Option::<Written>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Written::Whole(number)) => f64::from(number),
        Some(Written::Number(number)) => number,
    };
    let millicores = (number * 1_000.0).round();
    if !(0.0..=MILLICORES_MAX).contains(&millicores) {
        return Err(serde::de::Error::custom("processors are a number from 0 to 1000000, such as 1.5"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number within its bounds"
    )]
    Ok(Some(millicores as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<QuotasConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn quotas_are_read_for_everybody_and_for_single_spaces() {
        let space = Did::from_public_key([7; 32]);
        let text = format!(
            "cpu_cores_max = 1.5\nmemory_mb_max = 512\ntasks_concurrent_max = 4\ncredits_per_hour = \"20 hours\"\n\
             [[spaces]]\nspace = \"{space}\"\ncpu_cores_max = 8\n"
        );
        let price = Some("1 hours".parse().unwrap());
        let quotas = read(&text).unwrap().quotas(price.as_ref()).unwrap();
        let default = ResourceQuota {
            cpu_millicores_max: Some(1_500),
            memory_bytes_max: Some(512 * 1_024 * 1_024),
            tasks_concurrent_max: Some(4),
            credits_per_hour: Some(20),
        };
        assert_eq!(quotas.default, default);
        assert_eq!(quotas.of(Some(&space)), ResourceQuota { cpu_millicores_max: Some(8_000), ..default });
        assert!(QuotasConfig::default().quotas(None).unwrap().is_unlimited());
    }

    #[test]
    fn what_cannot_be_is_told_with_its_keys() {
        for text in
            ["cpu_cores_max = -1", "cpu_cores_max = nan", "tasks = 1", "[[spaces]]\ncpu_cores_max = 1"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        let space = Did::from_public_key([7; 32]);
        let twice = format!("[[spaces]]\nspace = \"{space}\"\n[[spaces]]\nspace = \"{space}\"\n");
        let price: Option<TokenAmount> = Some("1 hours".parse().unwrap());
        let check = |text: &str, price: Option<&TokenAmount>, word: &str| {
            let error = read(text).unwrap().quotas(price).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        check(&twice, None, "twice");
        check("credits_per_hour = \"5 euro\"", price.as_ref(), "one currency");
        check("credits_per_hour = \"5 hours\"", None, "executor.price");
    }
}
