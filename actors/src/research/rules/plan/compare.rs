//! Does a question compare things, and which? Each side becomes a search phrase of its own, with what both share.

use super::bare;

/// The sides of a comparison, two or more; `None` when the clause compares nothing.
pub(super) fn sides(clause: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = clause.trim_end_matches(['?', '.', '!', ' ']).split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let found = between(&words, &low)
        .or_else(|| versus(&words, &low))
        .or_else(|| differ(&words, &low))
        .or_else(|| contrast(&words, &low))
        .or_else(|| choice(&words, &low))
        .or_else(|| alternatives(&words, &low))?;
    let sides = share(found);
    (sides.len() > 1 && sides.iter().all(|side| !side.is_empty())).then_some(sides)
}

/// What was found: the sides as words, the last one with whatever followed it.
type Sides<'a> = Vec<Vec<&'a str>>;

fn position(low: &[String], from: usize, any: &[&str]) -> Option<usize> {
    (from..low.len()).find(|at| any.contains(&low[*at].as_str()))
}

/// `difference between A and B`, `distinguish between A, B and C`.
fn between<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let at = position(low, 1, &["between"])?;
    let kind = low[at.saturating_sub(3)..at].iter().any(|word| {
        ["differ", "distin", "compar", "choos", "choice", "decid"].iter().any(|stem| word.starts_with(stem))
    });
    kind.then(|| listed(&words[at + 1..], &low[at + 1..], &["and", "or"])).flatten()
}

/// `A versus B`.
fn versus<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let at = position(low, 1, &["versus", "vs"])?;
    // `in VS Code` compares nothing.
    if matches!(low[at - 1].as_str(), "in" | "with" | "from" | "on" | "to" | "for" | "of" | "using" | "use") {
        return None;
    }
    let lead = framing(&words[..at], &low[..at]);
    Some(vec![words[lead..at].to_vec(), words[at + 1..].to_vec()])
}

/// `How does A differ from B`, `How do A and B differ`, `What distinguishes A from B`.
fn differ<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let verb = (0..low.len()).find(|at| low[*at].starts_with("differ") || low[*at].starts_with("distinguish"))?;
    if low[verb].starts_with("difference") || low[verb] == "differently" {
        return None;
    }
    if let Some(from) = position(low, verb + 1, &["from"]) {
        let (start, end) =
            if from > verb + 1 { (verb + 1, from) } else { (framing(&words[..verb], &low[..verb]), verb) };
        let end = end - usize::from(end > start && matches!(low[end - 1].as_str(), "is" | "are"));
        return Some(vec![words[start..end].to_vec(), words[from + 1..].to_vec()]);
    }
    let start = framing(&words[..verb], &low[..verb]);
    let mut sides = listed(&words[start..verb], &low[start..verb], &["and"])?;
    if let Some(last) = sides.last_mut() {
        last.extend(&words[verb + 1..]);
    }
    Some(sides)
}

/// `compare A with B`, `A compared to B`.
fn contrast<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let at = position(low, 0, &["compare", "compared", "comparing", "comparison", "contrast"])?;
    // `How do I compare A with B` asks how it is done.
    if low[at] == "compare"
        && low[..at].iter().any(|word| matches!(word.as_str(), "i" | "to" | "you" | "we"))
        && low[0] == "how"
    {
        return None;
    }
    let joint = position(low, at + 1, &["with", "to", "and", "against", "versus"])?;
    if joint == at + 1 {
        let start = framing(&words[..at], &low[..at]);
        return Some(vec![words[start..at].to_vec(), words[joint + 1..].to_vec()]);
    }
    let start = at + 1 + usize::from(low[at + 1] == "of");
    let mut first = listed(&words[start..joint + 1], &low[start..joint + 1], &["and"])
        .unwrap_or_else(|| vec![words[start..joint].to_vec()]);
    first.retain(|side| !side.is_empty());
    first.push(words[joint + 1..].to_vec());
    Some(first)
}

/// `Which is faster, A or B`, `Should I use A or B`, `When should I use A instead of B`.
fn choice<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let verb = position(low, 0, &["use", "choose", "prefer", "pick", "select"]).filter(|at| {
        low[..*at].iter().any(|word| matches!(word.as_str(), "should" | "do" | "to" | "would" | "i" | "you"))
            && matches!(low[0].as_str(), "should" | "when" | "do" | "which" | "shall" | "why")
    });
    let start = match verb {
        Some(verb) => verb + 1,
        None => {
            let comma = (1..words.len()).find(|at| words[*at].ends_with([',', ':']))?;
            if low[0] != "which" && low[0] != "what" {
                return None;
            }
            comma + 1
        }
    };
    let or = position(low, start + 1, &["or", "instead", "rather", "over"])?;
    if low[0] == "why" && low[or] == "or" {
        return None;
    }
    let after = or + 1 + usize::from(low.get(or + 1).is_some_and(|word| matches!(word.as_str(), "of" | "than")));
    Some(vec![words[start..or].to_vec(), words.get(after..)?.to_vec()])
}

