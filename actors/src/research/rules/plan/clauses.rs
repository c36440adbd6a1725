//! Where does one question end and the next begin?

use super::verbs::{is_predicate, verbs};
use super::{bare, is_auxiliary, is_interrogative, is_request};
use crate::text::sentences;

/// The questions in `whole`, in order: sentences, and within them clauses that begin with an interrogative, an
/// auxiliary or a second verb after `and`. A statement before a question stays with it, as what it is asked about.
pub(super) fn clauses(whole: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut statement = String::new();
    let items = numbered(whole);
    let sentences = items.iter().flat_map(|item| sentences(item).into_iter().map(|found| &item[found.range]));
    for sentence in sentences {
        if !asks(sentence) {
            statement.push_str(sentence);
            statement.push(' ');
            continue;
        }
        let mut parts = split(&opened(sentence));
        if let Some(first) = parts.first_mut().filter(|_| !statement.is_empty()) {
            first.insert_str(0, &statement);
            statement.clear();
        }
        out.append(&mut parts);
    }
    if !statement.is_empty() {
        match out.last_mut() {
            Some(last) => *last = format!("{last} {}", statement.trim_end()),
            None => out.push(statement.trim_end().to_owned()),
        }
    }
    out
}

/// The items of a numbered list of questions (`1. .. 2. ..`, `a) .. b) ..`) without their numbers, after whatever
/// stands before the list; the whole when there is none.
fn numbered(whole: &str) -> Vec<String> {
    let words: Vec<&str> = whole.split_whitespace().collect();
    let mut starts: Vec<usize> = Vec::new();
    for at in 0..words.len().saturating_sub(1) {
        if number(words[at]) == Some(starts.len() + 1) && is_opening(&bare(words[at + 1])) {
            starts.push(at);
        }
    }
    // A single number inside a text belongs to the text (`version 1. How do I ..`).
    if starts.is_empty() || (starts.len() == 1 && starts[0] > 0) {
        return vec![whole.to_owned()];
    }
    let intro = words[..starts[0]].join(" ");
    let announces = words[..starts[0]].last().is_some_and(|word| bare(word).starts_with("question"));
    let ends = starts.iter().skip(1).copied().chain([words.len()]);
    let items = starts.iter().zip(ends).map(|(start, end)| words[start + 1..end].join(" "));
    [intro].into_iter().filter(|intro| !intro.is_empty() && !announces).chain(items).collect()
}

/// `whole` without a number before it that counts questions.
pub(super) fn unnumbered(whole: &str) -> &str {
    match whole.split_once(' ') {
        Some((label, rest))
            if number(label) == Some(1) && is_opening(&bare(rest.split(' ').next().unwrap_or_default())) =>
        {
            rest
        }
        _ => whole,
    }
}

/// Which place of a list a word marks: `2.`, `2)`, `(2)` and `b)` are 2.
fn number(word: &str) -> Option<usize> {
    let label = word.trim_start_matches('(').strip_suffix(')').or_else(|| word.strip_suffix('.'))?;
    match label.as_bytes() {
        [letter @ b'a'..=b'h'] if word.ends_with(')') => Some(usize::from(letter - b'a') + 1),
        digits if digits.len() < 3 => label.parse().ok(),
        _ => None,
    }
}

fn is_opening(word: &str) -> bool {
    is_interrogative(word) || is_auxiliary(word) || is_request(word)
}

/// The sentence without a bullet and without words that only tie it to the one before (`And what is ..?`).
fn opened(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let ties = words.iter().take_while(|word| is_tie(&bare(word))).count();
    match words.get(ties) {
        Some(word) if ties > 0 && is_opening(&bare(word)) => capital(&words[ties..].join(" ")),
        _ => sentence.to_owned(),
    }
}

/// Whether `word` only ties a question to the one before it. A bullet has no letters, so nothing is left of it.
fn is_tie(word: &str) -> bool {
    matches!(word, "" | "-" | "*" | "•" | "–" | "and" | "but" | "also" | "so" | "then")
}

/// Whether a sentence wants an answer.
fn asks(sentence: &str) -> bool {
    let first = sentence.split_whitespace().map(bare).find(|word| !is_tie(word)).unwrap_or_default();
    sentence.ends_with('?') || is_interrogative(&first) || is_request(&first)
}

