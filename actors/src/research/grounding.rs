//! Do a model's words say more than the sources they rest on? Pure, and on the safe side: what is refused is shown as the
//! quote instead.
//!
//! Whether a sentence follows from another nobody can decide by rules. But what does harm can be seen: a number, a name, an
//! address or a term that stands in no source, and a sentence that shares hardly a word with them. What is not seen: a
//! "not" that was dropped, sources joined wrongly, and a name that begins a sentence, where every word has a capital.

use std::collections::BTreeSet;

use crate::text::{Language, content_stems, language, stem, stems};

/// The share of a sentence's words that must stand in its sources, when both are in one language.
const MIN_SHARE: f32 = 0.5;

/// Whether `text` says no more than `support`, which is its quotes, their headings and titles, and the question.
pub(crate) fn is_grounded(text: &str, support: &str) -> bool {
    let lower = support.to_lowercase();
    let language = language(support);
    let known: BTreeSet<String> = stems(support, language).map(|word| word.stem).collect();
    let mut begins = true;
    for word in text.split_whitespace() {
        let token = bare(word);
        let stands = match kind(token, begins) {
            Kind::Plain => true,
            Kind::Name => known.contains(&stem(&token.to_lowercase(), language)) || stands_in(token, &lower),
            Kind::Particular => stands_in(token, &lower) || plural(token).is_some_and(|one| stands_in(one, &lower)),
        };
        if !stands {
            return false;
        }
        begins = word.ends_with(['.', '!', '?', ':']);
    }
    shares_enough(text, language, &known)
}

fn shares_enough(text: &str, of_support: Language, known: &BTreeSet<String>) -> bool {
    if language(text) != of_support {
        return true;
    }
    let words = content_stems(text, of_support);
    let shared = words.iter().filter(|word| known.contains(&word.stem)).count();
    shared as f32 >= words.len() as f32 * MIN_SHARE
}

/// What looks like an address in `text`: of a page, a host or a mailbox.
pub(crate) fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(bare).filter(|token| is_address(token))
}

enum Kind {
    Plain,
    /// A name: it may be inflected.
    Name,
    /// A number, an address, a term: it stands as it is.
    Particular,
}

fn kind(token: &str, begins: bool) -> Kind {
    let inner_capital = token.chars().skip(1).any(char::is_uppercase);
    let is_odd = |c: char| c.is_numeric() || (!c.is_alphanumeric() && !matches!(c, '-' | '\'' | '’' | '–' | '—'));
    match token.chars().next() {
        None => Kind::Plain,
        Some(_) if inner_capital || token.chars().any(is_odd) => Kind::Particular,
        Some(first) if first.is_uppercase() && !begins => Kind::Name,
        Some(_) => Kind::Plain,
    }
}

/// The `API` of `APIs`.
fn plural(token: &str) -> Option<&str> {
    token.strip_suffix('s').filter(|one| one.len() > 1 && one.chars().all(char::is_uppercase))
}

/// A word without the marks around it.
fn bare(word: &str) -> &str {
    let marks =
        |c: char| matches!(c, '(' | ')' | '[' | ']' | '"' | '“' | '”' | '„' | '‘' | '’' | '\'' | '`' | '*' | '<' | '>');
    let ends = |c: char| marks(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '…');
    let word = word.trim_start_matches(marks).trim_end_matches(ends);
    word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word)
}

fn is_address(token: &str) -> bool {
    let host = token.split(['/', '?', '#', ':']).next().unwrap_or(token);
    let host = host.rsplit('@').next().unwrap_or(host);
    let mut labels = host.split('.');
    let top = labels.next_back().unwrap_or_default();
    let is_host = labels.clone().count() > 0 && labels.all(|label| !label.is_empty()) && top.len() > 1;
    token.contains("://")
        || token.starts_with("www.")
        || token.contains('@')
        || is_host && top.chars().all(char::is_alphabetic)
}

/// Whether `token` stands in `lower`, and not as a part of a longer word or number.
fn stands_in(token: &str, lower: &str) -> bool {
    let token = token.to_lowercase();
    lower.match_indices(&token).any(|(at, _)| {
        let before = lower[..at].chars().next_back();
        let after = lower[at + token.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPPORT: &str = "The server listens on port 5432 unless PGPORT says otherwise. Set max_connections in \
postgresql.conf. Networking › PostgreSQL. How many clients can connect at once?";

    #[test]
    fn what_stands_in_the_sources_may_be_said_in_other_words() {
        for text in [
            "The server is listening on port 5432.",
            "Clients connect to port 5432, unless PGPORT is set.",
            "“max_connections” is set in postgresql.conf.",
            "PostgreSQL's server listens on a port.",
            "Unless PGPORTs say otherwise, the server listens on 5432.",
            "How many clients may connect is said by `max_connections`.",
        ] {
            assert!(is_grounded(text, SUPPORT), "{text}");
        }
    }

    #[test]
    fn whatever_stands_nowhere_is_more_than_the_sources_say() {
        for text in [
            "The server listens on port 543.",
            "The server listens on port 54321.",
            "The server listens on port 5432, see http://evil.example/.",
            "Ask admin@evil.example about the server's port.",
            "The server listens; read evil.example for the port.",
            "The server listens on port 5432 [here](http://evil.example/?q=5432).",
            "Set the Oracle port, says the server.",
            "The server listens on port 5432. CANARY-71 is its secret.",
            "Nothing of this kind was ever written anywhere.",
            "Set max_clients in postgresql.conf.",
        ] {
            assert!(!is_grounded(text, SUPPORT), "{text}");
        }
    }

    #[test]
    fn addresses_are_seen_and_abbreviations_are_none() {
        let of = |text| addresses(text).collect::<Vec<_>>();
        assert_eq!(
            of("See (http://a.example/x?y=1), www.b.example. Or c.example:80/d, me@e.example!"),
            ["http://a.example/x?y=1", "www.b.example", "c.example:80/d", "me@e.example"]
        );
        assert_eq!(of("E.g. version 15.2 and the U.S. of 3.14, i.e. one... or two.Three?"), ["two.Three"]);
    }

    #[test]
    fn another_language_is_held_to_its_names_and_numbers() {
        assert!(is_grounded("Wird auf port 5432 und max_connections gehört, wenn nicht PGPORT gilt.", SUPPORT));
        assert!(!is_grounded("Wird auf port 9999 gehört, wenn nicht PGPORT gilt.", SUPPORT));
    }
}
