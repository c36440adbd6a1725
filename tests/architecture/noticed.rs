//! Can each rule fail? Every test feeds one rule a bad sample, and a good one that looks like it.

use crate::errors::{codes_are_documented, errors_can_be_handled};
use crate::rules::*;

fn sample(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[test]
fn io_in_the_core_is_noticed() {
    assert_eq!(
        core_dependencies("[package]\n\n[dependencies]\nserde = \"1\"\nreqwest.workspace = true\n\n[x]\nhyper = 1\n")
            .len(),
        1
    );
    for bad in
        ["use std::fs;", "let x = std::env::var(\"A\");", "use std::{\n  io, net::TcpStream};", "tokio::fs::read(p)"]
    {
        assert_eq!(core_reaches_nothing(&sample("actors/src/a.rs", bad)).len(), 1, "{bad}");
    }
    for good in ["// std::fs is not for us", "use std::{sync::Arc, time::Duration};\nlet env = 1;", "let fs = offset;"]
    {
        assert!(core_reaches_nothing(&sample("actors/src/a.rs", good)).is_empty(), "{good}");
    }
}

#[test]
fn an_unjustified_dependency_is_noticed() {
    let manifest = "[package]\n\n[dependencies]\ncsv.workspace = true\nrand = \"1\"\n";
    assert_eq!(dependencies_are_justified(manifest, "| csv | tables | brand new |").len(), 1);
}

#[test]
fn actix_out_of_place_is_noticed() {
    let code = "use actix::Addr;";
    assert_eq!(actix_at_home(&sample("actors/src/gateway/mod.rs", code)).len(), 1);
    assert_eq!(addresses_at_home(&sample("actors/src/runtime/mod.rs", code)).len(), 1);
    assert!(actix_at_home(&sample("actors/src/mailbox/guard.rs", code)).is_empty());
    assert!(actix_at_home(&sample("actors/src/agent/mod.rs", "//! Knows nothing of actix.")).is_empty());
    assert!(addresses_at_home(&sample("actors/src/agent/mod.rs", "SocketAddr")).is_empty());
}

#[test]
fn printing_out_of_place_is_noticed() {
    assert_eq!(printing_at_home(&sample("src/corpus/mod.rs", "    eprintln!(\"x\");")).len(), 1);
    assert!(printing_at_home(&sample("src/cli/mod.rs", "println!(\"x\");")).is_empty());
    assert!(printing_at_home(&sample("src/lib.rs", "/// println!(\"{x}\");\nwriteln!(out)?;")).is_empty());
}

#[test]
fn a_test_that_may_call_somebody_outside_is_noticed() {
    for bad in [
        "use callboard::providers::openai::OpenAi;",
        "Runtime::from_env()",
        "let x = env!(\"CARGO_BIN_EXE_callboard\");",
        "let own = std::env::current_exe().unwrap();",
        "let own = std::env::current_exe().unwrap(); // without CALLBOARD_NETWORK",
    ] {
        assert_eq!(tests_stay_here(&sample("tests/a.rs", bad)).len(), 1, "{bad}");
    }
    for good in [
        "use callboard::providers::openai::OpenAi;\nonly_loopback();",
        "let x = env!(\"CARGO_BIN_EXE_callboard\");\ncommand.env(\"CALLBOARD_NETWORK\", \"loopback\");",
        "Command::new(current_exe()?).env(\"CALLBOARD_NETWORK\", \"loopback\")",
        "// providers, current_exe",
    ] {
        assert!(tests_stay_here(&sample("tests/a.rs", good)).is_empty(), "{good}");
    }
}

#[test]
fn a_select_without_an_order_is_noticed() {
    for bad in [
        "tokio::select! { a = b => {} }",
        "let x = select!(a => 1);",
        "futures_util::select! {\n    // biased;\n    a => {} }",
        "select! { biased_one = b => {} }",
    ] {
        assert_eq!(selects_are_biased(&sample("actors/src/a.rs", bad)).len(), 1, "{bad}");
    }
    for good in [
        "tokio::select! {\n  // Why.\n  biased;\n  a => {} }",
        "/// `select!`",
        "preselect! { a }",
        "prop::select(vec![a])",
    ] {
        assert!(selects_are_biased(&sample("actors/src/a.rs", good)).is_empty(), "{good}");
    }
    let third = sample("a.rs", "fn a() {\n    b();\n    select! { c => {} }\n}");
    assert!(selects_are_biased(&third)[0].starts_with("a.rs:3: "));
}

#[test]
fn a_queue_without_a_bound_is_noticed() {
    for bad in ["let (a, b) = mpsc::channel();", "std::sync::mpsc::channel::<(u8, u8)>();"] {
        assert_eq!(queues_have_a_bound(&sample("src/a.rs", bad)).len(), 1, "{bad}");
    }
    for good in ["mpsc::channel(JOBS)", "mpsc::channel::<u8>(4)", "mpsc::sync_channel(1)"] {
        assert!(queues_have_a_bound(&sample("src/a.rs", good)).is_empty(), "{good}");
    }
}

#[test]
fn a_prelude_that_grows_is_noticed() {
    let names = |count: usize| (0..count).map(|number| format!("N{number}, ")).collect::<String>();
    for bad in [
        "pub use crate::a::*;".to_owned(),
        format!("pub use crate::a::{{{}}};", names(PRELUDE + 1)),
        format!("/// One.\npub use crate::b;\n#[cfg(x)]\npub use crate::a::{{\n    {}\n}};", names(PRELUDE)),
    ] {
        assert_eq!(prelude_is_small(&sample("src/prelude.rs", &bad)).len(), 1, "{bad}");
    }
    let good = format!("//! pub use crate::a::*;\npub use crate::b;\npub use crate::a::{{{}}};", names(PRELUDE - 1));
    assert!(prelude_is_small(&sample("src/prelude.rs", &good)).is_empty());
}

#[test]
fn a_bad_file_is_noticed() {
    assert_eq!(not_too_long(&sample("src/a.rs", &"x\n".repeat(LONGEST_FILE + 1))).len(), 1);
    assert!(not_too_long(&sample("src/a.rs", &"x\n".repeat(LONGEST_FILE))).is_empty());
    assert_eq!(starts_with_its_question(&sample("src/a.rs", "use std::fmt;\n//! late")).len(), 1);
    assert_eq!(no_ignored_tests(&sample("tests/a.rs", "#[test]\n#[ignore = \"slow\"]")).len(), 1);
    assert_eq!(no_homes(&sample("a.md", concat!("see /ho", "me/me/x"))).len(), 1);
    assert!(no_homes(&sample("a.md", concat!("src/ho", "me/mod.rs"))).is_empty());
}

#[test]
fn a_gap_in_the_documents_is_noticed() {
    assert_eq!(folders_are_named(&["src/cli".into(), "src/new".into()], "### `src/cli/`").len(), 1);
    let manifest =
        "[package]\n\n[features]\ndefault = [\"a\"]\n# Both.\na = [\n    \"b\",\n]\nb = []\n\n[[bin]]\nname = \"c\"\n";
    assert_eq!(
        features_are_named(manifest, "\n| `a` | this |"),
        ["docs/embedding.md: no line for the feature `b`. Say in the table what it brings"]
    );
    assert_eq!(examples_are_named(&[sample("examples/a.rs", "//! cargo run --example a")], "nothing").len(), 1);
    assert_eq!(examples_are_named(&[sample("examples/a.rs", "//! Shows a.")], "examples/a.rs").len(), 1);
    assert_eq!(nothing_left_open(&sample("a.md", concat!("It takes TB", "D(measure)."))).len(), 1);
    let document = sample("docs/a.md", "[a](b.md) [c](https://example.org) [d](#part)");
    assert_eq!(
        links_lead_somewhere(&document, &|path| path == "docs/c.md"),
        ["docs/a.md: the link to `b.md` leads nowhere. Mend or remove it"]
    );
}

#[test]
fn an_unproven_promise_is_noticed() {
    let promise = |body: &str| {
        let rest: String = (2..=PROMISES).map(|n| format!("\n## {n}. Later\n\nNot yet.\n")).collect();
        promises_are_proven(&format!("# Promises\n\n## 1. Ends\n\n{body}\n{rest}"), &|path| {
            (path == "tests/a.rs").then(|| "fn it_ends() {}".into())
        })
    };
    assert_eq!(promise("`tests/a.rs::it_ends`"), Vec::<String>::new());
    assert_eq!(promise("Surely.").len(), 1);
    assert_eq!(promise("`tests/a.rs::it_never_ends`").len(), 1);
    assert_eq!(promise("`tests/b.rs::it_ends`").len(), 1);
    assert_eq!(promises_are_proven("# Promises\n", &|_| None).len(), 1);
}

/// An error type as it should be.
const HANDLED: &str = "/// Bad.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Bad {
    #[error(\"a\")]
    A,
}

