//! Which seeds does a test explore, and what does its scenario choose?

use std::ops::Range;

use callboard_actors::testkit::SEED_VARIABLE;

/// The first `most` seeds, or the one that the environment names.
pub(crate) fn seeds(most: u64) -> Range<u64> {
    let named = std::env::var(SEED_VARIABLE).ok();
    named.map_or(0..most, |seed| {
        let seed = seed.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is a number, not `{seed}`"));
        seed..seed + 1
    })
}

/// SplitMix64: the scenario's own choices.
#[derive(Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// One of these.
    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()].clone()
    }
}
