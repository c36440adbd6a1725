//! What if an answer has to be a value of a type? The provider is told its JSON schema, and the answer is read and, if it does not fit,
//! asked for again.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::answer::{Answer, ChatAgentError};
use super::form;
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
    /// for again, twice at most, in words that say what is wrong. A `T` that is no object, such as a number, a list or an enum, is asked for
    /// as the field `answer` of one, because providers take nothing else; the text of the answer has it, and a reply without it is taken,
    /// too. Otherwise as [`ChatAgent::ask`].
    ///
    /// # Errors
    /// [`ChatAgentError::Unfit`] when no answer fits; [`ChatAgentError::Question`], before anything is asked, when the schema of `T` is none:
    /// a `pattern` that is no regular expression. Otherwise as [`ChatAgent::ask`].
    pub fn ask_as<T: DeserializeOwned + JsonSchema>(&self, question: impl Into<Question>) -> AskingAs<T> {
        match form_of::<T>() {
            Ok((form, is_in_field)) => {
                AskingAs { asking: self.ask(question.into().form(form)), is_in_field, of: PhantomData }
            }
            Err(refused) => AskingAs { asking: Asking::refused(refused), is_in_field: false, of: PhantomData },
        }
    }
}

/// What an answer has to be, and whether it is asked for as a field of an object. The schema is made ready here, on the asker's thread, and
/// not where asks are carried out: each reply is checked against it.
fn form_of<T: DeserializeOwned + JsonSchema>() -> Result<(AnswerForm, bool), ChatAgentError> {
    let (name, (schema, is_in_field)) = (name_of::<T>(), form::asked_for(schema::of::<T>()));
    let rules = Rules::of(&schema).map_err(|wrong| ChatAgentError::Question {
        problem: format!("the JSON schema of its answer, {name}, is none: {}", wrong.problem()),
        hint: "mend the type's `schemars` attributes; nothing was asked",
    })?;
    let check = move |text: &str| {
        rules.check(&form::as_asked_for(text, is_in_field)?)?;
        // Not everything that a type refuses is in its schema.
        form::read::<T>(text, is_in_field).map(drop)
    };
    Ok((AnswerForm { name, schema, check: Arc::new(check), repairs: REPAIRS }, is_in_field))
}

/// The value, when it comes. Dropping it ends the ask.
#[must_use = "the answer is in the future: await it"]
pub struct AskingAs<T> {
    asking: Asking,
    is_in_field: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Future for AskingAs<T> {
    type Output = Result<Typed<T>, ChatAgentError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.asking).poll(cx))?;
        Poll::Ready(match form::read(&answer.text, self.is_in_field) {
            Ok(value) => Ok(Typed { value, answer }),
            Err(problem) => Err(ChatAgentError::Unfit { problem, partial: Box::new(answer) }),
        })
    }
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
    fn the_name_of_a_type_is_one_that_providers_take() {
        assert_eq!(name_of::<Vec<Option<u8>>>(), "Array_of_Nullable_uint8");
    }
}
