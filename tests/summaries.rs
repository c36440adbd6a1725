//! Is what does not fit of a session summarised once, kept, and used again? And does an ask get its answer when it cannot be?

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard::actors::chat::{ChatReply, ChatRequest, Role, Turn};
use callboard::actors::chat_agent::MemorySessions;
use callboard::actors::error::{ModelError, StoreError};
use callboard::actors::gateway::{Budget, BudgetLimits};
use callboard::actors::ports::{ChatModel, History, ModelCall, SessionStore, Summary};
use callboard::prelude::*;
use callboard::store::Sessions;
use callboard::testkit::FunctionModel;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, pending};

/// What is shown of a session, in tokens: five exchanges of this test.
const ROOM: u64 = 200;
const HEAD: &str = "Summary of what was said before:\n";

fn is_summary(request: &ChatRequest) -> bool {
    request.turns[0].role == Role::System && request.turns[0].text.contains("memory of a conversation")
}

/// How often a summary was asked for, and the last such question.
#[derive(Debug, Default)]
struct Seen {
    summaries: AtomicUsize,
    asked: std::sync::Mutex<String>,
}

impl Seen {
    fn summaries(&self) -> usize {
        self.summaries.load(Ordering::Relaxed)
    }
}

/// Summaries are numbered; an answer says what was shown first.
fn model(seen: &Arc<Seen>, summarises: fn(usize) -> Result<String, ModelError>) -> FunctionModel {
    let seen = seen.clone();
    FunctionModel::new(move |request| {
        if is_summary(request) {
            let number = seen.summaries.fetch_add(1, Ordering::Relaxed) + 1;
            *seen.asked.lock().unwrap() = request.turns[1].text.clone();
            return summarises(number).map(ChatReply::text);
        }
        let bytes: usize = request.turns.iter().map(|turn| turn.text.len() / 4 + 8).sum();
        assert!(bytes as u64 <= ROOM + 30, "what is shown has a bound: {bytes}");
        Ok(ChatReply::text(format!("{:.40}", format!("{} {}", request.turns[0].text, "x".repeat(40)))))
    })
}

fn agent(runtime: &Runtime, store: impl SessionStore, turns: u32) -> ChatAgent {
    let limits = AskLimits { history_tokens: ROOM, turns, ..AskLimits::default() };
    runtime.agent("assistant").limits(limits).sessions(store).summarise().start().unwrap()
}

fn question(number: usize) -> Question {
    Question::new(format!("question {number:>3} {}", "x".repeat(30))).session("anna")
}

/// Twelve exchanges, then a store that was opened anew.
async fn over_time<S: SessionStore>(open: impl Fn() -> S) {
    let seen = Arc::new(Seen::default());
    let says = |number| Ok(format!("so far {number}"));
    let mut paid = Vec::new();
    {
        let runtime = Runtime::with_model("function/model", model(&seen, says)).unwrap();
        let agent = agent(&runtime, open(), 1);
        for number in 0..12 {
            let before = seen.summaries();
            let answer = agent.ask(question(number)).await.unwrap();
            let summaries = seen.summaries() - before;
            assert_eq!(answer.metrics.model_calls as usize, 1 + summaries, "a summary is counted, and is no turn");
            paid.push(summaries);
            match seen.summaries() {
                0 => assert!(answer.text.starts_with("question   0"), "{answer}"),
                number => assert!(answer.text.starts_with(&format!("{HEAD}so far {number}")[..40]), "{answer}"),
            }
        }
        runtime.stop(Duration::from_secs(5)).await;
    }
    assert_eq!(paid.iter().sum::<usize>(), seen.summaries());
    assert!((2..=4).contains(&seen.summaries()) && paid[6..].contains(&0), "one serves several asks: {paid:?}");
    let asked = seen.asked.lock().unwrap().clone();
    let before = format!("{HEAD}so far {}\n\nuser: question ", seen.summaries() - 1);
    assert!(asked.starts_with(&before), "the next one goes on from the one before: {asked}");

    let store = open();
    let turns = store.load("anna".into(), 99).await.unwrap();
    assert_eq!(turns.len(), 24, "a summary is no turn of the session, and takes none away");
    let kept = store.history("anna".into(), 99).await.unwrap().unwrap().summary.unwrap();
    assert_eq!(kept.text, format!("so far {}", seen.summaries()));
}

