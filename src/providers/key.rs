//! Where may the key stand in what a provider says, and what is shown in its place? Pure.
//!
//! A server of one's own is given any word as its key, such as `ollama` or `test`: words are left where they are.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish};
use callboard_actors::error::ModelError;

/// What stands where it was.
const STRUCK: &str = "(key)";

/// A key that is shorter may be a word.
const SHORTEST: usize = 16;

/// So much of a key is told from anything else.
const TOLD: usize = 4;

/// Whether it can be no word, so that it is struck from replies, too.
pub(crate) fn is_secret(key: &str) -> bool {
    key.len() >= SHORTEST && key.contains(|c: char| c.is_ascii_digit()) && key.contains(char::is_alphabetic)
}

/// Whether it is struck from errors: they are for people, and nothing but words is lost with it.
fn is_struck_from_errors(key: &str) -> bool {
    key.len() >= SHORTEST || key.len() >= TOLD && key.contains(|c: char| !c.is_alphabetic())
}

/// Whether this sign of a key is another one in an address: `%2F` for `/`.
fn is_encoded(sign: u8) -> bool {
    !sign.is_ascii_alphanumeric() && !matches!(sign, b'-' | b'.' | b'_' | b'~')
}

/// How far a text begins with the key.
#[derive(PartialEq, Eq)]
enum Begins {
    /// With all of it, in so many bytes.
    Whole(usize),
    /// It ends before the key does.
    Part,
    Not,
}

/// How far a text begins with the key, as it is or as it is written in an address.
fn begins(text: &[u8], key: &[u8]) -> Begins {
    if text.starts_with(key) {
        return Begins::Whole(key.len());
    }
    if key.starts_with(text) {
        return Begins::Part;
    }
    let mut at = 0;
    for sign in key {
        let encoded = format!("%{sign:02X}");
        let rest = &text[at..text.len().min(at + encoded.len())];
        let is_encoded = is_encoded(*sign) && encoded.as_bytes()[..rest.len()].eq_ignore_ascii_case(rest);
        match rest.first() {
            Some(_) if is_encoded && rest.len() == encoded.len() => at += encoded.len(),
            None => return Begins::Part,
            Some(_) if is_encoded => return Begins::Part,
            Some(first) if first == sign => at += 1,
            Some(_) => return Begins::Not,
        }
    }
    Begins::Whole(at)
}

/// Where the key may begin in a text.
fn starts<'a>(text: &'a [u8], key: &[u8]) -> impl Iterator<Item = usize> + use<'a> {
    key.first().map(|first| memchr::memchr2_iter(*first, b'%', text)).into_iter().flatten()
}

fn strike(text: &mut String, key: &str) {
    let (mut struck, mut end) = (String::new(), 0);
    let is_raw = !key.bytes().any(is_encoded) || !text.contains('%');
    if is_raw && memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_none() {
        return;
    }
    for at in starts(text.as_bytes(), key.as_bytes()) {
        if at >= end
            && let Begins::Whole(length) = begins(&text.as_bytes()[at..], key.as_bytes())
        {
            struck.push_str(&text[end..at]);
            struck.push_str(STRUCK);
            end = at + length;
        }
    }
    if end > 0 {
        struck.push_str(&text[end..]);
        *text = struck;
    }
}

/// How many bytes at the end of a text may be the beginning of the key.
fn begun(text: &str, key: &str) -> usize {
    let (text, key) = (text.as_bytes(), key.as_bytes());
    let longest: usize = key.iter().map(|sign| if is_encoded(*sign) { "%00".len() } else { 1 }).sum();
    let end = &text[(text.len() + 1).saturating_sub(longest)..];
    starts(end, key).map(|at| &end[at..]).find(|rest| begins(rest, key) == Begins::Part).map_or(0, <[u8]>::len)
}

/// Strikes the key from a whole reply.
pub(super) fn from_reply(reply: &mut ChatReply, key: &str) {
    strike(&mut reply.text, key);
    for call in &mut reply.tool_calls {
        for text in [&mut call.id, &mut call.name, &mut call.arguments] {
            strike(text, key);
        }
    }
    if let Finish::Other(why) = &mut reply.finish {
        strike_cut(why, key);
    }
}

