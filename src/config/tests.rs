//! Does the highest layer win for each key, does a key set the field that it names, and is a stranger's file kept in bounds?

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::keys::{KEYS, Key, Name};
use super::layers::{Entry, Settings};
use super::*;

/// A value of the key's kind, within its range, that differs with `number`.
fn sample(key: &Key, number: u64) -> Value {
    match key.kind {
        Kind::Model => Value::Text(format!("openai/m{number}")),
        Kind::Models => Value::Names(vec![format!("openai/m{number}")]),
        Kind::OneOf(words) => Value::Text(words[(number as usize) % words.len()].to_owned()),
        Kind::Address => Value::Text(format!("http://localhost:{}/v1", number + 1)),
        Kind::Variable => Value::Text(format!("KEY_{number}")),
        Kind::Count(least, most) => Value::Count((least + number).min(most)),
        Kind::Time => Value::Time(Duration::from_millis(number + 1)),
        Kind::Money(least) => Value::Money(Money(least.0 + number)),
        Kind::Paths => Value::Paths(vec![format!("p{number}").into()]),
    }
}

fn entry(key: &'static Key, number: u64, origin: Origin) -> Entry {
    Entry { name: Name::Key(key.name), value: sample(key, number), origin }
}

fn place() -> Place {
    Place { path: "x".into(), line: 1, column: 1 }
}

#[test]
fn each_key_sets_the_field_that_it_reads_and_no_other() {
    for key in KEYS {
        let mut config = Config::default();
        let value = sample(key, 7);
        assert_eq!(key.set(&mut config, &value), Some(()), "{key:?}");
        assert_eq!(key.of(&config), Some(value), "{key:?}");
        let others = KEYS.iter().filter(|other| other.name != key.name);
        others.for_each(|other| assert_eq!(other.of(&config), other.of(&Config::default()), "{key:?} {other:?}"));
    }
    assert_eq!(Config::default().validate().map_err(|error| error.to_string()), Ok(()));
    let mut wrong = Config::default();
    wrong.research.max_researchers = 65;
    let error = wrong.validate().unwrap_err().to_string();
    assert_eq!(error, "default: research.max_researchers cannot be `65`: write a whole number from 1 to 64");
}

#[test]
fn names_variables_and_flags_are_used_once() {
    for (number, key) in KEYS.iter().enumerate() {
        for other in &KEYS[..number] {
            assert_ne!(key.name, other.name);
            assert!(key.variable.is_none() || key.variable != other.variable, "{key:?} {other:?}");
            assert!(key.flag.is_none() || key.flag != other.flag, "{key:?} {other:?}");
        }
        if let Some(variable) = key.variable.filter(|variable| variable.starts_with("CALLBOARD_")) {
            assert_eq!(variable, format!("CALLBOARD_{}", key.name.replace('.', "_").to_uppercase()));
        }
    }
}

proptest! {
    /// Whatever layers set which keys: for each key the highest that sets it wins, and the origin is that layer.
    #[test]
    fn the_highest_layer_that_sets_a_key_wins(
        sets in proptest::collection::vec(proptest::collection::vec(any::<bool>(), KEYS.len()), 4),
    ) {
        let origins = [Origin::UserFile(place()), Origin::ProjectFile(place()), Origin::Variable("V"), Origin::Flag("--f")];
        let mut settings = Settings::defaults();
        for (number, (set, origin)) in sets.iter().zip(&origins).enumerate() {
            let keys = KEYS.iter().zip(set).filter(|(_, set)| **set);
            settings.lay(keys.map(|(key, _)| entry(key, number as u64, origin.clone())).collect());
        }
        let config = settings.config().unwrap();
        for (at, key) in KEYS.iter().enumerate() {
            let highest = (0..origins.len()).rev().find(|layer| sets[*layer][at]);
            let (value, origin) = match highest {
                Some(layer) => (Some(sample(key, layer as u64)), origins[layer].clone()),
                None => (key.of(&Config::default()), Origin::Default),
            };
            let setting = settings.get(&Name::Key(key.name)).unwrap();
            prop_assert_eq!(&setting.origin, &origin, "{:?}", key);
            prop_assert_eq!(&setting.value, &value);
            prop_assert_eq!(key.of(&config), value);
        }
    }
}

