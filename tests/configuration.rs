//! Does the program take its settings from flags, environment, project file and user file, in that order, and say from where?

mod cli_support;

use std::fs;
use std::process::Stdio;

use callboard::config::keys::{KEYS, Key, Rule};
use callboard::config::{Config, Surroundings, load};
use cli_support::{Place, QUESTION, Ran, error_code, is_inert};

const CANARY: &str = "sk-canary-80b2e1";

fn ran(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    Ran::of(place.callboard(arguments).envs(variables.iter().copied()).output().expect("the binary runs"))
}

/// The origin and the value of a key in the object of `config show --json`.
fn shown(place: &Place, key: &str, arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let ran = ran(place, &[&["config", "show", "--json"], arguments].concat(), variables);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let object = ran.json();
    assert_eq!(object["schema_version"], 1);
    let settings = object["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
    (setting["origin"]["kind"].as_str().unwrap().to_owned(), setting["value"].to_string())
}

#[test]
fn a_flag_is_over_the_environment_over_the_project_over_the_user() {
    let key = "research.deadline";
    let place = Place::with_docs();
    assert_eq!(shown(&place, key, &[], &[]), ("default".into(), "\"60s\"".into()));
    let place = place.user_file("[research]\ndeadline = \"50s\"\n");
    assert_eq!(shown(&place, key, &[], &[]), ("user_file".into(), "\"50s\"".into()));
    let place = place.file("callboard.toml", "[research]\ndeadline = \"40s\"\n");
    assert_eq!(shown(&place, key, &[], &[]), ("project_file".into(), "\"40s\"".into()));
    let variable = [("CALLBOARD_RESEARCH_DEADLINE", "30s")];
    assert_eq!(shown(&place, key, &[], &variable), ("variable".into(), "\"30s\"".into()));
    assert_eq!(shown(&place, key, &["--deadline", "20s"], &variable), ("flag".into(), "\"20s\"".into()));
    let empty = [("CALLBOARD_RESEARCH_DEADLINE", "")];
    assert_eq!(shown(&place, key, &[], &empty).0, "project_file");
    let elsewhere = [("CALLBOARD_CONFIG", place.path("other.toml"))];
    fs::write(&elsewhere[0].1, "[research]\niterations = 7\n").unwrap();
    let elsewhere = [("CALLBOARD_CONFIG", elsewhere[0].1.to_str().unwrap())];
    assert_eq!(shown(&place, "research.iterations", &[], &elsewhere), ("user_file".into(), "7".into()));
}

#[test]
fn what_is_shown_says_where_it_came_from_and_can_be_read_again() {
    let place = Place::with_docs()
        .user_file("[prices.\"openai/a-4.1\"]\ninput = 0.5\noutput = 2\n")
        .file("callboard.toml", "[research]\ncorpus = [\"docs\"]\n\n[gateway]\nattempts = 2\n");
    let plain = ran(&place, &["config", "show"], &[("OPENAI_BASE_URL", "http://localhost:1/v1")]);
    let origin = ran(&place, &["config", "show", "--origin", "--max-researchers", "2"], &[]);
    for (wanted, by) in [
        ("attempts = 2 ", "# project file, callboard.toml:5"),
        ("corpus = [\"docs\"] ", "# project file, callboard.toml:2"),
        ("max_researchers = 2 ", "# flag --max-researchers"),
        ("deadline = \"60s\" ", "# default"),
        ("input = 0.5 ", ".config/callboard/callboard.toml:2"),
    ] {
        let line = origin.out.lines().find(|line| line.starts_with(wanted)).unwrap_or_else(|| panic!("{}", origin.out));
        assert!(line.ends_with(by), "{line}");
    }
    // What is printed is a file that says the same.
    let place = place.file("again.toml", &plain.out);
    fs::remove_file(place.path("callboard.toml")).unwrap();
    let again = ran(&place, &["config", "show"], &[("CALLBOARD_CONFIG", place.path("again.toml").to_str().unwrap())]);
    let corpus = format!("[\"{}\"]", place.path("docs").display());
    assert_eq!(again.out.replace(&corpus, "[\"docs\"]"), plain.out, "{}", again.err);
}

#[test]
fn a_mistake_names_its_place_in_every_form_of_output() {
    for (file, message, code) in [
        (
            "[research]\nmax_reserchers = 3",
            "callboard.toml:2:1: no key is called `research.max_reserchers`",
            "config_unknown_key",
        ),
        (
            "[research]\nmax_researchers = \"3\"",
            "callboard.toml:2:19: research.max_researchers cannot be `3`",
            "config_value",
        ),
        ("[research]\ndeadline = \"soon\"", "callboard.toml:2:12: research.deadline cannot be `soon`", "config_value"),
        ("[research\n", "callboard.toml:1:10: ", "config_syntax"),
        (
            "[providers.openai]\nbase_url = \"http://evil.example\"",
            "callboard.toml:2:1: providers.openai.base_url may",
            "config_untrusted",
        ),
    ] {
        let place = Place::with_docs().file("callboard.toml", file);
        let text = ran(&place, &["research", QUESTION, "--corpus", "docs"], &[]);
        assert_eq!((text.code, text.out.as_str()), (3, ""), "{text:?}");
        assert!(text.err.starts_with(&format!("error: {message}")) && text.err.contains("\nhint: "), "{}", text.err);
        let json = ran(&place, &["research", QUESTION, "--corpus", "docs", "--output", "json"], &[]);
        assert_eq!((json.code, error_code(&json).as_str()), (3, code));
        let show = ran(&place, &["config", "show", "--json"], &[]);
        assert_eq!((show.code, error_code(&show).as_str()), (3, code));
        // It may name the model that plans.
        assert_eq!(ran(&place, &["research", QUESTION, "--plan-only"], &[]).code, 3);
        assert!(!place.path("cache").exists(), "something was done before the configuration was read");
    }
    let place = Place::with_docs().file("callboard.toml", "[research]\nmax_reserchers = 3");
    let said = ran(&place, &["config", "show"], &[]).err;
    assert!(said.contains("hint: did you mean `research.max_researchers`?"), "{said}");
}

#[test]
fn a_folder_is_trusted_by_the_user_file_alone() {
    let project = "[providers.openai]\nbase_url = \"http://localhost:1/v1\"\n[model]\nname = \"openai/x\"\n";
    let place = Place::with_docs().file("callboard.toml", project);
    let refused = ran(&place, &["config", "show"], &[]);
    assert_eq!(refused.code, 3);
    let list = refused.err.split("trusted = ").nth(1).unwrap_or_else(|| panic!("{}", refused.err)).trim();
    // What the hint says to write does it.
    let place = place.user_file(&format!("trusted = {list}\n"));
    let trusted = ran(&place, &["config", "show"], &[]);
    assert_eq!(trusted.code, 0, "{trusted:?}");
    assert!(trusted.out.contains("base_url = \"http://localhost:1/v1\""), "{}", trusted.out);
}

#[test]
fn a_corpus_may_stand_in_a_file() {
    let place = Place::with_docs().file("callboard.toml", "[research]\ncorpus = [\"docs\"]\n");
    let ran = place.run([QUESTION, "--output", "json"]);
    assert_eq!((ran.code, ran.json()["status"].as_str()), (0, Some("complete")), "{ran:?}");
    let flag = place.run([QUESTION, "--corpus", "docs/notes.txt", "--output", "json"]);
    assert!(!flag.out.contains("core.md"), "a flag is over a file");
    // A path of a file is relative to that file, wherever the command runs.
    let place = Place::with_docs().user_file("[research]\ncorpus = [\"../../../docs\"]\n");
    assert_eq!(place.run([QUESTION]).code, 0);
}

#[test]
fn a_model_that_cannot_be_is_told_before_any_work() {
    let place = Place::with_docs();
    let key = ("OPENAI_API_KEY", CANARY);
    for (arguments, variables, exit, code) in [
        (&["--model", "gpt"][..], &[key][..], 3, "unknown_model"),
        (&["--model", "mistral/x"], &[key], 3, "unknown_model"),
        (&["--model", "openai/x"], &[], 4, "missing_key"),
        (&["--model", "openai/x", "--max-cost", "0.5"], &[key], 3, "unknown_price"),
        (&["--model", "openai/x"], &[("OPENAI_BASE_URL", "https://me:sk-canary-80b2e1@host/v1")], 3, "config_value"),
        (&["--model", "openai/x"], &[("CALLBOARD_PROVIDERS_OPENAI_KEY_ENV", CANARY)], 3, "config_value"),
        (&["--max-cost", "0"], &[], 2, "usage"),
        (&["--iterations", "11"], &[], 2, "usage"),
    ] {
        let arguments = [&["research", QUESTION, "--corpus", "docs", "--output", "json"], arguments].concat();
        let ran = ran(&place, &arguments, variables);
        assert_eq!((ran.code, error_code(&ran).as_str()), (exit, code), "{arguments:?}: {ran:?}");
        assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{ran:?}");
        assert!(!place.path("cache").exists(), "the corpus was opened before the model was known");
    }
}

#[test]
fn what_the_command_says_of_keys() {
    let place = Place::with_docs();
    let note = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["research", QUESTION, "--corpus", "docs"], arguments].concat();
        let ran = ran(&place, &arguments, variables);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.err.lines().find(|line| line.contains("_KEY")).map(ToOwned::to_owned)
    };
    let keys = [("OPENAI_API_KEY", CANARY), ("GEMINI_API_KEY", CANARY)];
    assert_eq!(note(&[], &[]), None);
    let said = "note: OPENAI_API_KEY found; add --model openai/NAME to use it; GEMINI_API_KEY found; add --model gemini/NAME to use it";
    assert_eq!(note(&[], &keys).as_deref(), Some(said));
    assert_eq!(note(&["--quiet"], &keys), None);
}

