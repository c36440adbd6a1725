//! What if an answer has to be a value of a type? The provider is told its JSON schema, and the answer is read and, if it does not fit,
//! asked for again.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::answer::{Answer, ChatAgentError};
use super::question::{AnswerForm, Question};
use super::{Asking, ChatAgent};
use crate::schema::{self, Rules};

/// How often an answer that does not fit is asked for again.
const REPAIRS: u32 = 2;

/// An answer of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed<T> {
    /// The value.
    pub value: T,
    /// The answer that it was read from, with what it took.
    pub answer: Answer,
}

impl<T> std::ops::Deref for Typed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl ChatAgent {
    /// Asks for a value: the answer must satisfy the JSON schema of `T`, ranges, patterns and lengths included. One that does not is asked
    /// for again, twice at most, in words that say what is wrong. Otherwise as [`ChatAgent::ask`].
    ///
    /// # Errors
    /// [`ChatAgentError::Unfit`] when no answer fits; [`ChatAgentError::Question`], before anything is asked, when the schema of `T` is none:
    /// a `pattern` that is no regular expression. Otherwise as [`ChatAgent::ask`].
    pub fn ask_as<T: DeserializeOwned + JsonSchema>(&self, question: impl Into<Question>) -> AskingAs<T> {
        let asking = match form_of::<T>() {
            Ok(form) => self.ask(question.into().form(form)),
            Err(refused) => Asking::refused(refused),
        };
        AskingAs { asking, of: PhantomData }
    }
}

/// What an answer has to be. The schema is made ready here, on the asker's thread, and not where asks are carried out: each reply is checked
/// against it.
fn form_of<T: DeserializeOwned + JsonSchema>() -> Result<AnswerForm, ChatAgentError> {
    let (name, schema) = (name_of::<T>(), schema::of::<T>());
    let rules = Rules::of(&schema).map_err(|wrong| ChatAgentError::Question {
        problem: format!("the JSON schema of its answer, {name}, is none: {wrong}"),
        hint: "mend the type's `schemars` attributes; nothing was asked",
    })?;
    let check = move |text: &str| {
        rules.check(&read(text)?)?;
        // Not everything that a type refuses is in its schema.
        read::<T>(text).map(drop)
    };
    Ok(AnswerForm { name, schema, check: Arc::new(check), repairs: REPAIRS })
}

/// The value, when it comes. Dropping it ends the ask.
#[must_use = "the answer is in the future: await it"]
pub struct AskingAs<T> {
    asking: Asking,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Future for AskingAs<T> {
    type Output = Result<Typed<T>, ChatAgentError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.asking).poll(cx))?;
        Poll::Ready(match read(&answer.text) {
            Ok(value) => Ok(Typed { value, answer }),
            Err(problem) => Err(ChatAgentError::Unfit { problem, partial: Box::new(answer) }),
        })
    }
}

/// The value in a text. Models without schemas like to put JSON between fences.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let bare =
        text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|rest| rest.strip_suffix("```"));
    serde_json::from_str(bare.unwrap_or(text)).map_err(|error| error.to_string())
}

/// Of the signs that providers take.
fn name_of<T: JsonSchema>() -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    T::schema_name().chars().map(fits).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_with_and_without_fences() {
        for text in ["[1]", " [1]\n", "```json\n[1]\n```", "```\n[1]```"] {
            assert_eq!(read::<Vec<u8>>(text), Ok(vec![1]), "{text}");
        }
        assert!(read::<Vec<u8>>("It is [1].").is_err());
        assert_eq!(name_of::<Vec<Option<u8>>>(), "Array_of_Nullable_uint8");
    }
}
