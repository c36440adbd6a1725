//! Do the events of a run say what happens to its models, from a model server over a socket to the lines of JSON?

mod cli_support;

use std::sync::Arc;
use std::time::Duration;

use callboard::ModelChoice;
use callboard::actors::gateway::{BreakerPolicy, GatewayLimits, ServedModel};
use callboard::corpus::CorpusOptions;
use callboard::mock_llm::{MockConfig, MockLlm, Script};
use callboard::providers::openai::OpenAi;
use callboard::testkit::only_loopback;
use cli_support::{Place, Ran};
use serde_json::{Value, json};

const QUESTION: &str = "What is a dead letter?";
const CANARY: &str = "sk-canary-51bb02";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The model `first` always gets this reply; others play their parts.
fn server(first: &Value) -> MockLlm {
    let script = json!([
        { "match": { "model": "first" }, "replies": [first] },
        { "match": { "contains": "<passage" }, "replies": ["{\"findings\": [{\"statement\": \"A dead letter is a dropped message.\", \"sentences\": [1]}]}"] },
        { "match": { "contains": "Part: " }, "replies": ["{\"tasks\": []}"] },
        { "match": { "contains": "<finding" }, "replies": ["A message that was dropped is a dead letter [1]."] },
        { "replies": ["{\"tasks\": [\"What is a dead letter?\"]}"] },
    ]);
    MockLlm::start(MockConfig { script: Some(Script::parse(&script.to_string()).unwrap()), ..MockConfig::default() })
        .unwrap()
}

fn place() -> Place {
    Place::empty().file("docs/letters.md", "# Letters\n\nA dead letter is a message that was dropped.\n")
}

/// The lines of these types, in order.
fn of<'a>(lines: &'a [Value], types: &[&str]) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"].as_str().is_some_and(|kind| types.contains(&kind))).collect()
}

/// Whether a line has at least these fields.
fn has(line: &Value, fields: &Value) -> bool {
    fields.as_object().unwrap().iter().all(|(name, value)| line[name] == *value)
}

fn fell_back(role: &str, task: Option<&str>, code: &str) -> Value {
    let (from, to) = ("openai/first", "openai/other");
    json!({ "type": "model_fell_back", "role": role, "task": task, "from": from, "to": to, "error_code": code })
}

