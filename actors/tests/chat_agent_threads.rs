//! Does an agent keep one ask at a time, in order, for askers on many threads, and when they, it or its runtime end? On real threads;
//! nothing here waits for a clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use callboard_actors::chat::ChatReply;
use callboard_actors::chat_agent::{Answer, AnswerForm, ChatAgent, ChatAgentError, ChatAgentSpec, Question};
use callboard_actors::error::{AskError, ModelError};
use callboard_actors::gateway::{Gateway, GatewayLimits, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::{Runtime, RuntimeConfig, wait};
use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Id};
use tokio::sync::Semaphore;

const LONG: Duration = Duration::from_secs(60);

/// Answers with its question; `gate` when its gate lets it. Says who was at it, and where.
struct Gated {
    gate: Semaphore,
    now: AtomicUsize,
    peak: AtomicUsize,
    seen: Mutex<Vec<(String, Id)>>,
}

struct Counted(Arc<Gated>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Model(Arc<Gated>);

impl ChatModel for Model {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let gated = self.0.clone();
        let text = call.request.turns.last().unwrap().text.clone();
        gated.seen.lock().unwrap().push((text.clone(), Handle::current().id()));
        let now = gated.now.fetch_add(1, Ordering::SeqCst) + 1;
        gated.peak.fetch_max(now, Ordering::SeqCst);
        let counted = Counted(gated);
        Box::pin(async move {
            tokio::task::yield_now().await;
            if text == "gate" {
                drop(counted.0.gate.acquire().await);
            }
            Ok(ChatReply::text(text))
        })
    }
}

struct Stage {
    runtime: Runtime,
    agent: ChatAgent,
    model: Arc<Gated>,
}

fn stage() -> Stage {
    let runtime = Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).unwrap();
    let [now, peak] = [0; 2].map(AtomicUsize::new);
    let model = Arc::new(Gated { gate: Semaphore::new(0), now, peak, seen: Mutex::default() });
    let served = ServedModel::new("gated", Arc::new(Model(model.clone())));
    let gateway = Gateway::start(&runtime, vec![served], GatewayLimits::default()).unwrap();
    let agent = ChatAgentSpec::new("assistant", &gateway, "gated").capacity(1_000).start().unwrap();
    Stage { runtime, agent, model }
}

async fn until(is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it does not come to hold");
}

fn text(answer: Result<Answer, ChatAgentError>) -> String {
    answer.unwrap().text
}

/// Two agents, and a model that takes one call at a time.
fn two_agents() -> (Runtime, [ChatAgent; 2], Arc<Gated>) {
    let runtime = Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).unwrap();
    let [now, peak] = [0; 2].map(AtomicUsize::new);
    let model = Arc::new(Gated { gate: Semaphore::new(0), now, peak, seen: Mutex::default() });
    let served = ServedModel::new("gated", Arc::new(Model(model.clone())));
    let limits = GatewayLimits { max_in_flight: 1, ..GatewayLimits::default() };
    let gateway = Gateway::start(&runtime, vec![served], limits).unwrap();
    let agents = ["one", "other"].map(|name| ChatAgentSpec::new(name, &gateway, "gated").start().unwrap());
    (runtime, agents, model)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_in_the_gateways_line_moves_up_when_an_ask_is_dropped_or_its_agent_stopped() {
    for round in 0..50 {
        let (runtime, [one, other], model) = two_agents();
        let held = tokio::spawn(one.ask("gate"));
        until(|| model.now.load(Ordering::SeqCst) == 1).await;
        let waits = tokio::spawn(other.ask("next"));
        match round % 2 {
            0 => held.abort(),
            _ => one.stop(),
        }
        let answer = tokio::time::timeout(LONG, waits).await.expect("it moves up").unwrap();
        assert_eq!((text(answer).as_str(), model.peak.load(Ordering::SeqCst)), ("next", 1));
        drop(held.await);
        assert!(runtime.stop(LONG).await.is_clean());
    }
}

