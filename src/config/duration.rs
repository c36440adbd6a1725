//! How long is `1m30s`? Durations as people write them, in files, variables and flags; pure.

use std::time::Duration;

/// Reads numbers with units, largest first or not: `90s`, `2m`, `1500ms`, `1m30s`, `1.5h`. `None` when it is none.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = (!rest.is_empty()).then_some(Duration::ZERO)?;
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
    Some(total)
}

/// Writes a duration so that [`parse`] reads the same, to the millisecond: `1500ms`, `90s`, `5m`, `24h`.
pub fn show(time: Duration) -> String {
    let (ms, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        _ if ms % 1000 > 0 => format!("{ms}ms"),
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        121.. if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_like_this() {
        for (text, ms, shown) in [
            ("60s", 60_000, "60s"),
            ("2m", 120_000, "120s"),
            ("1500ms", 1500, "1500ms"),
            ("1m30s", 90_000, "90s"),
            ("10min", 600_000, "10m"),
            ("1.5h", 5_400_000, "90m"),
            (" 24h ", 86_400_000, "24h"),
            ("0s", 0, "0s"),
        ] {
            let time = Duration::from_millis(ms);
            assert_eq!(parse(text), Some(time), "{text}");
            assert_eq!((show(time).as_str(), parse(shown)), (shown, Some(time)));
        }
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for text in ["", " ", "60", "s", "60 days", "1..5s", "-5s", "1e9s", "99999999999999999999999h", "٣s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
