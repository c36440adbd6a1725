//! What must hold? Each rule is a function from text to complaints; a complaint says where and what to do.
//!
//! Which files a rule is for is decided in `architecture.rs`; what counts as code in `text.rs`.

use crate::text::{code_of, has_macro, has_word};

/// What the core may depend on. None of these opens a file, a socket or a process on its own account.
pub(crate) const CORE_DEPENDENCIES: &[(&str, &str)] = &[
    ("actix", "runs the agents; named in mailbox/ and runtime/ only"),
    ("dashmap", "the directory: ids to agents, from any thread"),
    ("futures-util", "boxed futures and catch_unwind"),
    ("jsonschema", "whether a value satisfies a schema; pure, and fetches nothing"),
    ("rust-stemmers", "reduces words to stems; pure"),
    ("schemars", "the JSON schema of a type; pure"),
    ("serde", "events and reports are values that can be written down"),
    ("serde_json", "the JSON of events in tests of their form"),
    ("sha2", "the fingerprint of a call that a person approves; pure"),
    ("thiserror", "error enums"),
    ("tokio", "timers and channels; no net, fs, process or signal"),
    ("tokio-util", "cancellation tokens"),
    ("tracing", "spans"),
];

/// Where actix may be named: the two folders that wrap it.
pub(crate) const ACTIX_FOLDERS: &[&str] = &["actors/src/mailbox/", "actors/src/runtime/"];

/// Modules of std and tokio that reach outside the process.
pub(crate) const OUTSIDE: &[&str] = &["fs", "net", "env", "process", "signal"];

/// Above this a file is split.
pub(crate) const LONGEST_FILE: usize = 500;

/// The number of promises in docs/semantics.md.
pub(crate) const PROMISES: usize = 10;

/// A file: its path relative to the root, with `/`, and its content.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The names in `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let entries = section.lines().take_while(|line| !line.starts_with('['));
    let names = entries.filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#'))
}

/// Dependencies that ARCHITECTURE.md does not mention.
pub(crate) fn dependencies_are_justified(manifest: &str, architecture: &str) -> Vec<String> {
    let unnamed = dependencies(manifest).filter(|name| !has_word(architecture, name));
    unnamed
        .map(|name| format!("ARCHITECTURE.md: nothing about `{name}`. Say in Dependencies why it is worth it"))
        .collect()
}

/// Dependencies of the core that are not in [`CORE_DEPENDENCIES`].
pub(crate) fn core_dependencies(manifest: &str) -> Vec<String> {
    dependencies(manifest)
        .filter(|name| !CORE_DEPENDENCIES.iter().any(|(known, _)| known == name))
        .map(|name| {
            format!(
                "actors/Cargo.toml: `{name}` is not on the core's list. What reaches outside belongs in src/, behind a \
                 port of actors/src/ports.rs; if `{name}` does not, add it to CORE_DEPENDENCIES with its reason"
            )
        })
        .collect()
}

/// actix outside the folders that wrap it.
pub(crate) fn actix_at_home(source: &Source) -> Vec<String> {
    if ACTIX_FOLDERS.iter().any(|folder| source.path.starts_with(folder)) {
        return Vec::new();
    }
    complain(
        source,
        |code| has_word(code, "actix") || has_word(code, "actix_rt"),
        |path, line| {
            format!(
                "{path}:{line}: names actix. Decide here and act in mailbox/ or runtime/: use AgentRef, Turn and Runtime"
            )
        },
    )
}

/// An `Addr` outside mailbox/: it has no bound.
pub(crate) fn addresses_at_home(source: &Source) -> Vec<String> {
    if source.path.starts_with("actors/src/mailbox/") {
        return Vec::new();
    }
    complain(
        source,
        |code| has_word(code, "Addr"),
        |path, line| format!("{path}:{line}: names `Addr`, which ignores every capacity. Hold an AgentRef or an id"),
    )
}

/// Files, sockets, processes or the environment in the core.
pub(crate) fn core_reaches_nothing(source: &Source) -> Vec<String> {
    let dense = code_of(&source.text).split_whitespace().collect::<Vec<_>>().join(" ").replace(":: ", "::");
    let reached = OUTSIDE.iter().filter(|module| {
        ["std", "tokio"].iter().any(|root| {
            let grouped = format!("{root}::{{");
            let mut groups = dense.split(&grouped).skip(1).filter_map(|rest| rest.split(';').next());
            has_word(&dense, &format!("{root}::{module}")) || groups.any(|group| has_word(group, module))
        })
    });
    reached
        .map(|module| {
            format!(
                "{}: uses `{module}` of std or tokio. The core touches nothing outside: ask for it through a port \
                 (actors/src/ports.rs) and implement the port in src/",
                source.path
            )
        })
        .collect()
}

