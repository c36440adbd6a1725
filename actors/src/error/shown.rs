//! What does a person see of an error that ends his program? `Debug` of every public error: a `main` that returns one prints that.

use std::error::Error;
use std::fmt;

/// Writes what is wrong, with all its causes, and what to do about it.
#[doc(hidden)]
pub fn show(error: &dyn Error, hint: impl AsRef<str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}\n  hint: {}", chain(error), hint.as_ref())
}

/// What is wrong, with all its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// `Debug` of an error that has a `hint()`, for people.
#[doc(hidden)]
#[macro_export]
macro_rules! shown_to_people {
    ($error:ty) => {
        impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::error::show(self, self.hint(), f)
            }
        }
    };
}
