//! How are the tool calls of one turn made? Side by side, up to a limit; each with its own time, its own retries and its own end.

use std::future::ready;
use std::iter;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tracing::Instrument;

use super::guard::Guards;
use super::places::{Order, Places, Taken, TurnPlaces};
use super::stream::AskEvent;
use super::turns::Outcome;
use super::using::answered;
use super::waits::{Pending, Stage};
use crate::chat::{ToolCall, ToolSpec};
use crate::error::{StartError, ToolError};
use crate::event::CancelReason;
use crate::mailbox::{contain, panic_text};
use crate::ports::{Tool, ToolContext, ToolPolicy};
use crate::schema::{Rules, SchemaError, names_are_single, takes_objects};
use crate::scope::Scope;

/// A tool as an agent has it.
pub(super) struct Entry {
    pub(super) spec: Arc<ToolSpec>,
    policy: ToolPolicy,
    tool: Arc<dyn Tool>,
    /// `None` when there is no limit.
    places: Option<Places>,
    /// What its arguments have to be, made when a person is to be asked first. In a box: most tools have none, and there are many agents.
    rules: OnceLock<Box<Result<Rules, SchemaError>>>,
}

/// The tools of an agent.
pub(super) struct Tools {
    at_once: usize,
    entries: Vec<Entry>,
}

/// What the calls of one turn have in common.
#[derive(Clone, Copy)]
struct Calling<'a> {
    ask: &'a ToolContext,
    guards: &'a Guards,
    pending: &'a Pending,
    places: &'a TurnPlaces,
    events: Option<&'a mpsc::Sender<AskEvent>>,
}

/// Arguments of no call are longer, in bytes.
const MAX_ARGUMENTS: usize = 1 << 20;

impl Tools {
    /// Asks each tool what it is.
    pub(super) fn new(at_once: usize, tools: &[Arc<dyn Tool>]) -> Result<Self, StartError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(tools.len());
        for tool in tools {
            let entry = Entry::of(tool)?;
            if entries.iter().any(|other| other.spec.name == entry.spec.name) {
                return Err(StartError::Invalid(format!("two tools of an agent are called {}", entry.spec.name)));
            }
            entries.push(entry);
        }
        Ok(Self { at_once, entries })
    }

    pub(super) fn specs(&self) -> Vec<Arc<ToolSpec>> {
        self.entries.iter().map(|entry| entry.spec.clone()).collect()
    }

    /// Makes the calls of one turn, each with its place in it. `pending` has what becomes of them, and what an end says is told as soon as
    /// it is there. Dropping the future ends those that are not over.
    pub(super) async fn make(
        &self,
        calls: Vec<(usize, ToolCall)>,
        ask: &ToolContext,
        guards: &Guards,
        pending: &Pending,
        order: &Order,
        events: Option<&mpsc::Sender<AskEvent>>,
    ) {
        let is_ordered = self.entries.iter().any(|entry| entry.policy.sequential);
        let places = TurnPlaces::new(self.at_once, is_ordered.then_some(order));
        let calling = Calling { ask, guards, pending, places: &places, events };
        let mut left = calls.into_iter().peekable();
        while let Some(first) = left.next() {
            let mut beside = Vec::new();
            if !self.is_sequential(&first.1) {
                while let Some(next) = left.next_if(|(_, next)| !self.is_sequential(next)) {
                    beside.push(next);
                }
            }
            match beside.is_empty() {
                true => self.make_one(first, calling).await,
                false => Box::pin(self.make_beside(first, beside, calling)).await,
            }
            // Nothing more is begun when the time of the ask is over.
            if Instant::now() >= ask.deadline {
                return;
            }
        }
    }

    fn is_sequential(&self, call: &ToolCall) -> bool {
        self.find(&call.name).is_some_and(|entry| entry.policy.sequential)
    }

    async fn make_beside(&self, first: (usize, ToolCall), others: Vec<(usize, ToolCall)>, calling: Calling<'_>) {
        // In the order in which they end: kept in that of the calls, those that are over would take the room of others behind a slow one.
        let calls = iter::once(first).chain(others).map(|call| self.make_one(call, calling));
        stream::iter(calls).buffer_unordered(self.at_once).for_each(ready).await;
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.spec.name == name)
    }

    /// Every error becomes words for the model.
    async fn make_one(&self, (number, call): (usize, ToolCall), calling: Calling<'_>) {
        let Calling { ask, guards, pending, places, events } = calling;
        if Instant::now() >= ask.deadline {
            return;
        }
        let ToolCall { id, name, arguments } = call;
        pending.begins(number, &name);
        let made = match self.ready(&name, &arguments) {
            Err(error) => Err(error),
            Ok((entry, arguments)) => {
                let span = tracing::info_span!("execute_tool", tool = %name);
                let needs = entry.policy.needs_approval;
                let at = |stage| pending.at(number, stage);
                let made = match guards.allow(&ask.agent, &name, &arguments, needs, at).await {
                    Ok(()) => {
                        at(Stage::Tool);
                        entry.call(arguments, &id, ask, places).instrument(span).await
                    }
                    Err(refused) => Err(refused),
                };
                // What ends with the time of the ask, because a tool knows that time, is what it waited for.
                if Instant::now() >= ask.deadline {
                    return;
                }
                made
            }
        };
        let text = made.unwrap_or_else(|error| {
            tracing::debug!(tool = %name, code = error.code(), "a tool call failed");
            words(&error)
        });
        let most = self.find(&name).map_or(ToolPolicy::default().max_output, |entry| entry.policy.max_output);
        let outcome = Outcome { id, text: cut(text, most), to_others: None };
        let told = events.map(|events| (events, answered(&outcome)));
        pending.over(number, outcome);
        if let Some((events, answered)) = told {
            // In a box: few asks have a reader, and all would hold the room. One who does not read now learns it at the end.
            let _late = Box::pin(tokio::time::timeout_at(ask.deadline, events.send(answered))).await;
        }
    }

    /// The tool, and its arguments as far as they can be seen to be right.
    fn ready(&self, name: &str, arguments: &str) -> Result<(&Entry, Value), ToolError> {
        let entry = self.find(name).ok_or_else(|| self.unknown(name))?;
        let arguments = read(arguments)?;
        entry.worth_a_person(&arguments)?;
        Ok((entry, arguments))
    }

    fn unknown(&self, name: &str) -> ToolError {
        let known: Vec<_> = self.entries.iter().map(|entry| entry.spec.name.as_str()).collect();
        ToolError::Failed(match known.is_empty() {
            true => format!("there is no tool `{name}`, and no other one: answer without tools"),
            false => format!("there is no tool `{name}`; there are: {}", known.join(", ")),
        })
    }
}

