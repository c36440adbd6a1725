//! Does `callboard research` work with a language model as a person uses it? The binary, and a model server over a socket.

mod cli_support;

use std::io::{Read, Write};
use std::net::TcpListener;

use callboard::mock_llm::{Fault, FaultRates, MockConfig, MockLlm, Script};
use cli_support::{Place, Ran, error_code};

const CANARY: &str = "sk-canary-51bb02";
const QUESTION: &str = "What is a dead letter?";

/// A model that plays its parts.
const SCRIPT: &str = r###"[
  {"match": {"contains": "<passage"}, "replies": ["{\"findings\": [{\"statement\": \"A dead letter is a dropped message.\", \"sentences\": [1]}]}"]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["A message that was dropped is a dead letter [1]. It is green."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"###;

fn server(config: MockConfig) -> MockLlm {
    MockLlm::start(MockConfig { script: Some(Script::parse(SCRIPT).unwrap()), ..config }).unwrap()
}

/// Dead letters stand in the first sentence, so that the model's numbers fit.
fn place() -> Place {
    Place::empty().file("docs/letters.md", "# Letters\n\nA dead letter is a message that was dropped.\n")
}

fn research(place: &Place, address: &str, arguments: &[&str]) -> Ran {
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/mock"]);
    command.args(arguments).env("OPENAI_BASE_URL", address).env("OPENAI_API_KEY", CANARY);
    let ran = Ran::of(command.output().expect("the binary runs"));
    assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{ran:?}");
    ran
}

#[test]
fn a_model_that_is_named_makes_the_report_and_the_report_says_so() {
    let server = server(MockConfig { require_key: true, ..MockConfig::default() });
    let ran = research(&place(), &server.base_url(), &["--output", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, report["status"].as_str()), (0, Some("complete")), "{}", ran.err);
    assert_eq!(report["generator"], serde_json::json!({ "kind": "llm", "model": "openai/mock" }));
    assert_eq!(
        report["answer_markdown"],
        "## What is a dead letter?\n\nA message that was dropped is a dead letter. [1]\n\n"
    );
    assert_eq!(report["usage"]["model_calls"], 4);
    assert!(report["usage"]["input_tokens"].as_u64() > Some(100) && report["usage"]["cost_usd"].is_null());
    assert!(ran.err.contains("looking for what is missing\n"), "{}", ran.err);
    let text = research(&place(), &server.base_url(), &["--iterations", "1"]);
    assert!(
        text.out.contains("Made with the language model openai/mock;") && text.out.contains(". 3 model calls, "),
        "{}",
        text.out
    );
}

#[test]
fn events_hold_the_text_while_it_is_written() {
    let server = server(MockConfig::default());
    let ran = research(&place(), &server.base_url(), &["--output", "jsonl"]);
    let of = |kind: &str| ran.lines().into_iter().filter(|line| line["type"] == kind).collect::<Vec<_>>();
    let written: String = of("answer_text").iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(written.trim(), "A message that was dropped is a dead letter.");
    assert_eq!((of("look_back_started").len(), of("rules_instead").len()), (1, 0));
}

#[test]
fn events_hold_the_numbers_of_each_call_that_add_up_to_the_usage() {
    let server = server(MockConfig::default());
    let ran = research(&place(), &server.base_url(), &["--output", "jsonl"]);
    let lines = ran.lines();
    let called: Vec<_> = lines.iter().filter(|line| line["type"] == "model_called").collect();
    let roles: Vec<_> = called.iter().filter_map(|line| line["role"].as_str()).collect();
    assert_eq!(roles, ["planner", "researcher", "planner", "writer"]);
    assert!(called.iter().all(|line| line["model"] == "openai/mock" && line["attempts"] == 1), "{called:?}");
    assert!(called.iter().all(|line| line["queue_ms"].is_u64() && line["provider_ms"].is_u64()), "{called:?}");
    let usage = &lines.last().unwrap()["usage"];
    for tokens in ["input_tokens", "output_tokens"] {
        let sum: u64 = called.iter().filter_map(|line| line[tokens].as_u64()).sum();
        assert!(sum > 0 && usage[tokens] == sum, "{tokens}: {sum}, {usage}");
    }
    assert!(!ran.err.contains("in flight"), "the numbers are one line that changes, on terminals only: {}", ran.err);
}

/// A model of whose replies only the plan is any use.
const PLANS_ONLY: &str = r###"[
  {"match": {"contains": "<passage"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "This reply cannot be used"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["A message that was dropped is a dead letter [1]."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"###;

#[test]
fn a_model_that_was_asked_and_not_used_is_named_in_every_form_of_the_report() {
    let script = Some(Script::parse(PLANS_ONLY).unwrap());
    let server = MockLlm::start(MockConfig { script, ..MockConfig::default() }).unwrap();
    let place = place();
    let ran = research(&place, &server.base_url(), &["--output", "jsonl", "--out", "report"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    let instead = &lines.last().unwrap()["rules_instead"];
    let only = (instead.as_array().map(Vec::len), &instead[0]["step"], &instead[0]["task"], &instead[0]["model"]);
    assert_eq!(only, (Some(1), &"research".into(), &"t1".into(), &"openai/mock".into()), "{instead}");
    assert!(instead[0]["reason"].as_str().unwrap().contains("could not be used"), "{instead}");
    let event = lines.iter().find(|line| line["type"] == "rules_instead").unwrap();
    assert_eq!((&event["role"], &event["model"]), (&"researcher".into(), &"openai/mock".into()));
    assert!(ran.err.contains("t1: goes on without openai/mock: its reply could not be used"), "{}", ran.err);
    let said = "The language model openai/mock was no use for 1 part of the question: the rules did that.";
    let why = "answered by rules, as the language model openai/mock was no use: its reply could not be used";
    let read = |name: &str| std::fs::read_to_string(place.path("report").join(name)).unwrap();
    let text = research(&place, &server.base_url(), &[]).out;
    for form in [text, read("report.md"), read("report.html")] {
        assert!(form.contains(said) && form.contains(why), "{form}");
    }
}

#[test]
fn a_model_that_is_required_and_not_used_ends_with_4_after_the_report() {
    let script = Some(Script::parse(PLANS_ONLY).unwrap());
    let lame = MockLlm::start(MockConfig { script, ..MockConfig::default() }).unwrap();
    let place = place();
    let required =
        |server: &MockLlm, more: &[&str]| research(&place, &server.base_url(), &[&["--require-model"], more].concat());
    let ran = required(&lame, &["--output", "json"]);
    assert_eq!((ran.code, &*error_code(&ran)), (4, "model_unused"), "{}", ran.err);
    assert_eq!(ran.json()["status"], "complete", "the report is there");
    let text = required(&lame, &[]);
    assert!(text.code == 4 && text.out.contains("dead letter is a message that was dropped"), "{text:?}");
    assert!(
        text.err.contains("error: the rules did 1 step in place of openai/mock: its reply could not"),
        "{}",
        text.err
    );
    assert_eq!(required(&server(MockConfig::default()), &[]).code, 0, "all of it is the model's");
    let ran = place.run([QUESTION, "--corpus", "docs", "--require-model", "--output", "json"]);
    assert_eq!((ran.code, &*error_code(&ran)), (2, "model_missing"), "{}", ran.err);
}

#[test]
fn a_plan_alone_is_the_models_too() {
    let server = server(MockConfig::default());
    let ran = research(&place(), &server.base_url(), &["--plan-only"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "What is a dead letter?\n\n  t1  What is a dead letter?\n"),
        "{}",
        ran.err
    );
    assert_eq!(server.stats().requests, 1);
    let object = research(&place(), &server.base_url(), &["--plan-only", "--output", "json"]).json();
    assert_eq!(object["generator"]["kind"], "llm");
}

#[test]
fn a_known_price_is_counted_and_a_budget_that_is_too_small_ends_with_5() {
    let server = server(MockConfig::default());
    let prices = "[prices.\"openai/mock\"]\ninput = 1000\noutput = 1000\n";
    let place = place().user_file(prices);
    let report = research(&place, &server.base_url(), &["--output", "json", "--max-cost", "1000"]).json();
    let tokens = report["usage"]["input_tokens"].as_f64().unwrap() + report["usage"]["output_tokens"].as_f64().unwrap();
    assert!((report["usage"]["cost_usd"].as_f64().unwrap() - tokens / 1000.0).abs() < 1e-6, "{report}");
    for limit in [["--max-cost", "0.01"], ["--max-tokens", "10"]] {
        let before = server.stats().requests;
        let ran = research(&place, &server.base_url(), &[&limit[..], &["--output", "json"]].concat());
        assert_eq!((ran.code, &*error_code(&ran), server.stats().requests), (5, "budget", before), "{}", ran.err);
    }
}

#[test]
fn a_model_that_cannot_be_asked_ends_with_4_and_says_why() {
    let refusing =
        server(MockConfig { faults: FaultRates::default().with(Fault::Reset, 1.0).unwrap(), ..MockConfig::default() });
    let keyed = MockLlm::start(MockConfig { require_key: true, ..MockConfig::default() }).unwrap();
    let place = place();
    let resets = research(&place, &refusing.base_url(), &["--output", "json", "--deadline", "20s"]);
    assert_eq!((resets.code, &*error_code(&resets)), (4, "model"), "{}", resets.err);
    assert_eq!(resets.json()["error"]["cause"], "network");
    let closed = research(&place, "http://127.0.0.1:1/v1", &["--deadline", "20s"]);
    assert!(
        closed.code == 4 && closed.err.contains("127.0.0.1:1") && closed.err.contains("callboard doctor"),
        "{}",
        closed.err
    );
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/mock"]);
    let without = Ran::of(command.env("OPENAI_BASE_URL", keyed.base_url()).output().unwrap());
    assert!(without.code == 4 && without.err.contains("OPENAI_API_KEY"), "{}", without.err);
    assert!(without.err.contains("its key is right") && !closed.err.contains("key"), "{}{}", without.err, closed.err);
}

#[test]
fn without_a_name_nothing_is_sent_whatever_is_in_the_environment() {
    let server = server(MockConfig::default());
    let place = place();
    let mut command = place.command([QUESTION, "--corpus", "docs"]);
    let ran =
        Ran::of(command.env("OPENAI_BASE_URL", server.base_url()).env("OPENAI_API_KEY", CANARY).output().unwrap());
    assert_eq!((ran.code, server.stats().connections.total), (0, 0));
    assert!(
        ran.out.contains("no language model was called") && ran.err.contains("add --model openai/NAME"),
        "{}",
        ran.err
    );
    let configured = place.user_file("[model]\nname = \"openai/mock\"\n");
    let mut command = configured.command([QUESTION, "--corpus", "docs"]);
    let ran = Ran::of(command.env("OPENAI_BASE_URL", server.base_url()).output().unwrap());
    assert!(ran.code == 0 && ran.out.contains("Made with the language model openai/mock"), "{ran:?}");
}

#[test]
fn the_next_model_answers_when_the_first_is_not_there_and_the_report_says_which() {
    let server = server(MockConfig { models: vec!["other".to_owned()], strict_models: true, ..MockConfig::default() });
    let alone = research(&place(), &server.base_url(), &[]);
    assert_eq!(alone.code, 4, "{alone:?}");
    let ran = research(&place(), &server.base_url(), &["--output", "jsonl", "--fallbacks", "openai/none,openai/other"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    let called: Vec<_> = lines.iter().filter(|line| line["type"] == "model_called").collect();
    assert!(called.len() >= 3 && called.iter().all(|line| line["model"] == "openai/other"), "{}", ran.out);
    assert_eq!(lines.last().unwrap()["generator"]["model"], "openai/other");
    let notes = lines.last().unwrap()["notes"].to_string();
    assert!(notes.contains("openai/other answered in place of openai/mock, which could not."), "{notes}");
}

#[test]
fn a_fall_back_without_its_provider_or_named_twice_is_told() {
    let alone = place().run([QUESTION, "--corpus", "docs", "--model", "openai/a", "--fallbacks", "openai/x,b"]);
    assert_eq!(alone.code, 2, "{alone:?}");
    assert!(
        alone.err.contains("write `provider/model`") && alone.err.contains("the provider is missing"),
        "{}",
        alone.err
    );
    let server = server(MockConfig::default());
    let of = |names| research(&place(), &server.base_url(), &["--fallbacks", names]);
    for (names, again) in
        [("openai/x,openai/x", "or name another: openai/x"), ("openai/mock", "or name another: openai/mock")]
    {
        let ran = of(names);
        assert!(ran.code == 0 && ran.err.contains("none is asked twice") && ran.err.contains(again), "{}", ran.err);
    }
    assert!(!of("openai/x,openai/y").err.contains("asked twice"));
}

#[test]
fn a_flag_about_models_without_a_model_is_noted() {
    let ran = place().run([QUESTION, "--corpus", "docs", "--cache", "on", "--fallbacks", "openai/x"]);
    assert!(ran.err.contains("--cache has no effect without a model: add --model"), "{}", ran.err);
    assert!(ran.err.contains("--fallbacks has no effect"), "{}", ran.err);
}

#[test]
fn a_second_run_with_a_cache_asks_nobody_and_a_damaged_file_is_told() {
    let (server, place) = (server(MockConfig::default()), place());
    let first = research(&place, &server.base_url(), &["--output", "json", "--cache", "on"]);
    assert_eq!((first.code, server.stats().requests), (0, 4), "{}", first.err);
    let second = research(&place, &server.base_url(), &["--output", "json", "--cache", "read-only"]);
    assert_eq!((second.code, server.stats().requests), (0, 4), "{}", second.err);
    assert_eq!(second.json()["answer_markdown"], first.json()["answer_markdown"]);
    let usage = &second.json()["usage"];
    assert_eq!((&usage["model_calls"], &usage["cost_usd"]), (&0.into(), &0.0.into()), "nothing is paid for");
    let again = research(&place, &server.base_url(), &["--cache", "write-only"]);
    assert_eq!((again.code, server.stats().requests), (0, 8), "{}", again.err);

    let file = place.path("cache/replies.sqlite");
    std::fs::write(&file, "this is no database, and longer than a header of one has to be".repeat(20)).unwrap();
    let ran = research(&place, &server.base_url(), &["--output", "json", "--cache", "on"]);
    assert_eq!((ran.code, server.stats().requests), (3, 8), "{ran:?}");
    assert!(ran.err.contains("replies.sqlite") && ran.err.contains("--cache off"), "{}", ran.err);
}

#[test]
fn the_interface_of_openai_is_the_one_that_is_configured() {
    for (api, path) in [("chat", "/v1/chat/completions"), ("responses", "/v1/responses")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 65_536];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 401 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
            let _until_the_client_leaves = stream.read_to_end(&mut Vec::new());
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let place = place();
        let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/m"]);
        command.env("OPENAI_BASE_URL", address).env("CALLBOARD_PROVIDERS_OPENAI_API", api);
        let ran = Ran::of(command.output().expect("the binary runs"));
        assert_eq!(ran.code, 4, "{ran:?}");
        let request = server.join().unwrap();
        assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
    }
}
