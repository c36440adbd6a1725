//! What is measured? One file for each measurement: what is compared, and what is not.

pub mod across;
pub mod ask;
pub mod fan_out;
pub mod memory;
pub mod restart;
pub mod scaling;
pub mod spawn;
pub mod tell;

use std::time::Duration;

use crate::rounds::Measure;

/// All measurements, in the order of the table.
pub const ALL: [Measure; 8] = [
    memory::MEASURE,
    spawn::MEASURE,
    tell::MEASURE,
    ask::MEASURE,
    across::MEASURE,
    fan_out::MEASURE,
    restart::MEASURE,
    scaling::MEASURE,
];

/// How long each of `count` things took, in nanoseconds.
fn nanoseconds_each(took: Duration, count: u64) -> f64 {
    took.as_secs_f64() * 1e9 / count as f64
}

/// How many millions of `count` things there were in each second.
fn millions_a_second(took: Duration, count: u64) -> f64 {
    count as f64 / took.as_secs_f64() / 1e6
}
