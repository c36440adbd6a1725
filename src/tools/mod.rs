//! How does a program give its agents tools? By [`tool`](macro@crate::tool) on a function; by [`DynamicTool`] when the tool has state, or
//! its schema is known only at run time; or by the port [`Tool`] itself. [`ActixTool`] is an actor of actix's.

mod actix_tool;
mod approval;
mod dynamic;
mod output;

pub use actix_tool::ActixTool;
pub use approval::TerminalApprover;
pub use callboard_actors::chat_agent::{Callers, HeldPlace, ToolPlace};
pub use callboard_actors::error::ToolError;
pub use callboard_actors::ports::{Approval, Approver, Decision, Guarded, Guardrail, Verdict};
pub use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
pub use dynamic::DynamicTool;
pub use output::ToolOutput;

/// What the code needs that [`tool`](macro@crate::tool) writes. Not for people.
#[doc(hidden)]
pub mod port {
    use std::sync::OnceLock;

    use callboard_actors::chat_agent::HeldPlace;
    use callboard_actors::runtime::{WorkBeside, on_a_thread_of_its_own};
    use callboard_actors::schema::{self, Rules, SchemaError};
    use serde::de::DeserializeOwned;

    pub use callboard_actors::chat::ToolSpec;
    pub use callboard_actors::error::ToolError;
    pub use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
    pub use futures_util::future::BoxFuture;
    pub use serde_json::Value;
    pub use {schemars, serde};

    pub use super::ToolOutput;

    /// What an argument of a tool can be.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` cannot be an argument of a tool",
        label = "the model writes it as JSON",
        note = "derive `serde::Deserialize` and `schemars::JsonSchema` for it",
        note = "what the model does not give, such as the handle of a database, is held by a closure: `DynamicTool::typed`"
    )]
    pub trait Argument {}

    // So that the words above are said, and not which of the two is missing.
    #[diagnostic::do_not_recommend]
    impl<A: DeserializeOwned + schemars::JsonSchema> Argument for A {}

    /// Compiles for arguments only.
    pub const fn is_an_argument<A: Argument>() {}

    /// What the model is told of a tool with these arguments.
    pub fn spec_of<A: schemars::JsonSchema>(name: &str, description: &str) -> ToolSpec {
        ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters: schema::of::<A>().into() }
    }

    /// The rules of a tool's arguments, made at its first call; or why they cannot be.
    pub type Checked = OnceLock<Result<Rules, SchemaError>>;

    /// Reads the arguments of a call, which must satisfy the schema that the model was told.
    pub fn arguments<A: DeserializeOwned>(
        arguments: Value,
        checked: &Checked,
        spec: &ToolSpec,
    ) -> Result<A, ToolError> {
        match checked.get_or_init(|| rules_of(spec)) {
            Ok(rules) => rules.check(&arguments).map_err(ToolError::Arguments)?,
            Err(wrong) => return Err(ToolError::Schema(wrong.problem().to_owned())),
        }
        // Not everything that a type refuses is in its schema.
        schema::read(arguments).map_err(ToolError::Arguments)
    }

    /// The model can do nothing about a schema that is none; who wrote the tool is told in the log, once.
    fn rules_of(spec: &ToolSpec) -> Result<Rules, SchemaError> {
        Rules::of(&spec.parameters).inspect_err(|wrong| {
            let (wrong, hint) = (wrong.problem(), "mend the `schemars` attributes of its arguments");
            tracing::error!(tool = %spec.name, wrong, hint, "the JSON schema of a tool is none: it cannot be called");
        })
    }

    /// What the model is told of a result.
    pub fn output<O: ToolOutput>(output: O) -> Result<String, ToolError> {
        output.into_output()
    }

    /// Runs what may block where it blocks nobody. It keeps its place until it is over, however long it is waited for.
    pub async fn blocking<T: Send + 'static>(
        place: HeldPlace,
        work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let beside = WorkBeside::begin();
        let marked = move || {
            let _until_it_is_over = (beside, place);
            on_a_thread_of_its_own(work)
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
