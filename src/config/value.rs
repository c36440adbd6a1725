//! Which values can a key have? Read from a text or from TOML, and checked against the kind of the key; pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use callboard_actors::research::inert::is_hostile;

use super::duration;
use crate::providers::endpoint;

/// US dollars, counted in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub u64);

impl Money {
    /// A million dollars: the largest amount and the highest price that are accepted.
    pub const MOST: Self = Self(1_000_000 * 1_000_000);

    /// Reads `5`, `0.15` or `$1.50`, to six digits after the point; exact, without floating point.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('$');
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return None;
        }
        let part = part.trim_end_matches('0');
        let micros: u64 = format!("{part:0<6}").parse().ok().filter(|_| part.len() <= 6)?;
        let micros = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?;
        (micros <= Self::MOST.0).then_some(Self(micros))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, format!("{:06}", self.0 % 1_000_000));
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            part => write!(f, "{whole}.{part}"),
        }
    }
}

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A name or an address.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A time.
    Time(Duration),
    /// US dollars.
    Money(Money),
    /// Folders and files.
    Paths(Vec<PathBuf>),
    /// Names.
    Names(Vec<String>),
}

impl Value {
    /// Whether this allows no more than `other`. Only numbers, times and money are compared.
    pub(super) fn is_at_most(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Count(one), Self::Count(other)) => one <= other,
            (Self::Time(one), Self::Time(other)) => one <= other,
            (Self::Money(one), Self::Money(other)) => one <= other,
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    /// As it is written in a file, but for the quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) => f.write_str(&duration::show(*time)),
            Self::Money(money) => write!(f, "{money}"),
            Self::Paths(paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&paths.join(", "))
            }
            Self::Names(names) => f.write_str(&names.join(",")),
        }
    }
}

