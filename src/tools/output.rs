//! What may a tool give back? Text, numbers, JSON, nothing, or a `Result` of these.

use callboard_actors::error::ToolError;
use serde_json::Value;

/// What a tool may give back.
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

plain!(bool, i32, i64, u32, u64, usize, f32, f64);

impl<T: ToolOutput> ToolOutput for Option<T> {
    fn into_output(self) -> Result<String, ToolError> {
        self.map_or_else(|| Ok("nothing".to_owned()), ToolOutput::into_output)
    }
}

impl<T: ToolOutput, E: Into<ToolError>> ToolOutput for Result<T, E> {
    fn into_output(self) -> Result<String, ToolError> {
        self.map_err(Into::into)?.into_output()
    }
}
