//! How long is `1m30s`? Durations as people write them; pure.

use std::time::Duration;

use callboard::research::DEADLINE;

/// Reads numbers with units, largest first or not: `90s`, `2m`, `1500ms`, `1m30s`, `1.5h`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let time = sum(text.trim()).ok_or("write a number with a unit, such as 60s, 2m, 1500ms or 1h")?;
    match DEADLINE.contains(&time) {
        true => Ok(time),
        false => Err("choose a time from 1ms to 24h".into()),
    }
}

fn sum(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| c.is_ascii_alphabetic());
        let number: f64 = number.parse().ok()?;
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_like_this() {
        for (text, ms) in [
            ("60s", 60_000),
            ("2m", 120_000),
            ("1500ms", 1500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (" 24h ", 86_400_000),
            ("1ms", 1),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_unclear_or_out_of_range_is_refused() {
        for text in
            ["", " ", "60", "s", "60 days", "1..5s", "-5s", "0s", "25h", "1e9s", "99999999999999999999999h", "٣s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
