//! What in a conversation must not be written down? Keys: those of the environment, those that a test names, and whatever looks like
//! one. Pure, but for [`Secrets::of_process`].
//!
//! A key in a stream may come in pieces, none of which looks like one: so the pieces are joined, struck and cut again.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::config::keys::{KEYS, Name};
use crate::config::{Kind, Surroundings, Value, load};

/// What stands in the place of a key.
pub(super) const STRUCK: &str = "(redacted)";

/// The same where JSON has a number: it stays JSON, whoever wrote it into which other text, and a tool's arguments stay what the tool takes.
const NUMBER: &str = "0";

/// Shorter values of variables are words and numbers, and no keys.
const SHORTEST: usize = 8;

/// How the names of variables end that hold a key.
const NAMES: [&str; 7] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS"];

/// What keys look like. Where there is a group, only that is struck.
static LOOKS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let looks = [
        // OpenAI, Anthropic, and many who do as they do; Google; Hugging Face; Groq.
        r"\bsk-[A-Za-z0-9_-]{16,}",
        // One of which a vendor shows the beginning and the end. Two stars would be the end of a bold word.
        r"\b(?:(?:sk|gsk|xai|hf)[_-]|AIza)[A-Za-z0-9_-]*\*{3,}[A-Za-z0-9_*-]*",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\b(?:hf|gsk|xai)[_-][A-Za-z0-9]{20,}",
        // GitHub, Slack, AWS.
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bxox[a-z]-[A-Za-z0-9-]{10,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        // A JSON web token, a private key, a password in an address: none goes beyond the text of JSON that it stands in.
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r#"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?:[^"\\]|\\[^"])*?-----END [A-Z ]*PRIVATE KEY-----|(?:[^"\\]|\\[^"])*)"#,
        r#"://[^\s/:@"]+:([^\s/@"]+)@"#,
    ];
    looks.iter().filter_map(|look| Regex::new(look).ok()).collect()
});

/// What is a key by the word before it, if it is no word itself.
static NAMED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let named = [
        r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{8,})",
        r#"(?i)(?:api[_-]?key|secret|token|passw(?:or)?d)\\?["']?\s*[:=]\s*(?:\[\s*)?\\?["']?([^\s"',;&\\]{7,}[^\s"',;&\\\]})])"#,
    ];
    named.iter().filter_map(|named| Regex::new(named).ok()).collect()
});

/// The keys that are known. What looks like one is struck as well.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    known: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.known.len())
    }
}

impl Secrets {
    /// Those in the environment of this process, and in the variables that the configuration names.
    pub(super) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let mut secrets = Self::of(std::env::vars_os().filter_map(text));
        let configured = key_variables().into_iter().filter_map(|name| std::env::var(name).ok());
        configured.filter(|value| value.trim().len() >= SHORTEST).for_each(|value| secrets.add(&value));
        secrets
    }

    /// Those in these variables.
    pub(super) fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut secrets = Self::default();
        let is_key = |name: &str| NAMES.iter().any(|end| name.to_ascii_uppercase().ends_with(end));
        for (_, value) in variables.filter(|(name, value)| is_key(name) && value.trim().len() >= SHORTEST) {
            secrets.add(&value);
        }
        secrets
    }

    /// One more. In the arguments of a tool it is written as JSON writes it.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        let json = serde_json::to_string(secret).unwrap_or_default();
        let escaped = json.trim_start_matches('"').trim_end_matches('"');
        for form in [secret, escaped] {
            if !form.is_empty() && !self.known.iter().any(|known| known == form) {
                self.known.push(form.to_owned());
            }
        }
    }

    /// A text without keys.
    pub(super) fn text(&self, text: &str) -> String {
        Redacted::new(text, self.spans(text)).text
    }

    /// Pieces of one text, which together hold no key.
    pub(super) fn pieces(&self, pieces: &[&str]) -> Vec<String> {
        let whole = pieces.concat();
        let redacted = Redacted::new(&whole, self.spans(&whole));
        let mut at = 0;
        let cut = pieces.iter().map(|piece| {
            let (from, to) = (redacted.place(at), redacted.place(at + piece.len()));
            at += piece.len();
            redacted.text[from..to].to_owned()
        });
        cut.collect()
    }

    /// Where keys are: in order, apart from each other.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let known = self.known.iter().flat_map(|known| text.match_indices(known.as_str()));
        let mut spans: Vec<_> = known.map(|(at, known)| at..at + known.len()).collect();
        let found = |look: &Regex| -> Vec<Range<usize>> {
            let all = look.captures_iter(text).filter_map(|found| found.get(1).or(found.get(0)));
            all.map(|key| key.range()).collect()
        };
        spans.extend(LOOKS.iter().flat_map(found));
        spans.extend(NAMED.iter().flat_map(found).filter(|span| is_no_word(&text[span.clone()])));
        for span in &mut spans {
            if let Some(number) = number_at(text, span) {
                *span = number;
            }
        }
        spans.sort_by_key(|span| (span.start, span.end));
        spans.into_iter().fold(Vec::new(), |mut apart: Vec<Range<usize>>, span| {
            match apart.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
            apart
        })
    }
}