/// Strikes the key from what a provider says of an error.
pub(super) fn from_error(error: &mut ModelError, key: &str) {
    use ModelError as E;
    let (E::Unauthorized { message: text, .. }
    | E::NotFound(text)
    | E::Rejected { message: text, .. }
    | E::ContextTooLong(text)
    | E::ContentRefused(text)
    | E::RateLimited { message: text, .. }
    | E::Unavailable { message: text, .. }
    | E::Network { message: text, .. }
    | E::Broken { message: text, .. }
    | E::Malformed(text)
    | E::Provider(text)) = error
    else {
        return;
    };
    if !is_struck_from_errors(key) {
        return;
    }
    strike_cut(text, key);
}

/// Strikes it also where a text was cut short in the middle of it.
fn strike_cut(text: &mut String, key: &str) {
    strike(text, key);
    let ends: Vec<_> = text.match_indices('…').map(|(at, _)| at).collect();
    for end in ends.into_iter().rev() {
        let cut = begun(&text[..end], key);
        if cut >= TOLD {
            text.replace_range(end - cut..end, STRUCK);
        }
    }
}

/// Strikes the key from a reply that comes in pieces, also where it is cut: what may be its beginning waits for the next piece of the
/// same text.
#[derive(Debug)]
pub(super) struct Sieve<'a> {
    /// `None` if nothing is struck.
    key: Option<&'a str>,
    /// What waits, of the text or of the arguments of a call: shorter than the key as it is written in an address. Nearly always nothing.
    held: Vec<(Option<usize>, String)>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(key: Option<&'a str>) -> Self {
        Self { key, held: Vec::new() }
    }

    /// What of a piece may be shown.
    pub(super) fn take(&mut self, chunk: ChatChunk) -> Option<ChatChunk> {
        let Some(key) = self.key else { return Some(chunk) };
        match chunk {
            ChatChunk::Text(more) => {
                let more = self.sift(None, more, key);
                (!more.is_empty()).then_some(ChatChunk::Text(more))
            }
            ChatChunk::ToolCall { index, mut name, arguments } => {
                let had = arguments.len();
                let arguments = self.sift(Some(index), arguments, key);
                if let Some(name) = &mut name {
                    strike(name, key);
                }
                let is_shown = name.is_some() || !arguments.is_empty() || had == 0;
                is_shown.then_some(ChatChunk::ToolCall { index, name, arguments })
            }
            other => Some(other),
        }
    }

    fn sift(&mut self, of: Option<usize>, more: String, key: &str) -> String {
        let mut text = match self.held.iter().position(|(held, _)| *held == of) {
            Some(at) => self.held.swap_remove(at).1 + &more,
            None => more,
        };
        strike(&mut text, key);
        let waits = begun(&text, key);
        if waits > 0 {
            self.held.push((of, text.split_off(text.len() - waits)));
        }
        text
    }

    /// What waited, when nothing more comes.
    pub(super) fn rest(self) -> impl Iterator<Item = ChatChunk> {
        self.held.into_iter().map(|(of, held)| match of {
            None => ChatChunk::Text(held),
            Some(index) => ChatChunk::ToolCall { index, name: None, arguments: held },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "sk-sk-1aa-sk-1abcd";

    #[test]
    fn words_are_told_from_secrets() {
        // Whether it is struck from replies, and from errors.
        for (key, from_replies, from_errors) in [
            ("ollama", false, false),
            ("EMPTY", false, false),
            ("content", false, false),
            ("sk", false, false),
            ("sk-1234", false, true),
            ("not-needed", false, true),
            ("1234567890123456", false, true),
            ("no-key-is-needed-here", false, true),
            ("sk-abc-0123456789", true, true),
            ("0f1e2d3c4b5a6978", true, true),
        ] {
            assert_eq!((is_secret(key), is_struck_from_errors(key)), (from_replies, from_errors), "{key}");
        }
    }

    #[test]
    fn an_error_that_was_cut_in_the_key_does_not_show_its_beginning() {
        for (said, shown) in [
            (format!("wrong: {KEY}."), "wrong: (key)."),
            ("wrong: sk-sk-1a… (the key of X)".to_owned(), "wrong: (key)… (the key of X)"),
            ("ask… and more".to_owned(), "ask… and more"),
        ] {
            let mut error = ModelError::NotFound(said);
            from_error(&mut error, KEY);
            assert_eq!(error, ModelError::NotFound(shown.to_owned()));
        }
    }

    #[test]
    fn what_cannot_be_the_key_does_not_wait_and_what_waits_is_shorter_than_the_key() {
        let mut sieve = Sieve::new(Some(KEY));
        let mut take = |text: &str| sieve.take(ChatChunk::Text(text.to_owned()));
        assert_eq!(take("It is 雨."), Some(ChatChunk::Text("It is 雨.".to_owned())));
        assert_eq!(take("雨 sk-s"), Some(ChatChunk::Text("雨 ".to_owned())));
        assert_eq!(take("k"), None);
        assert_eq!(take("-2"), Some(ChatChunk::Text("sk-sk-2".to_owned())));
        assert_eq!(take(&"sk-".repeat(9)), Some(ChatChunk::Text("sk-".repeat(7))));
        assert_eq!(sieve.rest().collect::<Vec<_>>(), [ChatChunk::Text("sk-sk-".to_owned())]);
        let call = |name: Option<&str>, arguments: &str| ChatChunk::ToolCall {
            index: 1,
            name: name.map(ToOwned::to_owned),
            arguments: arguments.to_owned(),
        };
        let mut sieve = Sieve::new(Some(KEY));
        assert_eq!(sieve.take(call(Some("add"), "sk-")), Some(call(Some("add"), "")));
        assert_eq!(sieve.take(ChatChunk::Text("sk-1".to_owned())), Some(ChatChunk::Text("sk-1".to_owned())));
        assert_eq!(sieve.take(call(None, "sk-1")), None);
        assert_eq!(sieve.take(call(None, "aa-sk-1abcd!")), Some(call(None, "(key)!")));
    }

    #[test]
    fn a_key_is_known_as_it_is_written_in_an_address() {
        let key = "sk/1+ab=cd%20efghij";
        for (said, shown) in [
            ("at ?key=sk%2F1%2Bab%3Dcd%2520efghij&x", "at ?key=(key)&x"),
            ("sk%2f1%2bab%3dcd%2520efghij.", "(key)."),
            ("sk/1+ab%3Dcd%2520efghij sk/1+ab=cd%20efghij", "(key) (key)"),
            ("100% sk%2F1%2Bab 雨", "100% sk%2F1%2Bab 雨"),
            ("sk%2F1%2Bab%3… (x)", "(key)… (x)"),
        ] {
            let mut error = ModelError::NotFound(said.to_owned());
            from_error(&mut error, key);
            assert_eq!(error, ModelError::NotFound(shown.to_owned()));
        }
        let mut error = ModelError::NotFound("%73k%2Dsk-1aa-sk-1abcd".to_owned());
        from_error(&mut error, KEY);
        assert_eq!(error, ModelError::NotFound("%73k%2Dsk-1aa-sk-1abcd".to_owned()), "nobody writes it so");
    }

    proptest! {
        #[test]
        fn however_an_encoded_key_is_cut_the_same_is_shown(
            texts in proptest::collection::vec(
                prop_oneof![Just("k/1+abcd".to_owned()), Just("k%2F1%2babcd".to_owned()), "(k|%2|%2F|/|1|%2b|ab|雨| ){0,6}"], 0..8),
            cut in 1..9usize,
        ) {
            let key = "k/1+abcd";
            let mut whole = texts.concat();
            let letters: Vec<_> = whole.chars().collect();
            let mut sieve = Sieve::new(Some(key));
            let mut shown: Vec<_> =
                letters.chunks(cut).filter_map(|piece| sieve.take(ChatChunk::Text(piece.iter().collect()))).collect();
            shown.extend(sieve.rest());
            let shown: String =
                shown.iter().map(|chunk| match chunk { ChatChunk::Text(text) => text.as_str(), _ => "" }).collect();
            strike(&mut whole, key);
            prop_assert!(!whole.contains("k/1+abcd") && !whole.contains("k%2F1%2babcd"));
            prop_assert_eq!(shown, whole);
        }

        #[test]
        fn however_a_text_is_cut_the_same_is_shown(
            texts in proptest::collection::vec(
                prop_oneof![Just(KEY.to_owned()), "(sk-|1|a|abcd|ä|雨| ){0,6}"], 0..8),
            cut in 1..9usize,
        ) {
            let text = texts.concat();
            let letters: Vec<_> = text.chars().collect();
            let mut sieve = Sieve::new(Some(KEY));
            let mut shown: Vec<_> =
                letters.chunks(cut).filter_map(|piece| sieve.take(ChatChunk::Text(piece.iter().collect()))).collect();
            shown.extend(sieve.rest());
            let shown: String =
                shown.iter().map(|chunk| match chunk { ChatChunk::Text(text) => text.as_str(), _ => "" }).collect();
            prop_assert_eq!(shown, text.replace(KEY, STRUCK));
        }
    }
}
