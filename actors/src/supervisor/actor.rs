//! The supervisor's shell: it carries out what the machine commands, and brings it what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::crew::{
    Crew, CrewWatch, Made, OnCall, OnText, PlanQuestion, Planner, ResearchTask, Researcher, TaskFailure, Verifier,
    VerifyDraft, WriteDraft, Writer, Written,
};
use super::log::EventLog;
use super::machine::{Command, Input, Machine};
use crate::agent::{Agent, Turn, WorkError};
use crate::error::{AskError, StartError};
use crate::event::{CancelReason, Event};
use crate::mailbox::{AgentRef, AgentSpec, Reply};
use crate::research::model::plan::Further;
use crate::research::rules::verify::Verified;
use crate::research::{Draft, Failure, Findings, Outcome, Plan, Retrieved, Task, TaskId, Usage};
use crate::scope::Scope;
use crate::supervision::{Backoff, RestartPolicy};

/// What the supervisor understands: inputs of its machine, and notes on the way.
pub(super) enum RunMessage {
    Input(Input),
    Progress {
        task: TaskId,
        note: String,
    },
    /// A search is over, and a model is asked about what it found.
    Retrieved {
        task: TaskId,
        retrieved: Arc<Retrieved>,
    },
    /// A piece of the answer, while a model writes it.
    Text(String),
    /// One of the crew called a model.
    Called(Event),
    /// There is something new of a model of the crew. It is heard before any message.
    ModelNews,
    Wake,
}

/// What a supervisor is made of, apart from its machine.
pub(super) struct Duties {
    pub(super) crew: Crew,
    pub(super) question: String,
    pub(super) log: Arc<EventLog>,
    /// The run: cancelling it ends every researcher.
    pub(super) scope: Scope,
}

/// The actor of one run.
pub(super) struct Supervisor {
    machine: Machine,
    duties: Option<Duties>,
    scope: Scope,
    researchers: BTreeMap<TaskId, (AgentRef<ResearchTask>, Scope)>,
    wake: Option<Instant>,
    span: tracing::Span,
    /// Its crew's models, as long as the run goes on.
    watch: CrewWatch,
}

type Outcomes<T> = Result<Result<T, AskError>, WorkError>;

impl Supervisor {
    pub(super) fn new(machine: Machine, duties: Duties, span: tracing::Span) -> Self {
        let scope = duties.scope.clone();
        let (researchers, watch) = (BTreeMap::new(), CrewWatch::default());
        Self { machine, duties: Some(duties), scope, researchers, wake: None, span, watch }
    }

    fn feed(&mut self, input: Input, turn: &mut Turn<'_, RunMessage>) {
        let now = Instant::now();
        // A cancelled run also stops its researchers: what they say about that is not their failure.
        if let Some(reason) = self.scope.cancelled_because() {
            let commands = self.machine.on(Input::Cancel(reason), now);
            self.carry_out(commands, turn);
        }
        let commands = self.machine.on(input, now);
        self.carry_out(commands, turn);
        self.arm(now, turn);
    }

    /// Sets the timer for the machine's next look at the clock.
    fn arm(&mut self, now: Instant, turn: &mut Turn<'_, RunMessage>) {
        let next = self.machine.next_wake();
        if next.is_some() && next != self.wake {
            self.wake = next;
            let delay = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
            // At most one timer for each change of the next deadline is set: far below the limit on timers.
            let _below_the_limit = turn.after(delay, RunMessage::Wake);
        }
    }

    fn carry_out(&mut self, commands: Vec<Command>, turn: &mut Turn<'_, RunMessage>) {
        for command in commands {
            match command {
                Command::Emit(event) => self.emit(event),
                Command::AskPlanner => self.ask_planner(turn),
                Command::Research { task, attempt } => self.research(task, attempt, turn),
                Command::Abandon { task, reason } => self.abandon(task, reason),
                Command::LookBack { tasks, findings } => self.look_back(tasks, findings, turn),
                Command::AskWriter { plan, findings } => self.ask_writer(plan, findings, turn),
                Command::AskVerifier { draft } => self.ask_verifier(draft, turn),
                Command::Finish(outcome) => self.finish(*outcome, turn),
            }
        }
    }

    /// Records what is new of the crew's models.
    fn hear(&mut self) {
        let news = self.watch.news();
        news.into_iter().for_each(|event| self.emit(event));
    }

    fn emit(&self, event: Event) {
        if let Some(duties) = &self.duties {
            duties.log.append(event);
        }
    }

    fn ask_planner(&mut self, turn: &mut Turn<'_, RunMessage>) {
        let Some((planner, question)) = self.planner() else { return };
        let within = self.machine.model_patience(Instant::now());
        let on_call = on_call(turn);
        let question = |reply| PlanQuestion::Begin { question, within, on_call, reply };
        let input = |planned: Result<Result<Made<Plan>, Failure>, String>| {
            Input::Planned(planned.unwrap_or_else(|reason| Err(Failure::internal(reason))))
        };
        self.ask("planner", planner, question, input, turn);
    }

