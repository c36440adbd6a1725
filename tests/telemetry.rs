//! Does a program see its agents and its model calls as metrics? With a recorder that writes what Prometheus reads.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture, System};
use callboard::actors::chat::{ChatReply, ChatRequest, TokenUsage, Turn as ChatTurn};
use callboard::actors::error::{Limited, ModelError};
use callboard::actors::gateway::{
    BreakerPolicy, Budget, BudgetLimits, CacheMode, Gateway, GatewayInfo, GatewayLimits, ModelLimits, Price,
    RetryBudgetPolicy, RetryPolicy, ServedModel,
};
use callboard::actors::mailbox::{ActixSpec, AgentInfo};
use callboard::actors::ports::{ChatModel, ModelCall};
use callboard::prelude::*;
use callboard::telemetry::{GatewayMetrics, Publisher};
use futures_util::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusBuilder;

const LONG: Duration = Duration::from_secs(20);

/// Whether each metric of a page is named as Prometheus would have it.
fn assert_named(page: &str) {
    let types: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(!types.is_empty(), "{page}");
    for (name, kind) in types {
        assert!(name.starts_with("callboard_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        let odd = ["microseconds", "milliseconds", "nanoseconds"];
        assert!(!odd.iter().any(|unit| name.contains(unit)), "{name}: time is in seconds");
    }
}

/// Counts, and dies of what is too much.
struct Clerk;

enum Paper {
    Form(Reply<()>),
    TooMuch,
}

impl Agent for Clerk {
    type Message = Paper;

    fn handle(&mut self, paper: Paper, _turn: &mut Turn<'_, Paper>) {
        match paper {
            Paper::Form(reply) => reply.send(()),
            // Without the panic hook, which would print it.
            Paper::TooMuch => std::panic::resume_unwind(Box::new("too much")),
        }
    }
}

#[test]
fn what_agents_are_like_is_published_and_forgotten_when_they_are_gone() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let mut publisher = Publisher::new(runtime.handle());
    let mut publish = || metrics::with_local_recorder(&recorder, || publisher.publish());

    let clerks = [(); 3].map(|()| runtime.spawn(AgentSpec::new("clerk", || Clerk)).unwrap());
    for clerk in &clerks {
        clerk.ask_blocking(LONG, Paper::Form).unwrap();
    }
    clerks[0].tell(Paper::TooMuch).unwrap();
    clerks[0].ask_blocking(LONG, Paper::Form).unwrap();
    while runtime.ledger().handled < 4 {
        // An answer is there before its handler returns.
        std::thread::yield_now();
    }
    publish();
    let text = page.render();
    assert_named(&text);
    for line in [
        "callboard_messages_accepted_total 5",
        "callboard_messages_handled_total 4",
        "callboard_dead_letters_total{reason=\"panicked\"} 1",
        "callboard_dead_letters_total{reason=\"stopped\"} 0",
        "callboard_shard_blocked_seconds{shard=\"0\"} 0",
        "callboard_agents{name=\"clerk\"} 3",
        "callboard_mailbox_messages{name=\"clerk\"} 0",
        "callboard_agent_handled{name=\"clerk\"} 4",
        "callboard_agent_dead_letters{name=\"clerk\"} 1",
        "callboard_agent_restarts{name=\"clerk\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }

    for clerk in &clerks {
        clerk.stop();
    }
    let stopped = runtime.handle();
    runtime.stop_blocking(LONG);
    assert_eq!(stopped.directory().len(), 0);
    publish();
    let text = page.render();
    assert!(text.lines().any(|line| line == "callboard_agents{name=\"clerk\"} 0"), "{text}");
    assert!(text.lines().any(|line| line == "callboard_messages_handled_total 4"), "{text}");
}

#[test]
fn runtimes_with_names_of_their_own_are_told_apart() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    for (name, agents) in [("one", 1), ("two", 2)] {
        let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
        for _ in 0..agents {
            let clerk = runtime.spawn(AgentSpec::new("clerk", || Clerk)).unwrap();
            clerk.ask_blocking(LONG, Paper::Form).unwrap();
        }
        let mut publisher = Publisher::new(runtime.handle()).named(name);
        metrics::with_local_recorder(&recorder, || publisher.publish());
    }
    let text = page.render();
    for line in [
        "callboard_messages_accepted_total{runtime=\"one\"} 1",
        "callboard_messages_accepted_total{runtime=\"two\"} 2",
        "callboard_agents{runtime=\"two\",name=\"clerk\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}

/// An actor of actix's that is never done with anything.
struct Sleeper;

impl Actor for Sleeper {
    type Context = Context<Self>;
}

struct Nap;

impl Message for Nap {
    type Result = ();
}

impl Handler<Nap> for Sleeper {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _nap: Nap, _context: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

#[test]
fn what_an_actor_of_actix_loses_is_never_counted_as_handled() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let mut publisher = Publisher::new(runtime.handle());
    let mut has = |lines: &[&str]| {
        metrics::with_local_recorder(&recorder, || publisher.publish());
        let text = page.render();
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "no line `{line}` in\n{text}");
        }
    };
    System::new().block_on(async {
        let member = ActixSpec::<Nap>::new("sleeper", Sleeper.start()).start(&runtime).unwrap();
        for _ in 0..3 {
            member.tell(Nap).unwrap();
        }
        let quiet = |info: &AgentInfo| info.depth == 0 && info.pending + info.handled == 3;
        while !runtime.directory().list().iter().all(quiet) || !runtime.ledger().balances() {
            tokio::task::yield_now().await;
        }
        has(&["callboard_messages_accepted_total 3", "callboard_messages_handled_total 0"]);
        member.stop();
        tokio::time::timeout(LONG, member.gone()).await.unwrap();
        while runtime.ledger().pending > 0 {
            tokio::task::yield_now().await;
        }
    });
    has(&[
        "callboard_messages_accepted_total 3",
        // The actor has it.
        "callboard_messages_handled_total 1",
        "callboard_dead_letters_total{reason=\"stopped\"} 2",
    ]);
}

#[tokio::test]
async fn publishing_again_and_again_ends_with_the_runtime() {
    let runtime = Runtime::start(RuntimeConfig::default()).unwrap();
    let published = tokio::spawn(Publisher::new(runtime.handle()).publish_every(Duration::from_millis(1)));
    runtime.stop(LONG).await;
    tokio::time::timeout(LONG, published).await.expect("it ends").expect("it does not panic");
}

/// Does what it is told, in one word.
struct Scripted(&'static str);

impl ChatModel for Scripted {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let (name, message) = (self.0, call.request.turns[0].text.clone());
        Box::pin(async move {
            match &*message {
                "hang" => std::future::pending().await,
                "fail" if name != ONE => Err(ModelError::Unavailable { status: 503, retry_after: None, message }),
                "slow down" => {
                    let (limited, retry_after) = (Limited::Rate, Some(Duration::from_millis(1)));
                    Err(ModelError::RateLimited { limited, retry_after, message })
                }
                "too many" => {
                    Err(ModelError::RateLimited { limited: Limited::Concurrency, retry_after: None, message })
                }
                "later" => {
                    let (limited, retry_after) = (Limited::Rate, Some(Duration::from_secs(200)));
                    Err(ModelError::RateLimited { limited, retry_after, message })
                }
                "priced" => Ok(ChatReply { usage: Some(USED), ..ChatReply::text(message) }),
                _ => Ok(ChatReply::text(message)),
            }
        })
    }
}

/// What a call used that tells it.
const USED: TokenUsage = TokenUsage { input: 30, output: 12 };

const ONE: &str = "played/one";
const TWO: &str = "played/two";
const THREE: &str = "played/three";
const FOUR: &str = "played/four";

fn scripted(runtime: &Runtime) -> Gateway {
    let served = |name| {
        let limits = ModelLimits { max_in_flight: Some(2), ..ModelLimits::default() };
        let price = (name == THREE).then_some(Price { input: 1_000_000, output: 2_000_000 });
        ServedModel { limits, price, ..ServedModel::new(name, Arc::new(Scripted(name))) }
    };
    let limits = GatewayLimits {
        max_waiting: 1,
        retry: RetryPolicy { attempts: 2, first: Duration::from_millis(1), ..RetryPolicy::default() },
        retry_budget: RetryBudgetPolicy { percent: 0, floor_per_second: 1, ..RetryBudgetPolicy::default() },
        breaker: BreakerPolicy { attempts: 4, failed_percent: 100, cool_down: LONG, ..BreakerPolicy::default() },
        ..GatewayLimits::default()
    };
    Gateway::start(runtime, [ONE, TWO, THREE, FOUR].map(served).into(), limits).unwrap()
}

fn request(word: &str) -> ChatRequest {
    ChatRequest::new(vec![ChatTurn::user(word)], 10)
}

async fn until(gateway: &Gateway, holds: impl Fn(&GatewayInfo) -> bool) -> GatewayInfo {
    loop {
        let info = gateway.info().await.unwrap();
        if holds(&info) {
            return info;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_model_calls_are_like_is_published_for_each_model() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let gateway = scripted(&runtime);
    let call = |model, word| gateway.call(model, request(word));
    let total = Budget::new(BudgetLimits { tokens: Some(1_000), micros: Some(2_000) });
    let part = total.split(BudgetLimits { tokens: Some(300), micros: Some(400) }).unwrap();
    let (info, held) = here.block_on(async {
        let paid = call(THREE, "priced").budget(&part).send().await.unwrap();
        assert_eq!(paid.reply.usage, Some(USED));
        for _ in 0..3 {
            // Twice after a retry, then at once, because the breaker is open.
            call(TWO, "fail").or(ONE).send().await.unwrap();
        }
        // One of them is made, and the other has its answer, while it is made or afterwards.
        let same = [(); 2].map(|()| call(ONE, "same").cache(CacheMode::On).send());
        join_all(same).await.into_iter().for_each(|answer| drop(answer.unwrap()));
        // An answer keeps the breaker of this one closed, and there are retries for some of its calls only.
        call(THREE, "x").send().await.unwrap();
        for word in ["fail"; 13].into_iter().chain(["slow down"]) {
            call(THREE, word).send().await.unwrap_err();
        }
        for word in ["too many", "later"] {
            call(FOUR, word).within(LONG).send().await.unwrap_err();
        }
        let mut held: Vec<_> = [ONE, ONE, THREE].map(|model| call(model, "hang").send()).into();
        until(&gateway, |info| info.in_flight == 3).await;
        held.pop();
        until(&gateway, |info| info.in_flight == 2).await;
        held.push(call(ONE, "hang").send());
        until(&gateway, |info| info.waiting == 1).await;
        call(ONE, "x").send().await.unwrap_err();
        (gateway.info().await.unwrap(), held)
    });
    let info = GatewayInfo { models: here.block_on(gateway.info()).unwrap().models, ..info };
    let metrics = GatewayMetrics::new(gateway.clone()).budget("all", &total).budget("part", &part);
    metrics::with_local_recorder(&recorder, || here.block_on(metrics.publish())).unwrap();
    let text = page.render();
    assert_named(&text);
    let has = |line: &str| assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    for line in [
        "callboard_gateway_in_flight 2",
        "callboard_gateway_peak_in_flight 3",
        "callboard_gateway_waiting 1",
        "callboard_model_in_flight{model=\"played/one\"} 2",
        "callboard_model_in_flight{model=\"played/two\"} 0",
        "callboard_model_breaker{model=\"played/one\"} 0",
        "callboard_model_breaker{model=\"played/two\"} 2",
        "callboard_model_refused_total{model=\"played/one\"} 1",
        "callboard_model_fell_back_total{model=\"played/two\"} 3",
        "callboard_model_pauses_total{model=\"played/three\"} 2",
        "callboard_model_failed_total{model=\"played/three\"} 14",
        "callboard_model_input_tokens_total{model=\"played/three\"} 30",
        "callboard_model_output_tokens_total{model=\"played/three\"} 12",
        "callboard_model_cost_microdollars_total{model=\"played/three\"} 54",
        "callboard_budget_calls_total{budget=\"all\"} 1",
        "callboard_budget_spent_tokens{budget=\"all\"} 42",
        "callboard_budget_reserved_tokens{budget=\"all\"} 258",
        "callboard_budget_limit_tokens{budget=\"all\"} 1000",
        "callboard_budget_spent_tokens{budget=\"part\"} 42",
        "callboard_budget_reserved_tokens{budget=\"part\"} 0",
        "callboard_budget_limit_tokens{budget=\"part\"} 300",
        "callboard_budget_spent_microdollars{budget=\"part\"} 54",
        "callboard_budget_reserved_microdollars{budget=\"part\"} 0",
        "callboard_budget_limit_microdollars{budget=\"part\"} 400",
        "callboard_budget_spent_microdollars{budget=\"all\"} 54",
        "callboard_budget_reserved_microdollars{budget=\"all\"} 346",
        "callboard_budget_limit_microdollars{budget=\"all\"} 2000",
        "callboard_model_breaker_opened_total{model=\"played/one\"} 0",
        "callboard_model_breaker_opened_total{model=\"played/two\"} 1",
        "callboard_model_limited_by_rate_total{model=\"played/three\"} 2",
        "callboard_model_limited_by_places_total{model=\"played/three\"} 0",
        "callboard_model_limited_by_rate_total{model=\"played/four\"} 1",
        "callboard_model_limited_by_places_total{model=\"played/four\"} 2",
        "callboard_model_paused_seconds{model=\"played/one\"} 0",
        "# TYPE callboard_model_retries_total counter",
        "# TYPE callboard_model_limit gauge",
    ] {
        has(line);
    }
    // How many retries there were depends on how long it took: what the gateway says is what counts.
    for model in &info.models {
        for (metric, value) in [
            ("limit", model.limit as u64),
            ("attempts_total", model.attempts),
            ("retries_total", model.retries),
            ("retries_refused_total", model.retries_refused),
            ("failed_total", model.failed),
            ("cached_total", model.cached),
            ("shared_total", model.shared),
            ("input_tokens_total", model.input_tokens),
            ("output_tokens_total", model.output_tokens),
            ("without_usage_total", model.without_usage),
            ("out_of_budget_total", model.out_of_budget),
            ("queue_seconds_total", model.queue.as_secs()),
            ("provider_seconds_total", model.provider.as_secs()),
        ] {
            has(&format!("callboard_model_{metric}{{model=\"{}\"}} {value}", model.name));
        }
    }
    assert_eq!(info.models[0].cached + info.models[0].shared, 1);
    let paused =
        text.lines().find_map(|line| line.strip_prefix("callboard_model_paused_seconds{model=\"played/four\"} "));
    let paused: f64 = paused.expect("its provider asked for a pause").parse().unwrap();
    assert!((1.0..=200.0).contains(&paused), "{paused}");
    let three = &info.models[2];
    assert!(three.retries > three.retries_refused && three.retries_refused > 0, "{three:?}");
    drop(held);
    runtime.stop_blocking(LONG);
}

#[test]
fn gateways_with_names_of_their_own_are_told_apart() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, calls) in [("main", 1), ("other", 2)] {
        let gateway = scripted(&runtime);
        for _ in 0..calls {
            here.block_on(gateway.call(ONE, request("x")).send()).unwrap();
        }
        let metrics = GatewayMetrics::new(gateway).named(name);
        metrics::with_local_recorder(&recorder, || here.block_on(metrics.publish())).unwrap();
    }
    let text = page.render();
    for line in [
        "callboard_gateway_waiting{gateway=\"main\"} 0",
        "callboard_model_attempts_total{gateway=\"main\",model=\"played/one\"} 1",
        "callboard_model_attempts_total{gateway=\"other\",model=\"played/one\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}

#[tokio::test]
async fn publishing_a_gateway_again_and_again_ends_with_its_runtime() {
    let runtime = Runtime::start(RuntimeConfig::default()).unwrap();
    let metrics = GatewayMetrics::new(scripted(&runtime));
    let published = tokio::spawn(metrics.clone().publish_every(Duration::from_millis(1)));
    runtime.stop(LONG).await;
    tokio::time::timeout(LONG, published).await.expect("it ends").expect("it does not panic");
    assert_eq!(metrics.publish().await, Err(ModelError::Stopped));
}