#[test]
fn no_secret_is_shown_whatever_is_wrong() {
    let user = format!("[providers.openai]\nkey_env = \"MY_KEY\"\nbase_url = \"http://localhost:1/{CANARY}\"\n");
    let wrong = [
        format!("[providers.openai]\napi_key = \"{CANARY}\""),
        format!("[providers.openai]\nkey_env = \"{CANARY}\""),
        format!("[providers.openai]\nkey_env = {CANARY}"),
        format!("[providers.openai]\nkey_env = \"{CANARY}"),
        format!("[providers.openai]\nbase_url = \"{CANARY}\""),
    ];
    let keys = [("MY_KEY", CANARY), ("OPENAI_API_KEY", CANARY)];
    for file in wrong {
        let place = Place::with_docs().user_file(&file);
        for arguments in [&["config", "show", "--origin"][..], &["config", "show", "--json"], &["doctor", "--json"]] {
            let ran = ran(&place, arguments, &keys);
            assert!(matches!(ran.code, 3 | 8), "{ran:?}");
            assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{ran:?}");
        }
    }
    // The value of the variable is never looked at; an address is shown, because it is no place for a secret.
    let place = Place::with_docs().user_file(&user.replace(CANARY, "v1"));
    for arguments in [&["config", "show", "--origin"][..], &["config", "show", "--json"], &["doctor", "--offline"]] {
        let ran = ran(&place, arguments, &keys);
        assert!(ran.code == 0 && ran.out.contains("MY_KEY") && !ran.out.contains(CANARY), "{ran:?}");
    }
}

