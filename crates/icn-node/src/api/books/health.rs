//! How healthy a currency is.

use std::sync::Arc;

use icn_gateway::api::Problem;
use icn_gateway::api::books::{
    HealthFigure, HealthLevel, HealthSign, HealthUnit, LedgerHealth, NamedFigure, amount_text,
};
use icn_ledger::{Figure, Health, Level, Sign, SignCode};
use icn_types::Timestamp;

use super::BooksFace;
use super::words::Words;
use crate::spaces::Space;

impl BooksFace {
    pub(super) async fn judge_health(
        &self,
        space: &str,
        currency: Option<String>,
    ) -> Result<LedgerHealth, Problem> {
        let space = self.find(space)?;
        let now = self.0.clock.now().at;
        let judging = tokio::task::spawn_blocking(move || judged(&space, currency.as_deref(), now));
        judging.await.map_err(|error| Problem::internal(error.to_string()))?
    }
}

fn judged(space: &Arc<Space>, currency: Option<&str>, now: Timestamp) -> Result<LedgerHealth, Problem> {
    // The books are held while the facts are gathered, and not while they are judged.
    let (words, code, facts) = {
        let replica = space.replica();
        let words = Words::of(replica.books());
        let code = words.one(currency)?;
        let facts = replica.books().health_facts(&code).unwrap_or_default();
        (words, code, facts)
    };
    let health = Health::of(&facts, now);
    let amount = |smallest: i64| words.amount(smallest, &code);
    Ok(LedgerHealth {
        at: now,
        level: level(health.level),
        members: health.members,
        active: health.active,
        credit: amount(health.credit),
        volume_30: amount(health.volume_30),
        volume_90: amount(health.volume_90),
        signs: health.signs.iter().map(|one| sign(one, &words, &code)).collect(),
        currency: code,
    })
}

fn sign(sign: &Sign, words: &Words, code: &str) -> HealthSign {
    let shown = |shown: Figure| figure(sign.code, shown, words, code);
    let named =
        |(name, figure): &(String, Figure)| NamedFigure { name: name.clone(), figure: shown(*figure) };
    HealthSign {
        code: code_word(sign.code).to_owned(),
        level: level(sign.level),
        judged: sign.is_judged,
        figure: shown(sign.figure),
        watch: shown(sign.watch),
        alarm: shown(sign.alarm),
        lower_is_worse: sign.lower_is_worse,
        more: sign.more.iter().map(named).collect(),
        who: words.parties(&sign.who),
        who_total: sign.who_total,
        finding: sign.finding.clone(),
        advice: sign.advice.clone(),
        source: sign.source.clone(),
    }
}

fn figure(sign: SignCode, figure: Figure, words: &Words, code: &str) -> HealthFigure {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    match figure {
        Figure::Ppm(ppm) => {
            HealthFigure { text: share_text(sign, ppm), value: whole(ppm), unit: HealthUnit::Ppm }
        }
        Figure::Count(count) => {
            HealthFigure { text: count.to_string(), value: whole(count), unit: HealthUnit::Count }
        }
        Figure::Days(days) => {
            HealthFigure { text: format!("{days} days"), value: whole(days), unit: HealthUnit::Days }
        }
        Figure::Amount(smallest) => HealthFigure {
            text: format!("{} {code}", amount_text(smallest, words.decimals(code))),
            value: smallest,
            unit: HealthUnit::Smallest,
        },
    }
}

/// Writes parts per million as people say it: most are shares, two are ratios.
fn share_text(sign: SignCode, ppm: u64) -> String {
    match sign {
        SignCode::DeficitRatio | SignCode::Inequality => {
            format!("{}.{:02}", ppm / 1_000_000, ppm % 1_000_000 / 10_000)
        }
        SignCode::Claims if (1..1_000).contains(&ppm) => "above 0 %".to_owned(),
        SignCode::Concentration
        | SignCode::Hoarders
        | SignCode::Takers
        | SignCode::Velocity
        | SignCode::LinesUsed
        | SignCode::AtLimit
        | SignCode::DebtAge
        | SignCode::LostDebt
        | SignCode::Newcomers
        | SignCode::Bridges
        | SignCode::Claims
        | SignCode::Unmet => format!("{}.{} %", ppm / 10_000, ppm % 10_000 / 1_000),
    }
}

const fn level(level: Level) -> HealthLevel {
    match level {
        Level::Ok => HealthLevel::Ok,
        Level::Watch => HealthLevel::Watch,
        Level::Alarm => HealthLevel::Alarm,
    }
}

const fn code_word(code: SignCode) -> &'static str {
    match code {
        SignCode::Concentration => "concentration",
        SignCode::Hoarders => "hoarders",
        SignCode::Takers => "takers",
        SignCode::Inequality => "inequality",
        SignCode::DeficitRatio => "deficit_ratio",
        SignCode::Velocity => "velocity",
        SignCode::LinesUsed => "lines_used",
        SignCode::AtLimit => "at_limit",
        SignCode::DebtAge => "debt_age",
        SignCode::LostDebt => "lost_debt",
        SignCode::Newcomers => "newcomers",
        SignCode::Bridges => "bridges",
        SignCode::Claims => "claims",
        SignCode::Unmet => "unmet",
    }
}