/// A home with a user file and a project's folder in it.
struct World {
    folder: TempDir,
    variables: BTreeMap<String, std::ffi::OsString>,
}

impl World {
    fn new(user: &str, project: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("project/docs")).unwrap();
        fs::create_dir(folder.path().join("private")).unwrap();
        let world = Self { folder, variables: BTreeMap::new() };
        fs::write(world.path("user.toml"), user.replace("HOME", world.path("").to_str().unwrap())).unwrap();
        fs::write(world.path("project/callboard.toml"), project).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load_at(&self, folder: &Path) -> Result<Loaded, String> {
        let around = Surroundings {
            folder: folder.to_owned(),
            user_file: Some(self.path("user.toml")),
            home: Some(self.path("")),
            variables: self.variables.clone(),
        };
        load(&around, Vec::new()).map_err(|error| format!("{error}; {}", error.hint()))
    }

    fn load(&self) -> Result<Loaded, String> {
        self.load_at(&self.path("project"))
    }
}

#[test]
fn a_project_file_that_nobody_trusts_may_not_lift_anything() {
    let user = "[gateway]\nattempts = 3\n[model]\nmax_cost = 0.5\n";
    for (project, refused) in [
        ("[model]\nname = \"builtin\"\nmax_cost = 0.4\nmax_tokens = 5", None),
        ("[research]\ncorpus = [\"docs\", \"./not-there\"]\ndeadline = \"5s\"\nmax_researchers = 4", None),
        ("[gateway]\nattempts = 3\nrequests_per_minute = 1", None),
        ("[gateway]\nmax_in_flight = 8", None),
        (
            "[gateway]\nmax_in_flight = 9",
            Some("gateway.max_in_flight may only be lowered (it is 9, and 8 without this file)"),
        ),
        (
            "[gateway]\nattempts = 4",
            Some(
                "gateway.attempts may only be lowered (it is 4, and 3 without this file), because you have not trusted",
            ),
        ),
        ("[model]\nmax_cost = 0.6", Some("model.max_cost may only be lowered")),
        ("[model]\nname = \"openai/x\"", Some("model.name may only be `builtin`")),
        ("[research]\ndeadline = \"61s\"", Some("research.deadline may only be lowered")),
        ("[research]\ncorpus = [\"docs\", \"../private\"]", Some("research.corpus may only name what lies in")),
        ("[research]\ncorpus = [\"../nowhere\"]", Some("research.corpus may only name what lies in")),
        ("[research]\ncorpus = [\"docs/../../private\"]", Some("research.corpus may only name what lies in")),
        ("[research]\ncorpus = [\"~/private\"]", Some("research.corpus may only name what lies in")),
        ("[research]\ncorpus = [\"/\"]", Some("research.corpus may only name what lies in")),
        ("[providers.openai]\nbase_url = \"http://evil.example/v1\"", Some("providers.openai.base_url may not be set")),
        ("[providers.openai]\nkey_env = \"OTHER_KEY\"", Some("providers.openai.key_env may not be set")),
        ("[providers.openai]\napi = \"responses\"", Some("providers.openai.api may not be set")),
        ("[prices.\"openai/x\"]\ninput = 0\noutput = 0", Some("prices.\"openai/x\".input may not be set")),
        ("trusted = [\".\"]", Some("trusted stands in the user file only")),
    ] {
        match (World::new(user, project).load(), refused) {
            (Ok(_), None) => {}
            (Err(error), Some(refused)) => {
                assert!(error.contains("project/callboard.toml:") && error.contains(refused), "{error}");
                assert!(error.contains("user.toml"), "{error}");
            }
            (loaded, _) => panic!("{project}: {:?}", loaded.map(|loaded| loaded.config)),
        }
    }
}