#[tokio::test]
async fn a_summary_serves_several_asks_and_grows_with_the_session() {
    let store = MemorySessions::default();
    over_time(|| store.clone()).await;
    let dir = tempfile::tempdir().unwrap();
    over_time(|| open(&dir.path().join("sessions.sqlite"))).await;
}

fn open(path: &Path) -> Sessions {
    Sessions::open(path, Duration::from_secs(60)).unwrap()
}

/// A session that does not fit.
async fn long(store: &impl SessionStore) {
    let exchange = |number| [Turn::user(format!("question {number:>3} {}", "x".repeat(30))), Turn::assistant("answer")];
    store.append("anna".into(), (0..40).flat_map(exchange).collect()).await.unwrap();
}

#[tokio::test]
async fn a_summary_survives_its_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    long(&open(&path)).await;
    let seen = Arc::new(Seen::default());
    for paid in [1, 0] {
        let before = seen.summaries();
        let runtime = Runtime::with_model("function/model", model(&seen, |_| Ok("so far".to_owned()))).unwrap();
        let answer = agent(&runtime, open(&path), 16).ask(question(40)).await.unwrap();
        assert!(answer.text.starts_with(HEAD), "{answer}");
        assert_eq!(seen.summaries() - before, paid, "it is paid for once");
        runtime.stop(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn runs_at_the_same_time_lose_no_turn() {
    let store = MemorySessions::default();
    long(&store).await;
    let seen = Arc::new(Seen::default());
    let runtime = Runtime::with_model("function/model", model(&seen, |number| Ok(format!("so far {number}")))).unwrap();
    let agents: Vec<_> = (0..4).map(|_| agent(&runtime, store.clone(), 16)).collect();
    let asks = agents.iter().flat_map(|agent| (0..5).map(|number| agent.ask(question(number))));
    for answer in join_all(asks).await {
        answer.unwrap();
    }
    let history = store.history("anna".into(), 999).await.unwrap().unwrap();
    assert_eq!(history.turns.len(), 2 * (40 + 20));
    let through = history.summary.unwrap().through;
    let after = history.turns.iter().position(|(number, _)| *number == through).unwrap() + 1;
    assert_eq!(history.turns[after].1.role, Role::User, "a summary ends with an exchange");
}

#[tokio::test]
async fn an_ask_is_answered_when_nothing_can_be_summarised() {
    let fails = |_| Err(ModelError::ContentRefused("no".to_owned()));
    let says: [fn(usize) -> Result<String, ModelError>; 2] = [fails, |_| Ok(" ".to_owned())];
    for says in says {
        let (store, seen) = (MemorySessions::default(), Arc::new(Seen::default()));
        long(&store).await;
        let runtime = Runtime::with_model("function/model", model(&seen, says)).unwrap();
        let agent = agent(&runtime, store.clone(), 16);
        let answer = agent.ask(question(40)).await.unwrap();
        assert!(answer.text.starts_with("question  3"), "the newest exchanges are shown: {answer}");
        assert_eq!(seen.summaries(), 1);
        assert_eq!(agent.ask(question(41)).await.unwrap().metrics.model_calls, 1, "it is not paid for again at once");
        assert_eq!(seen.summaries(), 1);
        assert_eq!(store.history("anna".into(), 9).await.unwrap().unwrap().summary, None);
    }
}

#[tokio::test]
async fn a_summary_that_was_refused_cost_nothing_and_is_tried_again() {
    let (store, seen) = (MemorySessions::default(), Arc::new(Seen::default()));
    long(&store).await;
    let refuses = |_| Err(ModelError::NotFound("it is not there yet".to_owned()));
    let runtime = Runtime::with_model("function/model", model(&seen, refuses)).unwrap();
    let agent = agent(&runtime, store, 16);
    for asked in 1..3 {
        agent.ask(question(40)).await.unwrap();
        assert_eq!(seen.summaries(), asked);
    }
}

/// Says of every summary that it was not kept: somebody else has just kept one as good, or it keeps none.
struct Says {
    sessions: MemorySessions,
    keeps: bool,
}

impl Says {
    fn not_kept(keeps: bool) -> Self {
        Self { sessions: MemorySessions::default(), keeps }
    }
}

impl SessionStore for Says {
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        self.sessions.load(session, most)
    }

    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.sessions.append(session, turns)
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.sessions.forget(session)
    }

    fn history(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Option<History>, StoreError>> {
        self.sessions.history(session, most)
    }

    fn keep_summary(&self, session: Arc<str>, summary: Summary) -> BoxFuture<'static, Result<bool, StoreError>> {
        let kept = self.keeps.then(|| self.sessions.keep_summary(session, summary));
        Box::pin(async move {
            match kept {
                Some(kept) => kept.await.map(|_| false),
                None => Ok(false),
            }
        })
    }
}

