//! Does the gateway keep its promises to callers on a runtime of several threads, where calls are made at home, and threads
//! decide at one desk? On real threads; nothing here waits for a clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn as AgentTurn};
use callboard_actors::chat::{ChatReply, ChatRequest, Turn};
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{
    BreakerPolicy, Completed, Gateway, GatewayLimits, ModelLimits, RetryBudgetPolicy, RetryPolicy, ServedModel,
};
use callboard_actors::mailbox::{AgentSpec, Reply};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::{Runtime, RuntimeConfig};
use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Id};
use tokio::sync::Semaphore;

const LONG: Duration = Duration::from_secs(60);

/// Answers at once, or when its gate lets it; says where each call was made.
struct Gated {
    gate: Semaphore,
    now: AtomicUsize,
    peak: AtomicUsize,
    elsewhere: AtomicUsize,
    home: std::sync::Mutex<Option<Id>>,
    /// On which threads calls were made.
    threads: std::sync::Mutex<BTreeSet<String>>,
}

/// Counts a call as long as it lives.
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
        let script = call.request.turns[0].text.clone();
        assert_ne!(script, "panic at once", "on purpose");
        let now = gated.now.fetch_add(1, Ordering::SeqCst) + 1;
        gated.peak.fetch_max(now, Ordering::SeqCst);
        if *gated.home.lock().unwrap() != Some(Handle::current().id()) {
            gated.elsewhere.fetch_add(1, Ordering::SeqCst);
        }
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        gated.threads.lock().unwrap().insert(thread);
        let counted = Counted(gated);
        Box::pin(async move {
            tokio::task::yield_now().await;
            match &*script {
                "gate" => drop(counted.0.gate.acquire().await),
                "panic" => panic!("on purpose"),
                "down" => return Err(ModelError::Unavailable { status: 503, retry_after: None, message: script }),
                _ => {}
            }
            Ok(ChatReply::text(script))
        })
    }
}

struct Stage {
    runtime: Runtime,
    gateway: Gateway,
    model: Arc<Gated>,
}

fn stage(places: usize) -> Stage {
    let runtime = Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).unwrap();
    let [now, peak, elsewhere] = [0; 3].map(AtomicUsize::new);
    let (home, threads) = Default::default();
    let model = Arc::new(Gated { gate: Semaphore::new(0), now, peak, elsewhere, home, threads });
    let mut served = ServedModel::new("gated", Arc::new(Model(model.clone())));
    served.limits = ModelLimits { max_in_flight: Some(places), ..ModelLimits::default() };
    let first = Duration::from_nanos(1);
    let retry = RetryPolicy { attempts: 3, first, longest: first };
    // Its models fail on purpose, and no model is to be spared because of it.
    let breaker = BreakerPolicy { enabled: false, ..BreakerPolicy::default() };
    let retry_budget = RetryBudgetPolicy { enabled: false, ..RetryBudgetPolicy::default() };
    let limits =
        GatewayLimits { deadline: LONG, retry, max_waiting: 10_000, breaker, retry_budget, ..GatewayLimits::default() };
    let gateway = Gateway::start(&runtime, vec![served], limits).unwrap();
    Stage { runtime, gateway, model }
}

impl Stage {
    fn call(&self, script: &str) -> impl Future<Output = Result<Completed, ModelError>> + Send + use<> {
        self.gateway.call("gated", ChatRequest::new(vec![Turn::user(script)], 5)).send()
    }

    /// Asks again and again, until so many are in flight and in line.
    async fn comes_to(&self, in_flight: usize, waiting: usize) {
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            let info = self.gateway.info().await.unwrap();
            let calls = self.model.now.load(Ordering::SeqCst);
            if (info.in_flight, info.waiting, calls) == (in_flight, waiting, in_flight) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{info:?}, {calls} at the model");
            tokio::task::yield_now().await;
        }
    }

    async fn ends(self) {
        self.comes_to(0, 0).await;
        assert!(self.runtime.stop(LONG).await.is_clean());
    }

    fn is_at_home(&self) {
        *self.model.home.lock().unwrap() = Some(Handle::current().id());
    }
}

