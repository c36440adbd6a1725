//! What does it take to start an agent with a model?

use std::sync::Arc;
use std::time::Duration;

use super::ChatAgent;
use super::delegate::Handoff;
use super::expense::{AgentBudget, Expense};
use super::guard::Guards;
use super::host::Host;
use super::limits::AskLimits;
use super::question::Question;
use super::rests::Rests;
use super::summary::LEAST;
use super::tools::Tools;
use crate::chat::{ToolSpec, Turn, is_a_temperature};
use crate::error::StartError;
use crate::gateway::{Budget, Gateway};
use crate::mailbox::is_a_name;
use crate::ports::{Approver, Guardrail, SessionStore, Tool};

/// Asks that wait in an agent's line when nothing else is said.
const CAPACITY: usize = 256;

/// How to start an agent that answers questions with a model and tools.
#[derive(Clone)]
#[must_use = "it is started by `start`"]
pub struct ChatAgentSpec {
    name: Arc<str>,
    /// Or why there is none.
    gateway: Result<Gateway, StartError>,
    model: String,
    fallbacks: Vec<String>,
    instructions: Option<String>,
    temperature: Option<f32>,
    tools: Vec<Arc<dyn Tool>>,
    handoffs: Vec<Arc<Handoff>>,
    sessions: Option<Arc<dyn SessionStore>>,
    summarises: bool,
    summary_model: Option<String>,
    rests: Arc<Rests>,
    guards: Guards,
    limits: AskLimits,
    output_tokens: Option<u32>,
    expense: Expense,
    capacity: usize,
}

impl std::fmt::Debug for ChatAgentSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChatAgentSpec({}, {}, {} tools)", self.name, self.model, self.tools.len())
    }
}

impl ChatAgentSpec {
    /// An agent called `name`, for people and not empty, whose calls of `model` go through `gateway`.
    pub fn new(name: impl Into<Arc<str>>, gateway: &Gateway, model: impl Into<String>) -> Self {
        Self::of(name, Ok(gateway.clone()), model)
    }

