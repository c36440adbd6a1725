//! What is the chance of call number n? A hash of seed, number and purpose: no draw depends on another, nor on the time.
//!
//! The mixing function is SplitMix64's (Steele, Lea and Flood, 2014).

/// A number in 0..1 for the draw `purpose` of call `number`.
pub(super) fn share(seed: u64, number: u64, purpose: u64) -> f64 {
    // The upper 53 bits are what an f64 holds exactly.
    (mixed(mixed(mixed(seed) ^ number) ^ purpose) >> 11) as f64 / (1_u64 << 53) as f64
}

fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_repeated_by_their_seed_and_spread_evenly() {
        assert_eq!(share(1, 2, 3), share(1, 2, 3));
        assert!([(2, 2, 3), (1, 3, 3), (1, 2, 4)].iter().all(|&(a, b, c)| share(a, b, c) != share(1, 2, 3)));
        let mean = (0..10_000).map(|number| share(7, number, 0)).sum::<f64>() / 10_000.0;
        assert!((0.49..0.51).contains(&mean), "{mean}");
    }
}