/// A `select!` that tosses a coin of its own: unless its first word is `biased;`, which branch is looked at first is up to
/// nobody's seed. (`join!` is none: it turns by counting.)
pub(crate) fn selects_are_biased(source: &Source) -> Vec<String> {
    let code = code_of(&source.text);
    let is_biased = |after: &str| {
        let body = after.trim_start().strip_prefix(['{', '(', '[']).unwrap_or_default();
        body.trim_start().strip_prefix("biased").is_some_and(|rest| rest.trim_start().starts_with(';'))
    };
    let tossed = code.match_indices("select!").filter(|(at, name)| {
        let part_of_name = code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        !part_of_name && !is_biased(&code[at + name.len()..])
    });
    tossed
        .map(|(at, _)| {
            let line = code[..at].lines().count().max(1);
            format!(
                "{}:{line}: a select! that looks at its branches in random order. Begin it with `biased;`, the most urgent \
                 branch first; of another crate's select!, use tokio's",
                source.path
            )
        })
        .collect()
}

/// Printing outside the command line.
pub(crate) fn printing_at_home(source: &Source) -> Vec<String> {
    if source.path.starts_with("src/cli/") {
        return Vec::new();
    }
    let prints = |code: &str| ["print", "println", "eprint", "eprintln"].iter().any(|name| has_macro(code, name));
    complain(source, prints, |path, line| {
        format!("{path}:{line}: prints. Return a value, record a RunEvent or a tracing event; only src/cli/ prints")
    })
}

/// std's channel without a bound: the one `mpsc::channel` that takes no argument. Tests may use it.
pub(crate) fn queues_have_a_bound(source: &Source) -> Vec<String> {
    let no_argument = |rest: &str| {
        let call = if rest.starts_with("::<") { rest.split_once(">(") } else { rest.split_once('(') };
        call.is_some_and(|(_, arguments)| arguments.starts_with(')'))
    };
    let unbounded = |code: &str| code.split("mpsc::channel").skip(1).any(no_argument);
    complain(source, unbounded, |path, line| {
        format!("{path}:{line}: a queue without a bound. Use sync_channel of std or channel of tokio, with a capacity")
    })
}

/// A test that is never run.
pub(crate) fn no_ignored_tests(source: &Source) -> Vec<String> {
    complain(
        source,
        |code| code.trim_start().starts_with("#[ignore"),
        |path, line| {
            format!(
                "{path}:{line}: an ignored test. What needs a manual or a server is a target of its own (.ci/manuals)"
            )
        },
    )
}

/// Tests that call providers, or run the program that does, and let them leave the machine.
pub(crate) fn tests_stay_here(source: &Source) -> Vec<String> {
    let (code, path) = (code_of(&source.text), &source.path);
    let mut complaints = Vec::new();
    let calls = ["providers::", "from_env("].iter().any(|name| code.contains(name));
    if calls && !has_word(&code, "only_loopback") && !code.contains("mod openai_support") {
        complaints.push(format!("{path}: may call a provider. Call callboard::testkit::only_loopback() first"));
    }
    // The program is named by cargo; examples, and the test itself, are found from where the test is.
    let starts = source.text.contains("CARGO_BIN_EXE_") || has_word(&code, "current_exe");
    if starts && !source.text.contains(concat!("\"CALLBOARD_", "NETWORK\"")) {
        complaints.push(format!(
            "{path}: starts a program, which may call a provider. Set CALLBOARD_NETWORK to `loopback` for it"
        ));
    }
    complaints
}

pub(crate) fn not_too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= LONGEST_FILE {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines; the limit is {LONGEST_FILE}. Split it by the question each part answers",
        source.path
    )]
}

pub(crate) fn starts_with_its_question(source: &Source) -> Vec<String> {
    if source.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!(
        "{}: does not start with `//!`. Write the question it answers and what it leaves to others",
        source.path
    )]
}

/// The most names of the prelude, which are those that it has: whoever adds one sees here that each of them may hide one of a program.
pub(crate) const PRELUDE: usize = 34;

/// The prelude holds more names than it may, or all of a module.
pub(crate) fn prelude_is_small(source: &Source) -> Vec<String> {
    let code = code_of(&source.text);
    let uses: Vec<&str> = code.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap_or(rest)).collect();
    let names = |of: &&str| match of.split_once('{') {
        Some((_, list)) => {
            list.trim_end().trim_end_matches('}').split(',').filter(|name| !name.trim().is_empty()).count()
        }
        None => 1,
    };
    let (count, path) = (uses.iter().map(names).sum::<usize>(), &source.path);
    let mut complaints = Vec::new();
    if uses.iter().any(|of| of.contains('*')) {
        complaints.push(format!("{path}: takes in all of a module. Name what a program names"));
    }
    if count > PRELUDE {
        complaints.push(format!(
            "{path}: {count} names, and {PRELUDE} are the most. Leave the new one to be imported by its path, or take another out"
        ));
    }
    complaints
}