/// What two calls have in common that are the same to their tool: the value, whatever the order of its names and the spaces; of what is no
/// value, the text.
pub(super) fn sameness(arguments: &str) -> String {
    read(arguments).map_or_else(
        |_none| arguments.to_owned(),
        |mut value| {
            value.sort_all_objects();
            value.to_string()
        },
    )
}

/// What the model wrote as arguments. Nothing at all is an empty object.
fn read(arguments: &str) -> Result<Value, ToolError> {
    if arguments.len() > MAX_ARGUMENTS {
        return Err(ToolError::Arguments(format!("they are longer than {} KiB", MAX_ARGUMENTS >> 10)));
    }
    if arguments.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_str(arguments) {
        Ok(object @ Value::Object(_)) => names_are_single(arguments).map(|()| object).map_err(ToolError::Arguments),
        Ok(_) => Err(ToolError::Arguments("they must be one JSON object, as the schema says".to_owned())),
        Err(error) => Err(ToolError::Arguments(format!("they are no JSON ({error}); write one JSON object"))),
    }
}

impl Entry {
    fn of(tool: &Arc<dyn Tool>) -> Result<Self, StartError> {
        let (spec, policy) = (tool.spec(), tool.policy());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name = &spec.name;
        let broken = if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
            format!("a tool is called `{name}`; its name must be 1 to 64 letters, digits, `_` and `-`")
        } else if policy.timeout.is_zero() {
            format!("the tool {name} has a timeout of 0; it must be above zero")
        } else if policy.attempts == 0 {
            format!("the tool {name} has 0 attempts; it must be at least 1")
        } else if policy.at_once.is_some_and(|calls| calls == 0 || calls > Semaphore::MAX_PERMITS) {
            format!("the tool {name} has at_once 0 or too many; it must be at least 1")
        } else if policy.max_output < 64 {
            format!("the tool {name} has a max_output of {}; it must be at least 64 bytes", policy.max_output)
        } else if !takes_objects(&spec.parameters) {
            format!(
                "the arguments of the tool {name} are no JSON object, so that no call would satisfy its schema; make them a type with fields, or a field of one"
            )
        } else {
            let places = policy.at_once.map(Places::new);
            return Ok(Self { spec, policy, tool: tool.clone(), places, rules: OnceLock::new() });
        };
        Err(StartError::Invalid(broken))
    }

    /// A person is not asked about a call that cannot be made: its arguments are checked before. Those of other calls the tool checks itself.
    fn worth_a_person(&self, arguments: &Value) -> Result<(), ToolError> {
        if !self.policy.needs_approval {
            return Ok(());
        }
        let rules = self.rules.get_or_init(|| Box::new(Rules::of(&self.spec.parameters)));
        let rules = (**rules).as_ref().map_err(|wrong| ToolError::Schema(wrong.problem().to_owned()))?;
        rules.check(arguments).map_err(ToolError::Arguments)
    }

    /// One call with its retries. Each attempt takes its places anew: the work of the one before may have kept its own.
    async fn call(
        &self,
        arguments: Value,
        id: &str,
        ask: &ToolContext,
        places: &TurnPlaces,
    ) -> Result<String, ToolError> {
        let call: Arc<str> = id.into();
        let take = || places.take(&self.spec, &self.policy, self.places.as_ref(), ask.deadline);
        let (mut attempt, mut last) = (1, None);
        // Where there is no place for another attempt, what became of the one before is told: it was called.
        let busy = |last: Option<ToolError>, busy| last.unwrap_or(busy);
        while attempt < self.policy.attempts {
            let taken = take().await.map_err(|none| busy(last.take(), none))?;
            match self.attempt(arguments.clone(), self.context(ask, &call, attempt, &taken), taken).await {
                // One that ends with the time of the ask is not made again.
                Err(error) if error.is_retryable() && Instant::now() < ask.deadline => {
                    (attempt, last) = (attempt + 1, Some(error));
                }
                made => return made,
            }
        }
        let taken = take().await.map_err(|none| busy(last, none))?;
        // The last attempt takes the arguments, and no copy of them.
        self.attempt(arguments, self.context(ask, &call, attempt, &taken), taken).await
    }

    fn context(&self, ask: &ToolContext, call: &Arc<str>, attempt: u32, taken: &Taken) -> ToolContext {
        let deadline = taken.until;
        let scope = ask.scope.child_until(Some(deadline));
        ToolContext { call: call.clone(), attempt, deadline, scope, place: taken.place(), ..ask.clone() }
    }

    /// One attempt: until its end, its panic or its time-out. It begins outside the `async` block, which has no room for what it hands on.
    fn attempt(
        &self,
        arguments: Value,
        context: ToolContext,
        taken: Taken,
    ) -> impl Future<Output = Result<String, ToolError>> + Send {
        let (deadline, until_here) = (context.deadline, Ends(context.scope.clone()));
        let panicked = |panic: String| ToolError::Failed(format!("the tool panicked: {panic}"));
        let made = contain(|| self.tool.call(arguments, context));
        async move {
            let made = AssertUnwindSafe(made.map_err(panicked)?).catch_unwind();
            let made = tokio::time::timeout_at(deadline, made).await;
            drop(until_here);
            match made {
                Ok(Ok(output)) => output,
                Ok(Err(panic)) => Err(panicked(panic_text(panic))),
                Err(_late) => {
                    let goes_on = if taken.is_held() { ", and it still runs" } else { "" };
                    Err(ToolError::Unavailable(format!("it took longer than {:?}{goes_on}", self.policy.timeout)))
                }
            }
        }
    }
}

/// Tells a tool that cannot be dropped that nobody waits for it any more.
struct Ends(Scope);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.cancel(CancelReason::Parent);
    }
}

/// What the model is told of an error.
fn words(error: &ToolError) -> String {
    format!("error: {error}")
}

/// What the model is told of a call that no tool of its own carries out.
pub(super) fn refused(error: &ToolError) -> String {
    cut(words(error), ToolPolicy::default().max_output)
}

/// As much as the model is shown of what a tool says, or of an error: also those have words of others in them.
fn cut(mut output: String, most: usize) -> String {
    if output.len() <= most {
        return output;
    }
    let whole = output.len();
    output.truncate(output.floor_char_boundary(most));
    output.shrink_to_fit();
    output.push_str(&format!("\n[cut here: the whole output has {whole} bytes]"));
    output
}
