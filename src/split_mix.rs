//! Which numbers follow from a seed? SplitMix64's mixing function (Steele, Lea and Flood, 2014), for the test kit and the mock server.

/// 64 bits that look like chance, and follow from `value`.
pub(crate) fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number in 0..1 of 64 bits.
pub(crate) fn unit(bits: u64) -> f64 {
    // The upper 53 bits are what an f64 holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The generator's first numbers for the seed 0, whose states are the multiples of the step.
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        assert_eq!([mixed(0), mixed(step)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        assert_eq!((unit(0), unit(u64::MAX) < 1.0, unit(1 << 63)), (0.0, true, 0.5));
    }
}