/// A path of somebody's machine.
pub(crate) fn no_homes(source: &Source) -> Vec<String> {
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!(r"C:\Us", "ers")];
    let mut complaints = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for home in homes {
            let alone = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.".contains(c));
            if line.match_indices(home).any(|(at, _)| alone(at)) {
                let place = format!("{}:{}", source.path, number + 1);
                complaints.push(format!("{place}: names `{home}`, a folder of one machine. Use a relative path"));
            }
        }
    }
    complaints
}

pub(crate) fn folders_are_named(folders: &[String], architecture: &str) -> Vec<String> {
    let missing = folders.iter().filter(|folder| !architecture.contains(&format!("`{folder}/`")));
    missing
        .map(|folder| {
            format!("ARCHITECTURE.md: nothing about `{folder}/`. Add a heading: the question the folder answers")
        })
        .collect()
}

/// Features of the manifest that docs/embedding.md has no line for.
pub(crate) fn features_are_named(manifest: &str, embedding: &str) -> Vec<String> {
    let section = manifest.split("\n[features]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    let unnamed = names.filter(|name| *name != "default" && !embedding.contains(&format!("\n| `{name}` |")));
    unnamed
        .map(|name| format!("docs/embedding.md: no line for the feature `{name}`. Say in the table what it brings"))
        .collect()
}

pub(crate) fn examples_are_named(examples: &[Source], readme: &str) -> Vec<String> {
    let unnamed = examples.iter().filter(|example| !readme.contains(&example.path));
    let mut complaints: Vec<_> =
        unnamed.map(|example| format!("README.md: nothing about {}. Say what it shows", example.path)).collect();
    let silent = examples.iter().filter(|example| {
        let header = example.text.lines().take_while(|line| line.starts_with("//!"));
        !header.into_iter().any(|line| line.contains("cargo run") && line.contains("--example"))
    });
    complaints.extend(silent.map(|example| {
        format!("{}: its header lacks the command that runs it, `cargo run --example NAME`", example.path)
    }));
    complaints
}

/// Each promise names a test (`path.rs::name` in backticks) that is in the tree, or says "not yet".
pub(crate) fn promises_are_proven(semantics: &str, text_of: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let promises: Vec<&str> =
        semantics.split("\n## ").skip(1).filter(|part| part.starts_with(char::is_numeric)).collect();
    let mut complaints = Vec::new();
    if promises.len() != PROMISES {
        complaints.push(format!("docs/semantics.md: {} numbered headings, not {PROMISES}", promises.len()));
    }
    for promise in promises {
        let title = promise.lines().next().unwrap_or_default();
        let tests: Vec<_> = promise.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::")).collect();
        if tests.is_empty() && !promise.to_lowercase().contains("not yet") {
            complaints.push(format!("docs/semantics.md: `{title}` names no test. Name one or write \"not yet\""));
        }
        for (file, name) in tests {
            let path = format!("{file}.rs");
            if !text_of(&path).is_some_and(|text| text.contains(&format!("fn {name}("))) {
                complaints
                    .push(format!("docs/semantics.md: no test `{name}` in {path}. Name the one that proves `{title}`"));
            }
        }
    }
    complaints
}

/// A place that somebody still has to fill in.
pub(crate) fn nothing_left_open(source: &Source) -> Vec<String> {
    let open = source.text.lines().enumerate().filter(|(_, line)| line.contains(concat!("TBD", "(")));
    open.map(|(index, _)| format!("{}:{}: a gap to fill in before this is done", source.path, index + 1)).collect()
}

/// Relative links of a document that lead to nothing.
pub(crate) fn links_lead_somewhere(source: &Source, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let folder = source.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let targets = source.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let inside = targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '));
    inside
        .filter(|target| !exists(&format!("{folder}{target}")))
        .map(|target| format!("{}: the link to `{target}` leads nowhere. Mend or remove it", source.path))
        .collect()
}

fn complain(source: &Source, bad: impl Fn(&str) -> bool, say: impl Fn(&str, usize) -> String) -> Vec<String> {
    let code = code_of(&source.text);
    let lines = code.lines().enumerate().filter(|(_, line)| bad(line));
    lines.map(|(index, _)| say(&source.path, index + 1)).collect()
}