/// Until this is so, and not for ever.
async fn until(is_so: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(LONG, async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it does not come to hold");
}

const SCRIPTS: [&str; 6] = ["x", "x", "down", "panic", "x", "panic at once"];

/// Makes so many calls at a time, and looks at each answer.
async fn all_are_answered(stage: &Stage, calls: usize) {
    let calls: Vec<_> = (0..calls).map(|number| tokio::spawn(stage.call(SCRIPTS[number % SCRIPTS.len()]))).collect();
    for (number, call) in calls.into_iter().enumerate() {
        let answer = call.await.unwrap();
        match SCRIPTS[number % SCRIPTS.len()] {
            "x" => assert_eq!(answer.unwrap().reply.text, "x"),
            "down" => assert!(matches!(answer, Err(ModelError::Unavailable { .. })), "{answer:?}"),
            _ => assert!(matches!(answer, Err(ModelError::Provider(_))), "{answer:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_limit_holds_for_callers_on_many_threads_and_leaves_on_many_shards() {
    let stage = stage(3);
    all_are_answered(&stage, 600).await;
    assert!(stage.model.peak.load(Ordering::SeqCst) <= 3);
    let info = stage.gateway.info().await.unwrap();
    assert!(info.peak_in_flight <= 3);
    assert_eq!(info.models[0].attempts, 600 + 2 * 100, "one for each, and two more for each that is down");
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_may_start_at_once_is_made_where_its_caller_is() {
    let stage = stage(64);
    stage.is_at_home();
    for _ in 0..20 {
        let calls: Vec<_> = (0..60).map(|_| tokio::spawn(stage.call("x"))).collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().reply.text, "x");
        }
    }
    assert_eq!(stage.model.elsewhere.load(Ordering::SeqCst), 0, "no call crosses a thread of ours");
    stage.ends().await;
}

/// Asks the gateway from where it lives.
struct Asker(Gateway);

impl Agent for Asker {
    type Message = (Option<Reply<Result<Completed, ModelError>>>, Option<Result<Completed, ModelError>>);

    fn handle(&mut self, (reply, answer): Self::Message, turn: &mut AgentTurn<'_, Self::Message>) {
        match (reply, answer) {
            (Some(reply), Some(answer)) => reply.send(answer),
            (Some(reply), None) => {
                let call = self.0.call("gated", ChatRequest::new(vec![Turn::user("x")], 5)).send();
                let done = |answer: Result<_, _>| (Some(reply), answer.ok());
                assert!(turn.start(call, done).is_ok());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn agents_call_on_their_own_shard_and_waiting_calls_are_shared_out() {
    let stage = stage(4);
    for _ in 0..8 {
        let gateway = stage.gateway.clone();
        let agent = stage.runtime.spawn(AgentSpec::new("asker", move || Asker(gateway.clone()))).unwrap();
        let where_it_lives = agent.ask(LONG, |reply| (Some(reply), None)).await.unwrap().unwrap();
        assert_eq!(where_it_lives.reply.text, "x");
        let threads = std::mem::take(&mut *stage.model.threads.lock().unwrap());
        assert_eq!(threads.len(), 1, "made once, {threads:?}");
        let shard = agent.info().shard;
        assert!(threads.contains(&format!("callboard-{shard}")), "{threads:?} for an agent on shard {shard}");
    }
    // From a runtime of one thread all calls come to a leaf, and wait there but for four.
    let calls: Vec<_> = (0..400).map(|_| tokio::spawn(stage.call("x"))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let threads = std::mem::take(&mut *stage.model.threads.lock().unwrap());
    assert_eq!(threads.len(), 2, "both leaves make calls: {threads:?}");
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_at_home_gives_way_at_once_in_flight_and_in_line() {
    let stage = stage(2);
    let calls: Vec<_> = (0..6).map(|_| tokio::spawn(stage.call("gate"))).collect();
    stage.comes_to(2, 4).await;
    calls[2].abort();
    calls[0].abort();
    calls[1].abort();
    stage.comes_to(2, 1).await;
    stage.model.gate.add_permits(3);
    let mut answered = 0;
    for call in calls {
        answered += usize::from(call.await.is_ok_and(|answer| answer.is_ok()));
    }
    assert_eq!(answered, 3);
    stage.ends().await;
}

#[tokio::test]
async fn a_runtime_that_ends_with_its_callers_leaves_no_place_taken() {
    let stage = stage(2);
    for _ in 0..10 {
        let theirs = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _within = theirs.enter();
        let calls: Vec<_> = (0..500).map(|_| theirs.spawn(stage.call("gate"))).collect();
        stage.comes_to(2, 498).await;
        theirs.shutdown_background();
        drop(calls);
        stage.comes_to(0, 0).await;
    }
    // This runtime has one thread: the call is made on a shard.
    assert_eq!(stage.call("x").await.unwrap().reply.text, "x");
    stage.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_calls_at_home_and_for_the_line_behind_them() {
    let Stage { runtime, gateway, model } = stage(1);
    let call = || tokio::spawn(gateway.call("gated", ChatRequest::new(vec![Turn::user("gate")], 5)).send());
    let calls = [call(), call(), call()];
    until(async || gateway.info().await.unwrap().waiting == 2).await;
    let stop = tokio::spawn(async move { runtime.stop(LONG).await });
    until(async || gateway.info().await.is_err()).await;
    model.gate.add_permits(3);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().reply.text, "gate");
    }
    assert!(stop.await.unwrap().is_clean());
    assert_eq!(call().await.unwrap(), Err(ModelError::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_does_not_wait_tells_everybody() {
    let Stage { runtime, gateway, model } = stage(1);
    let call = || tokio::spawn(gateway.call("gated", ChatRequest::new(vec![Turn::user("gate")], 5)).send());
    let calls = [call(), call()];
    until(async || gateway.info().await.unwrap().waiting == 1).await;
    assert!(!runtime.stop(Duration::ZERO).await.is_clean());
    for call in calls {
        assert_eq!(call.await.unwrap(), Err(ModelError::Stopped));
    }
    until(async || model.now.load(Ordering::SeqCst) == 0).await;
}

/// Holds its shard up until it is let go.
struct Blocker(std::sync::mpsc::Receiver<()>);

impl Agent for Blocker {
    type Message = ();

    fn handle(&mut self, (): (), _: &mut AgentTurn<'_, ()>) {
        // Its other end is dropped at the end of the test at the latest.
        let _let_go = self.0.recv_timeout(LONG);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_home_go_on_while_the_shard_of_the_gateway_stands_still_and_somebody_waits() {
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let [now, peak, elsewhere] = [0; 3].map(AtomicUsize::new);
    let (home, threads) = Default::default();
    let model = Arc::new(Gated { gate: Semaphore::new(0), now, peak, elsewhere, home, threads });
    let served = |name: &str, places| {
        let mut served = ServedModel::new(name, Arc::new(Model(model.clone())));
        served.limits = ModelLimits { max_in_flight: Some(places), ..ModelLimits::default() };
        served
    };
    let limits = GatewayLimits { deadline: LONG, max_in_flight: 4, ..GatewayLimits::default() };
    let gateway = Gateway::start(&runtime, vec![served("gated", 2), served("narrow", 1)], limits).unwrap();
    let stage = Stage { runtime, gateway, model };
    let narrow = || stage.gateway.call("narrow", ChatRequest::new(vec![Turn::user("gate")], 5)).send();
    let waiting = [tokio::spawn(narrow()), tokio::spawn(narrow())];
    stage.comes_to(1, 1).await;

    let (let_go, held) = std::sync::mpsc::channel();
    let held = std::sync::Mutex::new(Some(held));
    let spec = AgentSpec::new("blocker", move || Blocker(held.lock().unwrap().take().unwrap()));
    stage.runtime.spawn(spec).unwrap().tell(()).unwrap();
    for call in 0..200 {
        let answer = stage.call("x").await;
        assert!(answer.is_ok(), "call {call}: {answer:?}");
    }
    stage.model.gate.add_permits(2);
    let_go.send(()).unwrap();
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    stage.ends().await;
}
