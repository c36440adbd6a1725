//! How does a program start a research run, watch it, cancel it and get its end?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::actor::{Duties, Supervisor};
use super::collect::Collect;
use super::crew::Crew;
use super::fan_out::FanOutLimits;
use super::log::{EventLog, RunEvents};
use super::machine::{Machine, MachinePlan, OnReply};
use crate::error::StartError;
use crate::event::{CancelReason, RunEvent};
use crate::gateway::Budget;
use crate::mailbox::AgentSpec;
use crate::research::{Draft, Failure, Findings, Generator, Outcome, Plan, Status, Usage};
use crate::runtime::{Runtime, Shared};
use crate::scope::Scope;
use crate::supervision::{Next, RestartPolicy};

/// The bounds of a run and what the program decides on the way.
#[derive(Clone)]
pub struct RunOptions {
    /// At most this many researchers work at a time: 1 to 1,000. More tasks wait. The default is 4.
    pub max_researchers: usize,
    /// When the research ends, counted from the start: above zero, at most 24 hours. Writing and checking what is there takes at
    /// most one second more. The default is 60 seconds.
    pub deadline: Duration,
    /// When one task ends, counted from its start: above zero, at most 24 hours. The default is the run's deadline.
    pub task_deadline: Option<Duration>,
    /// How often a task is tried: 1 to 100. The default is 2.
    pub attempts: u32,
    /// When the fan-out has what it needs. The default is [`Collect::All`].
    pub collect: Collect<Findings>,
    /// How often tasks are planned, with a language model as planner: 1 to 10. After each round it looks back at what was
    /// found and may add tasks, unless the fan-out was ended early or does not wait for all. The rules plan once. The default
    /// is 2.
    pub iterations: u32,
    /// Decides about each reply when it arrives.
    pub on_reply: Option<OnReply>,
    /// The user on whose behalf it is made. At the gateway users take turns, however many runs each of them has, and within a user his
    /// runs. The default is `None`: runs that do not say belong to one user.
    pub user: Option<String>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            max_researchers: 4,
            deadline: Duration::from_secs(60),
            task_deadline: None,
            attempts: 2,
            collect: Collect::All,
            iterations: 2,
            on_reply: None,
            user: None,
        }
    }
}

impl RunOptions {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let invalid = |message: String| Err(StartError::Invalid(message));
        if !(1..=1000).contains(&self.max_researchers) {
            return invalid(format!("max_researchers is {}; it must be between 1 and 1000", self.max_researchers));
        }
        if !(1..=100).contains(&self.attempts) {
            return invalid(format!("attempts is {}; it must be between 1 and 100", self.attempts));
        }
        if !(1..=10).contains(&self.iterations) {
            return invalid(format!("iterations is {}; it must be between 1 and 10", self.iterations));
        }
        if self.deadline.is_zero() || self.deadline > LONGEST {
            return invalid(format!("deadline is {:?}; it must be above zero and at most 24 hours", self.deadline));
        }
        if let Some(deadline) = self.task_deadline.filter(|deadline| deadline.is_zero() || *deadline > LONGEST) {
            return invalid(format!("task_deadline is {deadline:?}; it must be above zero and at most 24 hours"));
        }
        Ok(())
    }
}

/// When a run is over at the latest, counted from its deadline.
const WRAP_UP: Duration = Duration::from_secs(1);

/// The share of the deadline that is kept for a language model to write, and at most so much.
const WRITING_SHARE: u32 = 5;
const LONGEST_WRITING: Duration = Duration::from_secs(60);

/// The longest deadline of a run.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A research run. Dropping it cancels the run.
pub struct Run {
    id: Arc<str>,
    question: String,
    scope: Scope,
    log: Arc<EventLog>,
    /// What its models spent, for the end that the supervisor does not tell.
    budgets: Vec<Budget>,
    done: bool,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({})", self.id)
    }
}

impl Runtime {
    /// Starts a run: a supervisor with its crew.
    ///
    /// # Errors
    /// [`StartError`] for invalid options or lengths of a model, or when the runtime is stopping.
    pub fn research(&self, question: &str, crew: Crew, options: RunOptions) -> Result<Run, StartError> {
        start(self.shared(), question, crew, options)
    }
}