#[test]
fn a_trusted_project_file_may_set_everything_but_who_is_trusted() {
    let project = "[providers.openai]\nbase_url = \"http://localhost:1/v1\"\n[research]\ncorpus = [\"../private\"]\n\
                   [prices.\"openai/x\"]\ninput = 0.25\noutput = 1\n[gateway]\nattempts = 9\n";
    let world = World::new("trusted = [\"~/project\"]", project);
    let loaded = world.load().unwrap();
    assert_eq!(loaded.config.openai.base_url.as_deref(), Some("http://localhost:1/v1"));
    assert_eq!(loaded.config.prices.of("openai/x").map(|price| price.input), Some(250_000));
    assert_eq!(loaded.files.iter().map(|file| file.is_trusted).collect::<Vec<_>>(), [true, true]);
    let error = World::new("trusted = [\"HOMEproject\"]", "trusted = [\"/\"]").load().unwrap_err();
    assert!(error.contains("trusted stands in the user file only"), "{error}");
    // Neither the folder above nor one below is trusted with it.
    for other in ["~", "~/project/docs", "~/project/..", "/"] {
        assert!(World::new(&format!("trusted = [\"{other}\"]"), project).load().is_err(), "{other}");
    }
    assert!(World::new("trusted = [\"~/private/../project\"]", project).load().is_ok());
}

#[cfg(unix)]
#[test]
fn a_link_does_not_fool_the_trust() {
    use std::os::unix::fs::symlink;
    let project = "[providers.openai]\nbase_url = \"http://localhost:1/v1\"";
    // The trusted folder holds a link to a stranger's file.
    let world = World::new("trusted = [\"~/mine\"]", project);
    fs::create_dir(world.path("mine")).unwrap();
    symlink(world.path("project/callboard.toml"), world.path("mine/callboard.toml")).unwrap();
    let error = world.load_at(&world.path("mine")).unwrap_err();
    assert!(
        error.contains(&format!("trusted = [\"{}\"]", world.path("project").canonicalize().unwrap().display())),
        "{error}"
    );
    // A link to a stranger's folder with a trusted name in its way.
    symlink(world.path("project"), world.path("mine/project")).unwrap();
    assert!(world.load_at(&world.path("mine/project")).is_err());
    assert!(world.load_at(&world.path("mine/../project")).is_err());
    // A link to a trusted folder is that folder.
    let world = World::new("trusted = [\"~/project\"]", project);
    symlink(world.path("project"), world.path("alias")).unwrap();
    assert!(world.load_at(&world.path("alias")).is_ok());
    // A corpus that is a link out of the folder.
    let world = World::new("", "[research]\ncorpus = \"docs/out\"");
    symlink(world.path("private"), world.path("project/docs/out")).unwrap();
    assert!(world.load().is_err());
}

#[test]
fn the_environment_is_over_the_files_and_paths_are_relative_to_their_file() {
    let mut world =
        World::new("[research]\ncorpus = [\"a\", \"~/b\"]\ndeadline = \"9s\"", "[research]\ndeadline = \"8s\"");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.config.research.corpus, [world.path("a"), world.path("b")]);
    assert_eq!(loaded.config.research.deadline, Duration::from_secs(8));
    let corpus = std::env::join_paths(["x", "y"]).unwrap();
    world.variables.insert("CALLBOARD_RESEARCH_CORPUS".into(), corpus);
    world.variables.insert("CALLBOARD_RESEARCH_DEADLINE".into(), "7s".into());
    world.variables.insert("CALLBOARD_RESEARCH_DEDLINE".into(), "7s".into());
    let loaded = world.load().unwrap();
    assert_eq!(loaded.config.research.corpus, [PathBuf::from("x"), PathBuf::from("y")]);
    assert_eq!(loaded.config.research.deadline, Duration::from_secs(7));
    assert_eq!(
        loaded.notes,
        ["the variable CALLBOARD_RESEARCH_DEDLINE means nothing; did you mean CALLBOARD_RESEARCH_DEADLINE?"]
    );
    world.variables.insert("CALLBOARD_RESEARCH_DEADLINE".into(), "soon".into());
    let error = world.load().unwrap_err();
    assert!(
        error.starts_with("variable CALLBOARD_RESEARCH_DEADLINE: research.deadline cannot be `soon`: write"),
        "{error}"
    );
}

