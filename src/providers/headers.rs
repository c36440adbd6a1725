//! What do the headers of a reply say about limits? How long to wait, and what is left.

use std::time::{Duration, SystemTime};

use callboard_actors::chat::Headroom;
use reqwest::header::{DATE, HeaderMap};

/// How long the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date. LiteLLM hands the latter
/// on under a name of its own. What cannot be read hides nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let now = clock(headers, now);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text| Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default());
    let after = |name| text(name).and_then(|text| number(text, 1.0, now).or_else(|| date(text)));
    let millis = text("retry-after-ms").and_then(|text| number(text, 0.001, now));
    millis.or_else(|| after("retry-after")).or_else(|| after("llm_provider-retry-after"))
}

/// What time it is by the clock that the other times of a reply were read from: its own `Date` says so, and whether that clock is right
/// does not matter. `now` is ours, for a reply that has none.
fn clock(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    let date = || httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?.trim()).ok();
    date().unwrap_or(now)
}

/// Seconds from 2001 on, read as a Unix time; as a wait they are more than 31 years.
const UNIX_TIME: f64 = 1e9;

/// A number of a `unit` of so many seconds as a wait: a plain one, or until a Unix time in seconds or in milliseconds.
fn number(text: &str, unit: f64, now: SystemTime) -> Option<Duration> {
    let seconds = text.parse::<f64>().ok()? * unit;
    let until = if seconds < UNIX_TIME * 1_000.0 { seconds } else { seconds / 1_000.0 };
    let wait = Duration::try_from_secs_f64(until).ok()?;
    if until < UNIX_TIME {
        return Some(wait);
    }
    Some(SystemTime::UNIX_EPOCH.checked_add(wait)?.duration_since(now).unwrap_or_default())
}

/// What is left of the limits, as OpenAI and those who follow it say it.
pub(super) fn headroom(headers: &HeaderMap, now: SystemTime) -> Headroom {
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
            "reset-requests" => room.requests_reset = reset(value, headers, now),
            "reset-tokens" => room.tokens_reset = reset(value, headers, now),
            _ => {}
        }
    }
    room
}

/// When a limit is whole again: a duration, or a number without a unit, which is seconds or a Unix time.
fn reset(text: &str, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    duration(text).or_else(|| number(text, 1.0, clock(headers, now)))
}

/// `1s`, `6m0s`, `120ms`, `1h2m3.5s`.
fn duration(text: &str) -> Option<Duration> {
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
            (vec![("retry-after-ms", "-1"), ("retry-after", "2")], Some(2_000)),
            (vec![("retry-after-ms", "soon"), ("retry-after", "-1"), ("llm_provider-retry-after", "60")], Some(60_000)),
            (after("1445412510"), Some(30_000)),
            (after("1445412510250"), Some(30_250)),
            (after("1445412000"), Some(0)),
            (after("1e300"), None),
            // By whose clock: an hour before ours, an hour after it, and one that nobody can read.
            (
                vec![("date", "Wed, 21 Oct 2015 06:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2015 06:28:02 GMT")],
                Some(2_000),
            ),
            (
                vec![("date", "Wed, 21 Oct 2015 08:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2015 08:28:02 GMT")],
                Some(2_000),
            ),
            (vec![("date", "Wed, 21 Oct 2015 08:28:00 GMT"), ("retry-after", "1445416082")], Some(2_000)),
            (vec![("date", "Wed, 21 Oct 2015 08:28:00 GMT"), ("retry-after", "9")], Some(9_000)),
            (vec![("date", "today"), ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], Some(30_000)),
            (Vec::new(), None),
        ];
        for (lines, millis) in table {
            assert_eq!(retry_after(&headers(&lines), now), millis.map(Duration::from_millis), "{lines:?}");
        }
    }

    #[test]
    fn what_is_left_is_read_and_nonsense_is_not() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_884_000);
        let lines = [
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "many"),
            ("x-ratelimit-reset-requests", "6m0.5s"),
            ("x-ratelimit-reset-tokens", "1h1x"),
        ];
        let found = headroom(&headers(&lines), now);
        let reset = Some(Duration::from_millis(360_500));
        assert_eq!(found, Headroom { requests: Some(59), requests_reset: reset, ..Headroom::default() });
        let after = |date: Option<&'static str>, text| {
            let lines = date.map(|date| ("date", date)).into_iter().chain([("x-ratelimit-reset-tokens", text)]);
            headroom(&headers(&lines.collect::<Vec<_>>()), now).tokens_reset.map(|wait| wait.as_millis())
        };
        for (text, millis) in [
            ("120ms", Some(120)),
            ("1s", Some(1_000)),
            ("1d2h", Some(93_600_000)),
            ("7", Some(7_000)),
            ("1795884002", Some(2_000)),
            ("1795884002500", Some(2_500)),
            ("1795884002.5", Some(2_500)),
            ("1795880000", Some(0)),
            ("-1", None),
        ] {
            assert_eq!(after(None, text), millis, "{text}");
        }
        // A clock that is an hour slow.
        assert_eq!(after(Some("Sat, 28 Nov 2026 15:40:00 GMT"), "1795880402"), Some(2_000));
    }
}
