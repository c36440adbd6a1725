//! Are values that make no sense refused, with the name of the rule, at the first moment that can return an error?

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, System};
use callboard::actors::error::StartError;
use callboard::actors::gateway::{Budget, Gateway, Price, ServedModel};
use callboard::actors::mailbox::ActixSpec;
use callboard::actors::supervision::tree::{GroupSpec, Lifetime};
use callboard::actors::supervisor::CrewModel;
use callboard::prelude::*;
use callboard::providers::anthropic::Anthropic;
use callboard::providers::gemini::gemini;
use callboard::providers::ollama::ollama;
use callboard::providers::openai::{OpenAi, OpenAiResponses};
use callboard::testkit::{ScriptedModel, only_loopback};
use callboard::{Error, ModelChoice};

/// An agent of no interest.
struct Idle;

impl Agent for Idle {
    type Message = ();

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {}
}

fn idle(name: &'static str) -> AgentSpec<Idle> {
    AgentSpec::new(name, || Idle)
}

fn model() -> ServedModel {
    ServedModel::new("scripted/model", Arc::new(ScriptedModel::new()))
}

fn runtime(model: &ScriptedModel) -> Runtime {
    Runtime::with_model("scripted/model", model.clone()).unwrap()
}

/// What is wrong, of values that are refused.
fn refused<T>(started: Result<T, StartError>) -> String {
    match started.err() {
        Some(error @ StartError::Invalid(_)) => {
            assert_eq!((error.code(), error.is_retryable()), ("invalid_configuration", false));
            error.to_string()
        }
        other => panic!("it should be invalid: {other:?}"),
    }
}

/// The same of what the facade starts.
fn not_started<T>(started: callboard::Result<T>) -> String {
    match started.err() {
        Some(Error::Start(error)) => refused::<()>(Err(error)),
        other => panic!("it should not start: {other:?}"),
    }
}

#[test]
fn an_agent_is_not_started_with_a_value_that_breaks_a_rule() {
    let runtime = runtime(&ScriptedModel::new());
    let group = runtime.group(GroupSpec::default());
    let limits = |limits| runtime.agent("a").limits(limits).start();
    let cases = [
        ("name is empty", refused(runtime.agent("").start())),
        ("name is empty", refused(runtime.agent(" ").start())),
        ("capacity is 0", refused(runtime.agent("a").capacity(0).start())),
        ("output_tokens is 0", refused(limits(AskLimits { output_tokens: Some(0), ..AskLimits::default() }))),
        ("serves no model", refused(runtime.agent("a").fallback("").start())),
        ("name is empty", refused(runtime.spawn(idle("")))),
        ("capacity is 0", refused(runtime.spawn(idle("a").capacity(0)))),
        ("max_work is 0", refused(runtime.spawn(idle("a").max_work(0)))),
        ("quarantine is 0", refused(runtime.spawn(idle("a").quarantine(0, |()| None)))),
        ("capacity is 0", refused(group.spawn(idle("a").capacity(0), Lifetime::Permanent))),
    ];
    for (words, said) in cases {
        assert!(said.contains(words), "{words}: {said}");
    }
    let largest = idle("a").capacity(usize::MAX).max_work(usize::MAX);
    assert!(runtime.spawn(largest).is_ok(), "more than 4 billion is 4 billion, as documented");
    assert!(runtime.stop_blocking(Duration::from_secs(5)).is_clean());
}

struct Stock;

impl Actor for Stock {
    type Context = Context<Self>;
}

struct Count;

impl Message for Count {
    type Result = usize;
}

impl Handler<Count> for Stock {
    type Result = usize;

    fn handle(&mut self, _count: Count, _context: &mut Self::Context) -> usize {
        0
    }
}