impl Bad {
    pub fn code(&self) -> &'static str {
        match self {
            #[cfg(feature = \"b-c\")]
            Self::A => \"bad_a\",
            Self::B => \"bad_b\",
        }
    }

    pub fn is_retryable(&self) -> bool {
        false
    }
}
";

#[test]
fn an_error_that_a_program_cannot_deal_with_is_noticed() {
    let told = |text: &str| errors_can_be_handled(&sample("src/a.rs", text));
    let by_hand = HANDLED.replace(", thiserror::Error", "") + "impl std::error::Error for Bad {}\n";
    let not_ours = HANDLED.replace("pub enum", "pub(crate) enum").replace("fn code", "fn name");
    let no_error = HANDLED.replace(", thiserror::Error", "").replace("fn code", "fn name");
    for good in [HANDLED, &by_hand, &not_ours, &no_error] {
        assert_eq!(told(good), Vec::<String>::new(), "{good}");
    }
    for (what, from, to) in [
        ("is not #[non_exhaustive]", "#[non_exhaustive]\n", ""),
        ("has no is_retryable()", "pub fn is_retryable", "fn is_retryable"),
        ("has no code()", "pub fn code", "pub fn name"),
        ("has the code `bad-a`", "bad_a", "bad-a"),
        ("has the code `bad_a` twice", "bad_b", "bad_a"),
    ] {
        for text in [HANDLED, &by_hand] {
            let complaints = told(&text.replace(from, to));
            let line = 4 - usize::from(from.ends_with('\n'));
            let begin = format!("src/a.rs:{line}: `Bad` {what}. ");
            assert!(complaints.len() == 1 && complaints[0].starts_with(&begin), "{complaints:?}");
        }
    }
}

#[test]
fn a_code_that_is_not_documented_is_noticed() {
    let told = |rows: &str| {
        let head = "| error | what it is about | codes | may work later |\n|---|---|---|---|";
        let table = format!("# A\n\n{head}\n{rows}\n\n| `Other` | x | y |\n");
        codes_are_documented(&[sample("src/a.rs", HANDLED)], &table)
    };
    assert_eq!(told("| `a::Bad` | all that is | `bad_b`, `bad_a` | none |"), Vec::<String>::new());
    for rows in
        ["| `a::Bad` | all that is | `bad_a` | `bad_b` |", "", "| `Bad` | x | `bad_a`, `bad_b`, `bad_c` | none |"]
    {
        assert_eq!(told(rows).len(), 1, "{rows}");
    }
    assert_eq!(told("| `Bad` | x | `bad_a`, `bad_b` | none |\n| `a::Gone` | x | `gone` | none |").len(), 1);
}