/// The variables that hold the keys of providers; of a configuration that cannot be used, none.
fn key_variables() -> Vec<String> {
    let loaded = match load(&Surroundings::of_process(), Vec::new()) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::warn!(%error, "keys in variables that the configuration names are not struck");
            return Vec::new();
        }
    };
    let variables = KEYS.iter().filter(|key| key.kind == Kind::Variable);
    let values = variables.filter_map(|key| loaded.settings.get(&Name::Key(key.name))?.value.clone());
    values.filter_map(|value| if let Value::Text(name) = value { Some(name) } else { None }).collect()
}

/// The whole number of JSON that a key is, or is a part of.
fn number_at(text: &str, key: &Range<usize>) -> Option<Range<usize>> {
    let is_of_number = |sign: char| sign.is_ascii_digit() || matches!(sign, '.' | 'e' | 'E' | '+' | '-');
    let (before, after) =
        (text[..key.start].trim_end_matches(is_of_number), text[key.end..].trim_start_matches(is_of_number));
    let number = before.len()..text.len() - after.len();
    serde_json::from_str::<serde_json::Number>(&text[number.clone()]).ok()?;
    let before = before.trim_end();
    let is_value = match before.strip_suffix(':') {
        Some(name) => name.trim_end().ends_with('"'),
        None => before.ends_with(['[', ',']),
    };
    (is_value && after.trim_start().starts_with([',', ']', '}'])).then_some(number)
}

/// Words have no digits, and end sooner. What only begins a list of numbers is none either.
fn is_no_word(text: &str) -> bool {
    if text.strip_prefix('[').is_some_and(|number| number.parse::<f64>().is_ok()) {
        return false;
    }
    text.len() >= 24 || text.contains(|sign: char| sign.is_ascii_digit())
}

/// A text whose keys are struck.
struct Redacted {
    text: String,
    /// Each key: where it was, and where what stands in its place ends.
    struck: Vec<(Range<usize>, usize)>,
}

impl Redacted {
    fn new(text: &str, spans: Vec<Range<usize>>) -> Self {
        let (mut redacted, mut at, mut struck) = (String::with_capacity(text.len()), 0, Vec::new());
        for span in spans {
            redacted.push_str(&text[at..span.start]);
            redacted.push_str(if number_at(text, &span).is_some() { NUMBER } else { STRUCK });
            at = span.end;
            struck.push((span, redacted.len()));
        }
        redacted.push_str(&text[at..]);
        Self { text: redacted, struck }
    }

