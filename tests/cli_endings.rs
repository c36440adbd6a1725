//! Does a research say at its end what happened: in the exit code, in the JSON of standard output and of the folder, and in words?

mod cli_support;

use std::process::Stdio;

use callboard::mock_llm::{MockConfig, MockLlm, Script};
use cli_support::{Place, Ran, error_code};
use serde_json::Value;

const QUESTION: &str = "What is a dead letter?";

fn server(script: &str) -> MockLlm {
    MockLlm::start(MockConfig { script: Some(Script::parse(script).unwrap()), ..MockConfig::default() }).unwrap()
}

/// Both outputs in one file, as on a terminal: in the order in which they were written.
fn together(place: &Place, server: &MockLlm, arguments: &[&str]) -> String {
    let path = place.path("both.txt");
    let (file, mut command) = (std::fs::File::create(&path).unwrap(), place.command([QUESTION, "--corpus", "docs"]));
    command.args(["--model", "openai/mock"]).args(arguments).env("OPENAI_BASE_URL", server.base_url());
    command.stdout(file.try_clone().unwrap()).stderr(file).status().expect("the binary runs");
    std::fs::read_to_string(path).unwrap()
}

/// Dead letters stand in the first sentence, so that the model's numbers fit.
fn place() -> Place {
    Place::empty().file("docs/letters.md", "# Letters\n\nA dead letter is a message that was dropped.\n")
}

fn research(place: &Place, server: &MockLlm, arguments: &[&str]) -> Ran {
    let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/mock"]);
    command.args(arguments).env("OPENAI_BASE_URL", server.base_url());
    Ran::of(command.output().expect("the binary runs"))
}

const OFF_TOPIC: &str = r#"[{"replies": ["{\"tasks\": [\"How is the weather?\"]}"]}]"#;

#[test]
fn a_plan_that_the_rules_made_is_a_plan_and_says_so() {
    let (server, place) = (server(OFF_TOPIC), place());
    let text = research(&place, &server, &["--plan-only"]);
    assert_eq!((text.code, &*text.out), (0, "What is a dead letter?\n\n  t1  What is a dead letter?\n"), "{text:?}");
    assert!(
        text.err.starts_with(
            "note: the question was planned by rules, as the language model openai/mock was no use: its reply could not"
        ),
        "{text:?}"
    );
    assert_eq!(research(&place, &server, &["--plan-only", "--quiet"]).err, "");
    let object = research(&place, &server, &["--plan-only", "--output", "json"]).json();
    let instead = &object["rules_instead"][0];
    assert_eq!(
        (&object["generator"]["kind"], &instead["step"], &instead["model"]),
        (&"extractive".into(), &"plan".into(), &"openai/mock".into())
    );
    assert_eq!(object.get("error"), None);
    let required = research(&place, &server, &["--plan-only", "--require-model", "--output", "json"]);
    assert_eq!((required.code, &*error_code(&required)), (4, "model_unused"), "{required:?}");
    assert_eq!(required.json()["plan"][0]["question"], QUESTION, "the plan is there");
    assert!(
        required.err.starts_with("error: ") && required.err.lines().nth(1).unwrap().starts_with("hint: "),
        "{required:?}"
    );
}

/// Reads the folder's object, and sees that it is the one of standard output.
#[track_caller]
fn in_both(place: &Place, out: &str) -> Value {
    let written = std::fs::read_to_string(place.path("report/report.json")).unwrap();
    assert_eq!(written, out, "report.json is the object of --output json");
    serde_json::from_str(&written).unwrap()
}

