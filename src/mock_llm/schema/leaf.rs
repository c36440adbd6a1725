//! Which string or number lies within its limits?

use serde_json::{Map, Number, Value};

use super::check::is_multiple;
use super::{Refused, count, pattern};

/// The longest string that is made, in characters.
const LONGEST_STRING: usize = 100_000;

/// How many whole numbers are tried for a `multipleOf` that is none.
const TRIES: i64 = 10_000;

/// Words with different first letters, so that short ones differ too.
const WORDS: [&str; 26] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "kelp", "larch", "maple",
    "north", "ocean", "pearl", "quartz", "river", "slate", "tulip", "umber", "vale", "willow", "xenon", "yarrow",
    "zinc",
];

/// A string for `minLength`, `maxLength`, `pattern` and `format`.
pub(super) fn string(keywords: &Map<String, Value>, vary: u64) -> Result<Value, Refused> {
    let least = count(keywords.get("minLength")).unwrap_or(0);
    let most = count(keywords.get("maxLength")).unwrap_or(usize::MAX);
    if least > LONGEST_STRING {
        return Err(Refused::new("minLength"));
    }
    if let Some(pattern) = keywords.get("pattern").and_then(Value::as_str) {
        return pattern::example(pattern, least, most, vary).map(Value::from);
    }
    let of_format = keywords.get("format").and_then(Value::as_str).and_then(|name| format(name, vary, least));
    match of_format {
        Some(text) if (least..=most).contains(&text.chars().count()) => Ok(text.into()),
        Some(_) => Err(Refused::new("format")),
        None => Ok(words(vary, least, most).into()),
    }
}

fn words(vary: u64, least: usize, most: usize) -> String {
    let letters = WORDS.len() as u64;
    let mut text = WORDS[(vary % letters) as usize].to_owned();
    if vary >= letters {
        text = format!("{}{text}", vary / letters);
    }
    while text.chars().count() < least {
        text.push(' ');
        text.push_str(WORDS[text.len() % WORDS.len()]);
    }
    // One that is longer than it has to be ends where it may.
    text.chars().take(most).collect()
}

/// A string of a known format; `None` for one that nobody checks. Some can be stretched to a length.
fn format(name: &str, vary: u64, least: usize) -> Option<String> {
    let stretched = |begin: &str, end: String| {
        let lacking = least.saturating_sub(begin.len() + end.len());
        format!("{begin}{}{end}", "x".repeat(lacking))
    };
    let day = vary % 28 + 1;
    Some(match name {
        "date-time" => format!("2026-01-{day:02}T12:00:00Z"),
        "date" => format!("2026-01-{day:02}"),
        "time" => format!("12:00:{:02}Z", vary % 60),
        "duration" => format!("P{}D", vary + 1),
        "email" | "idn-email" => stretched("user", format!("{vary}@example.com")),
        "hostname" | "idn-hostname" => format!("host{vary}.example.com"),
        "ipv4" => format!("192.0.2.{}", vary % 254 + 1),
        "ipv6" => format!("2001:db8::{:x}", vary % 0xffff + 1),
        "uri" | "iri" | "url" => stretched("https://example.com/", vary.to_string()),
        "uri-reference" | "iri-reference" | "uri-template" | "json-pointer" => stretched("/item/", vary.to_string()),
        "relative-json-pointer" => format!("0/item{vary}"),
        "uuid" => format!("00000000-0000-4000-8000-{:012x}", vary & 0xffff_ffff_ffff),
        "regex" => format!("^a{{{}}}$", vary % 100),
        _ => return None,
    })
}

/// Lowest and highest, and whether each itself is allowed.
fn bounds(keywords: &Map<String, Value>) -> ((f64, bool), (f64, bool)) {
    let of = |name: &str| keywords.get(name).and_then(Value::as_f64);
    let low = match (of("minimum"), of("exclusiveMinimum")) {
        (Some(least), Some(below)) if least > below => (least, true),
        (_, Some(below)) => (below, false),
        (least, None) => (least.unwrap_or(f64::NEG_INFINITY), true),
    };
    let high = match (of("maximum"), of("exclusiveMaximum")) {
        (Some(most), Some(above)) if most < above => (most, true),
        (_, Some(above)) => (above, false),
        (most, None) => (most.unwrap_or(f64::INFINITY), true),
    };
    (low, high)
}

/// A whole number within its limits.
pub(super) fn integer(keywords: &Map<String, Value>, vary: u64) -> Result<Value, Refused> {
    let (low, high) = bounds(keywords);
    let lowest = match low {
        (low, false) if low.fract() == 0.0 => (low as i64).saturating_add(1),
        (low, _) => low.ceil() as i64,
    };
    let highest = match high {
        (high, false) if high.fract() == 0.0 => (high as i64).saturating_sub(1),
        (high, _) => high.floor() as i64,
    };
    if lowest > highest {
        return Err(Refused::new(if low.0.is_finite() { "minimum" } else { "maximum" }));
    }
    let begin = 1.clamp(lowest, highest);
    let Some(step) = keywords.get("multipleOf").and_then(Value::as_f64) else {
        return Ok(nth(begin, lowest, highest, 1, vary).into());
    };
    if step.fract() == 0.0 && (1.0..1e15).contains(&step) {
        let step = step as i64;
        let up = begin.checked_add((step - begin.rem_euclid(step)) % step).filter(|up| *up <= highest);
        let first = up.or_else(|| begin.checked_sub(begin.rem_euclid(step)).filter(|down| *down >= lowest));
        let first = first.ok_or_else(|| Refused::new("multipleOf"))?;
        return Ok(nth(first, lowest, highest, step, vary).into());
    }
    let fits = |number: &i64| is_multiple(&Value::from(*number), &Value::from(step));
    let near = (0..TRIES).flat_map(|by| [begin.checked_add(by), begin.checked_sub(by)]).flatten();
    let mut near = near.filter(|number| (lowest..=highest).contains(number)).filter(fits);
    near.nth(vary as usize % 2).or_else(|| near.next()).map(Value::from).ok_or_else(|| Refused::new("multipleOf"))
}

/// The number `vary` steps on, around the corner at the end of the range.
fn nth(first: i64, lowest: i64, highest: i64, step: i64, vary: u64) -> i64 {
    let room_up = (i128::from(highest) - i128::from(first)) / i128::from(step);
    let room_down = (i128::from(first) - i128::from(lowest)) / i128::from(step);
    let at = i128::from(vary) % (room_up + room_down + 1);
    let steps = if at <= room_up { at } else { room_up - at };
    (i128::from(first) + steps * i128::from(step)) as i64
}

/// A number within its limits: a whole one where there is one.
pub(super) fn number(keywords: &Map<String, Value>, vary: u64) -> Result<Value, Refused> {
    if let Ok(whole) = integer(keywords, vary) {
        return Ok(whole);
    }
    let ((low, _), (high, _)) = bounds(keywords);
    let number = match keywords.get("multipleOf").and_then(Value::as_f64) {
        Some(step) => {
            let first = ((low.max(0.0) / step).ceil() + (vary % 4) as f64) * step;
            if first > low && first <= high { first } else { ((low / step).floor() + 1.0) * step }
        }
        None if low == high => low,
        // Nearer and nearer to the lower end.
        None => low + (high - low) / (2 + vary) as f64,
    };
    Number::from_f64(number).map(Value::Number).ok_or_else(|| Refused::new("minimum"))
}
