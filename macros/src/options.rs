//! What stands in the brackets: `#[tool(name = "weather", timeout = "10s", attempts = 3, at_once = 2, max_output = 4096, sequential)]`.

use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr, Token};

/// What was said; what was not is the default of `ToolPolicy`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    /// Milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) attempts: Option<LitInt>,
    pub(crate) at_once: Option<LitInt>,
    pub(crate) max_output: Option<LitInt>,
    pub(crate) sequential: bool,
    pub(crate) needs_approval: bool,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let name = key.to_string();
            if name == "sequential" {
                options.sequential = true;
            } else if name == "needs_approval" {
                options.needs_approval = true;
            } else {
                input.parse::<Token![=]>()?;
                match name.as_str() {
                    "name" => options.name = Some(fitting_name(input.parse()?)?),
                    "timeout" => options.timeout = Some(milliseconds(&input.parse()?)?),
                    "attempts" => options.attempts = Some(input.parse()?),
                    "at_once" => options.at_once = Some(input.parse()?),
                    "max_output" => options.max_output = Some(input.parse()?),
                    _ => {
                        let known = "name, timeout, attempts, at_once, max_output, sequential, needs_approval";
                        return Err(syn::Error::new(key.span(), format!("a tool has no `{name}`; there are: {known}")));
                    }
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

fn fitting_name(name: LitStr) -> syn::Result<LitStr> {
    let text = name.value();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !text.is_empty() && text.len() <= 64 && text.chars().all(fits) {
        true => Ok(name),
        false => Err(syn::Error::new(name.span(), "a tool's name is 1 to 64 letters, digits, `_` and `-`")),
    }
}

/// `500ms`, `10s`, `2m`.
fn milliseconds(text: &LitStr) -> syn::Result<u64> {
    let value = text.value();
    let of = |digits: &str, unit: u64| digits.parse::<u64>().ok()?.checked_mul(unit).filter(|time| *time > 0);
    let time = match value.strip_suffix("ms") {
        Some(digits) => of(digits, 1),
        None => value
            .strip_suffix('s')
            .and_then(|digits| of(digits, 1_000))
            .or_else(|| value.strip_suffix('m').and_then(|digits| of(digits, 60_000))),
    };
    time.ok_or_else(|| syn::Error::new(text.span(), "write a time above zero such as \"500ms\", \"10s\" or \"2m\""))
}
