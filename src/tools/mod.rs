//! How does a program give its agents tools? By [`tool`](macro@crate::tool) on a function; by [`DynamicTool`] when the schema is known
//! only at run time; or by the port [`Tool`] itself. [`ActixTool`] is an actor of actix's.

mod actix_tool;
mod approval;
mod dynamic;
mod output;

pub use actix_tool::ActixTool;
pub use approval::TerminalApprover;
pub use callboard_actors::error::ToolError;
pub use callboard_actors::ports::{Approval, Approver, Decision, Guarded, Guardrail, Verdict};
pub use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
pub use dynamic::DynamicTool;
pub use output::ToolOutput;

/// What the code needs that [`tool`](macro@crate::tool) writes. Not for people.
#[doc(hidden)]
pub mod port {
    use callboard_actors::runtime::WorkBeside;
    use callboard_actors::schema;
    use serde::de::DeserializeOwned;

    pub use callboard_actors::chat::ToolSpec;
    pub use callboard_actors::error::ToolError;
    pub use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
    pub use futures_util::future::BoxFuture;
    pub use serde_json::Value;
    pub use {schemars, serde};

    use super::ToolOutput;

    /// What the model is told of a tool with these arguments.
    pub fn spec_of<A: schemars::JsonSchema>(name: &str, description: &str) -> ToolSpec {
        ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters: schema::of::<A>() }
    }

    /// Reads the arguments of a call.
    pub fn arguments<A: DeserializeOwned>(arguments: Value) -> Result<A, ToolError> {
        serde_json::from_value(arguments).map_err(|error| ToolError::Arguments(error.to_string()))
    }

    /// What the model is told of a result.
    pub fn output<O: ToolOutput>(output: O) -> Result<String, ToolError> {
        output.into_output()
    }

    /// Runs what may block where it blocks nobody.
    pub async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let beside = WorkBeside::begin();
        let marked = move || {
            let _until_it_is_over = beside;
            work()
        };
        match tokio::task::spawn_blocking(marked).await {
            Ok(done) => done,
            Err(fault) => match fault.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_ended) => Err(ToolError::Unavailable("the program is ending".to_owned())),
            },
        }
    }
}
