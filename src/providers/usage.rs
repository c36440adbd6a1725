//! How are the counts of tokens in a reply read? So that no oddity of them costs the reply: what cannot be read is unknown.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The counts of a reply, if there are any; nothing of what is none.
pub(super) fn counts<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(json: D) -> Result<Option<T>, D::Error> {
    let json = Option::<&RawValue>::deserialize(json)?;
    Ok(json.map(|json| serde_json::from_str(json.get()).unwrap_or_default()))
}

/// A count, `7.0` as well as `7`.
pub(super) fn count<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    /// Beyond, not every whole number has a form of its own.
    const MOST: f64 = 9_007_199_254_740_992.0;
    Ok(match Value::deserialize(json)? {
        Value::Number(number) => number.as_u64().or_else(|| {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=MOST).contains(number));
            whole.map(|number| number as u64)
        }),
        _ => None,
    })
}

/// A count that is told in several events: an event that does not tell it is another thing than one that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Count {
    #[default]
    Untold,
    Known(u64),
    Unreadable,
}

impl Count {
    pub(super) fn known(self) -> Option<u64> {
        match self {
            Self::Known(count) => Some(count),
            Self::Untold | Self::Unreadable => None,
        }
    }

    /// This one, or the one before if nothing is told.
    pub(super) fn or(self, before: Self) -> Self {
        if self == Self::Untold { before } else { self }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => Self::Known(one.saturating_add(other)),
            (Self::Unreadable, _) | (_, Self::Unreadable) => Self::Unreadable,
            (count, Self::Untold) | (Self::Untold, count) => count,
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        Ok(match Option::<&RawValue>::deserialize(json)? {
            None => Self::Untold,
            Some(json) => count(json).ok().flatten().map_or(Self::Unreadable, Self::Known),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Usage {
        #[serde(deserialize_with = "count")]
        input: Option<u64>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Reply {
        #[serde(default, deserialize_with = "counts")]
        usage: Option<Usage>,
    }

    #[test]
    fn what_is_no_count_is_unknown() {
        let table = [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("0", Some(0)),
            ("7.5", None),
            ("-7", None),
            ("-7.0", None),
            ("1e300", None),
            ("\"7\"", None),
            ("null", None),
            ("[7]", None),
            ("{\"of\": 7}", None),
        ];
        for (said, count) in table {
            let reply: Reply = serde_json::from_str(&format!("{{\"usage\": {{\"input\": {said}}}}}")).unwrap();
            assert_eq!(reply.usage.unwrap().input, count, "{said}");
        }
        for usage in ["7", "\"none\"", "[]", "{}"] {
            let reply: Reply = serde_json::from_str(&format!("{{\"usage\": {usage}}}")).unwrap();
            assert_eq!(reply.usage, Some(Usage::default()), "{usage}");
        }
        for json in ["{}", "{\"usage\": null}"] {
            assert_eq!(serde_json::from_str::<Reply>(json).unwrap().usage, None, "{json}");
        }
    }
}
