//! What does a program without an async runtime call? The same names without `async`: each call blocks its thread.
//!
//! ```
//! use callboard::blocking::Runtime;
//!
//! let runtime = Runtime::from_env()?;
//! let agent = runtime.agent("assistant").instructions("Answer briefly.").start()?;
//! println!("{}", agent.ask("Is it raining in Oslo?")?);
//! runtime.stop(std::time::Duration::from_secs(5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! On a thread that others wait for (one with a tokio runtime on it, or a shard) nothing is sent, and the error is
//! [`AskError::InsideAsync`]; nothing panics. A future of something else, such as a call of the gateway, is waited for by
//! [`wait`](runtime::wait): `wait(|| gateway.call("openai/NAME", request).send())`.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat_agent::{self, AgentBudget, Answer, AskEvent, AskProgress, ChatAgentError, Question, Typed};
use callboard_actors::error::{AskError, StartError};
use callboard_actors::gateway::{Budget, Gateway};
use callboard_actors::ports::{Approver, ChatModel, Guardrail, SessionStore, Tool};
use callboard_actors::runtime::{self, RuntimeConfig, StopReport};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::AskLimits;
use crate::choice::ModelChoice;
use crate::config::Config;
use crate::error::Result;

/// [`callboard::Runtime`](crate::Runtime) for programs without an async runtime.
#[derive(Debug)]
pub struct Runtime(crate::Runtime);

impl Deref for Runtime {
    type Target = runtime::Runtime;

    fn deref(&self) -> &runtime::Runtime {
        &self.0
    }
}

impl Runtime {
    /// See [`Runtime::from_env`](crate::Runtime::from_env).
    ///
    /// # Errors
    /// [`Error`](crate::Error) for a configuration that cannot be used.
    pub fn from_env() -> Result<Self> {
        crate::Runtime::from_env().map(Self)
    }

    /// See [`Runtime::of`](crate::Runtime::of).
    ///
    /// # Errors
    /// [`Error`](crate::Error) for a configuration that cannot be used.
    pub fn of(config: &Config) -> Result<Self> {
        crate::Runtime::of(config).map(Self)
    }

    /// See [`Runtime::with`](crate::Runtime::with).
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) when a limit breaks a rule, or the system gives no thread.
    pub fn with(choice: ModelChoice) -> Result<Self> {
        crate::Runtime::with(choice).map(Self)
    }

    /// See [`Runtime::with_model`](crate::Runtime::with_model).
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) when the system gives no thread.
    pub fn with_model(name: impl Into<String>, model: impl ChatModel) -> Result<Self> {
        crate::Runtime::with_model(name, model).map(Self)
    }

    /// See [`Runtime::start`](crate::Runtime::start).
    ///
    /// # Errors
    /// [`StartError`] for an invalid configuration, or when the system gives no thread.
    pub fn start(config: RuntimeConfig) -> Result<Self, StartError> {
        crate::Runtime::start(config).map(Self)
    }

    /// Describes an agent; see [`Runtime::agent`](crate::Runtime::agent).
    pub fn agent(&self, name: impl Into<Arc<str>>) -> ChatAgentSpec {
        ChatAgentSpec(self.0.agent(name))
    }

    /// What its agents have spent together, and may; see [`Runtime::budget`](crate::Runtime::budget).
    pub fn budget(&self) -> &Budget {
        self.0.budget()
    }

    /// The gateway to its model. Its calls are futures: wait for them with [`wait`](runtime::wait).
    ///
    /// # Errors
    /// [`StartError`] when it could not be started.
    pub fn gateway(&self) -> Result<&Gateway, StartError> {
        self.0.gateway()
    }

    /// Stops in order, within this time and two seconds more.
    pub fn stop(self, within: Duration) -> StopReport {
        self.0.stop_blocking(within)
    }
}

/// [`ChatAgentSpec`](chat_agent::ChatAgentSpec) for programs without an async runtime.
#[derive(Debug, Clone)]
#[must_use = "it is started by `start`"]
pub struct ChatAgentSpec(chat_agent::ChatAgentSpec);

