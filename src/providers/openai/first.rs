//! Which of the choices of a reply is ours? One is asked for; what a server sends beyond it is read and dropped, so that there
//! is never room for more.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// What is one of several.
pub(super) trait Numbered {
    /// `None` of a server that does not number them.
    fn index(&self) -> Option<u64>;
}

/// The first of a list, or nothing of `null` and of an empty one.
pub(super) fn first<'de, D: Deserializer<'de>, T: Deserialize<'de> + Numbered>(json: D) -> Result<Option<T>, D::Error> {
    json.deserialize_any(List(PhantomData))
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Numbered> Visitor<'de> for List<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<T>, A::Error> {
        let mut first = None;
        while let Some(one) = list.next_element::<T>()? {
            if first.is_none() && one.index().unwrap_or(0) == 0 {
                first = Some(one);
            }
        }
        Ok(first)
    }
}
