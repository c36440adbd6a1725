//! What if a tool has state, or its schema is known only at run time? It is a value: a closure that holds what it needs, with the schema that
//! its arguments are checked against.

use std::sync::Arc;

use callboard_actors::chat::ToolSpec;
use callboard_actors::error::{StartError, ToolError};
use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
use callboard_actors::schema::{self, Rules};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolOutput;

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
            .map_err(|error| StartError::Invalid(format!("the schema of the tool {name}: {}", error.problem())))?;
        let spec = Arc::new(ToolSpec { name, description: description.into(), parameters: schema.into() });
        let does = Box::new(move |arguments, context| does(arguments, context).boxed());
        Ok(Self { spec, policy: ToolPolicy::default(), arguments, does })
    }

    /// A tool whose arguments are a type of yours, and whose function holds what it needs beside them: the handle of a database, a client, a
    /// counter. It is called for several agents and calls at a time; what it holds is shared as any closure shares it.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    ///
    /// use callboard::prelude::*;
    /// use callboard::tools::DynamicTool;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Order {
    ///     #[schemars(range(min = 1, max = 9))]
    ///     pieces: u32,
    /// }
    ///
    /// let stock = Arc::new(AtomicU32::new(10));
    /// let held = stock.clone();
    /// let order = DynamicTool::typed("order", "Orders so many pieces.", move |Order { pieces }, _context: ToolContext| {
    ///     let stock = held.clone();
    ///     async move { Ok::<_, ToolError>(stock.fetch_sub(pieces, Ordering::Relaxed) - pieces) }
    /// })?;
    /// # assert_eq!(order.spec().parameters["properties"]["pieces"]["maximum"], 9);
    /// # drop(stock);
    /// # Ok::<(), StartError>(())
    /// ```
    ///
    /// # Errors
    /// [`StartError::Invalid`] says what is wrong with the schema of `A`.
    pub fn typed<A, F, O>(
        name: impl Into<String>,
        description: impl Into<String>,
        does: impl Fn(A, ToolContext) -> F + Send + Sync + 'static,
    ) -> Result<Self, StartError>
    where
        A: DeserializeOwned + JsonSchema,
        F: Future<Output = O> + Send + 'static,
        O: ToolOutput,
    {
        Self::new(name, description, schema::of::<A>(), move |arguments, context| {
            // Not everything that a type refuses is in its schema.
            let read = schema::read(arguments).map_err(ToolError::Arguments);
            let doing = read.map(|arguments| does(arguments, context));
            async move { doing?.await.into_output() }
        })
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