#[test]
fn a_hostile_name_is_inert() {
    let place = Place::with_docs().user_file("[prices.\"openai/\\u001b[2J\\u202e\"]\ninput = 1\noutput = 1\n");
    let shown = ran(&place, &["config", "show", "--origin"], &[]);
    assert!(shown.code == 0 && is_inert(&shown.out), "{shown:?}");
    let place = Place::with_docs().user_file("[\"\\u001b[2J\"]\nx = 1\n");
    let wrong = ran(&place, &["config", "show"], &[]);
    assert!(wrong.code == 3 && is_inert(&wrong.err), "{wrong:?}");
}

#[cfg(unix)]
#[test]
fn the_completions_of_bash_are_a_script() {
    let place = Place::empty();
    for (shell, word) in [("bash", "_callboard"), ("zsh", "#compdef callboard"), ("fish", "complete -c callboard")] {
        let script = ran(&place, &["completions", shell], &[]);
        assert_eq!(script.code, 0, "{script:?}");
        for wanted in [word, "research", "doctor", "max-cost", "origin"] {
            assert!(script.out.contains(wanted), "{shell}: {wanted}");
        }
        fs::write(place.path(shell), script.out).unwrap();
        // Shells that are not on this machine are not asked.
        if let Ok(parsed) = std::process::Command::new(shell).arg("-n").arg(place.path(shell)).output() {
            assert!(parsed.status.success(), "{shell}: {parsed:?}");
        }
    }
    assert_eq!(ran(&place, &["completions", "tcsh"], &[]).code, 2);
}