/// Without the file a run with a model has 5 minutes, wherever the model is named.
#[test]
fn a_deadline_is_lowered_from_what_a_model_has() {
    let mut world = World::new("", "[research]\ndeadline = \"4m\"");
    assert!(world.load().unwrap_err().contains("(it is 4m, and 60s without this file)"));
    world.variables.insert("CALLBOARD_MODEL_NAME".into(), "openai/x".into());
    assert_eq!(world.load().unwrap().config.research.deadline, Duration::from_secs(240));
    fs::write(world.path("project/callboard.toml"), "[research]\ndeadline = \"6m\"").unwrap();
    let error = world.load().unwrap_err();
    assert!(error.contains("(it is 6m, and 5m without this file)"), "{error}");
    world.variables.insert("CALLBOARD_RESEARCH_DEADLINE".into(), "soon".into());
    assert!(world.load().unwrap_err().contains("CALLBOARD_RESEARCH_DEADLINE"), "the variable may be why");
}

/// `OPENAI_BASE_URL` is read by other programs too: what is wrong with it is no matter of the rules.
#[test]
fn a_variable_of_others_is_an_error_only_for_who_calls_a_model() {
    let mut world = World::new("[providers.openai]\nbase_url = \"http://localhost:1/v1\"", "");
    world.variables.insert("OPENAI_BASE_URL".into(), "localhost:11434".into());
    let loaded = world.load().unwrap();
    let note = "variable OPENAI_BASE_URL: providers.openai.base_url cannot be what is written there: it must begin with http:// \
                or https://";
    assert_eq!(loaded.notes, [note]);
    world.variables.insert("CALLBOARD_MODEL_NAME".into(), "openai/x".into());
    assert!(world.load().unwrap_err().starts_with(note));
}

#[test]
fn a_file_that_is_none_is_told() {
    let mut world = World::new("", "");
    world.variables.insert(CONFIG_VARIABLE.into(), world.path("nowhere.toml").into());
    assert!(world.load().unwrap_err().contains("nowhere.toml` cannot be read"));
    world.variables.insert(CONFIG_VARIABLE.into(), world.path("private").into());
    assert!(world.load().unwrap_err().contains("is no file"));
    let mut world = World::new("", "");
    fs::write(world.path("user.toml"), b"\xff").unwrap();
    assert!(world.load().unwrap_err().contains("is not UTF-8"));
    fs::write(world.path("user.toml"), "#".repeat(1024 * 1024 + 1)).unwrap();
    assert!(world.load().unwrap_err().contains("is longer than 64 KiB"));
    // The user's own file is no project file, wherever he stands.
    world.variables.insert(CONFIG_VARIABLE.into(), world.path("project/callboard.toml").into());
    fs::write(world.path("project/callboard.toml"), "[providers.openai]\nkey_env = \"K\"").unwrap();
    assert_eq!(world.load().unwrap().config.openai.key_env, "K");
}

#[test]
fn half_a_price_is_none() {
    let error = World::new("[prices.\"openai/x\"]\ninput = 1", "").load().unwrap_err();
    assert!(
        error.contains("openai/x has a price for its input and none for its output; add `output = ...`"),
        "{error}"
    );
}