/// A model of which nothing but the plan is any use.
const PLANS_ONLY: &str = r#"[
  {"match": {"contains": "<passage"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "This reply cannot be used"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["I cannot tell."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"#;

#[test]
fn the_folder_has_the_same_object_as_standard_output_with_its_error() {
    let (server, place) = (server(PLANS_ONLY), place());
    let ran = research(&place, &server, &["--require-model", "--output", "json", "--out", "report"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(in_both(&place, &ran.out)["error"]["code"], "model_unused");
    let ran = research(&place, &server, &["--output", "json", "--out", "report"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(in_both(&place, &ran.out).get("error"), None);
}

#[cfg(unix)]
mod interrupted {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command};

    /// The binary, interrupted as soon as the server has got so many requests and standard error has said this.
    fn interrupted(place: &Place, server: &MockLlm, requests: u64, arguments: &[&str]) -> Ran {
        let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/mock"]);
        command.args(arguments).env("OPENAI_BASE_URL", server.base_url());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("run started") {
            assert!(errors.read_line(&mut said).unwrap() > 0, "{said}");
        }
        while server.stats().requests < requests || server.stats().in_flight == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            std::thread::yield_now();
        }
        signal(&child);
        errors.read_to_string(&mut said).unwrap();
        let ended = child.wait_with_output().unwrap();
        let ran = Ran::of(ended);
        Ran { err: said, ..ran }
    }

    fn signal(child: &Child) {
        assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    }

    #[test]
    fn while_the_plan_is_asked_for_the_report_names_the_model() {
        let (server, place) = (server(r#"[{"fault": "hang"}]"#), place());
        let ran = interrupted(&place, &server, 1, &["--output", "json", "--out", "report"]);
        assert_eq!((ran.code, &*error_code(&ran)), (130, "interrupted"), "{ran:?}");
        let report = in_both(&place, &ran.out);
        let note = "openai/mock was asked for the plan, and had not answered when the run was interrupted.";
        assert_eq!((&report["notes"][0], &report["status"]), (&note.into(), &"failed".into()), "{report}");
        server.reset();
        let text = interrupted(&place, &server, 1, &[]);
        assert!(text.out.contains(note) && text.out.contains("No answer was made. 1 model call, "), "{text:?}");
        assert!(!text.out.contains("Extractive") && !text.out.contains("$0.00"), "{text:?}");
    }

    /// A model that plans, and is silent about what was retrieved.
    const SILENT: &str = r#"[
      {"match": {"contains": "<passage"}, "replies": [{"fault": "hang"}]},
      {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
    ]"#;

    #[test]
    fn while_a_part_is_asked_about_the_report_names_the_model() {
        let (server, place) = (server(SILENT), place());
        let ran = interrupted(&place, &server, 2, &[]);
        let note = "openai/mock was asked about 1 part, and had not answered when the run was interrupted.";
        assert!(ran.code == 130 && ran.out.contains(note), "{ran:?}");
    }

    /// A model that finds, and is silent when it is asked for more.
    const SILENT_LATER: &str = r#"[
      {"match": {"contains": "<passage"}, "replies": ["{\"findings\": [{\"statement\": \"A dead letter is a dropped message.\", \"sentences\": [1]}]}"]},
      {"match": {"contains": "Part: "}, "replies": [{"fault": "hang"}]},
      {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
    ]"#;

    #[test]
    fn with_findings_the_report_is_no_complete_one_wherever_it_is_read() {
        let (server, place) = (server(SILENT_LATER), place());
        let ran = interrupted(&place, &server, 3, &["--output", "json", "--out", "report"]);
        assert_eq!((ran.code, &*error_code(&ran)), (130, "interrupted"), "{ran:?}");
        let report = in_both(&place, &ran.out);
        assert_eq!((&report["status"], &report["not_found"]), (&"partial".into(), &serde_json::json!([])), "{report}");
        let note = "openai/mock was asked for what is missing, and had not answered when the run was interrupted.";
        assert!(report["notes"].as_array().unwrap().contains(&note.into()), "{report}");
        assert!(ran.err.contains("finished: partial") && !ran.err.contains("complete"), "{ran:?}");
    }
}

/// A model that finds, and then wants to know something else.
const DISTRACTED: &str = r#"[
  {"match": {"contains": "<passage"}, "replies": ["{\"findings\": [{\"statement\": \"A dead letter is a dropped message.\", \"sentences\": [1]}]}", "{\"findings\": []}"]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": [\"How is the weather?\", \"Why is a message late?\"]}", "{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["A message that was dropped is a dead letter [1]."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"#;

#[test]
fn a_further_part_about_something_else_is_left_out_and_one_without_an_answer_is_no_missing_part() {
    let place = place();
    let object = research(&place, &server(DISTRACTED), &["--output", "json"]);
    let report = object.json();
    let plan: Vec<_> = report["plan"].as_array().unwrap().iter().map(|part| part["question"].clone()).collect();
    assert_eq!(plan, [QUESTION, "Why is a message late?"], "{report}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("openai/mock wanted 1 further part researched with no word of the question"), "{notes}");
    assert!(!object.out.contains("weather") && !object.err.contains("weather"), "{object:?}");
    assert_eq!((object.code, &report["status"], &report["not_found"]), (0, &"complete".into(), &serde_json::json!([])));
}

#[test]
fn what_a_model_costs_is_not_nothing_where_nobody_answered_or_nobody_was_asked() {
    let place = place();
    let busy = r#"[{"replies": [{"status": 429, "headers": {"retry-after": "60"}}]}]"#;
    let failing = research(&place, &server(busy), &["--output", "json"]);
    assert!(failing.json()["usage"]["cost_usd"].is_null(), "{failing:?}");
    let text = research(&place, &server(busy), &[]).out;
    assert!(text.contains("without a reply") && !text.contains("$0"), "{text}");
    let sound = server(DISTRACTED);
    research(&place, &sound, &["--cache", "on"]);
    sound.reset();
    let kept = research(&place, &sound, &["--cache", "on"]).out;
    assert!(kept.contains("No model was called: its replies were kept from before.") && !kept.contains('$'), "{kept}");
}

#[test]
fn a_model_that_cannot_be_is_told_with_the_flag_that_names_it() {
    let place = place();
    let told = |arguments: &[&str]| {
        let mut command = place.command([QUESTION, "--corpus", "docs"]);
        Ran::of(command.args(arguments).env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").output().unwrap())
    };
    let known = "hint: the providers are openai, anthropic, gemini, ollama.";
    let ran = told(&["--model", "openai/mock", "--fallbacks", "openai/y,gpt/z"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.starts_with("error: --fallbacks: no model is called `gpt/z`"), "{ran:?}");
    assert!(ran.err.contains(known) && !ran.err.contains("CALLBOARD_MODEL_NAME"), "{ran:?}");
    let ran = told(&["--model", "gpt/z"]);
    assert!(ran.err.starts_with("error: --model: no model is called `gpt/z`") && ran.err.contains(known), "{ran:?}");
    let ran = told(&["--model", "openai/mock", "--fallbacks", "anthropic/z"]);
    assert!(ran.err.starts_with("error: --fallbacks: anthropic/z needs a key"), "{ran:?}");
    let mut doctor = place.callboard(["doctor", "--model", "openai/mock", "--fallbacks", "gpt/z"]);
    let checked = Ran::of(doctor.env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").output().unwrap()).out;
    assert!(checked.contains("FAIL  model          --fallbacks: no model is called `gpt/z`"), "{checked}");
    let configured = place.user_file("[model]\nname = \"gpt/z\"\n");
    let ran = configured.run([QUESTION, "--corpus", "docs"]);
    assert!(ran.err.contains("error: model.name (user file, ") && ran.err.contains("callboard.toml:2"), "{ran:?}");
}

#[test]
fn the_error_comes_behind_the_report_on_standard_error_and_names_no_part_of_the_library() {
    let place = place();
    let nothing = research(&place, &server(r#"[{"status": 401}]"#), &[]);
    assert_eq!(nothing.code, 4, "{nothing:?}");
    let lines: Vec<_> = nothing.err.lines().collect();
    assert!(
        matches!(lines[..], [.., error, hint] if error.starts_with("error: ") && hint.starts_with("hint: ")),
        "{lines:?}"
    );
    for word in ["::", "in code", "rules_instead", "JSON"] {
        assert!(!nothing.err.contains(word), "{word} in {}", nothing.err);
    }
    let required = research(&place, &server(PLANS_ONLY), &["--require-model"]);
    for output in ["text", "json"] {
        let both = together(&place, &server(PLANS_ONLY), &["--require-model", "--output", output]);
        let report = both.find(if output == "text" { "Sources" } else { "\"schema_version\"" });
        let error = both.rfind("\nerror: ");
        assert!(report.is_some() && report < error, "{both}");
        assert!(both.lines().last().is_some_and(|last| last.starts_with("hint: ")), "{both}");
    }
    let hint = required.err.lines().last().unwrap_or_default();
    assert!(
        hint.starts_with("hint: ") && !hint.contains("rules_instead") && !hint.contains("JSON"),
        "{}",
        required.err
    );
}