#[test]
fn a_reader_that_left_is_no_error() {
    let place = Place::with_docs();
    for arguments in
        [&["config", "show"][..], &["config", "show", "--json"], &["doctor", "--offline"], &["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.callboard(arguments);
        let ran = Ran::of(command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}: {ran:?}");
    }
}

/// The line of the documentation for a key.
fn documented(key: &Key) -> String {
    let default = key.of(&Config::default()).map_or_else(String::new, |value| format!("`{value}`"));
    let code = |name: Option<&str>| name.map_or_else(String::new, |name| format!("`{name}`"));
    let project = match key.rule {
        Rule::BuiltinOnly => "`builtin` only",
        Rule::Inside => "in its folder",
        Rule::Lower => "lower only",
        Rule::Never => "no",
        Rule::UserFile => "never",
    };
    let cells = [
        format!("`{}`", key.name),
        key.about.to_owned(),
        key.kind.range(),
        default,
        code(key.variable),
        code(key.flag),
        project.to_owned(),
    ];
    cells.iter().fold("|".to_owned(), |row, cell| if cell.is_empty() { row + " |" } else { format!("{row} {cell} |") })
}

#[test]
fn the_documentation_has_every_key() {
    let document = include_str!("../docs/configuration.md");
    let rows: Vec<_> =
        document.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 8).collect();
    let wanted: Vec<_> = KEYS.iter().map(documented).collect();
    assert_eq!(rows, wanted, "docs/configuration.md should say:\n{}\n", wanted.join("\n"));
}

/// The example is a user file that can be read, and it shows every section.
#[test]
fn the_example_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example-callboard.toml");
    let around =
        Surroundings { user_file: Some(path.into()), folder: "no-such-folder".into(), ..Surroundings::default() };
    let loaded = load(&around, Vec::new()).unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.config.prices.of("openai/NAME").is_some());
    let text = fs::read_to_string(path).unwrap();
    for key in KEYS {
        assert!(text.contains(key.name.rsplit('.').next().unwrap()), "the example does not show {}", key.name);
    }
}

#[test]
fn the_deadline_that_nobody_set_is_the_one_that_a_run_has() {
    let shown = |place: &Place| ran(place, &["config", "show"], &[]).out;
    assert!(shown(&Place::with_docs()).contains("deadline = \"60s\""));
    let place = Place::with_docs().user_file("[model]\nname = \"openai/x\"\n");
    assert!(shown(&place).contains("deadline = \"5m\""), "{}", shown(&place));
    // What is between the two is lower than what a run with a model would have.
    let place = place.file("callboard.toml", "[research]\ndeadline = \"2m\"\n");
    assert!(shown(&place).contains("deadline = \"120s\""), "{}", shown(&place));
}
