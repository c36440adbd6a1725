//! What do the headers of a reply say about limits? How long to wait, and what is left.

use std::time::{Duration, SystemTime};

use callboard_actors::chat::Headroom;
use reqwest::header::HeaderMap;

/// How long the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date. LiteLLM hands the latter
/// on under a name of its own.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| text.parse().ok()).map(|millis: f64| millis / 1_000.0);
    let after = || text("retry-after").or_else(|| text("llm_provider-retry-after"));
    if let Some(seconds) = millis.or_else(|| after()?.parse().ok()) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(after()?).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What is left of the limits, as OpenAI and those who follow it say it.
pub(super) fn headroom(headers: &HeaderMap) -> Headroom {
    let mut room = Headroom::default();
    // Most replies say nothing of it: it is cheaper to read all names once than to look for each of four.
    for (name, value) in headers {
        let Some((limit, value)) = name.as_str().strip_prefix("x-ratelimit-").zip(value.to_str().ok().map(str::trim))
        else {
            continue;
        };
        match limit {
            "remaining-requests" => room.requests = value.parse().ok(),
            "remaining-tokens" => room.tokens = value.parse().ok(),
            "reset-requests" => room.requests_reset = duration(value),
            "reset-tokens" => room.tokens_reset = duration(value),
            _ => {}
        }
    }
    room
}

/// `1s`, `6m0s`, `120ms`, `1h2m3.5s`; a number without a unit is seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = sum.checked_add(part)?;
        rest = after;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_wait_is_read_in_every_form() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        let after = |value| vec![("retry-after", value)];
        let table = [
            (after("2"), Some(2_000)),
            (after("0.25"), Some(250)),
            (vec![("retry-after-ms", "1500"), ("retry-after", "9")], Some(1_500)),
            (after("Wed, 21 Oct 2015 07:28:30 GMT"), Some(30_000)),
            (after("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0)),
            (after("-3"), None),
            (after("inf"), None),
            (after("soon"), None),
            (vec![("llm_provider-retry-after", "60")], Some(60_000)),
            (vec![("retry-after", "2"), ("llm_provider-retry-after", "60")], Some(2_000)),
            (Vec::new(), None),
        ];
        for (lines, millis) in table {
            assert_eq!(retry_after(&headers(&lines), now), millis.map(Duration::from_millis), "{lines:?}");
        }
    }

    #[test]
    fn what_is_left_is_read_and_nonsense_is_not() {
        let found = headroom(&headers(&[
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "many"),
            ("x-ratelimit-reset-requests", "6m0.5s"),
            ("x-ratelimit-reset-tokens", "1h1x"),
        ]));
        let reset = Some(Duration::from_millis(360_500));
        assert_eq!(found, Headroom { requests: Some(59), requests_reset: reset, ..Headroom::default() });
        for (text, millis) in [("120ms", 120), ("1s", 1_000), ("1d2h", 93_600_000), ("7", 7_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }
}