fn split(sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let mut cuts = vec![0];
    for at in 1..words.len() {
        let start = cuts.last().copied().unwrap_or_default();
        // `at` is the first word after the joint.
        let tied = matches!(low[at - 1].as_str(), "also" | "then") && at > 1;
        let before = if tied { at - 2 } else { at - 1 };
        let joint = matches!(low[before].as_str(), "and" | "but") || words[before].ends_with(';');
        let comma = words[before].ends_with(',');
        let opens = (joint && opens_a_clause(&words, &low, start, at)) || (comma && inverts(&words, &low, start, at));
        if opens && joined(&words[start..at]).len() > 2 && words.len() - at > 1 {
            cuts.push(at);
        }
    }
    if cuts.len() == 1 {
        return verbs(&words).unwrap_or_else(|| vec![sentence.to_owned()]);
    }
    let ends = cuts.iter().skip(1).copied().chain([words.len()]);
    let mut parts: Vec<&[&str]> =
        cuts.iter().copied().zip(ends).map(|(start, end)| joined(&words[start..end])).collect();
    parts.retain(|part| !part.is_empty());
    let asked = requested(&low);
    let mut out: Vec<String> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let predicate = if lacks_a_verb(part) { parts[at + 1..].iter().find_map(|next| predicate(next)) } else { None };
        let mut text = part.join(" ");
        if let Some(predicate) = predicate {
            text = format!("{} {}", text.trim_end_matches([',', ';']), predicate.join(" "));
        }
        // `Explain what A is and how B works` requests both.
        let indirect =
            at > 0 && is_interrogative(&bare(part[0])) && !part.get(1).is_some_and(|w| is_auxiliary(&bare(w)));
        if asked > 0 && indirect {
            text = format!("{} {text}", words[..asked].join(" "));
        }
        out.push(finish(&text));
    }
    out.into_iter()
        .flat_map(|part| {
            let words: Vec<&str> = part.split_whitespace().collect();
            verbs(&words).unwrap_or_else(|| vec![part.clone()])
        })
        .collect()
}

/// How many words at the front request what an interrogative after them asks (`Explain`, `Tell me`).
fn requested(low: &[String]) -> usize {
    let at = low.iter().take(4).position(|word| is_interrogative(word)).unwrap_or_default();
    match low.first().map(String::as_str) {
        Some("tell") if at == 0 => 2,
        Some(first) if is_request(first) => at.max(1),
        _ => 0,
    }
}

/// `what is A, how does B ..`: after a comma without `and`, only an auxiliary shows that a question begins. What may as well be a relative
/// clause (`who is A`, `at which B is C`) is a question where the next clause is one too.
fn inverts(words: &[&str], low: &[String], start: usize, at: usize) -> bool {
    let relative = matches!(low[at].as_str(), "which" | "who" | "whose" | "whom") || is_led_in(low, at);
    let asks = |at: usize| {
        let at = at + usize::from(is_led_in(low, at));
        let auxiliary = |at: usize| low.get(at).is_some_and(|word| is_auxiliary(word));
        let of_a_noun = low.get(at).is_some_and(|word| matches!(word.as_str(), "what" | "which" | "whose"));
        let is_about_it = at > 0 && low[at] == "which" && auxiliary(at + 1);
        low.get(at).is_some_and(|word| is_interrogative(word))
            && !is_about_it
            && (auxiliary(at + 1) || (of_a_noun && auxiliary(at + 2)))
    };
    let tied = |at: usize| low.get(at).is_some_and(|word| is_tie(word));
    // `who writes it`: the subject is asked for, so no auxiliary stands there.
    let is_verb = |verb: &String| verb.len() > 3 && verb.ends_with('s');
    let does = |at: usize| low[at] == "who" && low.get(at + 1).is_some_and(is_verb);
    // `Where is Anna, who leads the team` says who Anna is.
    let of_a_thing = matches!(low[start].as_str(), "what" | "why" | "how")
        || low.get(at + 2).is_some_and(|object| matches!(object.as_str(), "it" | "them"));
    let asks_who = does(at) && of_a_thing;
    let is_listed = || {
        let comma = (at..words.len()).find(|at| words[*at].ends_with(','));
        // Without a comma `the oven, whose door is hot and ..` may say something of the oven.
        let and = (at..words.len()).find(|at| tied(*at + 1)).filter(|_| asks_who);
        [comma, and].into_iter().flatten().any(|end| asks(end + 1 + usize::from(tied(end + 1))))
    };
    (asks(start) || does(start)) && (asks(at) || asks_who) && low.get(at + 2).is_some() && (!relative || is_listed())
}

/// `at which temperature`: whether a preposition stands before an interrogative.
fn is_led_in(low: &[String], at: usize) -> bool {
    let preposition = |word: &str| {
        matches!(
            word,
            "after" | "at" | "before" | "by" | "during" | "for" | "from" | "in" | "into" | "of" | "on" | "over"
        ) || matches!(word, "through" | "to" | "under" | "until" | "with" | "within")
    };
    low.get(at).is_some_and(|word| preposition(word))
        && low.get(at + 1).is_some_and(|word| matches!(word.as_str(), "which" | "what" | "whom" | "whose"))
}