    fn look_back(&mut self, tasks: Vec<Task>, findings: Vec<Findings>, turn: &mut Turn<'_, RunMessage>) {
        let Some((planner, question)) = self.planner() else { return };
        let within = self.machine.model_patience(Instant::now());
        let on_call = on_call(turn);
        let question = |reply| PlanQuestion::LookBack { question, tasks, findings, within, on_call, reply };
        self.ask("planner", planner, question, |more: Result<Made<Further>, String>| Input::LookedBack(more), turn);
    }

    fn planner(&self) -> Option<(AgentSpec<Planner>, String)> {
        let duties = self.duties.as_ref()?;
        let strategy = duties.crew.planner.clone();
        let spec = AgentSpec::new("planner", move || Planner { strategy: strategy.clone() }).restart(patient());
        Some((spec, duties.question.clone()))
    }

    fn ask_writer(&mut self, plan: Plan, findings: Vec<Findings>, turn: &mut Turn<'_, RunMessage>) {
        let Some(duties) = &self.duties else { return };
        let strategy = duties.crew.writer.clone();
        let spec = AgentSpec::new("writer", move || Writer { strategy: strategy.clone() }).restart(patient());
        let (within, me) = (self.machine.model_patience(Instant::now()), turn.me());
        let on_text: OnText = Box::new(move |text| {
            // The text is a preview: the report does not depend on it.
            let _left_out = me.tell(RunMessage::Text(text));
        });
        let (plan, findings, on_call) = (Arc::new(plan), findings.into(), on_call(turn));
        let question = |reply| WriteDraft::Begin { plan, findings, within, on_text, on_call, reply };
        self.ask("writer", spec, question, |written: Result<Written, String>| Input::Written(written), turn);
    }

    fn ask_verifier(&mut self, draft: Draft, turn: &mut Turn<'_, RunMessage>) {
        let Some(duties) = &self.duties else { return };
        let sources = duties.crew.sources.clone();
        let spec = AgentSpec::new("verifier", move || Verifier::new(sources.clone())).restart(patient());
        let within = self.machine.patience(Instant::now()) / 2;
        let asked = duties.question.clone();
        let question = |reply| VerifyDraft::Begin { draft, question: asked, within, reply };
        self.ask("verifier", spec, question, |checked: Result<Verified, String>| Input::Verified(checked), turn);
    }

    /// How long to wait for one of the crew. The machine's own deadline comes first, and says what follows.
    fn patience(&self) -> Duration {
        self.machine.patience(Instant::now()) + Duration::from_secs(1)
    }

    /// Starts one of the crew, asks it, and brings the machine its answer.
    fn ask<A: Agent, T: Send + 'static>(
        &mut self,
        role: &'static str,
        spec: AgentSpec<A>,
        question: impl FnOnce(Reply<T>) -> A::Message,
        input: impl FnOnce(Result<T, String>) -> Input + 'static,
        turn: &mut Turn<'_, RunMessage>,
    ) {
        let patience = self.patience();
        let begun = match turn.spawn(spec) {
            Ok(agent) => turn.start(agent.ask(patience, question), move |outcome: Outcomes<T>| {
                agent.stop();
                RunMessage::Input(input(settled(role, outcome)))
            }),
            Err(error) => turn.start(async {}, move |_| RunMessage::Input(input(Err(not_started(role, &error))))),
        };
        self.or_handle(begun, turn);
    }

    /// Work that could not be started has its result at once.
    fn or_handle(&mut self, begun: Result<(), RunMessage>, turn: &mut Turn<'_, RunMessage>) {
        if let Err(refused) = begun {
            self.handle(refused, turn);
        }
    }

    fn research(&mut self, task: Task, attempt: u32, turn: &mut Turn<'_, RunMessage>) {
        let id = task.id;
        let failed = move |reason, retry| RunMessage::Input(Input::Failed { task: id, attempt, reason, retry });
        let researcher = match self.researcher(id, turn) {
            Ok(researcher) => researcher,
            Err(error) => {
                let begun = turn.start(async {}, move |_| failed(not_started("researcher", &error), false));
                return self.or_handle(begun, turn);
            }
        };
        let me = turn.me();
        let whole = self.duties.as_ref().map(|duties| duties.question.clone()).unwrap_or_default();
        let progress = Box::new(move |note| {
            // A note on progress is not worth waiting for a place in the mailbox.
            let _left_out = me.tell(RunMessage::Progress { task: id, note });
        });
        let me = turn.me();
        let on_retrieved = Box::new(move |retrieved| {
            // Without it a report that is cut short says less.
            let _left_out = me.tell(RunMessage::Retrieved { task: id, retrieved });
        });
        // Below the run's span, which this turn is inside of.
        let span = tracing::info_span!("task", task = %id, attempt);
        let patience = self.patience();
        let within = self.machine.model_patience(Instant::now());
        let on_call = on_call(turn);
        let answer = researcher.ask(patience, |reply| ResearchTask::Begin {
            task,
            whole,
            within,
            progress,
            on_retrieved,
            on_call,
            span,
            reply,
        });
        let begun = turn.start(answer, move |outcome: Outcomes<Result<Made<Findings>, TaskFailure>>| match outcome {
            Ok(Ok(Ok(findings))) => RunMessage::Input(Input::Replied { task: id, attempt, findings }),
            Ok(Ok(Err(failure))) => failed(failure.reason, failure.retry),
            // After a restart the next try asks the same researcher; after its policy gave it up, a new one.
            Ok(Err(AskError::Panicked | AskError::Stopped)) => failed("the researcher panicked".to_owned(), true),
            Ok(Err(error)) => failed(error.to_string(), false),
            Err(error) => failed(error.to_string(), false),
        });
        self.or_handle(begun, turn);
    }

    /// The researcher of a task: a new one for the first attempt, the restarted one after a panic.
    fn researcher(
        &mut self,
        task: TaskId,
        turn: &mut Turn<'_, RunMessage>,
    ) -> Result<AgentRef<ResearchTask>, StartError> {
        if let Some((researcher, _)) = self.researchers.get(&task)
            && !researcher.info().gone
        {
            return Ok(researcher.clone());
        }
        let Some(duties) = &self.duties else { return Err(StartError::RuntimeStopped) };
        let (strategy, retriever) = (duties.crew.researcher.clone(), duties.crew.retriever.clone());
        let scope = self.scope.child();
        let factory = move || Researcher::new(strategy.clone(), retriever.clone());
        let spec = AgentSpec::new(format!("researcher-{task}"), factory).restart(patient()).scope(scope.clone());
        let researcher = turn.spawn(spec)?;
        self.researchers.insert(task, (researcher.clone(), scope));
        Ok(researcher)
    }

    fn abandon(&mut self, task: TaskId, reason: CancelReason) {
        if let Some((_, scope)) = self.researchers.remove(&task) {
            scope.cancel(reason);
        }
    }

    fn finish(&mut self, mut outcome: Outcome, turn: &mut Turn<'_, RunMessage>) {
        for task in self.researchers.keys().copied().collect::<Vec<_>>() {
            self.abandon(task, CancelReason::Parent);
        }
        if let Some(duties) = self.duties.take() {
            self.watch = CrewWatch::default();
            outcome.usage = Usage::of(&duties.crew.budgets());
            let (status, cancelled) = (outcome.status, outcome.cancelled);
            tracing::info!(?status, "run finished");
            duties.log.close(status, cancelled, Some(outcome));
        }
        turn.stop();
    }
}