#[test]
fn a_pause_and_the_calls_that_fall_back_are_lines_of_json_and_of_progress() {
    let body = json!({ "error": { "message": format!("{CANARY} says later to first"), "type": "requests", "code": "rate_limit_exceeded" } });
    let server = server(&json!({ "status": 429, "body": body, "headers": { "retry-after": "120" } }));
    let place = place();
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/first", "--output", "jsonl"]);
    command.args(["--fallbacks", "openai/other", "--deadline", "60s"]);
    let ran = Ran::of(command.env("OPENAI_BASE_URL", server.base_url()).output().expect("the binary runs"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    let told = of(&lines, &["model_paused", "model_fell_back", "model_called"]);
    let called = |role: &str| json!({ "type": "model_called", "role": role, "model": "openai/other" });
    let expected = [
        json!({ "type": "model_paused", "model": "openai/first", "refused_model": "openai/first", "pause_ms": 120_000, "schema_version": 1 }),
        fell_back("planner", None, "rate_limited"),
        called("planner"),
    ];
    assert!(
        told.len() > expected.len() && told.iter().zip(&expected).all(|(line, fields)| has(line, fields)),
        "{told:?}"
    );
    let paused = of(&lines, &["model_paused"]).len();
    assert_eq!(paused, 1, "nobody asks it again: {told:?}");
    assert!(!ran.out.contains(CANARY), "{}", ran.out);
    for line in [
        "openai/first is paused for 120 s: the limit of its rate is reached\n",
        "planner: openai/first could not answer (rate_limited); openai/other is next\n",
    ] {
        assert!(ran.err.contains(line), "{}", ran.err);
    }
}

#[test]
fn a_part_that_waits_for_a_pause_says_so_and_that_it_goes_on() {
    let body = json!({ "error": { "message": format!("{CANARY} says later"), "type": "requests", "code": "rate_limit_exceeded" } });
    let later = json!({ "status": 429, "body": body, "headers": { "retry-after": "1" } });
    let script = json!([{ "replies": [later, "{\"tasks\": [\"What is a dead letter?\"]}", "I cannot tell."] }]);
    let script = Some(Script::parse(&script.to_string()).unwrap());
    let server = MockLlm::start(MockConfig { script, ..MockConfig::default() }).unwrap();
    let place = place();
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/first", "--output", "jsonl"]);
    let ran = Ran::of(command.env("OPENAI_BASE_URL", server.base_url()).output().expect("the binary runs"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    let told = of(&lines, &["model_call_paused", "model_call_resumed"]);
    let of_planner = json!({ "role": "planner", "task": null, "model": "openai/first" });
    assert!(told.len() == 2 && told.iter().all(|line| has(line, &of_planner)), "{told:?}");
    let paused = json!({ "type": "model_call_paused", "refused_model": "openai/first" });
    assert!(has(told[0], &paused) && told[1]["type"] == "model_call_resumed", "{told:?}");
    let retried = of(&lines, &["model_call_retried"]);
    assert!(told[0]["pause_ms"].as_u64() >= Some(1_000) && told[0]["pause_ms"] == retried[0]["delay_ms"], "{told:?}");
    let (_, said) = ran.err.split_once("planner: waiting 1").expect("how long it waits");
    let (_, said) = said.split_once(" s, as ").expect("in seconds");
    assert!(said.starts_with("openai/first asked for\nplanner: asking openai/first now\n"), "{}", ran.err);
    assert!(!ran.err.contains(CANARY) && !ran.out.contains(CANARY), "{}", ran.err);
}

#[test]
fn the_next_model_answers_within_the_step_of_a_silent_one() {
    let server = server(&json!({ "fault": "hang" }));
    let place = place();
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/first", "--output", "jsonl"]);
    command.args(["--fallbacks", "openai/other", "--deadline", "6s", "--iterations", "1"]);
    let ran = Ran::of(command.env("OPENAI_BASE_URL", server.base_url()).output().expect("the binary runs"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    let told = of(&lines, &["model_fell_back", "model_called"]);
    let called = |role: &str| json!({ "type": "model_called", "role": role, "model": "openai/other" });
    let steps = [("planner", None), ("researcher", Some("t1")), ("writer", None)];
    let expected: Vec<_> =
        steps.iter().flat_map(|(role, task)| [fell_back(role, *task, "timeout"), called(role)]).collect();
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(&expected).all(|(line, fields)| has(line, fields)), "{told:?}");
    let report = lines.last().unwrap();
    assert_eq!((&report["generator"]["model"], &report["rules_instead"]), (&"openai/other".into(), &json!([])));
}

#[test]
fn at_its_limit_a_model_is_not_waited_for_and_each_is_named_with_its_own_reason() {
    let body = json!({ "error": { "message": "first is busy", "type": "requests", "code": "rate_limit_exceeded" } });
    let limited = json!({ "status": 429, "body": body, "headers": { "retry-after": "120" } });
    let script = json!([{ "match": { "model": "first" }, "replies": [limited] }, { "replies": ["I cannot tell."] }]);
    let script = Some(Script::parse(&script.to_string()).unwrap());
    let server = MockLlm::start(MockConfig { script, ..MockConfig::default() }).unwrap();
    let place = place();
    let busy = "the provider's limit is reached (429): first is busy; it may be asked again in 120 s";
    let waits = "all calls wait for another 1";
    for (fallbacks, other) in [(&[][..], ""), (&["--fallbacks", "openai/other"], "; and openai/other: its reply could")]
    {
        let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/first", "--output", "json"]);
        let ran = Ran::of(command.args(fallbacks).env("OPENAI_BASE_URL", server.base_url()).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let report = ran.json();
        let instead = report["rules_instead"].as_array().unwrap();
        let reasons: Vec<_> = instead.iter().map(|instead| instead["reason"].as_str().unwrap()).collect();
        assert!(instead.len() == 4 && instead.iter().all(|instead| instead["model"] == "openai/first"), "{report}");
        assert!(reasons[0].starts_with(&format!("{busy}{other}")), "{reasons:?}");
        assert!(reasons[1..].iter().all(|why| why.starts_with(waits) && why.contains(other)), "{reasons:?}");
        let line = format!("planner: goes on without openai/first: {busy}{other}");
        assert!(ran.err.contains(&line), "{}", ran.err);
    }
}

#[tokio::test]
async fn a_breaker_that_opens_and_each_call_behind_it_are_lines_of_json() {
    only_loopback();
    let server = server(&json!({ "status": 500, "body": { "error": { "message": CANARY } } }));
    let (place, address) = (place(), server.base_url());
    let model = |name: &str| {
        let model = OpenAi::new(name, None, Some(address.as_str())).unwrap();
        ServedModel::new(format!("openai/{name}"), Arc::new(model))
    };
    // Open for so long that it does not matter how slow the machine is.
    let breaker = BreakerPolicy { attempts: 1, cool_down: DAY, longest: DAY, ..BreakerPolicy::default() };
    let gateway = GatewayLimits { breaker, ..GatewayLimits::default() };
    let choice = ModelChoice { fallbacks: vec![model("other")], gateway, ..ModelChoice::new(model("first")) };
    let options = CorpusOptions { cache_dir: Some(place.path("cache")), ..CorpusOptions::default() };
    let research = callboard::research(QUESTION).corpus(place.path("docs")).corpus_options(options).model(choice);
    let finished = research.start().await.unwrap().finish().await.unwrap();
    let folder = place.path("out");
    finished.write(&folder).unwrap();
    let lines = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(!lines.contains(CANARY), "{lines}");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = of(&lines, &["model_breaker_changed", "model_fell_back"]);
    let day = u64::try_from(DAY.as_millis()).unwrap();
    let expected = [
        json!({ "type": "model_breaker_changed", "model": "openai/first", "breaker": "open", "open_ms": day }),
        fell_back("planner", None, "unavailable"),
        fell_back("researcher", Some("t1"), "breaker_open"),
        fell_back("planner", None, "breaker_open"),
        fell_back("writer", None, "breaker_open"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(&expected).all(|(line, fields)| has(line, fields)), "{told:?}");
}