    /// Where a place of the text is now; one within a key is behind it.
    fn place(&self, at: usize) -> usize {
        let before = self.struck.iter().take_while(|(span, _)| span.start < at).last();
        before.map_or(at, |(span, end)| end + at.saturating_sub(span.end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_the_environment_are_struck_in_every_form() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let secrets = Secrets::of(
            [
                variable("MY_SERVICE_TOKEN", "correct \"horse\" battery"),
                variable("db_password", " staple-and-more "),
                variable("SHORT_KEY", "word"),
                variable("EDITOR", "an-editor-of-mine"),
            ]
            .into_iter(),
        );
        let said = "a correct \"horse\" battery, {\"x\":\"correct \\\"horse\\\" battery\"}, staple-and-more, word, an-editor-of-mine";
        let struck = "a (redacted), {\"x\":\"(redacted)\"}, (redacted), word, an-editor-of-mine";
        assert_eq!(secrets.text(said), struck);
        assert!(!format!("{secrets:?}").contains("horse"));
    }

    #[test]
    fn what_looks_like_a_key_is_struck_and_words_are_not() {
        let key = "Zq9".repeat(12);
        let secrets = Secrets::default();
        for (said, struck) in [
            (format!("my sk-proj-{key} is"), "my (redacted) is"),
            (format!("sk-ant-api03-{key}"), "(redacted)"),
            (format!("AIza{key}"), "(redacted)"),
            (format!("hf_{key}, ghp_{key}"), "(redacted), (redacted)"),
            (format!("github_pat_{key}"), "(redacted)"),
            ("xoxb-12345-abcdef".to_owned(), "(redacted)"),
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "(redacted)"),
            (format!("eyJhbGciOiJI.{key}.{key}!"), "(redacted)!"),
            ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nso".to_owned(), "(redacted)\nso"),
            ("-----BEGIN PRIVATE KEY-----\nabc".to_owned(), "(redacted)"),
            ("postgres://anna:s3cret@db/x".to_owned(), "postgres://anna:(redacted)@db/x"),
            ("Authorization: Bearer abc12345.x".to_owned(), "Authorization: Bearer (redacted)"),
            (format!("bearer {}", "abcdefgh".repeat(3)), "bearer (redacted)"),
            ("{\"api_key\": \"abcd1234\", \"n\": 1}".to_owned(), "{\"api_key\": \"(redacted)\", \"n\": 1}"),
            ("{\\\"password\\\":\\\"hunter22\\\"}".to_owned(), "{\\\"password\\\":\\\"(redacted)\\\"}"),
            ("{\"token\":1234567}".to_owned(), "{\"token\":1234567}"),
            ("{\"x\":{\"token\":12345678}}".to_owned(), "{\"x\":{\"token\":0}}"),
            ("{\"token\": [12345678, 2], \"n\":1}".to_owned(), "{\"token\": [0, 2], \"n\":1}"),
            ("{\"token\":[1234567,2]}".to_owned(), "{\"token\":[1234567,2]}"),
            ("{\\\"token\\\": -12345678.5}".to_owned(), "{\\\"token\\\": 0}"),
            ("token: 12345678, so".to_owned(), "token: (redacted), so"),
            ("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nab\"}".to_owned(), "{\"k\":\"(redacted)\"}"),
            ("{\"u\":\"http://host:80\",\"m\":\"a@b\"}".to_owned(), "{\"u\":\"http://host:80\",\"m\":\"a@b\"}"),
            ("Incorrect key: sk-proj-****1234.".to_owned(), "Incorrect key: (redacted)."),
            ("hf_****1234, AIza****1234".to_owned(), "(redacted), (redacted)"),
            ("?token=abcd1234&x=1".to_owned(), "?token=(redacted)&x=1"),
        ] {
            assert_eq!(secrets.text(&said), struck);
        }
        for plain in [
            "The risk-management-of-projects is a task-force.",
            "A bearer of bad news, bearer certificates",
            "token: something else, a secret: wonderful",
            "http://127.0.0.1:8080/v1 at 10:30@noon",
            "sk-short, AKIA, hf_small, eyJhbGci",
            "**skip** it, **skills**, **sky**, **sk-learn** and **hf_hub**",
        ] {
            assert_eq!(secrets.text(plain), plain);
        }
    }

    proptest! {
        /// However a text is cut, its pieces make what the whole makes, and none is lost.
        #[test]
        fn pieces_make_what_the_whole_makes(
            pieces in proptest::collection::vec("(ä|x| |sk-|Zq9Zq9Zq9|canary|-of-the|-mine|Bearer ){0,4}", 0..8),
        ) {
            let mut secrets = Secrets::default();
            secrets.add("canary-of-the-mine");
            let cut = secrets.pieces(&pieces.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(cut.len(), pieces.len());
            prop_assert_eq!(cut.concat(), secrets.text(&pieces.concat()));
            prop_assert!(!cut.concat().contains("canary-of-the-mine"));
        }
    }

    proptest! {
        /// What is JSON stays JSON, whatever in it is a key.
        #[test]
        fn json_stays_json(
            names in proptest::collection::vec("token|api_key|n|12345678", 1..5),
            values in proptest::collection::vec(
                r#""(x |sk-Zq9Zq9Zq9Zq9Zq9Zq9|12345678|http://a:b|@c|-----BEGIN PRIVATE KEY-----){0,3}"|-?[1-9][0-9]{0,11}(\.5)?|\[12345678, ?[1-9]{8}\]|null|true|\{"token":12345678\}"#,
                5,
            ),
        ) {
            let mut secrets = Secrets::default();
            secrets.add("12345678");
            let fields: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let json = format!("{{{}}}", fields.join(","));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
            let struck = secrets.text(&json);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&struck).is_ok(), "{} {}", json, struck);
            prop_assert!(!struck.contains("12345678"), "{}", struck);
            let halves = json.split_at(json.len() / 2);
            prop_assert_eq!(secrets.pieces(&[halves.0, halves.1]).concat(), struck);
        }
    }

    #[test]
    fn a_key_in_pieces_is_struck_in_all_of_them() {
        let mut secrets = Secrets::default();
        secrets.add("canary-0123456789");
        let pieces = secrets.pieces(&["It is cana", "ry-01", "", "23456789", ", so", " canary-0123456789"]);
        assert_eq!(pieces, ["It is (redacted)", "", "", "", ", so", " (redacted)"]);
        assert_eq!(secrets.pieces(&["ä", "ö", ""]), ["ä", "ö", ""]);
        assert_eq!(secrets.pieces(&["canary-0123456789", "x"]), ["(redacted)", "x"]);
        assert_eq!(secrets.pieces(&["x", "canary-0123456789"]), ["x", "(redacted)"]);
    }
}