impl Agent for Supervisor {
    type Message = RunMessage;

    fn started(&mut self, turn: &mut Turn<'_, RunMessage>) {
        let span = self.span.clone();
        let _inside = span.enter();
        let scope = self.scope.clone();
        let cancelled = async move {
            scope.cancelled().await;
            scope.cancelled_because().unwrap_or(CancelReason::Parent)
        };
        let begun =
            turn.start(cancelled, |reason| RunMessage::Input(Input::Cancel(reason.unwrap_or(CancelReason::Parent))));
        self.or_handle(begun, turn);
        let commands = self.machine.begin();
        if let Some(duties) = &self.duties {
            let me = turn.me();
            self.watch = duties.crew.watch(move || {
                // A full mailbox has messages in it, and what is new is heard before each of them.
                let _left_out = me.tell(RunMessage::ModelNews);
            });
        }
        self.carry_out(commands, turn);
        self.hear();
        self.arm(Instant::now(), turn);
    }

    fn handle(&mut self, message: RunMessage, turn: &mut Turn<'_, RunMessage>) {
        let span = self.span.clone();
        let _inside = span.enter();
        self.hear();
        match message {
            RunMessage::Input(input) => self.feed(input, turn),
            RunMessage::Progress { task, note } => {
                if self.researchers.contains_key(&task) {
                    self.emit(Event::TaskProgress { task, note });
                }
            }
            RunMessage::Retrieved { task, retrieved } => self.machine.retrieved(task, retrieved),
            RunMessage::Text(text) => self.emit(Event::AnswerText { text }),
            RunMessage::Called(event) => self.emit(event),
            RunMessage::ModelNews => {}
            RunMessage::Wake => {
                self.wake = None;
                self.feed(Input::Tick, turn);
            }
        }
    }
}

/// Brings the supervisor what is told of a call.
fn on_call(turn: &Turn<'_, RunMessage>) -> OnCall {
    let me = turn.me();
    Arc::new(move |event| {
        // A number on the way: the usage of the report does not depend on it.
        let _left_out = me.tell(RunMessage::Called(event));
    })
}

/// One more try after a panic, almost at once: a run is short.
fn patient() -> RestartPolicy {
    let backoff = Backoff { longest: Duration::from_millis(100), ..Backoff::default() };
    RestartPolicy { max_restarts: 3, within: Duration::from_secs(5), backoff }
}

fn settled<T>(role: &str, outcome: Outcomes<T>) -> Result<T, String> {
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("the {role} did not answer: {error}")),
        Err(error) => Err(format!("the {role} could not be asked: {error}")),
    }
}

fn not_started(role: &str, error: &StartError) -> String {
    format!("the {role} could not be started: {error}")
}
