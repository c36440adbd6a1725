//! What may a tool give back? Text, numbers, JSON, nothing, or an `Option` or a `Result` of these.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Display;

use callboard_actors::error::ToolError;
use serde_json::Value;

/// What a tool may give back. A type of yours that is `serde::Serialize` goes through JSON:
///
/// ```
/// use callboard::tool;
///
/// #[derive(serde::Serialize)]
/// struct Weather {
///     degrees: i32,
/// }
///
/// /// Current weather in a city.
/// #[tool]
/// async fn weather(city: String) -> Result<serde_json::Value, serde_json::Error> {
///     serde_json::to_value(Weather { degrees: city.len() as i32 })
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a tool gives back",
    label = "the model is told it as text",
    note = "return text, a number, JSON, nothing, an `Option` of these, or a `Result` of these with an error that has `Display`",
    note = "what is `serde::Serialize` becomes JSON: return `Result<serde_json::Value, serde_json::Error>` by `serde_json::to_value(..)`"
)]
pub trait ToolOutput {
    /// In words for the model.
    ///
    /// # Errors
    /// [`ToolError`] when the tool did not work.
    fn into_output(self) -> Result<String, ToolError>;
}

impl ToolOutput for String {
    fn into_output(self) -> Result<String, ToolError> {
        Ok(self)
    }
}

impl ToolOutput for &str {
    fn into_output(self) -> Result<String, ToolError> {
        Ok(self.to_owned())
    }
}

/// JSON.
impl ToolOutput for Value {
    fn into_output(self) -> Result<String, ToolError> {
        Ok(self.to_string())
    }
}

/// It was done.
impl ToolOutput for () {
    fn into_output(self) -> Result<String, ToolError> {
        Ok("done".to_owned())
    }
}

macro_rules! plain {
    ($($type:ty),*) => {
        $(impl ToolOutput for $type {
            fn into_output(self) -> Result<String, ToolError> {
                Ok(self.to_string())
            }
        })*
    };
}

plain!(bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, Cow<'_, str>);

impl<T: ToolOutput> ToolOutput for Option<T> {
    fn into_output(self) -> Result<String, ToolError> {
        self.map_or_else(|| Ok("nothing".to_owned()), ToolOutput::into_output)
    }
}

/// An error of any type that can be shown: the model is told its text (`{:#}`), of a [`crate::Error`], one in a box
/// (`Box<dyn Error + Send + Sync>`) and one of `anyhow` with what caused it. A [`ToolError`] stays what it is, also in such a box and as
/// [`Error::Tool`](crate::Error::Tool).
impl<T: ToolOutput, E: Display + 'static> ToolOutput for Result<T, E> {
    fn into_output(self) -> Result<String, ToolError> {
        self.map_err(of)?.into_output()
    }
}

fn of<E: Display + 'static>(error: E) -> ToolError {
    // The form in which `anyhow` tells what caused it.
    let text = format!("{error:#}");
    let error: Box<dyn Any> = Box::new(error);
    // What `?` made of one may still be one.
    let error = match error.downcast::<ToolError>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let error = match error.downcast::<crate::Error>() {
        Ok(error) => return of_ours(*error),
        Err(error) => error,
    };
    match error.downcast::<Box<dyn std::error::Error + Send + Sync>>() {
        Ok(error) => match error.downcast::<crate::Error>() {
            Ok(error) => of_ours(*error),
            Err(error) => error.into(),
        },
        Err(_other) => ToolError::Failed(text),
    }
}

fn of_ours(error: crate::Error) -> ToolError {
    match error {
        crate::Error::Tool(error) => error,
        error => (Box::new(error) as Box<dyn std::error::Error + Send + Sync>).into(),
    }
}
