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
pub(super) fn is_secret(key: &str) -> bool {
    key.len() >= SHORTEST && key.contains(|c: char| c.is_ascii_digit()) && key.contains(char::is_alphabetic)
}

/// Whether it is struck from errors: they are for people, and nothing but words is lost with it.
fn is_struck_from_errors(key: &str) -> bool {
    key.len() >= SHORTEST || key.len() >= TOLD && key.contains(|c: char| !c.is_alphabetic())
}

fn strike(text: &mut String, key: &str) {
    if memchr::memmem::find(text.as_bytes(), key.as_bytes()).is_some() {
        *text = text.replace(key, STRUCK);
    }
}

/// How many bytes at the end of a text may be the beginning of the key.
fn begun(text: &str, key: &str) -> usize {
    let (text, key) = (text.as_bytes(), key.as_bytes());
    let Some(first) = key.first() else { return 0 };
    let end = &text[(text.len() + 1).saturating_sub(key.len())..];
    memchr::memchr_iter(*first, end).map(|at| &end[at..]).find(|rest| key.starts_with(rest)).map_or(0, <[u8]>::len)
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
        strike(why, key);
    }
}

/// Strikes the key from what a provider says of an error, also where that was cut short in the middle of it.
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
    /// What waits, of the text or of the arguments of a call: shorter than the key. Nearly always nothing.
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

    proptest! {
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