fn opens_a_clause(words: &[&str], low: &[String], start: usize, at: usize) -> bool {
    let word = low[at].as_str();
    // `HAVING and WHERE` are names, unless all is in capitals.
    let capitals = |word: &str| !word.chars().any(char::is_lowercase);
    if word.len() > 1 && capitals(words[at]) && !words.iter().all(|word| capitals(word)) {
        return false;
    }
    let subject = |word: &str| {
        matches!(
            word,
            "it" | "they" | "there" | "i" | "you" | "we" | "one" | "the" | "a" | "an" | "this" | "that" | "these"
        )
    };
    let first = low[start].as_str();
    let asking = is_opening(first) || low[start..at].iter().any(|w| is_interrogative(w));
    let next = low.get(at + 1).map(String::as_str).unwrap_or_default();
    let relative = |word: &str| matches!(word, "who" | "whose" | "whom");
    // `a user who .. and who ..` goes on about the user.
    let about =
        word != "who" && relative(word) || low[start + 1..at].iter().any(|word| relative(word)) && relative(word);
    // `what happens when A and when B` goes on as well.
    let parallel =
        !is_request(first) && !is_auxiliary(next) && low[start + 1..at].iter().any(|earlier| earlier == word);
    // `.., and can people ..?`, but not `a view that is fast, and can be updated`.
    let modal = matches!(word, "do" | "does" | "did" | "can" | "could" | "should" | "will" | "would" | "must" | "may");
    let adverb =
        matches!(next, "be" | "have" | "not" | "also" | "still" | "only" | "even" | "" | "then") || is_predicate(next);
    let comma = at > 1 && words[at - 2].ends_with(',');
    // `a disk on which A is and on which B is` goes on about the disk; `.., and by whom?` asks nothing alone.
    let leads_in = |at: usize| is_led_in(low, at) && low[at + 2..].iter().any(|word| is_auxiliary(word));
    (is_interrogative(word) && asking && !about && !parallel)
        || (is_auxiliary(word) && asking && (subject(next) || (modal && comma && !adverb)))
        || (is_request(word) && is_request(first))
        || (leads_in(at) && asking && !(start + 1..at).any(|at| is_led_in(low, at)))
}

/// The words of one clause without the joint after it.
fn joined<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let ties = words
        .iter()
        .rev()
        .take_while(|word| matches!(bare(word).as_str(), "and" | "but" | "also" | "then" | ""))
        .count();
    &words[..words.len() - ties]
}

/// The words after `How do`, without an article; `None` for another form.
fn asked_of<'a, 'b>(clause: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let [first, auxiliary, rest @ ..] = clause else { return None };
    let auxiliary = bare(auxiliary);
    if !is_interrogative(&bare(first))
        || !is_auxiliary(&auxiliary)
        || matches!(auxiliary.as_str(), "is" | "are" | "was" | "were")
    {
        return None;
    }
    let article = rest.first().is_some_and(|word| matches!(*word, "a" | "an" | "the"));
    Some(&rest[usize::from(article)..])
}

/// `How do threads, and ..`: a subject, but nothing that it does.
fn lacks_a_verb(clause: &[&str]) -> bool {
    match asked_of(clause) {
        Some([subject]) => !is_interrogative(&bare(subject)),
        Some([_, noun]) => {
            let noun = bare(noun);
            noun.ends_with('s') && !noun.ends_with("ss") && !is_predicate(&noun)
        }
        _ => false,
    }
}

/// What the subject of a clause does: `work` of `How do channels work`.
fn predicate<'a, 'b>(clause: &'b [&'a str]) -> Option<&'b [&'a str]> {
    let rest = asked_of(clause)?;
    let verb = (1..rest.len()).find(|at| is_predicate(&bare(rest[*at]))).unwrap_or(1);
    rest.get(verb..).filter(|verb| !verb.is_empty() && !lacks_a_verb(clause))
}

/// `text` with a capital first letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|letter| letter.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// `text` with a capital first letter, and a question mark if it opens like a question.
pub(super) fn finish(text: &str) -> String {
    let text = text.trim().trim_end_matches([',', ';', '?', '.', ' ']);
    let opening: Vec<String> = text.split_whitespace().take(2).map(bare).collect();
    let asks =
        opening.first().is_some_and(|first| is_interrogative(first) || is_auxiliary(first) || is_led_in(&opening, 0));
    if asks { format!("{}?", capital(text)) } else { text.to_owned() }
}