impl ChatAgentSpec {
    /// An agent with a gateway of your own; see [`ChatAgentSpec::new`](chat_agent::ChatAgentSpec::new).
    pub fn new(name: impl Into<Arc<str>>, gateway: &Gateway, model: impl Into<String>) -> Self {
        Self(chat_agent::ChatAgentSpec::new(name, gateway, model))
    }

    /// The same where the gateway may have failed to start.
    pub fn of(name: impl Into<Arc<str>>, gateway: Result<Gateway, StartError>, model: impl Into<String>) -> Self {
        Self(chat_agent::ChatAgentSpec::of(name, gateway, model))
    }

    /// Who it is and how it answers.
    pub fn instructions(self, instructions: impl Into<String>) -> Self {
        Self(self.0.instructions(instructions))
    }

    /// It may call this tool.
    pub fn tool(self, tool: impl Tool) -> Self {
        Self(self.0.tool(tool))
    }

    /// The same with a tool that others have, too.
    pub fn shared_tool(self, tool: Arc<dyn Tool>) -> Self {
        Self(self.0.shared_tool(tool))
    }

    /// It may hand the conversation over to this agent.
    pub fn handoff(self, to: &ChatAgent, description: impl Into<String>) -> Self {
        Self(self.0.handoff(&to.0, description))
    }

    /// Where its sessions are kept.
    pub fn sessions(self, store: impl SessionStore) -> Self {
        Self(self.0.sessions(store))
    }

    /// The same with a store that others have, too.
    pub fn shared_sessions(self, store: Arc<dyn SessionStore>) -> Self {
        Self(self.0.shared_sessions(store))
    }

    /// As [`callboard_actors::chat_agent::ChatAgentSpec::output_tokens`].
    pub fn output_tokens(self, tokens: u32) -> Self {
        Self(self.0.output_tokens(tokens))
    }

    /// How much chance there is in what it says: 0 to 2.
    pub fn temperature(self, temperature: f32) -> Self {
        Self(self.0.temperature(temperature))
    }

    /// What of a session does not fit is summarised.
    pub fn summarise(self) -> Self {
        Self(self.0.summarise())
    }

    /// The same, by a call of this model.
    pub fn summarise_by(self, model: impl Into<String>) -> Self {
        Self(self.0.summarise_by(model))
    }

    /// Looks at each question.
    pub fn guard_input(self, guardrail: impl Guardrail) -> Self {
        Self(self.0.guard_input(guardrail))
    }

    /// Looks at each answer.
    pub fn guard_output(self, guardrail: impl Guardrail) -> Self {
        Self(self.0.guard_output(guardrail))
    }

    /// Looks at each tool call.
    pub fn guard_tools(self, guardrail: impl Guardrail) -> Self {
        Self(self.0.guard_tools(guardrail))
    }

    /// Asks a person about tools that need approval.
    pub fn approver(self, approver: impl Approver) -> Self {
        Self(self.0.approver(approver))
    }

    /// This model is called when those before it cannot answer.
    pub fn fallback(self, model: impl Into<String>) -> Self {
        Self(self.0.fallback(model))
    }

    /// How far one ask may go.
    pub fn limits(self, limits: AskLimits) -> Self {
        Self(self.0.limits(limits))
    }

    /// What its calls use is taken from this: amounts, which are a part of its runtime's budget, or a budget in place of that one; see
    /// [`ChatAgentSpec::budget`](chat_agent::ChatAgentSpec::budget).
    pub fn budget(self, budget: impl Into<AgentBudget>) -> Self {
        Self(self.0.budget(budget))
    }

    /// So many asks wait in its line: at least 1.
    pub fn capacity(self, asks: usize) -> Self {
        Self(self.0.capacity(asks))
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// As [`ChatAgentSpec::start`](chat_agent::ChatAgentSpec::start).
    pub fn start(self) -> Result<ChatAgent, StartError> {
        self.0.start().map(ChatAgent)
    }
}

/// [`ChatAgent`](chat_agent::ChatAgent) for programs without an async runtime.
#[derive(Debug, Clone)]
pub struct ChatAgent(chat_agent::ChatAgent);

impl ChatAgent {
    /// Asks, and waits for the answer as long as the agent's limits say.
    ///
    /// # Errors
    /// As [`ChatAgent::ask`](chat_agent::ChatAgent::ask).
    pub fn ask(&self, question: impl Into<Question>) -> Result<Answer, ChatAgentError> {
        wait(|| self.0.ask(question))?
    }