#[tokio::test]
async fn a_session_that_another_ask_has_summarised_does_not_rest() {
    let (store, seen) = (Says::not_kept(true), Arc::new(Seen::default()));
    long(&store).await;
    let runtime = Runtime::with_model("function/model", model(&seen, |_| Ok("so far".to_owned()))).unwrap();
    let agent = agent(&runtime, store, 16);
    for number in 40..60 {
        agent.ask(question(number)).await.unwrap();
    }
    assert!(seen.summaries() > 1, "{}", seen.summaries());
}

#[tokio::test]
async fn a_summary_that_cannot_be_kept_is_not_paid_for_with_every_ask() {
    let (store, seen) = (Says::not_kept(false), Arc::new(Seen::default()));
    long(&store).await;
    let runtime = Runtime::with_model("function/model", model(&seen, |_| Ok("so far".to_owned()))).unwrap();
    let agent = agent(&runtime, store, 16);
    assert!(agent.ask(question(40)).await.unwrap().text.starts_with(HEAD), "the ask that paid for it is shown it");
    assert!(agent.ask(question(41)).await.unwrap().text.starts_with("question  3"));
    assert_eq!(seen.summaries(), 1);
}

#[tokio::test]
async fn a_budget_that_has_room_for_the_ask_alone_is_no_error() {
    let (store, seen) = (MemorySessions::default(), Arc::new(Seen::default()));
    long(&store).await;
    let runtime = Runtime::with_model("function/model", model(&seen, |_| Ok("so far".to_owned()))).unwrap();
    let limits = AskLimits { history_tokens: ROOM, output_tokens: Some(20), ..AskLimits::default() };
    let agent = runtime.agent("assistant").limits(limits).sessions(store).summarise().start().unwrap();
    let budget = Budget::new(BudgetLimits { tokens: Some(1_500), micros: None });
    let answer = agent.ask(question(40).budget(&budget)).await.unwrap();
    assert_eq!((answer.metrics.model_calls, seen.summaries()), (1, 0));
    assert!(answer.text.starts_with("question  3"), "{answer}");
}

/// A store as there were before there were summaries.
struct Plain(MemorySessions);

impl SessionStore for Plain {
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        self.0.load(session, most)
    }

    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.0.append(session, turns)
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.0.forget(session)
    }
}

#[tokio::test]
async fn a_store_that_keeps_no_summaries_costs_none() {
    callboard::testkit::sessions(Arc::new(Plain(MemorySessions::default()))).await;
    let (store, seen) = (Plain(MemorySessions::default()), Arc::new(Seen::default()));
    long(&store).await;
    let runtime = Runtime::with_model("function/model", model(&seen, |_| Ok("so far".to_owned()))).unwrap();
    let answer = agent(&runtime, store, 16).ask(question(40)).await.unwrap();
    assert!(answer.text.starts_with("question  3"), "{answer}");
    assert_eq!(seen.summaries(), 0);
}

/// Never ends a summary.
struct Hangs(FunctionModel);

impl ChatModel for Hangs {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        if is_summary(&call.request) { Box::pin(pending()) } else { self.0.complete(call) }
    }
}

#[tokio::test]
async fn a_summary_that_hangs_takes_no_more_than_half_of_the_time() {
    let (store, seen) = (MemorySessions::default(), Arc::new(Seen::default()));
    long(&store).await;
    let hangs = Hangs(model(&seen, |_| Ok(String::new())));
    let runtime = Runtime::with_model("hanging/model", hangs).unwrap();
    let asked = question(40).within(Duration::from_secs(1));
    let answer = agent(&runtime, store, 16).ask(asked).await.unwrap();
    assert!(answer.text.starts_with("question  3"), "{answer}");
}

