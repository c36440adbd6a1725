//! What does a file say? Its text becomes entries, or an error with line and column; pure.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::keys::{Key, Name, PRICE, PRICES, Side, is_section};
use super::layers::Entry;
use super::origin::{Origin, Place};
use super::suggest;
use super::value::{Kind, Raw};

/// Reads a file's text. `origin` is whose file it is.
pub(super) fn read(text: &str, path: &Path, origin: fn(Place) -> Origin) -> Result<Vec<Entry>, ConfigError> {
    let mut reading = Reading { text, path, origin, entries: Vec::new() };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: reading.place(error.span().unwrap_or_default()),
        // The first line: what follows may show the text, in which somebody may have put a key.
        message: error.message().lines().next().unwrap_or_default().to_owned(),
    })?;
    reading.table("", table.get_ref())?;
    Ok(reading.entries)
}

struct Reading<'a> {
    text: &'a str,
    path: &'a Path,
    origin: fn(Place) -> Origin,
    entries: Vec<Entry>,
}

impl Reading<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::of(self.path.to_owned(), self.text, span.start)
    }

    fn table(&mut self, above: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        // In the order of the file, so that the first mistake is the one that is told.
        let mut lines: Vec<_> = table.iter().collect();
        lines.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in lines {
            let (span, written) = (key.span(), suggest::shown(key.get_ref()));
            let name = if above.is_empty() { written.to_owned() } else { format!("{above}.{written}") };
            match value.get_ref() {
                DeValue::Table(table) if above == PRICES => self.price(key.get_ref(), table)?,
                value_of if let Some(key) = Key::find(&name) => {
                    self.entry(Name::Key(key.name), key.kind, span, value_of, value.span())?;
                }
                DeValue::Table(table) if is_section(&name) => self.table(&name, table)?,
                _ if is_section(&name) || above == PRICES => {
                    let place = self.place(span);
                    return Err(ConfigError::UnknownKey {
                        advice: match above == PRICES {
                            true => "write [prices.\"openai/NAME\"], and below it input and output".to_owned(),
                            false => {
                                format!("{name} is a section: write [{name}] in a line of its own, its keys below")
                            }
                        },
                        place,
                        key: name,
                    });
                }
                value => return Err(self.unknown(span, name, matches!(value, DeValue::Table(_)))),
            }
        }
        Ok(())
    }

    fn price(&mut self, model: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in table {
            if suggest::shown(model) != model {
                let (key_of, advice) =
                    (format!("{PRICES}.\"{}\"", suggest::shown(model)), "a model is named PROVIDER/NAME".to_owned());
                return Err(ConfigError::UnknownKey { place: self.place(key.span()), key: key_of, advice });
            }
            let side = match key.get_ref().as_ref() {
                "input" => Side::Input,
                "output" => Side::Output,
                other => {
                    let advice = "a price has two keys, input and output".to_owned();
                    let key_of = format!("{PRICES}.\"{}\".{}", suggest::shown(model), suggest::shown(other));
                    return Err(ConfigError::UnknownKey { place: self.place(key.span()), key: key_of, advice });
                }
            };
            let name = Name::Price(model.to_owned(), side);
            self.entry(name, PRICE, key.span(), value.get_ref(), value.span())?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        name: Name,
        kind: Kind,
        key: Range<usize>,
        value: &DeValue<'_>,
        at: Range<usize>,
    ) -> Result<(), ConfigError> {
        let raw = raw(value);
        let value = kind.read(&raw).map_err(|problem| {
            let shown = raw.shown().filter(|_| kind.may_be_shown());
            ConfigError::of_text(&self.place(at).to_string(), &name.to_string(), shown, problem)
        })?;
        let origin = (self.origin)(self.place(key));
        self.entries.push(Entry { name, value, origin });
        Ok(())
    }

    fn unknown(&self, span: Range<usize>, key: String, is_table: bool) -> ConfigError {
        let advice = suggest::advice(&key, is_table);
        ConfigError::UnknownKey { place: self.place(span), key, advice }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = u64::from_str_radix(number.as_str(), number.radix());
            Raw::Number(parsed.map_or_else(|_| number.as_str().to_owned(), |number| number.to_string()))
        }
        DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
        DeValue::Array(list) => {
            let texts: Option<Vec<_>> = list.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Raw::Other("a list of other things than texts"), Raw::List)
        }
        DeValue::Boolean(_) => Raw::Other("true or false"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Vec<String>, String> {
        match read(text, Path::new("c.toml"), Origin::ProjectFile) {
            Ok(entries) => Ok(entries.iter().map(|Entry { name, value, .. }| format!("{name} = {value}")).collect()),
            Err(error) => Err(format!("{error}; {}", error.hint())),
        }
    }

    #[test]
    fn a_file_becomes_entries_in_its_order() {
        let text = "trusted = [\"/a\"]\n[research]\ncorpus = \"docs\"\ndeadline = '2m'\n\
                    [gateway]\nmax_in_flight = 0x10\nattempts = 1_0\n\
                    [prices.\"openai/a-4.1\"]\ninput = 0.15\noutput = 1\n\
                    [providers.openai]\nbase_url = \"http://localhost:1/v1\"\n";
        let entries = [
            "trusted = /a",
            "research.corpus = docs",
            "research.deadline = 120s",
            "gateway.max_in_flight = 16",
            "gateway.attempts = 10",
            "prices.\"openai/a-4.1\".input = 0.15",
            "prices.\"openai/a-4.1\".output = 1",
            "providers.openai.base_url = http://localhost:1/v1",
        ];
        assert_eq!(said(text).unwrap(), entries);
        assert_eq!(said("").unwrap(), [""; 0]);
        assert_eq!(said("model.name = 'builtin'\n[prices]\n").unwrap(), ["model.name = builtin"]);
    }

    #[test]
    fn each_mistake_has_its_place_and_its_advice() {
        for (text, message) in [
            (
                "[research]\n  dedline = \"5s\"",
                "c.toml:2:3: no key is called `research.dedline`; did you mean `research.deadline`?",
            ),
            ("# \u{fc}\n[reserch]\n", "c.toml:2:2: no key is called `reserch`; did you mean `[research]`?"),
            ("model = \"openai/x\"", "c.toml:1:1: no key is called `model`; model is a section: write [model]"),
            (
                "[prices]\n\"openai/x\" = 3",
                "c.toml:2:1: no key is called `prices.openai/x`; write [prices.\"openai/NAME\"]",
            ),
            (
                "[prices.\"o/x\"]\ncached = 3",
                "c.toml:2:1: no key is called `prices.\"o/x\".cached`; a price has two keys",
            ),
            (
                "[providers.openai]\napi_key = \"sk-1\"",
                "c.toml:2:1: no key is called `providers.openai.api_key`; a key never",
            ),
            (
                "[research]\ndeadline = 60",
                "c.toml:2:12: research.deadline cannot be `60`: write a number with a unit in quotes",
            ),
            (
                "[research]\ndeadline = {a = 1}",
                "c.toml:2:12: research.deadline cannot be what is written there: it is a table",
            ),
            (
                "[gateway]\nattempts = 0",
                "c.toml:2:12: gateway.attempts cannot be `0`: write a whole number from 1 to 100",
            ),
            ("[gateway]\nattempts = -1", "c.toml:2:12: gateway.attempts cannot be `-1`: write"),
            (
                "[gateway]\nattempts = true",
                "c.toml:2:12: gateway.attempts cannot be what is written there: it is true or false",
            ),
            (
                "[research]\ncorpus = [1]",
                "c.toml:2:10: research.corpus cannot be what is written there: it is a list of other",
            ),
            ("[model]\nmax_cost = 0.0", "c.toml:2:12: model.max_cost cannot be `0.0`: write US dollars above 0"),
            ("[model]\nmax_cost = inf", "c.toml:2:12: model.max_cost cannot be `inf`: write US dollars above 0"),
            ("[model]\nname = \"a\"\nname = \"b\"", "c.toml:3:1: duplicate key"),
            ("[model\nname", "c.toml:1:7: "),
            ("sk-1 = 'x'", "c.toml:1:1: no key is called `…`; a key never stands in a file"),
            ("zzz = 1\naaa = 1", "c.toml:1:1: no key is called `zzz`; remove it"),
        ] {
            let error = said(text).unwrap_err();
            assert!(error.starts_with(message), "{text}\n{error}");
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for text in [
            "[providers.openai]\nkey_env = \"sk-canary\"",
            "[providers.openai]\nbase_url = \"sk-canary\"",
            "[providers.openai]\nbase_url = \"https://me:sk-canary@host/v1\"",
            "[providers.openai]\napi_key = \"sk-canary\"",
            "[providers.openai]\nkey_env = sk-canary",
            "key_env = \"sk-canary",
            "sk-canary = \"x\"",
            "[sk-canary]\nx = 1",
            "sk-canary.x = 1",
            "[providers.openai]\n\"canary0123456789\" = \"x\"",
            "[prices]\nsk-canary = 1",
            "[prices.\"openai/x\"]\nsk-canary = 1",
            "[prices.sk-canary]\ncached = 1",
        ] {
            let error = said(text).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