    /// Asks for a value.
    ///
    /// # Errors
    /// As [`ChatAgent::ask_as`](chat_agent::ChatAgent::ask_as).
    pub fn ask_as<T: DeserializeOwned + JsonSchema>(
        &self,
        question: impl Into<Question>,
    ) -> Result<Typed<T>, ChatAgentError> {
        wait(|| self.0.ask_as(question))?
    }

    /// Asks, and gives the events as they come.
    ///
    /// # Errors
    /// [`AskError::InsideAsync`].
    pub fn ask_stream(&self, question: impl Into<Question>) -> Result<AskStream, ChatAgentError> {
        runtime::may_block()?;
        Ok(AskStream(self.0.ask_stream(question)))
    }

    /// Asks many questions.
    pub fn ask_all<Q: Into<Question>>(&self, questions: impl IntoIterator<Item = Q>) -> AskAll {
        AskAll { asks: self.0.ask_all(questions), refused: None }
    }

    /// This agent as a tool of others.
    pub fn as_tool(&self, description: impl Into<String>) -> chat_agent::AgentTool {
        self.0.as_tool(description)
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Closes its front door: what was asked is still answered, and then it ends.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Ends it.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// The events of an ask; [`AskStream::answer`] is its end.
#[must_use = "read its events, then its answer"]
pub struct AskStream(chat_agent::AskStream);

impl AskStream {
    /// The answer; events that were not read are dropped.
    ///
    /// # Errors
    /// As [`ChatAgent::ask`].
    pub fn answer(self) -> Result<Answer, ChatAgentError> {
        wait(|| self.0.answer())?
    }
}

/// Ends with the ask; also on a thread that must not block.
impl Iterator for AskStream {
    type Item = AskEvent;

    fn next(&mut self) -> Option<AskEvent> {
        wait(|| self.0.next()).ok()?
    }
}

/// Many asks: an iterator of the answers as they come, with the numbers of their questions.
#[must_use = "nothing is asked before `next` or `collect_in_order`"]
pub struct AskAll {
    asks: chat_agent::AskAll,
    /// Those that are refused, on a thread that must not block.
    refused: Option<std::vec::IntoIter<usize>>,
}

impl AskAll {
    /// So many at a time; 0 counts as 1.
    pub fn limit(self, asks: usize) -> Self {
        Self { asks: self.asks.limit(asks), ..self }
    }

    /// Each is asked so often at most when it fails in a way that may pass.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { asks: self.asks.attempts(attempts), ..self }
    }

    /// How far it is.
    pub fn progress(&self) -> AskProgress {
        self.asks.progress()
    }

    /// The numbers of the questions that have no answer yet.
    pub fn left(&self) -> Vec<usize> {
        self.asks.left()
    }

    /// All answers, in the order of their questions.
    ///
    /// # Errors
    /// [`AskError::InsideAsync`].
    pub fn collect_in_order(self) -> Result<Vec<Result<Answer, ChatAgentError>>, ChatAgentError> {
        wait(|| self.asks.collect())
    }
}

/// On a thread that must not block each question is refused, and [`AskAll::left`] has them all.
impl Iterator for AskAll {
    type Item = (usize, Result<Answer, ChatAgentError>);

    fn next(&mut self) -> Option<Self::Item> {
        match wait(|| self.asks.next()) {
            Ok(next) => next,
            Err(inside) => {
                let asks = &self.asks;
                let refused = self.refused.get_or_insert_with(|| asks.left().into_iter());
                refused.next().map(|number| (number, Err(inside)))
            }
        }
    }
}

/// Begins and waits, where that is allowed.
fn wait<F: Future>(begin: impl FnOnce() -> F) -> Result<F::Output, ChatAgentError> {
    runtime::wait(begin).map_err(|error: AskError| ChatAgentError::Agent(error))
}
