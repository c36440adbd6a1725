//! Which times may a flag be? From 1 ms to 24 h, as people write them.

use std::time::Duration;

use callboard::config::duration;
use callboard::research::DEADLINE;

/// Reads `90s`, `2m`, `1500ms`, `1m30s`, `1.5h`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text).ok_or("write a number with a unit, such as 60s, 2m, 1500ms or 1h")?;
    match DEADLINE.contains(&time) {
        true => Ok(time),
        false => Err("choose a time from 1ms to 24h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_a_range() {
        assert_eq!((parse("1ms"), parse(" 24h ")), (Ok(*DEADLINE.start()), Ok(*DEADLINE.end())));
        for text in ["", "60", "0s", "25h", "-5s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
