//! What did a model write as a value? JSON whose names are each there once, and whose whole numbers may be written as `3.0`. Pure.

use std::collections::BTreeSet;
use std::fmt::{Formatter, Result as FmtResult};

use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

/// Beyond these a whole number of 64 bits of floating point may have been another one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// That no object of a JSON text has a name twice: which of them counts is not said by JSON.
///
/// # Errors
/// In words for the model: the name, and where it is the second time.
pub(crate) fn names_are_single(text: &str) -> Result<(), String> {
    serde_json::from_str::<Single>(text).map(drop).map_err(|error| error.to_string())
}

/// Reads a value of a type. What the type refuses is read once more with whole numbers such as `3.0` and `1e3` written as integers, which
/// they are in a JSON schema.
///
/// # Errors
/// In words for the model: what the type refuses.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    T::deserialize(&value)
        .or_else(|error| {
            let mut whole = value;
            if with_integers(&mut whole) { T::deserialize(whole) } else { Err(error) }
        })
        .map_err(|error: serde_json::Error| error.to_string())
}

/// Whether something was written otherwise.
fn with_integers(value: &mut Value) -> bool {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() <= EXACT) else { return false };
            *value = (float as i64).into();
            true
        }
        Value::Array(parts) => parts.iter_mut().fold(false, |any, part| with_integers(part) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, part| with_integers(part) | any),
        _ => false,
    }
}

/// Any value, as long as no name is in it twice.
struct Single;

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Single;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Single, A::Error> {
        while parts.next_element::<Single>()?.is_some() {}
        Ok(Single)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Single, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if names.contains(&name) {
                let name: String = name.chars().take(80).collect();
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            names.insert(name);
            fields.next_value::<Single>()?;
        }
        Ok(Single)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_is_there_twice_is_told() {
        for (text, words) in [
            (r#"{"a": 1, "b": [{"c": null, "c": true}]}"#, "`c` is there twice at line 1"),
            (r#"{"a": 1.5, "a": -1}"#, "`a` is there twice at line 1"),
            (r#"{"a": {"b": "x"}, "b": {"a": 1}}"#, ""),
        ] {
            let told = names_are_single(text).err().unwrap_or_default();
            assert!(told.starts_with(words) && told.is_empty() == words.is_empty(), "{text}: {told}");
        }
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Row {
            number: u64,
            share: f64,
            any: Value,
        }
        let row = |number: Value| read::<Row>(json!({"number": number, "share": 2.0, "any": 3.5}));
        assert_eq!(row(json!(1e3)), Ok(Row { number: 1_000, share: 2.0, any: json!(3.5) }));
        assert_eq!(read::<Vec<i64>>(json!([-3.0, 4])), Ok(vec![-3, 4]));
        assert_eq!(read::<Value>(json!(3.0)), Ok(json!(3.0)), "as it is, where that is taken");
        assert_eq!(read::<f64>(json!(-0.0)).map(f64::is_sign_negative), Ok(true));
        for wrong in [json!(1.5), json!(1e300), json!(-1.0)] {
            assert!(row(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(row(json!(1.5)).unwrap_err().contains("1.5"));
    }
}
