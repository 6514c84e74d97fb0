//! Means and intervals over runs.

use serde::Serialize;

/// What many runs say of one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The lower end of the 95 % interval of the mean.
    pub low: f64,
    /// The upper end of the 95 % interval of the mean.
    pub high: f64,
    /// Nineteen runs of twenty lie above this and below `run_high`.
    pub run_low: f64,
    /// See `run_low`.
    pub run_high: f64,
}

/// The two-sided 95 % point of the normal distribution; with 100 runs, Student's is 1 % wider.
const NORMAL_95: f64 = 1.959_964;

impl Estimate {
    /// Estimates from one number of each run; of fewer than two, the interval is the number itself.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        if values.is_empty() {
            return Self { mean: 0.0, low: 0.0, high: 0.0, run_low: 0.0, run_high: 0.0 };
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let variance = if values.len() < 2 { 0.0 } else { squares / (n - 1.0) };
        let half = NORMAL_95 * (variance / n).sqrt();
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        // Nearest rank; the cast is of a small positive number.
        let quantile = |share: f64| {
            let rank = (share * (n - 1.0)).round() as usize;
            sorted.get(rank).copied().unwrap_or(mean)
        };
        Self {
            mean,
            low: mean - half,
            high: mean + half,
            run_low: quantile(0.025),
            run_high: quantile(0.975),
        }
    }

    /// Tells whether the mean is above zero, or below, beyond doubt: 1, -1, or 0 where it may be either.
    #[must_use]
    pub fn sign(&self) -> i8 {
        if self.low > 0.0 {
            1
        } else if self.high < 0.0 {
            -1
        } else {
            0
        }
    }
}
