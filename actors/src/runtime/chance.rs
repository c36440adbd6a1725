//! Where does chance come from? One seeded stream for each runtime, so that a seed repeats a run.
//!
//! SplitMix64 (Steele, Lea and Flood, 2014): small, fast and good enough for jitter and ids; not for secrets.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Chance {
    state: AtomicU64,
}

impl Chance {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A seed from the operating system, by way of the keys of std's hash maps.
    #[expect(clippy::disallowed_types, reason = "a runtime without a seed gets its own from here, and only from here")]
    pub(super) fn from_system() -> Self {
        Self::seeded(std::hash::RandomState::new().hash_one(0u8))
    }

    pub(super) fn next(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In `0.0..1.0`.
    pub(super) fn share(&self) -> f64 {
        // 53 bits fill the fraction of an f64 exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_shares_stay_in_range() {
        let draw = |seed| {
            let chance = Chance::seeded(seed);
            (0..100).map(|_| chance.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let chance = Chance::seeded(1);
        let shares: Vec<f64> = (0..1000).map(|_| chance.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(shares.iter().any(|share| *share < 0.1) && shares.iter().any(|share| *share > 0.9));
    }
}
