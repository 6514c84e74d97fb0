//! Halving with time, in integers.
//!
//! `value · 2^(−age / half-life)`, the exponent cut to 2⁻²⁴ of a half-life, every product rounded down. The factors
//! `2^(−1/2), 2^(−1/4), …` are made by integer square roots, so that every machine has the same ones.

/// How many binary places of the exponent count.
const PLACES: usize = 24;
/// 1 in the fixed point of the factors.
const ONE: u64 = 1 << 32;

/// `2^(−1/2^(k+1))` at place `k`, times [`ONE`], rounded down.
const FACTORS: [u64; PLACES] = factors();

const fn factors() -> [u64; PLACES] {
    let mut factors = [0; PLACES];
    let mut last = ONE / 2;
    let mut place = 0;
    while place < PLACES {
        last = (last << 32).isqrt();
        #[expect(
            clippy::indexing_slicing,
            reason = "`get_mut` is not for constants; the index is below the length"
        )]
        {
            factors[place] = last;
        }
        place += 1;
    }
    factors
}

/// What some time leaves of any value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// What a part of a half-life leaves, in the fixed point of [`ONE`].
    factor: u64,
    /// How many whole half-lives have passed.
    whole: u64,
}

impl Left {
    /// Computes what a time leaves; all if the half-life is 0.
    #[must_use]
    pub(crate) fn after(age: u64, half_life: u64) -> Self {
        if half_life == 0 {
            return Self { factor: ONE, whole: 0 };
        }
        let part = (u128::from(age % half_life) << PLACES) / u128::from(half_life);
        let factor = FACTORS.iter().enumerate().fold(ONE, |factor, (place, by)| {
            if part >> (PLACES - 1 - place) & 1 == 1 { (factor * by) >> 32 } else { factor }
        });
        Self { factor, whole: age / half_life }
    }

    /// Returns what is left of a value.
    #[must_use]
    pub(crate) fn of(self, value: u64) -> u64 {
        if self.whole >= 64 {
            return 0;
        }
        // At most the value itself, which is a `u64`.
        u64::try_from((u128::from(value) * u128::from(self.factor)) >> 32 >> self.whole).unwrap_or(value)
    }
}

/// Returns what is left of a value after some time; all of it when the half-life is 0.
///
/// Never rises with `age`, never falls with `value`.
#[must_use]
pub(crate) fn halved(value: u64, age: u64, half_life: u64) -> u64 {
    Left::after(age, half_life).of(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_half_life_halves() {
        for (age, left) in [(0, 800_000), (365, 400_000), (730, 200_000), (1_095, 100_000), (365 * 64, 0)] {
            assert_eq!(halved(800_000, age, 365), left, "{age}");
        }
        assert_eq!(halved(1_000_000, 300, 600), 707_106);
        assert_eq!(halved(7, u64::MAX, 0), 7);
    }

    proptest! {
        #[test]
        fn it_is_the_exponential_and_falls(value in 0..=1_000_000_u64, age in 0..4_000_u64, half in 1..1_000_u64) {
            let exact = value as f64 * (-(age as f64) / half as f64).exp2();
            let ours = halved(value, age, half);
            prop_assert!(ours as f64 <= exact * (1.0 + 5e-8) + 1.0, "{ours} {exact}");
            prop_assert!(ours as f64 >= exact * (1.0 - 1e-6) - 1.0, "{ours} {exact}");
            prop_assert!(halved(value, age + 1, half) <= ours);
            prop_assert!(halved(value + 1, age, half) >= ours);
        }
    }
}
