//! What stands in the brackets: `#[tool(name = "weather", timeout = "10s", attempts = 3, at_once = 2, max_output = 4096, sequential)]`.

use std::fmt::Display;
use std::str::FromStr;

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr, Token};

const KNOWN: [&str; 7] = ["name", "timeout", "attempts", "at_once", "max_output", "sequential", "needs_approval"];

/// What was said; what was not is the default of `ToolPolicy`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    /// Milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) attempts: Option<u32>,
    pub(crate) at_once: Option<usize>,
    pub(crate) max_output: Option<usize>,
    pub(crate) sequential: bool,
    pub(crate) needs_approval: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut options, mut said) = (Self::default(), Vec::new());
        while !input.is_empty() {
            let key: Ident = input.call(Ident::parse_any)?;
            let name = key.to_string();
            let wrong = |what: String| Err(syn::Error::new(key.span(), what));
            if !KNOWN.contains(&name.as_str()) {
                return wrong(format!("a tool has no `{name}`; there are: {}", KNOWN.join(", ")));
            }
            if said.contains(&name) {
                return wrong(format!("`{name}` is said twice"));
            }
            options.read(&name, &key, input)?;
            said.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    /// What stands behind one of the known names.
    fn read(&mut self, name: &str, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        let is_flag = matches!(name, "sequential" | "needs_approval");
        let wrong = |form: &str| Err(syn::Error::new(key.span(), form));
        match (is_flag, input.peek(Token![=])) {
            (true, true) => return wrong(&format!("`{name}` has no value: write it alone")),
            (false, false) => return wrong(&format!("`{name}` needs a value: write `{name} = ..`")),
            (true, false) => {}
            (false, true) => drop(input.parse::<Token![=]>()?),
        }
        match name {
            "sequential" => self.sequential = true,
            "needs_approval" => self.needs_approval = true,
            "name" => self.name = Some(fitting_name(input.parse()?)?),
            "timeout" => self.timeout = Some(milliseconds(input)?),
            "attempts" => self.attempts = Some(at_least(1, "attempts", &input.parse()?)?),
            "at_once" => self.at_once = Some(at_least(1, "at_once", &input.parse()?)?),
            _max_output => self.max_output = Some(at_least(64, name, &input.parse()?)?),
        }
        Ok(())
    }

    /// What the model is to call the function.
    pub(crate) fn name_of(&self, function: &Ident) -> syn::Result<String> {
        if let Some(name) = &self.name {
            return Ok(name.value());
        }
        let name = function.unraw().to_string();
        match fits(&name) {
            true => Ok(name),
            false => Err(syn::Error::new(function.span(), format!("{NAME}: give it one, `#[tool(name = \"..\")]`"))),
        }
    }
}

const NAME: &str = "a tool's name is 1 to 64 letters from a to z, digits, `_` and `-`";

fn fits(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 64 && name.chars().all(fits)
}

fn fitting_name(name: LitStr) -> syn::Result<LitStr> {
    if fits(&name.value()) { Ok(name) } else { Err(syn::Error::new(name.span(), NAME)) }
}

/// A number that `start` would not refuse.
fn at_least<N: FromStr<Err: Display> + PartialOrd + From<u8>>(
    least: u8,
    name: &str,
    number: &LitInt,
) -> syn::Result<N> {
    let value: N = number.base10_parse()?;
    match value < least.into() {
        true => Err(syn::Error::new(number.span(), format!("`{name}` is at least {least}"))),
        false => Ok(value),
    }
}

/// `500ms`, `10s`, `2m`.
fn milliseconds(input: ParseStream<'_>) -> syn::Result<u64> {
    const WISH: &str = "write a time above zero, with its unit and in quotes, such as \"500ms\", \"10s\" or \"2m\"";
    let text: LitStr = input.parse().map_err(|error| syn::Error::new(error.span(), WISH))?;
    let value = text.value();
    let of = |digits: &str, unit: u64| digits.parse::<u64>().ok()?.checked_mul(unit).filter(|time| *time > 0);
    let time = match value.strip_suffix("ms") {
        Some(digits) => of(digits, 1),
        None => value
            .strip_suffix('s')
            .and_then(|digits| of(digits, 1_000))
            .or_else(|| value.strip_suffix('m').and_then(|digits| of(digits, 60_000))),
    };
    time.ok_or_else(|| syn::Error::new(text.span(), WISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_said_of_a_tool_says_what_to_write() {
        let known = "name, timeout, attempts, at_once, max_output, sequential, needs_approval";
        for (options, words) in [
            ("sequental", &["no `sequental`", known][..]),
            ("retries = 3", &["no `retries`", known]),
            ("type", &["no `type`", known]),
            ("sequential = true", &["`sequential`", "write it alone"]),
            ("attempts", &["write `attempts = ..`"]),
            ("attempts = 2, attempts = 3", &["`attempts` is said twice"]),
            ("sequential, sequential", &["`sequential` is said twice"]),
            ("attempts = 0", &["`attempts` is at least 1"]),
            ("at_once = 0", &["`at_once` is at least 1"]),
            ("max_output = 63", &["`max_output` is at least 64"]),
            ("timeout = 10", &["in quotes", "\"10s\""]),
            ("timeout = \"10\"", &["with its unit", "\"10s\""]),
            ("timeout = \"0s\"", &["above zero"]),
            ("name = \"a b\"", &["1 to 64"]),
        ] {
            let said = syn::parse_str::<Options>(options).err().expect(options).to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{options}: {said}");
        }
        let all =
            "name = \"a-b\", timeout = \"2m\", attempts = 1, at_once = 2, max_output = 64, sequential, needs_approval,";
        let Options { timeout, attempts, at_once, max_output, sequential, needs_approval, .. } =
            syn::parse_str(all).unwrap();
        let numbers = (timeout, attempts, at_once, max_output);
        assert_eq!((numbers, sequential, needs_approval), ((Some(120_000), Some(1), Some(2), Some(64)), true, true));
    }

    #[test]
    fn a_function_has_the_name_that_people_read() {
        let named = |options: &str, function: &str| {
            let (options, function) = (syn::parse_str::<Options>(options).unwrap(), syn::parse_str::<Ident>(function));
            options.name_of(&function.unwrap())
        };
        assert_eq!(named("", "look").unwrap(), "look");
        assert_eq!(named("", "r#match").unwrap(), "match");
        assert_eq!(named("name = \"groesse\"", "größe").unwrap(), "groesse");
        assert!(named("", "größe").unwrap_err().to_string().contains("`#[tool(name = \"..\")]`"));
    }
}
