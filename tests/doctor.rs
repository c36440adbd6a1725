//! Does `callboard doctor` see what is wrong, ask the chosen provider and nobody else, and show no key?

mod cli_support;

use std::io::{Read, Write};

use callboard::mock_llm::{MockConfig, MockLlm};
use cli_support::{Place, Ran};
use serde_json::Value;

const CANARY: &str = "sk-canary-3d90aa";

fn doctor(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = place.callboard(["doctor"]);
    let ran = Ran::of(command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs"));
    assert_eq!(ran.err, "");
    assert!(!ran.out.contains(CANARY), "{}", ran.out);
    ran
}

/// The status, the detail and the hint of a check, after every check was seen to have its form.
fn check(ran: &Ran, name: &str) -> (String, String, String) {
    let object = ran.json();
    assert_eq!(object["schema_version"], 1);
    let text = |check: &Value, field: &str| check[field].as_str().unwrap_or_else(|| panic!("{check}")).to_owned();
    let checks = object["checks"].as_array().unwrap();
    for check in checks {
        let (status, hint) = (text(check, "status"), text(check, "hint"));
        assert!(["ok", "warn", "fail", "skipped"].contains(&&*status), "{check}");
        assert_eq!(["warn", "fail"].contains(&&*status), !hint.is_empty(), "{check}");
        assert!(!text(check, "detail").is_empty(), "{check}");
    }
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{object}"));
    (text(check, "status"), text(check, "detail"), text(check, "hint"))
}

#[test]
fn a_new_user_with_nothing_is_well() {
    let place = Place::empty();
    let ran = doctor(&place, &["--json"], &[]);
    assert_eq!((ran.code, ran.json()["status"].as_str()), (0, Some("ok")), "{}", ran.out);
    let names: Vec<_> = ran.json()["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    let wanted = ["version", "configuration", "keys", "model", "provider", "corpus", "cache", "disk", "limits"];
    assert_eq!(names, wanted);
    assert!(check(&ran, "version").1.starts_with(concat!("callboard ", env!("CARGO_PKG_VERSION"), " on ")));
    assert_eq!(check(&ran, "provider").0, "skipped");
    assert!(!place.path("cache").exists() && !place.path("home").exists(), "something was left behind");
    let text = doctor(&place, &[], &[]);
    assert!(text.code == 0 && text.out.ends_with("\nEverything is as it should be.\n"), "{}", text.out);
}

#[tokio::test]
async fn the_chosen_provider_is_asked_and_its_latency_is_told() {
    let server = MockLlm::start(MockConfig { require_key: true, ..MockConfig::default() }).unwrap();
    let (place, address) = (Place::with_docs(), server.base_url());
    let base = [("OPENAI_BASE_URL", &*address)];
    let keyed = [("OPENAI_BASE_URL", &*address), ("OPENAI_API_KEY", CANARY)];
    let ran = doctor(&place, &["--json", "--model", "openai/mock"], &keyed);
    let (status, detail, _) = check(&ran, "provider");
    assert_eq!((ran.code, status.as_str()), (0, "ok"), "{}", ran.out);
    assert!(detail.contains(" answers in ") && detail.ends_with(" ms"), "{detail}");
    assert!(check(&ran, "keys").1.starts_with("OPENAI_API_KEY is set"));
    let ran = doctor(&place, &["--json", "--model", "openai/other"], &keyed);
    let (status, detail, hint) = check(&ran, "provider");
    assert_eq!((ran.code, status.as_str()), (8, "fail"), "{}", ran.out);
    assert!(detail.contains("does not have the model") && hint.contains("/models, among them mock"), "{detail} {hint}");
    let fall_backs = |args: &str| doctor(&place, &["--json", "--model", "openai/mock", "--fallbacks", args], &keyed);
    let ran = fall_backs("openai/other");
    let (status, detail, hint) = check(&ran, "fall_back");
    assert_eq!((ran.code, status.as_str(), check(&ran, "provider").0.as_str()), (8, "fail", "ok"), "{}", ran.out);
    assert!(detail.starts_with("openai/other: ") && hint.contains("among them mock"), "{detail} {hint}");
    let ran = doctor(&place, &["--json", "--model", "openai/mock"], &base);
    let (status, detail, _) = check(&ran, "provider");
    assert_eq!((ran.code, status.as_str()), (8, "fail"), "{}", ran.out);
    assert!(detail.contains("401"), "{detail}");
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_offline_or_for_the_rules() {
    let server = MockLlm::start(MockConfig::default()).unwrap();
    let (place, address) = (Place::with_docs(), server.base_url());
    let variables = [("OPENAI_BASE_URL", &*address), ("OPENAI_API_KEY", CANARY)];
    let ran = doctor(&place, &["--json", "--offline", "--model", "openai/mock"], &variables);
    assert_eq!((ran.code, check(&ran, "provider").0.as_str()), (0, "skipped"), "{}", ran.out);
    assert_eq!(check(&ran, "model").0, "ok");
    let ran = doctor(&place, &["--json"], &variables);
    assert_eq!((ran.code, check(&ran, "provider").0.as_str()), (0, "skipped"), "{}", ran.out);
    assert_eq!((server.stats().connections.total, server.stats().requests), (0, 0));
    server.stop().await;
}

#[test]
fn a_server_that_is_not_there_fails() {
    // A port that was free a moment ago and is bound to nothing.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/v1");
    let place = Place::with_docs();
    let ran = doctor(&place, &["--json", "--model", "openai/x"], &[("OPENAI_BASE_URL", &address)]);
    let (status, detail, hint) = check(&ran, "provider");
    assert_eq!((ran.code, status.as_str()), (8, "fail"), "{}", ran.out);
    assert!(detail.contains("does not answer") && hint.contains("OPENAI_BASE_URL"), "{detail} {hint}");
    let text = doctor(&place, &["--model", "openai/x"], &[("OPENAI_BASE_URL", &address)]);
    assert!(text.code == 8 && text.out.contains("FAIL  provider") && text.out.contains("1 failed"), "{}", text.out);
}

/// A server that answers each connection so.
fn answering(status: &'static str, headers: &'static str, body: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), Vec::new());
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            let length = body.len();
            let said =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}");
            stream.write_all(said.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn an_address_that_is_another_servers_is_told() {
    let place = Place::with_docs();
    let page = "<html><title>Welcome</title></html>";
    for (status, headers, body, told, (what, advice)) in [
        ("200 X", "content-type: text/html\r\n", page, "fail", ("not with a list of models", "/v1")),
        ("200 X", "content-type: text/plain\r\n", "Hello", "fail", ("not with a list of models", "/v1")),
        ("200 X", "", "{\"ok\":true}", "fail", ("not with a list of models", "/v1")),
        (
            "301 X",
            "location: https://elsewhere.example/\r\n",
            "",
            "fail",
            ("points to another address", "the other address"),
        ),
        (
            "200 X",
            "content-encoding: gzip\r\ncontent-type: application/json\r\n",
            "packed",
            "fail",
            ("is encoded (content-encoding: gzip)", "without compression"),
        ),
        ("429 X", "", "{}", "warn", ("rate of the key is reached", "try again later")),
        ("404 X", "", "{}", "warn", ("HTTP 404", "no such list")),
    ] {
        let address = answering(status, headers, body);
        let ran = doctor(&place, &["--json", "--model", "openai/m"], &[("OPENAI_BASE_URL", &address)]);
        let (is, detail, hint) = check(&ran, "provider");
        assert_eq!((is.as_str(), ran.code), (told, if told == "fail" { 8 } else { 0 }), "{status} {body}: {detail}");
        assert!(detail.contains(what) && hint.contains(advice), "{status} {body}: {detail} {hint}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let place = Place::with_docs().file("callboard.toml", "[gateway]\nmax_inflight = 3\n");
    let ran = doctor(&place, &["--json"], &[]);
    let (status, detail, hint) = check(&ran, "configuration");
    assert_eq!((ran.code, status.as_str()), (8, "fail"), "{}", ran.out);
    assert!(detail.starts_with("callboard.toml:2:1: ") && hint.contains("`gateway.max_in_flight`"), "{detail} {hint}");
    assert_eq!(check(&ran, "model").0, "skipped");

    let place = Place::with_docs().file("callboard.toml", "[research]\ncorpus = [\"gone\"]\n");
    let ran = doctor(&place, &["--json", "--model", "openai/x"], &[]);
    assert_eq!((ran.code, check(&ran, "corpus").0.as_str()), (8, "fail"), "{}", ran.out);
    let (status, detail, hint) = check(&ran, "model");
    assert_eq!(status, "fail");
    assert!(detail.contains("OPENAI_API_KEY is not set") && hint.contains("export OPENAI_API_KEY"), "{detail} {hint}");

    let place = Place::with_docs().file("cache", "a file where the cache should be");
    let ran = doctor(&place, &["--json"], &[("CALLBOARD_MODEL_NAM", "x")]);
    let (status, _, hint) = check(&ran, "configuration");
    assert!(status == "warn" && hint.contains("CALLBOARD_MODEL_NAME"), "{}", ran.out);
    let (status, detail, hint) = check(&ran, "cache");
    assert!(status == "fail" && detail.contains("is no folder"), "{detail}");
    assert!(ran.code == 8 && hint.contains("CALLBOARD_CACHE_DIR"), "{hint}");
}

#[test]
fn a_wrong_flag_is_a_usage_error_in_the_form_that_was_asked_for() {
    let place = Place::empty();
    let ran = Ran::of(place.callboard(["doctor", "--json", "--modle", "x"]).output().unwrap());
    assert_eq!((ran.code, cli_support::error_code(&ran).as_str()), (2, "usage"));
    assert!(ran.err.contains("callboard doctor --help"), "{}", ran.err);
}