#[test]
fn a_member_of_actix_is_not_started_with_a_value_that_breaks_a_rule() {
    let runtime = Runtime::start(RuntimeConfig::default()).unwrap();
    System::new().block_on(async {
        let member = || ActixSpec::<Count>::new("stock", Stock.start());
        for (words, said) in [
            ("capacity is 0", refused(member().capacity(0).start(&runtime))),
            ("at_once is 0", refused(member().at_once(0).start(&runtime))),
            ("name is empty", refused(ActixSpec::<Count>::new("", Stock.start()).start(&runtime))),
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    });
    assert!(runtime.stop_blocking(Duration::from_secs(5)).is_clean());
}

#[test]
fn a_model_is_not_served_with_a_value_that_breaks_a_rule() {
    let choice = || ModelChoice::new(model());
    let price = |input, output| {
        let model = ServedModel { price: Some(Price { input, output }), ..model() };
        Runtime::with(ModelChoice::new(model))
    };
    let nameless = || ServedModel { name: String::new(), ..model() };
    let fallbacks = vec![nameless()];
    let cases = [
        ("name is empty", not_started(Runtime::with_model("", ScriptedModel::new()))),
        ("name is empty", not_started(Runtime::with(ModelChoice { fallbacks, ..choice() }))),
        ("output_tokens is 0", not_started(Runtime::with(ModelChoice { output_tokens: 0, ..choice() }))),
        ("input_tokens is 0", not_started(Runtime::with(ModelChoice { input_tokens: 0, ..choice() }))),
        ("price.input is 18446744073709551615", not_started(price(u64::MAX, 0))),
        ("price.output is 1000000000001", not_started(price(0, 1_000_000_000_001))),
    ];
    for (words, said) in cases {
        assert!(said.contains(words), "{words}: {said}");
    }
    let highest = price(1_000_000_000_000, 1_000_000_000_000).unwrap();
    let gateway: &Gateway = highest.gateway().unwrap();
    let mut crew = CrewModel::new(gateway.clone(), "scripted/model", Budget::default());
    crew.output_tokens = 0;
    assert!(refused(crew.validate()).contains("output_tokens is 0"));
    assert!(highest.stop_blocking(Duration::from_secs(5)).is_clean());
}

#[test]
fn a_provider_is_not_made_for_a_model_without_a_name_or_a_vendor_without_its_key() {
    only_loopback();
    let made = [
        OpenAi::new("", None, None).err(),
        OpenAiResponses::new(" ", None, None).err(),
        Anthropic::new("", None, None).err(),
        gemini("", None, None).err(),
        ollama("", None, None).err(),
    ];
    // The vendors themselves want a key, and a server of one's own need not.
    let keyless: [fn(_, _) -> _; 4] = [
        |key, base| OpenAi::new("m", key, base).err(),
        |key, base| OpenAiResponses::new("m", key, base).err(),
        |key, base| Anthropic::new("m", key, base).err(),
        |key, base| gemini("m", key, base).err(),
    ];
    for (made, key) in keyless.into_iter().flat_map(|made| [(made, None), (made, Some("")), (made, Some(" "))]) {
        let made = |base| made(key.map(Into::into), base);
        let error = made(None).expect("it is refused");
        assert_eq!((error.code(), error.is_retryable()), ("provider_key_missing", false), "{error}");
        assert!(error.hint().contains("_API_KEY") && error.hint().contains("`base_url`"), "{}", error.hint());
        assert_eq!(made(Some("http://127.0.0.1:8080/v1")), None);
    }
    assert_eq!(ollama("m", None, None).err(), None);
    for error in made {
        let error = error.expect("it is refused");
        assert_eq!((error.code(), error.is_retryable()), ("provider_model", false), "{error}");
        assert!(error.hint().starts_with("name the model"), "{}", error.hint());
    }
}

#[tokio::test]
async fn a_question_that_is_empty_or_has_an_empty_name_is_not_asked() {
    let model = ScriptedModel::new().says("1");
    let runtime = runtime(&model);
    let agent = runtime.agent("a").start().unwrap();
    let questions = || {
        let question = || Question::new("x");
        [
            ("session", question().session("")),
            ("run", question().run("")),
            ("user", question().user("")),
            ("it is empty", Question::new("")),
            ("it is empty", Question::new(" \n\t")),
            ("no time at all", question().within(Duration::ZERO)),
        ]
    };
    for (what, question) in questions() {
        let mut stream = agent.ask_stream(question.clone());
        assert!(stream.next().await.is_none(), "{what}");
        let refused = [
            agent.ask(question.clone()).await.unwrap_err(),
            agent.ask_as::<u8>(question.clone()).await.unwrap_err(),
            agent.ask_all([question]).collect().await.remove(0).unwrap_err(),
            stream.answer().await.unwrap_err(),
        ];
        for error in refused {
            assert_eq!((error.code(), error.is_retryable()), ("invalid_question", false));
            assert!(error.to_string().contains(what) && error.hint().ends_with("nothing was asked"), "{error:?}");
        }
    }
    let some = agent.ask_all(["", "x"]).collect().await;
    assert!(some[0].is_err() && some[1].is_ok(), "{some:?}");
    assert_eq!(model.asked().len(), 1, "nothing else was asked");
    runtime.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn none_at_a_time_is_one_at_a_time() {
    let model = ScriptedModel::new().says("1").says("2");
    let runtime = runtime(&model);
    let mut asks = runtime.agent("a").start().unwrap().ask_all(["x", "y"]).limit(0).attempts(0);
    let mut answered = 0;
    while let Some((_, answer)) = asks.next().await {
        answered += 1;
        assert!(answer.is_ok() && asks.progress().running <= 1, "{answer:?}");
    }
    assert_eq!(answered, 2);
    runtime.stop(Duration::from_secs(5)).await;
}