const STOPPED: ChatAgentError = ChatAgentError::Agent(AskError::Stopped);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_at_a_time_in_the_order_of_each_asker() {
    let Stage { runtime, agent, model } = stage();
    let asker = |asker: usize| {
        let agent = agent.clone();
        tokio::spawn(async move {
            let asks: Vec<_> = (0..50).map(|number| agent.ask(format!("{asker} {number}"))).collect();
            for (number, ask) in asks.into_iter().enumerate() {
                assert_eq!(text(ask.await), format!("{asker} {number}"));
            }
        })
    };
    for asker in (0..8).map(asker).collect::<Vec<_>>() {
        asker.await.unwrap();
    }
    assert_eq!(model.peak.load(Ordering::SeqCst), 1);
    let seen = std::mem::take(&mut *model.seen.lock().unwrap());
    assert!(seen.iter().all(|(_, runtime)| *runtime != Handle::current().id()), "on a shard");
    for asker in 0..8 {
        let of = seen.iter().filter_map(|(text, _)| text.strip_prefix(&format!("{asker} ")));
        let numbers: Vec<usize> = of.map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    }
    assert!(runtime.stop(LONG).await.is_clean());
}

#[test]
fn whoever_has_no_such_runtime_is_served_on_a_shard_and_takes_turns_with_others() {
    let Stage { runtime, agent, model } = stage();
    assert_eq!(text(wait(|| agent.ask("plain")).unwrap()), "plain");
    let theirs = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _within = theirs.enter();
    let at_home: Vec<_> = (0..100).map(|_| theirs.spawn(agent.ask("home"))).collect();
    let plain: Vec<_> = (0..4)
        .map(|_| {
            let agent = agent.clone();
            std::thread::spawn(move || {
                for _ in 0..25 {
                    assert_eq!(text(wait(|| agent.ask("plain")).unwrap()), "plain");
                }
            })
        })
        .collect();
    plain.into_iter().for_each(|plain| plain.join().unwrap());
    for answer in at_home {
        assert_eq!(text(theirs.block_on(answer).unwrap()), "home");
    }
    assert_eq!((model.peak.load(Ordering::SeqCst), model.seen.lock().unwrap().len()), (1, 201));
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[tokio::test]
async fn a_runtime_that_ends_with_its_askers_holds_up_nobody_else() {
    let Stage { runtime, agent, model } = stage();
    for _ in 0..10 {
        let theirs = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let within = theirs.enter();
        let asks: Vec<_> = (0..200).map(|_| theirs.spawn(agent.ask("gate"))).collect();
        until(|| model.now.load(Ordering::SeqCst) == 1).await;
        drop(within);
        theirs.shutdown_background();
        drop(asks);
        assert_eq!(text(agent.ask("x").await), "x");
        until(|| model.now.load(Ordering::SeqCst) == 0).await;
    }
    assert!(runtime.stop(LONG).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_answers_all_that_were_asked_and_a_stop_tells_all() {
    let Stage { runtime, agent, model } = stage();
    let asks: Vec<_> = (0..5).map(|_| tokio::spawn(agent.ask("gate"))).collect();
    until(|| model.now.load(Ordering::SeqCst) == 1).await;
    agent.drain();
    assert_eq!(agent.ask("late").await, Err(STOPPED));
    model.gate.add_permits(5);
    for ask in asks {
        assert_eq!(text(ask.await.unwrap()), "gate");
    }
    assert!(runtime.stop(LONG).await.is_clean());

    let Stage { runtime, agent, model } = stage();
    let asks: Vec<_> = (0..5).map(|_| tokio::spawn(agent.ask("gate"))).collect();
    until(|| model.now.load(Ordering::SeqCst) == 1).await;
    agent.stop();
    for ask in asks {
        assert_eq!(ask.await.unwrap(), Err(STOPPED));
    }
    until(|| model.now.load(Ordering::SeqCst) == 0).await;
    assert_eq!(agent.ask("late").await, Err(STOPPED));
    assert!(runtime.stop(LONG).await.is_clean());

    let Stage { runtime, agent, .. } = stage();
    agent.stop();
    assert_eq!(agent.ask("late").await, Err(STOPPED), "it was never asked before");
    assert!(runtime.stop(LONG).await.is_clean());
    assert_eq!(agent.ask("late").await, Err(STOPPED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_the_runtime_waits_for_the_line_or_tells_it() {
    for within in [LONG, Duration::ZERO] {
        let Stage { runtime, agent, model } = stage();
        let asks: Vec<_> = (0..5).map(|_| tokio::spawn(agent.ask("gate"))).collect();
        until(|| model.now.load(Ordering::SeqCst) == 1).await;
        let stop = tokio::spawn(async move { runtime.stop(within).await });
        if within == LONG {
            model.gate.add_permits(5);
        }
        for ask in asks {
            let answer = ask.await.unwrap();
            assert_eq!(answer.is_ok(), within == LONG, "{answer:?}");
        }
        assert_eq!(stop.await.unwrap().is_clean(), within == LONG);
    }
}

/// Something that an ask has, and that its end drops.
struct PanicsAtItsEnd;

impl Drop for PanicsAtItsEnd {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ask_that_panics_ends_alone() {
    let Stage { runtime, agent, .. } = stage();
    let form = || {
        let bad = PanicsAtItsEnd;
        let check = Arc::new(move |_: &str| Some(&bad).map(|_| ()).ok_or_else(String::new));
        AnswerForm { name: "bad".to_owned(), schema: serde_json::json!({}), check, repairs: 0 }
    };
    for _ in 0..20 {
        let asks = [agent.ask("1"), agent.ask(Question::new("2").form(form())), agent.ask("3")];
        let [first, second, third] = asks.map(tokio::spawn);
        assert_eq!(second.await.unwrap(), Err(ChatAgentError::Agent(AskError::Panicked)));
        assert_eq!((text(first.await.unwrap()), text(third.await.unwrap())), ("1".to_owned(), "3".to_owned()));
    }
    assert!(runtime.stop(LONG).await.is_clean());
}

/// Answers with what a new agent of its own says, asked from here or from a task beside.
struct Nested(Arc<OnceLock<Gateway>>);

impl ChatModel for Nested {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let gateway = self.0.get().unwrap().clone();
        Box::pin(async move {
            let inner = ChatAgentSpec::new("inner", &gateway, "gated").start().unwrap();
            let text = call.request.turns[0].text.clone();
            let answer = match &*text {
                "beside" => tokio::spawn(async move { inner.ask(text).await }).await.unwrap(),
                _ => inner.ask(text).await,
            };
            Ok(ChatReply::text(format!("it says {}", answer.unwrap())))
        })
    }
}

#[tokio::test]
async fn a_model_on_a_shard_can_ask_agents_of_the_same_shard() {
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let [now, peak] = [0; 2].map(AtomicUsize::new);
    let model = Arc::new(Gated { gate: Semaphore::new(0), now, peak, seen: Mutex::default() });
    let own = Arc::new(OnceLock::new());
    let served =
        [ServedModel::new("gated", Arc::new(Model(model))), ServedModel::new("nested", Arc::new(Nested(own.clone())))];
    let gateway = Gateway::start(&runtime, served.into(), GatewayLimits::default()).unwrap();
    assert!(own.set(gateway.clone()).is_ok());
    let outer = ChatAgentSpec::new("outer", &gateway, "nested").start().unwrap();
    for question in ["hello", "beside", "hello"] {
        assert_eq!(text(outer.ask(question).await), format!("it says {question}"));
    }
    assert!(runtime.stop(LONG).await.is_clean());
}
