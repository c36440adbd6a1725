//! Which value satisfies a JSON Schema? Made, then checked against the same schema; pure.
//!
//! `flat` joins what says something about one place, `make` builds objects and arrays, `leaf` strings and numbers,
//! `pattern` strings for regular expressions, `check` judges. What these do not know is refused by its keyword, never
//! ignored.

mod check;
mod flat;
mod leaf;
mod make;
mod pattern;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(super) use make::satisfy;

/// Why no value could be made: what the schema asks for is impossible, or more than is known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no value could be made that satisfies `{keyword}`")]
pub(super) struct Refused {
    /// The keyword in the way.
    pub(super) keyword: String,
}

impl Refused {
    fn new(keyword: &str) -> Self {
        Self { keyword: keyword.chars().take(80).collect() }
    }
}

/// What a reference within the document means.
fn resolve<'a>(root: &'a Value, reference: &Value) -> Result<&'a Value, Refused> {
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).ok_or_else(|| Refused::new("$ref"))
}

/// A number of things, such as `minItems`. A schema may write 3 as 3.0.
fn count(value: Option<&Value>) -> Option<usize> {
    let number = value?.as_f64()?;
    (number >= 0.0).then_some(number as usize)
}