/// What stands in a file, before it is known to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    Number(String),
    List(Vec<String>),
    /// Something that no key takes; its name.
    Other(&'static str),
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `builtin` or PROVIDER/NAME.
    Model,
    /// A list of PROVIDER/NAME; in a variable or a flag they are separated by commas.
    Models,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// The base URL of a provider.
    Address,
    /// The name of an environment variable, never the key itself.
    Variable,
    /// A whole number within these bounds.
    Count(u64, u64),
    /// A time from 1 ms to 24 h.
    Time,
    /// US dollars, from the first amount to [`Money::MOST`].
    Money(Money),
    /// A list of folders and files.
    Paths,
}

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Kind {
    /// Reads a flag or a variable.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self {
            Self::Model | Self::Address | Self::Variable | Self::OneOf(_) => Some(Value::Text(text.trim().to_owned())),
            Self::Models => Some(Value::Names(text.split(',').map(|name| name.trim().to_owned()).collect())),
            Self::Count(..) => text.trim().parse().ok().map(Value::Count),
            Self::Time => duration::parse(text).map(Value::Time),
            Self::Money(_) => Money::parse(text).map(Value::Money),
            Self::Paths => Some(Value::Paths(vec![text.into()])),
        };
        value.ok_or_else(|| self.wish()).and_then(|value| self.check(&value).map(|()| value))
    }

    /// Reads what stands in a file.
    pub(super) fn read(&self, raw: &Raw) -> Result<Value, String> {
        match (self, raw) {
            (Self::Count(..) | Self::Money(_), Raw::Number(number)) => self.parse(number),
            (Self::Count(..) | Self::Money(_), Raw::Text(_)) => Err(format!("{}, without quotes", self.wish())),
            (Self::Time, Raw::Number(_)) => Err("write a number with a unit in quotes, such as \"60s\"".to_owned()),
            (Self::Paths, Raw::List(paths)) => {
                let value = Value::Paths(paths.iter().map(PathBuf::from).collect());
                self.check(&value).map(|()| value)
            }
            (Self::Models, Raw::List(names)) => {
                let value = Value::Names(names.clone());
                self.check(&value).map(|()| value)
            }
            (Self::Models, Raw::Text(_)) => Err(self.wish()),
            (
                Self::Model | Self::Address | Self::Variable | Self::Time | Self::Paths | Self::OneOf(_),
                Raw::Text(text),
            ) => self.parse(text),
            (_, raw) => Err(format!("it is {}; {}", raw.name(), self.wish())),
        }
    }

    /// Whether a value is within its range.
    ///
    /// # Errors
    /// What to write instead.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Model, Value::Text(text)) => is_model(text),
            (Self::Models, Value::Names(names)) => {
                if let Some(at) = names.iter().position(|name| lacks_provider(name)) {
                    return Err(format!(
                        "write `provider/model` for each, such as openai/NAME: the provider is missing from name {} of {}",
                        at + 1,
                        names.len()
                    ));
                }
                names.iter().all(|name| is_model(name) && name.contains('/') && !name.contains(','))
            }
            (Self::OneOf(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Self::Address, Value::Text(text)) => return endpoint(text, "").map(drop),
            (Self::Variable, Value::Text(text)) => is_variable(text),
            (Self::Count(least, most), Value::Count(count)) => (least..=most).contains(&count),
            (Self::Time, Value::Time(time)) => (SHORTEST..=LONGEST).contains(time),
            (Self::Money(least), Value::Money(money)) => (*least..=Money::MOST).contains(money),
            (Self::Paths, Value::Paths(paths)) => paths.iter().all(|path| !path.as_os_str().is_empty()),
            _ => false,
        };
        fits.then_some(()).ok_or_else(|| self.wish())
    }

    /// What to write.
    fn wish(&self) -> String {
        match self {
            Self::Model => "write `builtin`, or a provider and a model such as openai/NAME".to_owned(),
            Self::Models => "write a list of models such as [\"openai/NAME\"], or openai/NAME,openai/OTHER".to_owned(),
            Self::OneOf(words) => format!("write one of {}", words.join(", ")),
            Self::Address => "write an address such as https://HOST/v1".to_owned(),
            Self::Variable => "write the name of an environment variable, such as OPENAI_API_KEY".to_owned(),
            Self::Count(least, most) => format!("write a whole number from {least} to {most}"),
            Self::Time => "write a number with a unit from 1ms to 24h, such as 60s, 2m or 1500ms".to_owned(),
            Self::Money(Money(0)) => "write US dollars, such as 0.15, or 0 for nothing".to_owned(),
            Self::Money(_) => "write US dollars above 0 and up to 1000000, such as 0.50".to_owned(),
            Self::Paths => "write a list of folders and files, such as [\"docs\"]".to_owned(),
        }
    }

    /// The accepted values, for the documentation.
    pub fn range(&self) -> String {
        match self {
            Self::Model => "`builtin`, `openai/NAME`".to_owned(),
            Self::Models => "a list of models".to_owned(),
            Self::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            Self::Address => "an address".to_owned(),
            Self::Variable => "a variable's name".to_owned(),
            Self::Count(least, most) => format!("{least} to {most}"),
            Self::Time => "1ms to 24h".to_owned(),
            Self::Money(_) => "0.000001 to 1000000".to_owned(),
            Self::Paths => "a list of paths".to_owned(),
        }
    }

    /// Whether a value may be repeated in an error. A secret that was put into the wrong place may not.
    pub(super) fn may_be_shown(&self) -> bool {
        !matches!(self, Self::Address | Self::Variable | Self::Model | Self::Models)
    }
}

impl Raw {
    fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Other(name) => name,
        }
    }

    /// As much of it as an error repeats.
    pub(super) fn shown(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::List(_) | Self::Other(_) => None,
        }
    }
}

/// A key in its place is told here, before anything repeats it.
fn is_model(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with("sk-")
}

/// A model's name alone, without who serves it. The name is not repeated, as it may be a key in the wrong place.
fn lacks_provider(text: &str) -> bool {
    is_model(text) && text != "builtin" && !text.contains(['/', ','])
}

/// Names of variables are in capitals: a key that was put here by mistake is not.
fn is_variable(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && text.chars().all(fits)
}