/// What whoever summarises has read, and what was shown to whoever answered last.
#[derive(Default)]
struct Read {
    summarised: Vec<String>,
    shown: Vec<Turn>,
}

#[tokio::test]
async fn no_summary_is_about_what_its_model_has_not_read() {
    // What is shown, in tokens; how long each turn of 60 exchanges is, and how long one of them, in bytes.
    for (room, length, longest) in [(200, 40, 6_000), (250, 40, 40), (200, 900, 900), (2_000, 3_000, 30_000)] {
        let (store, read) = (MemorySessions::default(), Arc::new(std::sync::Mutex::new(Read::default())));
        let turn = |number: usize| {
            let fact = format!("fact-{number}; {}", "x".repeat(if number == 21 { longest } else { length }));
            if number.is_multiple_of(2) { Turn::user(fact) } else { Turn::assistant(fact) }
        };
        store.append("anna".into(), (0..120).map(turn).collect()).await.unwrap();
        let reads = read.clone();
        let model = FunctionModel::new(move |request| {
            let mut read = reads.lock().unwrap();
            if is_summary(request) {
                read.summarised.push(request.turns[1].text.clone());
                return Ok(ChatReply::text("so far"));
            }
            read.shown.clone_from(&request.turns);
            Ok(ChatReply::text("so"))
        });
        let runtime = Runtime::with_model("function/model", model).unwrap();
        let limits = AskLimits { history_tokens: room, ..AskLimits::default() };
        let agent = runtime.agent("assistant").limits(limits).sessions(store.clone()).summarise().start().unwrap();
        let (mut before, mut asks) = (0, 0);
        loop {
            agent.ask(Question::new("and now?").session("anna")).await.unwrap();
            let read = read.lock().unwrap();
            let calls = read.summarised.len() - before;
            (before, asks) = (read.summarised.len(), asks + 1);
            assert!(calls <= 4 && asks < 20, "the rounds of one ask are bounded: {calls}, {asks}");
            assert!(read.summarised.iter().all(|text| text.contains("fact-")), "no call is about nothing");
            let roles: Vec<_> = read.shown.iter().map(|turn| turn.role).collect();
            assert!(roles.chunks(2).all(|two| [Role::User, Role::Assistant].starts_with(two)), "{roles:?}");
            let summarised = read.summarised.concat();
            let has_read = |number: usize| summarised.contains(&format!("fact-{number};"));
            let history = store.history("anna".into(), 999).now_or_never().unwrap().unwrap().unwrap();
            let through = history.summary.unwrap().through;
            let about = history.turns.iter().filter(|(number, _)| *number <= through).count().min(120);
            assert!((0..about).all(has_read), "a summary is about more than was read: {room}, {length}");
            if calls == 0 {
                let is_shown = |number| read.shown.iter().any(|turn| turn.text.contains(&format!("fact-{number};")));
                assert!((0..120).all(|number| has_read(number) || is_shown(number)), "{room}, {length}");
                assert_eq!(summarised.contains("(cut here: "), longest > 4_000, "a cut is told");
                break;
            }
        }
        runtime.stop(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_bound_without_room_for_a_summary_is_refused() {
    let runtime = Runtime::with_model("function/model", FunctionModel::new(|_| Ok(ChatReply::text("so")))).unwrap();
    for (history_tokens, is_fit) in [(0, false), (199, false), (200, true)] {
        let limits = AskLimits { history_tokens, ..AskLimits::default() };
        let spec = runtime.agent("assistant").limits(limits).sessions(MemorySessions::default());
        spec.clone().start().unwrap();
        match spec.summarise().start() {
            Ok(_) => assert!(is_fit, "{history_tokens}"),
            Err(refused) => assert!(!is_fit && refused.to_string().contains("at least 200"), "{refused}"),
        }
    }
}

#[tokio::test]
async fn another_model_may_summarise_and_has_to_be_one_that_is_served() {
    let runtime = Runtime::with_model("function/model", FunctionModel::new(|_| Ok(ChatReply::text("so")))).unwrap();
    let spec = runtime.agent("assistant").sessions(MemorySessions::default()).summarise_by("cheap/model");
    assert!(spec.start().unwrap_err().to_string().contains("cheap/model"));
}
