//! A language model that plays the parts of a crew: it knows its role by the prompt, and answers as it is told.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply, ChatRequest, Finish, TokenUsage};
use callboard_actors::error::ModelError;
use callboard_actors::event::RunEvent;
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, RetryPolicy, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::research::Outcome;
use callboard_actors::runtime::Runtime;
use callboard_actors::supervisor::{Crew, CrewModel, RunOptions};
use futures_util::future::BoxFuture;

use super::library::{Behaviour, Library, assert_ends_once, library};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Planner,
    LooksBack,
    Researcher,
    Writer,
}

/// What becomes of a call.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    Says(String),
    SaysAfter(Duration, String),
    /// Says it, with so much time before each word.
    SaysSlowly(Duration, String),
    /// Says this and not what it used.
    SaysUncounted(String),
    /// Says this, and would say more if it might.
    IsCut(String),
    Fails(ModelError),
    Hangs,
    Panics,
}

pub(crate) fn says(text: impl Into<String>) -> Does {
    Does::Says(text.into())
}

/// What it does when this role asks this, for the nth time, from 0.
pub(crate) type Script = Box<dyn Fn(Role, &ChatRequest, usize) -> Does + Send + Sync>;

pub(crate) struct Player {
    pub(crate) script: Script,
    /// Who asked for what, in order.
    pub(crate) asked: Mutex<Vec<(Role, ChatRequest)>>,
}

/// What each reply used.
pub(crate) const USED: TokenUsage = TokenUsage { input: 100, output: 10 };

pub(crate) fn role_of(request: &ChatRequest) -> Role {
    let prompt = &request.turns[0].text;
    match () {
        () if prompt.starts_with("You plan") => Role::Planner,
        () if prompt.starts_with("You look at") => Role::LooksBack,
        () if prompt.starts_with("You answer") => Role::Researcher,
        () if prompt.starts_with("You write") => Role::Writer,
        () => panic!("no role has this prompt: {prompt}"),
    }
}

impl ChatModel for Player {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let role = role_of(&call.request);
        let mut asked = self.asked.lock().unwrap();
        let before = asked.iter().filter(|(other, _)| *other == role).count();
        asked.push((role, (*call.request).clone()));
        drop(asked);
        let does = (self.script)(role, &call.request, before);
        Box::pin(async move {
            let between = if let Does::SaysSlowly(wait, _) = does { wait } else { Duration::ZERO };
            let finish = if matches!(does, Does::IsCut(_)) { Finish::Length } else { Finish::Done };
            let usage = if matches!(does, Does::SaysUncounted(_)) { None } else { Some(USED) };
            let text = match does {
                Does::SaysSlowly(_, text) | Does::Says(text) | Does::SaysUncounted(text) | Does::IsCut(text) => text,
                Does::SaysAfter(wait, text) => {
                    tokio::time::sleep(wait).await;
                    text
                }
                Does::Fails(error) => return Err(error),
                Does::Hangs => std::future::pending().await,
                Does::Panics => std::panic::resume_unwind(Box::new("the model panics on purpose")),
            };
            if let Some(chunks) = &call.chunks {
                for word in text.split_inclusive(' ') {
                    tokio::time::sleep(between).await;
                    chunks.send(ChatChunk::Text(word.to_owned())).await;
                }
            }
            Ok(ChatReply { usage, finish, ..ChatReply::text(text) })
        })
    }
}

/// What came of a run, and what the model saw.
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    pub(crate) log: Vec<RunEvent>,
    pub(crate) asked: Vec<(Role, ChatRequest)>,
}

impl Played {
    /// The roles that asked, in order.
    pub(crate) fn roles(&self) -> Vec<Role> {
        self.asked.iter().map(|(role, _)| *role).collect()
    }

    /// All sentences of the answer.
    pub(crate) fn said(&self) -> Vec<&str> {
        let claims = self.outcome.draft.sections.iter().flat_map(|section| &section.claims);
        claims.map(|claim| claim.text.as_str()).collect()
    }
}

pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) player: Arc<Player>,
    pub(crate) crew: Crew,
}

/// A crew with a model that plays this script, which may spend so much.
pub(crate) fn stage(runtime: &Runtime, library: &Arc<Library>, budget: BudgetLimits, script: Script) -> Stage {
    let player = Arc::new(Player { script, asked: Mutex::default() });
    let limits =
        GatewayLimits { retry: RetryPolicy { attempts: 2, ..RetryPolicy::default() }, ..GatewayLimits::default() };
    let gateway = Gateway::start(runtime, vec![ServedModel::new("played/one", player.clone())], limits).unwrap();
    let model = CrewModel::new(gateway.clone(), "played/one", Budget::new(budget));
    Stage { gateway, player, crew: Crew::with_model(library.clone(), model) }
}

/// A run to its end.
pub(crate) async fn play(
    runtime: &Runtime,
    library: &Arc<Library>,
    question: &str,
    options: RunOptions,
    script: impl Fn(Role, &ChatRequest, usize) -> Does + Send + Sync + 'static,
) -> Played {
    let Stage { gateway, player, crew } = stage(runtime, library, BudgetLimits::default(), Box::new(script));
    let mut run = runtime.research(question, crew, options).unwrap();
    let outcome = run.outcome().await;
    let log = run.log();
    assert_ends_once(&log);
    let info = gateway.info().await.unwrap();
    assert_eq!((info.in_flight, info.waiting), (0, 0), "no call goes on after a run");
    let asked = player.asked.lock().unwrap().clone();
    Played { outcome, log, asked }
}

pub(crate) const FINDING: &str =
    r#"{"findings": [{"statement": "The protocol passes letters between cities.", "sentences": [1]}]}"#;
pub(crate) const NO_MORE: &str = r#"{"tasks": []}"#;
pub(crate) const ANSWER: &str = "Letters are passed between cities with the protocol [1].";

/// A model that does what it should.
pub(crate) fn good(role: Role) -> Does {
    match role {
        Role::Planner => says(r#"{"tasks": ["What is the alder protocol?"]}"#),
        Role::LooksBack => says(NO_MORE),
        Role::Researcher => says(FINDING),
        Role::Writer => says(ANSWER),
    }
}

pub(crate) fn options() -> RunOptions {
    RunOptions { deadline: Duration::from_secs(100), ..RunOptions::default() }
}

pub(crate) const SUBJECTS: [(&str, Behaviour); 2] = [("alder", Behaviour::After(10)), ("birch", Behaviour::After(10))];

/// A crew that asks the first of these models, and then the others.
pub(crate) fn crew_of(gateway: &Gateway, models: &[&str]) -> Crew {
    let mut model = CrewModel::new(gateway.clone(), models[0], Budget::new(BudgetLimits::default()));
    model.fallbacks = models[1..].iter().map(|name| (*name).to_owned()).collect();
    Crew::with_model(library(&SUBJECTS), model)
}

/// All events of a run of this crew.
pub(crate) async fn events_of(runtime: &Runtime, crew: Crew) -> Vec<RunEvent> {
    let mut run = runtime.research("What is alder about?", crew, options()).unwrap();
    run.outcome().await;
    run.log()
}