/// `text` as a basic string of TOML, in which nothing that a terminal acts on stands as it is.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || is_hostile(c) => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back_as_it_was() {
        for text in ["plain", "we\"ird, \"x", "back\\slash", "\u{1b}[2J\n\t", "\u{e0041}\u{202e}é"] {
            let line = format!("a = {}", quoted(text));
            let read = toml::de::DeTable::parse(&line).unwrap();
            assert_eq!(read.get_ref().get("a").and_then(|value| value.get_ref().as_str()), Some(text));
            assert!(!quoted(text).chars().any(is_hostile));
        }
    }

    #[test]
    fn money_is_exact() {
        for (text, micros, shown) in [
            ("5", 5_000_000, "5"),
            ("$0.15", 150_000, "0.15"),
            ("0.000001", 1, "0.000001"),
            ("1.50000000", 1_500_000, "1.5"),
        ] {
            assert_eq!(Money::parse(text).map(|money| (money.0, money.to_string())), Some((micros, shown.to_owned())));
        }
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "0.0000001", "1000001", "nan", "99999999999999999999", "1.-5"]
        {
            assert_eq!(Money::parse(text), None, "{text}");
        }
    }

    #[test]
    fn each_kind_takes_its_own_and_says_what_it_takes() {
        let text = |text: &str| Raw::Text(text.to_owned());
        let number = |text: &str| Raw::Number(text.to_owned());
        let few = Kind::Count(1, 9);
        for (kind, raw, problem) in [
            (few, number("9"), None),
            (few, number("10"), Some("write a whole number from 1 to 9")),
            (few, number("2.5"), Some("write a whole number from 1 to 9")),
            (few, number("-1"), Some("write a whole number from 1 to 9")),
            (few, text("9"), Some("write a whole number from 1 to 9, without quotes")),
            (few, Raw::Other("a date"), Some("it is a date; write a whole number from 1 to 9")),
            (Kind::Time, text("90s"), None),
            (Kind::Time, number("90"), Some("write a number with a unit in quotes, such as \"60s\"")),
            (Kind::Time, text("0s"), Some("write a number with a unit from 1ms to 24h, such as 60s, 2m or 1500ms")),
            (Kind::Money(Money(0)), number("0"), None),
            (Kind::Money(Money(1)), number("0"), Some("write US dollars above 0 and up to 1000000, such as 0.50")),
            (Kind::Model, text("openai/a-b.1:c"), None),
            (Kind::Model, text(" "), Some("write `builtin`, or a provider and a model such as openai/NAME")),
            (Kind::Model, text("sk-secret"), Some("write `builtin`, or a provider and a model such as openai/NAME")),
            (Kind::Models, Raw::List(vec!["openai/a".to_owned(), "openai/b".to_owned()]), None),
            (
                Kind::Models,
                Raw::List(vec!["builtin".to_owned()]),
                Some("write a list of models such as [\"openai/NAME\"], or openai/NAME,openai/OTHER"),
            ),
            (
                Kind::Models,
                Raw::List(vec!["openai/a".to_owned(), "b".to_owned()]),
                Some("write `provider/model` for each, such as openai/NAME: the provider is missing from name 2 of 2"),
            ),
            (
                Kind::Models,
                text("openai/a"),
                Some("write a list of models such as [\"openai/NAME\"], or openai/NAME,openai/OTHER"),
            ),
            (Kind::OneOf(&["off", "on"]), text("on"), None),
            (Kind::OneOf(&["off", "on"]), text("true"), Some("write one of off, on")),
            (
                Kind::OneOf(&["off", "on"]),
                Raw::Other("a truth value"),
                Some("it is a truth value; write one of off, on"),
            ),
            (Kind::Variable, text("MY_KEY2"), None),
            (
                Kind::Variable,
                text("sk-secret"),
                Some("write the name of an environment variable, such as OPENAI_API_KEY"),
            ),
            (Kind::Address, text("http://localhost:1/v1"), None),
            (Kind::Address, text("localhost:1"), Some("it must begin with http:// or https://")),
            (Kind::Address, text("http:///v1"), Some("it names no host")),
            (Kind::Paths, text("docs"), None),
            (
                Kind::Paths,
                Raw::List(vec![String::new()]),
                Some("write a list of folders and files, such as [\"docs\"]"),
            ),
        ] {
            assert_eq!(kind.read(&raw).err().as_deref(), problem, "{kind:?} {raw:?}");
        }
    }
}
