//! What is asked of an agent, and for whom?

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::ChatAgentError;
use super::callers::Callers;
use crate::gateway::{Budget, Priority};

/// One question. A text is one, too: `agent.ask("...")`.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// What is asked: not empty, and not only white space.
    pub text: String,
    /// How long it may take, more than nothing and at most [`AskLimits::time`](super::AskLimits::time).
    pub within: Option<Duration>,
    /// What its model calls use is taken from this.
    pub budget: Option<Budget>,
    /// The session that it belongs to, and no empty name: it knows what was said there before, as far as there is room, and is kept there with its answer.
    pub session: Option<String>,
    /// The run that its calls belong to; the gateway lets runs take turns.
    pub run: Option<String>,
    /// The user on whose behalf it is asked.
    pub user: Option<String>,
    /// How soon it matters, among the calls of its run.
    pub priority: Priority,
    /// What the answer has to be, when it is no text.
    pub form: Option<AnswerForm>,
    /// The agents that wait for the answer.
    pub(crate) callers: Callers,
}

/// Whether a text is what it has to be.
pub type Check = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What an answer has to be.
#[derive(Clone)]
pub struct AnswerForm {
    /// Its name, for the provider: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// Its JSON schema.
    pub schema: Value,
    /// Whether a text is one; why not, in words that the model can act on. One for which it panics is none.
    pub check: Check,
    /// How often an answer that is none is asked for again. 2 is a good number.
    pub repairs: u32,
}

impl std::fmt::Debug for AnswerForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnswerForm({})", self.name)
    }
}

impl Question {
    /// A question with nothing said about it.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// It may take this long.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// What it uses is taken from this budget.
    #[must_use]
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// The run that it belongs to.
    #[must_use]
    pub fn run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// The user on whose behalf it is asked.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// How soon it matters.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Whether it can be asked.
    pub(super) fn check(&self) -> Result<(), ChatAgentError> {
        if self.text.trim().is_empty() {
            let (problem, hint) = ("it is empty".to_owned(), "say what is asked; nothing was asked");
            return Err(ChatAgentError::Question { problem, hint });
        }
        if self.within == Some(Duration::ZERO) {
            let (problem, hint) =
                ("it has no time at all", "give it more than 0 s, or leave `within` out; nothing was asked");
            return Err(ChatAgentError::Question { problem: problem.to_owned(), hint });
        }
        let named = [("session", &self.session), ("run", &self.run), ("user", &self.user)];
        match named.iter().find(|(_, name)| name.as_deref() == Some("")) {
            None => Ok(()),
            Some((what, _)) => Err(ChatAgentError::Question {
                problem: format!("the name of its {what} is empty"),
                hint: "name it, or leave it out; nothing was asked",
            }),
        }
    }

    /// The answer has to be of this form.
    #[must_use]
    pub fn form(mut self, form: AnswerForm) -> Self {
        self.form = Some(form);
        self
    }
}

impl From<&str> for Question {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Question {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Question {
    fn from(text: &String) -> Self {
        Self::new(text.as_str())
    }
}
