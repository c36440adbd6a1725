//! Does the tree still have the shape that ARCHITECTURE.md describes? An ordinary test that only reads files.
//!
//! The rules are functions from text to complaints (`architecture/rules.rs`, `errors.rs`, `faces.rs`, `tried.rs`), so that each can be shown
//! to fail (`architecture/noticed.rs`, and in `faces.rs` and `tried.rs` themselves). What the compiler or clippy can see is left to them (clippy.toml).

#[path = "architecture/errors.rs"]
mod errors;
#[path = "architecture/faces.rs"]
mod faces;
#[path = "architecture/noticed.rs"]
mod noticed;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/text.rs"]
mod text;
#[path = "architecture/tree.rs"]
mod tree;
#[path = "architecture/tried.rs"]
mod tried;

use std::collections::BTreeSet;
use std::path::Path;

use errors::{codes_are_documented, errors_can_be_handled};
use rules::*;
use tree::{below, read, root, rust, sources, text_of};

fn hold(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    hold(core_dependencies(&read("actors/Cargo.toml")));
}

#[test]
fn every_dependency_is_justified() {
    let manifests = ["Cargo.toml", "actors/Cargo.toml", "macros/Cargo.toml", "benches/Cargo.toml"].map(read);
    let architecture = read("ARCHITECTURE.md");
    hold(manifests.iter().flat_map(|manifest| dependencies_are_justified(manifest, &architecture)));
}

#[test]
fn every_feature_is_documented() {
    hold(features_are_named(&read("Cargo.toml"), &read("docs/embedding.md")));
}

#[test]
fn the_core_reaches_nothing_outside() {
    hold(rust("actors/src").iter().flat_map(core_reaches_nothing));
}

#[test]
fn the_core_tosses_no_coin_of_its_own() {
    hold(rust("actors").iter().flat_map(selects_are_biased));
}

#[test]
fn actix_is_named_only_where_it_is_wrapped() {
    hold(rust("actors/src").iter().chain(&rust("src")).flat_map(actix_at_home));
    hold(rust("actors/src").iter().chain(&rust("src")).flat_map(addresses_at_home));
}

#[test]
fn only_the_command_line_prints() {
    hold(rust("actors").iter().chain(&rust("src")).flat_map(printing_at_home));
}

#[test]
fn the_prelude_is_small() {
    let prelude = read("src/prelude.rs");
    assert!(prelude.matches("pub use ").count() > 5, "its names were not found");
    hold(prelude_is_small(&Source { path: "src/prelude.rs".into(), text: prelude }));
}

#[test]
fn every_queue_has_a_bound() {
    hold(rust("actors/src").iter().chain(&rust("src")).flat_map(queues_have_a_bound));
}

#[test]
fn every_error_has_a_code_and_says_whether_to_try_again() {
    let all: Vec<_> = ["actors/src", "src", "macros/src"].into_iter().flat_map(rust).collect();
    let found: usize = all.iter().map(|source| errors::error_types(source).len()).sum();
    assert!(found > 15, "only {found} public error types were found: does the rule still see them?");
    hold(all.iter().flat_map(errors_can_be_handled));
    hold(codes_are_documented(&all, &read("docs/embedding.md")));
}

#[test]
fn the_blocking_face_has_the_names_of_the_async_one() {
    let (blocking, mut others) = (read("src/blocking.rs"), rust("actors/src/chat_agent"));
    others.push(Source { path: "src/runtime.rs".into(), text: read("src/runtime.rs") });
    let found: usize = faces::methods_of(&others).values().map(BTreeSet::len).sum();
    assert!(found > 40, "only {found} methods were found: does the rule still see them?");
    hold(faces::faces_agree(&others, &Source { path: "src/blocking.rs".into(), text: blocking }, faces::APART));
}

#[test]
fn every_file_is_short_and_says_what_it_is_for() {
    let all = rust("");
    hold(all.iter().flat_map(not_too_long).chain(all.iter().flat_map(starts_with_its_question)));
}

#[test]
fn no_test_is_ignored() {
    hold(rust("").iter().flat_map(no_ignored_tests));
}

#[test]
fn tests_call_nobody_outside_this_machine() {
    hold(
        rust("tests").iter().filter(|source| !source.path.starts_with("tests/architecture")).flat_map(tests_stay_here),
    );
    let documented = read(".cargo/config.toml");
    for set in ["CALLBOARD_NETWORK=loopback", "CALLBOARD_MODEL_NAME=builtin"] {
        assert!(documented.contains(set), ".cargo/config.toml: programs of the documentation run without {set}");
    }
    for script in [".ci/run", ".ci/check"] {
        assert!(read(script).contains("export CALLBOARD_NETWORK=loopback"), "{script}: lets tests call providers");
    }
}

#[test]
fn nothing_names_somebodys_machine() {
    let mut all = sources("", &["rs", "md", "toml", "sh", "py", "json", "txt", "yml", "yaml"]);
    for script in ["justfile", ".ci/run", ".ci/check", ".ci/manuals"] {
        all.push(Source { path: script.into(), text: read(script) });
    }
    hold(all.iter().flat_map(no_homes));
}

#[test]
fn every_folder_is_on_the_map() {
    let folders: Vec<_> = ["src", "actors/src", "benches"].iter().flat_map(|top| below(top, &Path::is_dir)).collect();
    hold(folders_are_named(&folders, &read("ARCHITECTURE.md")));
}

#[test]
fn every_example_is_in_the_readme() {
    hold(examples_are_named(&rust("examples"), &read("README.md")));
}

#[test]
fn it_is_said_of_every_provider_whether_it_was_tried() {
    let folders: Vec<_> =
        below("src/providers", &Path::is_dir).into_iter().filter(|path| path.matches('/').count() == 2).collect();
    assert!(folders.len() >= 4, "the providers were not found: {folders:?}");
    for document in ["README.md", "docs/providers.md"] {
        hold(tried::providers_are_told(&folders, document, &read(document)));
    }
}

#[test]
fn every_provider_is_in_the_contract_suite() {
    let (folders, suite) = (below("src/providers", &Path::is_dir), "tests/contract_support/mod.rs");
    assert!(folders.len() >= 5, "the providers were not found: {folders:?}");
    hold(tried::providers_have_a_contract(&folders, suite, &read(suite)));
}

#[test]
fn it_is_said_of_every_reply_in_the_fixtures_where_it_is_from() {
    for folder in ["tests/fixtures/documented", "tests/fixtures/recorded"] {
        let files = below(folder, &Path::is_file);
        assert!(files.len() > 10, "{folder}: its files were not found: {files:?}");
        hold(tried::fixtures_have_an_origin(folder, &files, &read(&format!("{folder}/README.md"))));
    }
}

#[test]
fn every_promise_names_its_test() {
    hold(promises_are_proven(&read("docs/semantics.md"), &text_of));
}

#[test]
fn documents_have_no_gaps_and_no_dead_links() {
    let ours = |source: &Source| !source.path.contains('/') || source.path.starts_with("docs/");
    let documents: Vec<_> = sources("", &["md"]).into_iter().filter(ours).collect();
    let exists = |path: &str| root().join(path).exists();
    hold(documents.iter().flat_map(|document| links_lead_somewhere(document, &exists)));
    hold(documents.iter().flat_map(nothing_left_open));
}
