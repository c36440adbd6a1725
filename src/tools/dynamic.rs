//! What if a tool's schema is known only at run time? It is a value, and the arguments are checked against it.

use std::sync::Arc;

use callboard_actors::chat::ToolSpec;
use callboard_actors::error::{StartError, ToolError};
use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
use callboard_actors::schema::Rules;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

type Does = dyn Fn(Value, ToolContext) -> BoxFuture<'static, Result<String, ToolError>> + Send + Sync;

/// A tool made of values: a name, a description, a JSON schema and a function.
pub struct DynamicTool {
    spec: Arc<ToolSpec>,
    policy: ToolPolicy,
    arguments: Rules,
    does: Box<Does>,
}

impl std::fmt::Debug for DynamicTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DynamicTool({})", self.spec.name)
    }
}

impl DynamicTool {
    /// A tool whose arguments are checked against `schema` before each call. A schema that refers to another address is refused:
    /// nothing is fetched.
    ///
    /// # Errors
    /// [`StartError::Invalid`] says what is wrong with the schema.
    pub fn new<F>(
        name: impl Into<String>,
        description: impl Into<String>,
        schema: Value,
        does: impl Fn(Value, ToolContext) -> F + Send + Sync + 'static,
    ) -> Result<Self, StartError>
    where
        F: Future<Output = Result<String, ToolError>> + Send + 'static,
    {
        let name = name.into();
        let arguments = Rules::of(&schema)
            .map_err(|error| StartError::Invalid(format!("the schema of the tool {name}: {error}")))?;
        let spec = Arc::new(ToolSpec { name, description: description.into(), parameters: schema });
        let does = Box::new(move |arguments, context| does(arguments, context).boxed());
        Ok(Self { spec, policy: ToolPolicy::default(), arguments, does })
    }

    /// How it may be called.
    #[must_use]
    pub fn policy(mut self, policy: ToolPolicy) -> Self {
        self.policy = policy;
        self
    }
}

impl Tool for DynamicTool {
    fn spec(&self) -> Arc<ToolSpec> {
        self.spec.clone()
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        match self.arguments.check(&arguments) {
            Ok(()) => (self.does)(arguments, context),
            Err(wrong) => Box::pin(std::future::ready(Err(ToolError::Arguments(wrong)))),
        }
    }
}