/// `Should it be A or B`, `A or B: which one`.
fn alternatives<'a>(words: &[&'a str], low: &[String]) -> Option<Sides<'a>> {
    let or = position(low, 1, &["or"])?;
    let colon = (or + 1..words.len()).find(|at| words[*at].ends_with([':', ',']));
    let which = colon.and_then(|at| low.get(at + 1)).is_some_and(|word| super::is_interrogative(word));
    let start = if low[0] == "should" {
        1
    } else if which && !super::is_interrogative(&low[0]) {
        0
    } else {
        return None;
    };
    let end = colon.map_or(words.len(), |at| at + 1);
    (start < or).then(|| vec![words[start..or].to_vec(), words[or + 1..end].to_vec()])
}

/// Items between commas and one of `joints`; `None` for fewer than two.
fn listed<'a>(words: &[&'a str], low: &[String], joints: &[&str]) -> Option<Sides<'a>> {
    let joint = position(low, 1, joints)?;
    let mut sides: Sides<'a> = vec![Vec::new()];
    for (at, word) in words.iter().enumerate() {
        let last = sides.last_mut()?;
        if at == joint {
            if !last.is_empty() {
                sides.push(Vec::new());
            }
        } else {
            last.push(word);
            if at < joint && word.ends_with(',') {
                sides.push(Vec::new());
            }
        }
    }
    (sides.len() > 1).then_some(sides)
}

/// How many words at the front only frame the question (`How does`, `What is better:`).
fn framing(words: &[&str], low: &[String]) -> usize {
    let colon = words.iter().rposition(|word| word.ends_with(':')).map_or(0, |at| at + 1);
    let frame = low[colon..]
        .iter()
        .take_while(|word| {
            super::is_interrogative(word)
                || super::is_auxiliary(word)
                || super::is_request(word)
                || matches!(
                    word.as_str(),
                    "in" | "way" | "ways" | "makes" | "better" | "i" | "you" | "use" | "to" | "me" | "about"
                )
        })
        .count();
    colon + frame
}

/// Phrases that begin what both sides share.
const TAILS: [&str; 15] = [
    "in",
    "for",
    "when",
    "with",
    "regarding",
    "concerning",
    "on",
    "if",
    "during",
    "under",
    "while",
    "inside",
    "within",
    "at",
    "as",
];

/// The sides as phrases: what follows the last side is given to all, articles are dropped, and a noun that stands only
/// at the end (`hash and btree indexes`) goes to the others too.
fn share(mut sides: Sides<'_>) -> Vec<String> {
    let (mut tail, mut colon) = (Vec::new(), false);
    if let Some(last) = sides.last_mut() {
        let at =
            (1..last.len()).find(|at| TAILS.contains(&bare(last[*at]).as_str()) || last[*at - 1].ends_with([',', ':']));
        tail = at.map(|at| last.split_off(at)).unwrap_or_default();
        colon = last.last().is_some_and(|word| word.ends_with(':'));
    }
    for side in &mut sides {
        // `A` is a name, not an article.
        while side.len() > 1
            && side[0] != "A"
            && matches!(bare(side[0]).as_str(), "a" | "an" | "the" | "using" | "both" | "use")
        {
            side.remove(0);
        }
    }
    let noun = shared_noun(&sides);
    let count = sides.len();
    let phrase = |(at, side): (usize, Vec<&str>)| {
        let noun = noun.iter().copied().filter(|_| at + 1 < count);
        let side = side.into_iter().chain(noun).collect::<Vec<_>>().join(" ");
        let mark = if colon && !tail.is_empty() && !side.ends_with(':') { ": " } else { " " };
        let joined = format!("{side}{mark}{}", tail.join(" "));
        joined.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '.' | '?' | ' ')).to_owned()
    };
    sides.into_iter().enumerate().map(phrase).collect()
}

/// The last word of the last side, when all others are adjectives that lack it.
fn shared_noun<'a>(sides: &Sides<'a>) -> Option<&'a str> {
    let (last, others) = sides.split_last()?;
    let plain = |word: &str| word.trim_end_matches(',').chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let noun = last.last().filter(|noun| last.len() > 1 && plain(noun))?;
    let collective = noun.ends_with('s') || noun.ends_with("tion");
    let lacks = |side: &Vec<&str>| {
        let words = side.iter().all(|word| plain(word) && !word.ends_with('s') && word != noun);
        words && side.len() < last.len().max(2) && (collective || side.iter().all(|word| is_adjective(&bare(word))))
    };
    others.iter().all(lacks).then_some(noun)
}

/// Adjectives that manuals contrast, and the endings of many others.
fn is_adjective(word: &str) -> bool {
    const PLAIN: &str = "clean cold deep exact fast fixed full hard hot inner left light long open outer plain proper raw read \
    right safe sharp short simple slow smart soft stable strict strong unsafe upper lower warm weak write unit";
    const ENDINGS: [&str; 12] = ["al", "ic", "ive", "ous", "able", "ible", "ed", "ent", "ant", "ary", "ute", "less"];
    PLAIN.split_whitespace().any(|plain| plain == word)
        || (word.len() > 4 && ENDINGS.iter().any(|end| word.ends_with(end)))
}