    /// The same where the gateway may have failed to start, which is told by [`ChatAgentSpec::start`].
    pub fn of(name: impl Into<Arc<str>>, gateway: Result<Gateway, StartError>, model: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            gateway,
            model: model.into(),
            fallbacks: Vec::new(),
            instructions: None,
            temperature: None,
            tools: Vec::new(),
            handoffs: Vec::new(),
            sessions: None,
            summarises: false,
            summary_model: None,
            rests: Arc::default(),
            guards: Guards::default(),
            limits: AskLimits::default(),
            output_tokens: None,
            expense: Expense::default(),
            capacity: CAPACITY,
        }
    }

    /// Who it is and how it answers. By default nothing is said.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// How much chance there is in what it says: 0 to 2, or less, as the provider says, whose default it is when nothing is said. Not every
    /// model takes one. It is the agent's own: who goes on after a handoff has another. A summary of a session is made without.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// It may call this tool. May be said several times.
    pub fn tool(self, tool: impl Tool) -> Self {
        self.shared_tool(Arc::new(tool))
    }

    /// The same with a tool that others have, too.
    pub fn shared_tool(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.push(tool);
        self
    }

    /// The model may hand the conversation over to this agent, which goes on with it, with its own instructions, tools and model, until
    /// the answer or another handoff. `description` tells the model when to; in place of an empty one it is told the agent's name. The limits are those of the agent that was asked, and so is
    /// the session: it keeps that the question was handed over, and its next question is answered by the agent that is asked then. May
    /// be said several times.
    pub fn handoff(mut self, to: &ChatAgent, description: impl Into<String>) -> Self {
        self.handoffs.push(Arc::new(Handoff::to(to, description.into())));
        self
    }

    /// Where its sessions are kept: [`MemorySessions`](super::MemorySessions), a file, or a store of your own. Without one, a question
    /// that names a session is refused.
    pub fn sessions(self, store: impl SessionStore) -> Self {
        self.shared_sessions(Arc::new(store))
    }

    /// The same with a store that others have, too.
    pub fn shared_sessions(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.sessions = Some(store);
        // Those of another store, though they may have the same names.
        self.rests = Arc::default();
        self
    }

    /// What of a session does not fit into [`AskLimits::history_tokens`] is summarised, and not just left out: by a call of its model,
    /// before the ask that finds it so. By default nothing is summarised.
    ///
    /// - **What is kept.** The newest exchanges that fill half of the bound stay word for word. Those before are shown as one summary, a
    ///   quarter of the bound at most, as a question that the word "Noted." answers. It is kept in the session's store for the asks to
    ///   come, and the next one goes on from it. It is about nothing that its model has not read.
    /// - **What is cut.** Of a turn the model reads the first 3,000 bytes and the last 1,000, and is told how many are left out. Of a
    ///   session the newest 1,000 turns are read. A summary that is longer than its room ends with "...".
    /// - **What it costs.** A call reads four times the bound, 2,000 tokens at least, and writes a quarter of it. One is made each time the
    ///   session has outgrown the bound, which is every few exchanges; four at most for one ask, and what these do not come to is
    ///   read by the next ask's. They are at the expense of the ask: its budget, its [`AskLimits::tokens`], and half of its time at most.
    /// - **When it fails,** the oldest exchanges are left out of what is shown, as without it. When the call was paid for, or tried
    ///   several times, and came to nothing, the next one is made five minutes later at the earliest.
    ///
    /// [`start`](Self::start) refuses an [`AskLimits::history_tokens`] below 200, which has no room for a summary.
    pub fn summarise(mut self) -> Self {
        self.summarises = true;
        self
    }

    /// The same, by a call of this model, which may be a cheaper one. It has to take a text of four times
    /// [`AskLimits::history_tokens`]. Its calls are counted with those of the ask, at its own price; there are no fall-backs.
    pub fn summarise_by(mut self, model: impl Into<String>) -> Self {
        self.summary_model = Some(model.into());
        self.rests = Arc::default();
        self.summarise()
    }

    /// Looks at each question, beside the first call of the model: when it blocks, the call is dropped. May be said several times.
    pub fn guard_input(mut self, guardrail: impl Guardrail) -> Self {
        self.guards.input.push(Arc::new(guardrail));
        self
    }

    /// Looks at each answer before its asker has it. May be said several times.
    pub fn guard_output(mut self, guardrail: impl Guardrail) -> Self {
        self.guards.output.push(Arc::new(guardrail));
        self
    }

    /// Looks at each tool call before it is made, and at each handoff, which is a call of the tool `transfer_to_NAME`; when it blocks, the
    /// model is told, and the conversation stays here. May be said several times.
    pub fn guard_tools(mut self, guardrail: impl Guardrail) -> Self {
        self.guards.tools.push(Arc::new(guardrail));
        self
    }

    /// Asks a person about the calls of tools whose policy says [`needs_approval`](crate::ports::ToolPolicy::needs_approval). Without one
    /// such calls are not made.
    pub fn approver(mut self, approver: impl Approver) -> Self {
        self.guards.approver = Some(Arc::new(approver));
        self
    }

    /// This model is called when those before it cannot answer; see [`ChatCall::or`](crate::gateway::ChatCall::or). May be said
    /// several times.
    pub fn fallback(mut self, model: impl Into<String>) -> Self {
        self.fallbacks.push(model.into());
        self
    }

    /// How far one ask may go.
    pub fn limits(mut self, limits: AskLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The longest reply of one turn, in tokens, where [its limits](AskLimits::output_tokens) say nothing: that of its runtime's model, which
    /// `Runtime::agent` says, or 2,048. At least 1.
    pub fn output_tokens(mut self, tokens: u32) -> Self {
        self.output_tokens = Some(tokens);
        self
    }

    /// What its calls use is taken from this budget, unless the question brings its own.
    ///
    /// - Amounts ([`BudgetLimits`](crate::gateway::BudgetLimits)) are a [part](Budget::split) of the budget that it would have otherwise: its
    ///   runtime's, or the one that was said before. They are set aside when it [starts](Self::start), nobody else can use them, and
    ///   what it spends is in both. What is left comes back when the agent has ended and nobody has it any more.
    /// - A [`Budget`] is taken in place of that one. One that the program has made below it, by [`Budget::child`] or [`Budget::split`], counts
    ///   there, too; a new one does not.
    pub fn budget(mut self, budget: impl Into<AgentBudget>) -> Self {
        self.expense.say(budget.into());
        self
    }

    /// So many asks wait in its line; one more is refused. At least 1, or [`start`](Self::start) refuses it; the default is 256.
    pub fn capacity(mut self, asks: usize) -> Self {
        self.capacity = asks;
        self
    }

    /// Starts the agent, on the runtime of its gateway. Its actor begins to live with the first ask.
    ///
    /// # Errors
    /// [`StartError`] for a name, a capacity, a temperature, limits or tools that break a rule, or for a model that the gateway does not
    /// serve. [`StartError::Budget`] when less is left than its own [budget](Self::budget) is to be.
    pub fn start(self) -> Result<ChatAgent, StartError> {
        let Self {
            name,
            gateway,
            model,
            fallbacks,
            instructions,
            temperature,
            tools,
            handoffs,
            sessions,
            summarises,
            summary_model,
            rests,
            guards,
            limits,
            output_tokens,
            expense,
            capacity,
        } = self;
        let limits = AskLimits { output_tokens: limits.output_tokens.or(output_tokens), ..limits };
        is_a_name(&name)?;
        if capacity == 0 {
            return Err(StartError::Invalid("capacity is 0; it must be at least 1".to_owned()));
        }
        temperature.map_or(Ok(()), is_a_temperature).map_err(StartError::Invalid)?;
        limits.validate()?;
        if summarises && limits.history_tokens < LEAST {
            let few = limits.history_tokens;
            let broken = format!("history_tokens is {few}; of an agent that summarises it must be at least {LEAST}");
            return Err(StartError::Invalid(broken));
        }
        let gateway = gateway?;
        for model in std::iter::once(&model).chain(&fallbacks).chain(&summary_model) {
            gateway.check(model)?;
        }
        let tools = Tools::new(limits.tools_at_once, &tools)?;
        let mut specs = tools.specs();
        for handoff in &handoffs {
            if specs.iter().any(|spec| spec.name == handoff.spec.name) {
                let twice = format!("two tools of an agent are called {}", handoff.spec.name);
                return Err(StartError::Invalid(twice));
            }
            specs.push(handoff.spec.clone());
        }
        let budget = expense.begin(&name)?;
        let summaries = summarises.then(|| summary_model.unwrap_or_else(|| model.clone()));
        let plan = Plan {
            gateway,
            model,
            fallbacks,
            instructions,
            temperature,
            tools,
            specs,
            handoffs,
            sessions,
            summaries,
            rests,
            guards,
            limits,
            budget,
            capacity,
        };
        let plan = Arc::new(plan);
        Ok(ChatAgent { host: Host::new(name, plan) })
    }
}

