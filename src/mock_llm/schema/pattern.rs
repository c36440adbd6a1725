//! Which string does a regular expression match? The expression is taken apart and each part gives its shortest.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::Refused;

/// The longest expression that is taken, in bytes, and how deep it may be nested.
const LONGEST: usize = 1000;

/// The most that a repetition is repeated beyond what it must.
const MOST_MORE: usize = 4096;

/// A string between `least` and `most` characters that the pattern matches somewhere.
pub(super) fn example(pattern: &str, least: usize, most: usize, vary: u64) -> Result<String, Refused> {
    let refused = || Refused::new("pattern");
    let parsed = parse(pattern).ok_or_else(refused)?;
    let matcher = compiled(pattern).ok_or_else(refused)?;
    let more = (1..=8).chain([16, 32, 64, 128, 256, 512, 1024, 2048, MOST_MORE]).chain([0, least]);
    for more in more {
        let mut text = String::new();
        write(&parsed, more.min(MOST_MORE), vary, &mut text);
        let lacking = least.saturating_sub(text.chars().count());
        // Without an anchor anything may follow.
        for candidate in [text.clone(), format!("{text}{}", "x".repeat(lacking))] {
            if (least..=most).contains(&candidate.chars().count()) && matcher.is_match(&candidate) {
                return Ok(candidate);
            }
        }
    }
    Err(refused())
}

/// The matcher of a pattern that is neither too large nor beyond what Rust's expressions can say.
pub(super) fn compiled(pattern: &str) -> Option<regex::Regex> {
    let short = (pattern.len() <= LONGEST).then_some(pattern)?;
    regex::RegexBuilder::new(short).size_limit(1 << 20).nest_limit(50).build().ok()
}

fn parse(pattern: &str) -> Option<Hir> {
    let short = (pattern.len() <= LONGEST).then_some(pattern)?;
    regex_syntax::ParserBuilder::new().nest_limit(50).build().parse(short).ok()
}

fn write(part: &Hir, more: usize, vary: u64, out: &mut String) {
    // Repetitions of repetitions multiply.
    if out.len() > 4 * MOST_MORE {
        return;
    }
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => out.extend(letter(class, vary.wrapping_add(out.len() as u64))),
        HirKind::Repetition(repetition) => {
            let least = repetition.min as usize;
            let most = repetition.max.map_or(usize::MAX, |max| max as usize);
            (0..least.max(more).min(most)).for_each(|_| write(&repetition.sub, more, vary, out));
        }
        HirKind::Capture(capture) => write(&capture.sub, more, vary, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, more, vary, out)),
        HirKind::Alternation(parts) => write(&parts[vary as usize % parts.len()], more, vary, out),
    }
}

/// A letter or a digit of the class if it has one, else its first character that is not a control.
fn letter(class: &Class, vary: u64) -> Option<char> {
    let has = |wanted: char| match class {
        Class::Unicode(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&wanted)),
        Class::Bytes(class) => {
            let byte = |b: u8| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&b));
            u8::try_from(wanted).is_ok_and(byte)
        }
    };
    let plain: Vec<char> = ('a'..='z').chain('0'..='9').chain('A'..='Z').filter(|letter| has(*letter)).collect();
    match plain.is_empty() {
        false => Some(plain[vary as usize % plain.len()]),
        true => (' '..='~').find(|letter| has(*letter)).or_else(|| match class {
            Class::Unicode(class) => class.ranges().first().map(|range| range.end()),
            Class::Bytes(_) => None,
        }),
    }
}
