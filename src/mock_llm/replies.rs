//! Which words does the mock say, and how many tokens are they? Deterministic text of an exact length; pure.
//!
//! The rule for tokens is simple on purpose: four bytes of UTF-8 are one token, a rest counts as one. Real tokenizers
//! differ, by model and by version; a rule that anybody can compute makes usage something to check against.

use super::random::{Purpose, bits};

/// The words, over and over. Umlauts, an accent and emoji are never far, so that cut characters are met.
const RING: &str = "größere Agenten fragen, kleine antworten 🦀 and every message waits in line until its turn comes; \
    the supervisor süßt den Kaffee ☕ while three workers read naïve drafts, naming their sources. Später heißt es: \
    “fertig” 🎉. A deadline passes, nobody is blamed, and the next question müsste schon da sein. ";

/// How many bytes are one token.
const BYTES: usize = 4;

/// The tokens of a text of so many bytes.
pub(super) fn tokens_of(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES) as u64
}

/// Text of exactly `tokens` tokens for request `number`. `wide`: it begins with a character of two bytes.
pub(super) fn text(seed: u64, number: u64, tokens: u64, wide: bool) -> String {
    let wanted = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES);
    let mut text = String::with_capacity(wanted);
    let mut rest = match wide {
        // "ö" stands behind "gr".
        true => &RING[2..],
        false => from_word(bits(seed, Purpose::Words, number, 0)),
    };
    while text.len() < wanted {
        let room = rest.floor_char_boundary(wanted - text.len());
        if room == 0 {
            break;
        }
        text.push_str(&rest[..room]);
        rest = RING;
    }
    text
}

fn from_word(chance: u64) -> &'static str {
    let at = RING.floor_char_boundary((chance % RING.len() as u64) as usize);
    let rest = &RING[at..];
    rest.find(' ').map(|space| &rest[space + 1..]).filter(|rest| !rest.is_empty()).unwrap_or(RING)
}

/// The beginning of `text` that has at most `tokens` tokens, and whether something was cut off.
pub(super) fn cut(text: &str, tokens: u64) -> (&str, bool) {
    let most = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES);
    match text.len() > most {
        true => (&text[..text.floor_char_boundary(most)], true),
        false => (text, false),
    }
}

/// The text as a stream's pieces: one for each token, never inside of a character.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    // A character has at most four bytes, so that each bound is beyond the last.
    let bound = |token: usize| text.floor_char_boundary(token * BYTES);
    (0..text.len().div_ceil(BYTES)).map(move |token| match (token + 1) * BYTES < text.len() {
        true => &text[bound(token)..bound(token + 1)],
        false => &text[bound(token)..],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_exactly_as_many_tokens_as_wanted() {
        for tokens in (0..300).chain([1000, 4096, 10_000]) {
            for number in 0..20 {
                for wide in [false, true] {
                    let text = text(5, number, tokens, wide);
                    assert_eq!(tokens_of(text.len()), tokens, "{text}");
                }
            }
        }
    }

    #[test]
    fn the_same_request_has_the_same_text_and_others_have_others() {
        assert_eq!(text(1, 2, 50, false), text(1, 2, 50, false));
        let different: std::collections::BTreeSet<_> = (0..50).map(|number| text(1, number, 50, false)).collect();
        assert!(different.len() > 10, "{}", different.len());
        assert!(text(1, 2, 1, true).starts_with('ö'));
        assert!((0..100).all(|number| !text(1, number, 60, false).is_ascii()), "long texts have wide characters");
    }

    #[test]
    fn a_cut_text_is_not_longer_and_whole_at_its_end() {
        for tokens in 0..40 {
            let whole = text(1, 1, 30, true);
            let (begin, is_cut) = cut(&whole, tokens);
            assert_eq!(is_cut, tokens < 30);
            assert!(whole.starts_with(begin) && tokens_of(begin.len()) == tokens.min(30), "{begin}");
        }
        assert_eq!(cut("🦀🦀", 1), ("🦀", true));
        assert_eq!(cut("", 0), ("", false));
    }

    #[test]
    fn pieces_make_the_text() {
        for text in ["", "a", "äöü", "🦀", "a🦀b🦀", "größere Agenten 🦀 fragen"] {
            let parts: Vec<_> = pieces(text).collect();
            assert_eq!((parts.concat().as_str(), parts.len() as u64), (text, tokens_of(text.len())));
            assert!(parts.iter().all(|part| !part.is_empty() && part.len() < 8), "{parts:?}");
        }
    }
}