/// What does not change while an agent lives.
pub(super) struct Plan {
    pub(super) gateway: Gateway,
    pub(super) model: String,
    pub(super) fallbacks: Vec<String>,
    pub(super) instructions: Option<String>,
    pub(super) temperature: Option<f32>,
    pub(super) tools: Tools,
    /// What the model is told of tools and handoffs.
    pub(super) specs: Vec<Arc<ToolSpec>>,
    pub(super) handoffs: Vec<Arc<Handoff>>,
    pub(super) sessions: Option<Arc<dyn SessionStore>>,
    /// The model that summarises them.
    pub(super) summaries: Option<String>,
    /// Those of which none is tried at the moment.
    pub(super) rests: Arc<Rests>,
    pub(super) guards: Guards,
    pub(super) limits: AskLimits,
    pub(super) budget: Option<Budget>,
    pub(super) capacity: usize,
}

impl Plan {
    /// The instructions as the first turn.
    pub(super) fn instructions(&self) -> Option<Turn> {
        self.instructions.as_deref().map(Turn::system)
    }

    /// What is said before the question, with room for the question: that is all that an ask of one call needs.
    pub(super) fn first_turns(&self) -> Vec<Turn> {
        let mut turns = Vec::with_capacity(2);
        turns.extend(self.instructions());
        turns
    }

    /// How long a question may take.
    pub(super) fn time_of(&self, question: &Question) -> Duration {
        question.within.map_or(self.limits.time, |within| within.min(self.limits.time))
    }
}