fn start(shared: &Arc<Shared>, question: &str, crew: Crew, options: RunOptions) -> Result<Run, StartError> {
    options.validate()?;
    crew.validate()?;
    let id: Arc<str> = format!("run-{:016x}", shared.draw()).into();
    let started = Instant::now();
    let scope = shared.scope().child_until(Some(started + options.deadline));
    let log = Arc::new(EventLog::new(id.clone(), started));
    let limits = FanOutLimits {
        at_once: options.max_researchers,
        attempts: options.attempts,
        task_deadline: options.task_deadline,
        ..FanOutLimits::default()
    };
    let machine = MachinePlan {
        run_id: id.to_string(),
        question: question.to_owned(),
        limits,
        collect: options.collect,
        deadline: started + options.deadline,
        writing: match crew.writer.is_model() {
            true => (options.deadline / WRITING_SHARE).min(LONGEST_WRITING),
            false => Duration::ZERO,
        },
        looks_back: if crew.planner.is_model() { options.iterations - 1 } else { 0 },
        planner: crew.planner.wanted().to_owned(),
        researcher: crew.researcher.wanted().to_owned(),
        on_reply: options.on_reply,
    };
    let (budgets, crew) = (crew.budgets(), crew.of_run(&id, options.user.as_deref()));
    let duties = Duties { crew, question: question.to_owned(), log: log.clone(), scope: scope.clone() };
    let span = tracing::info_span!("run", run_id = %id);
    // A supervisor is not restarted: a second one would not know what the first one did.
    let once = Mutex::new(Some((machine, duties, span)));
    let factory = move || {
        let parts = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (machine, duties, span) = parts.expect("a supervisor is made once, because it is never restarted");
        Supervisor::new(Machine::new(machine), duties, span)
    };
    let spec = AgentSpec::new("supervisor", factory).restart(RestartPolicy::never()).capacity(4096);
    let supervisor = shared.spawn(spec, None)?;
    let (end_of_log, end_of_scope) = (log.clone(), scope.clone());
    supervisor.watch(move |down| {
        if down.next == Next::Gone {
            // After an orderly end the log is closed already, and takes no second end.
            end_of_log.close(Status::Failed, end_of_scope.cancelled_because(), None);
            end_of_scope.cancel(CancelReason::Parent);
        }
    });
    watch_over(shared, &log, options.deadline + WRAP_UP);
    Ok(Run { id, question: question.to_owned(), scope, log, budgets, done: false })
}

/// Ends the run's log if the supervisor does not: on the clock, where no agent can block it.
fn watch_over(shared: &Shared, log: &Arc<EventLog>, within: Duration) {
    let (late, log) = (shared.sleep(within), log.clone());
    let closed = shared.closed();
    shared.watch_over(async move {
        let reason = tokio::select! {
            biased;
            () = log.ended() => return,
            () = closed => CancelReason::Parent,
            () = late => CancelReason::Deadline,
        };
        log.close(Status::Failed, Some(reason), None);
    });
}

impl Run {
    /// The run's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The events from the first on, as they happen.
    pub fn events(&self) -> RunEvents {
        RunEvents::of(&self.log)
    }

    /// All events so far.
    pub fn log(&self) -> Vec<RunEvent> {
        self.log.all()
    }

    /// Ends the run early: its researchers stop, and what was found becomes a partial answer.
    pub fn cancel(&self, reason: CancelReason) {
        self.scope.cancel(reason);
    }

    /// A handle that cancels the run from elsewhere.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// Waits for the end. There is always one: within the deadline plus one second, also when the supervisor fails or
    /// an agent blocks its shard; and it is in the log by then. A second call after the end returns an outcome without
    /// an answer.
    pub async fn outcome(&mut self) -> Outcome {
        self.log.ended().await;
        let ended = self.log.take_outcome();
        self.done = true;
        ended.unwrap_or_else(|| Outcome {
            run_id: self.id.to_string(),
            question: self.question.clone(),
            plan: Plan { question: self.question.clone(), tasks: Vec::new() },
            draft: Draft::default(),
            missing: Vec::new(),
            unread: Vec::new(),
            status: Status::Failed,
            cancelled: self.log.cancelled_because(),
            failure: Some(Failure::internal("the run's supervisor did not come to its end")),
            notes: Vec::new(),
            rules_instead: Vec::new(),
            generator: Generator::extractive(),
            struck: 0,
            usage: Usage::of(&self.budgets),
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.done {
            self.scope.cancel(CancelReason::Interrupted);
        }
    }
}
