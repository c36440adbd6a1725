//! Does a function with attributes or errors of its own become a tool? Each attribute has to reach what it is about: the type or the function.

#![deny(unused_variables, deprecated)]

use std::sync::atomic::{AtomicU32, Ordering};

use std::borrow::Cow;

use callboard::actors::chat::Role;
use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use callboard::tool;
use callboard::tools::DynamicTool;
use serde_json::json;

/// Adds.
#[tool]
#[inline]
fn adds(left: i32, right: i32) -> i32 {
    left + right
}

/// Says in which span it is.
#[tool]
#[tracing::instrument(skip_all)]
async fn instrumented() -> String {
    tracing::Span::current().metadata().map(|span| span.name().to_owned()).unwrap_or_default()
}

/// Leaves an argument alone.
#[tool]
#[allow(unused_variables)]
#[must_use]
fn lenient(unread: i32) -> i32 {
    1
}

/// Is not there.
#[tool]
#[cfg(any())]
fn chosen() -> NoSuchType {
    no_such_function()
}

/// Is there.
#[tool]
#[cfg(not(any()))]
fn chosen() -> &'static str {
    "the second"
}

/// Is old, which nobody is told who does not use it.
#[tool]
#[deprecated]
#[cfg_attr(all(), cold, inline(never))]
fn old() -> &'static str {
    "old"
}

/// Counts down by itself, and has names of what is written around it.
#[tool]
fn arguments(context: u32, place: u32) -> u32 {
    let read = place + 1;
    if context == 0 { read } else { arguments(context - 1, read) }
}

#[tokio::test]
async fn attributes_of_a_function_reach_what_they_are_about() {
    let spans = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    tracing::subscriber::set_global_default(spans).unwrap();
    let model = ScriptedModel::new()
        .calls("adds", json!({"left": 20, "right": 1}))
        .and_calls("instrumented", json!({}))
        .and_calls("lenient", json!({"unread": 7}))
        .and_calls("chosen", json!({}))
        .and_calls("old", json!({}))
        .and_calls("arguments", json!({"context": 3, "place": 0}))
        .says("so");
    let runtime = Runtime::with_model("scripted/model", model).unwrap();
    #[allow(deprecated)]
    let spec = runtime.agent("assistant").tool(adds).tool(instrumented).tool(lenient).tool(chosen).tool(old);
    let answer = spec.tool(arguments).start().unwrap().ask("x").await.unwrap();
    let told = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| turn.text.as_str());
    assert_eq!(told.collect::<Vec<_>>(), ["21", "instrumented", "1", "the second", "old", "4"]);
}

/// An error of a program's own.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the shop is closed")
    }
}

impl std::error::Error for Closed {}

/// Fails with its own error.
#[tool]
async fn own() -> Result<String, Closed> {
    Err(Closed)
}

/// Makes its error one that any other can be, by `?`.
#[tool]
fn boxed() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    Err(Closed)?
}

/// Comes back later; the box does not hide it.
#[tool(attempts = 2)]
fn passing() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
    TRIES.fetch_add(1, Ordering::SeqCst);
    Err(ToolError::Unavailable("it is being cleaned".to_owned()))?
}

/// The same in the library's error.
#[tool(attempts = 2)]
fn ours() -> callboard::Result<u32> {
    TRIES.fetch_add(1, Ordering::SeqCst);
    Err(ToolError::Unavailable("it is being cleaned".to_owned()))?
}

/// An error of the library, with the reason that it has as its source.
#[tool]
fn full() -> callboard::Result<u32> {
    let source = std::io::ErrorKind::StorageFull.into();
    Err(callboard::WriteError::Io { path: "x".into(), source })?
}

/** Has a name that Rust keeps for itself,
 * and says it in many ways. */
#[tool]
fn r#match(r#type: u8) -> Option<Cow<'static, str>> {
    (r#type > 0).then_some(Cow::Borrowed("many"))
}

/// A small number.
#[tool]
async fn small() -> Result<u8, ToolError> {
    Ok(7)
}

/// What nobody can name.
#[tool]
fn unnamed() -> Result<impl callboard::tools::ToolOutput + Send, ToolError> {
    Ok('x')
}

#[tokio::test]
async fn names_that_rust_keeps_and_results_of_any_size_are_told_as_people_read_them() {
    let spec = r#match.spec();
    assert_eq!(
        (&*spec.name, &*spec.description),
        ("match", "Has a name that Rust keeps for itself,\nand says it in many ways.")
    );
    let model = ScriptedModel::new()
        .calls("match", json!({"type": 1}))
        .and_calls("match", json!({"type": 0}))
        .and_calls("small", json!({}))
        .and_calls("unnamed", json!({}))
        .says("so");
    let runtime = Runtime::with_model("scripted/model", model).unwrap();
    let spec = runtime.agent("assistant").tool(r#match).tool(small).tool(unnamed);
    let answer = spec.start().unwrap().ask("x").await.unwrap();
    let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &*turn.text).collect();
    assert_eq!(told, ["many", "nothing", "7", "x"]);
}

static TRIES: AtomicU32 = AtomicU32::new(0);

#[tokio::test]
async fn a_tool_fails_with_an_error_of_any_type() {
    let model = ScriptedModel::new()
        .calls("own", json!({}))
        .and_calls("boxed", json!({}))
        .and_calls("passing", json!({}))
        .and_calls("ours", json!({}))
        .and_calls("full", json!({}))
        .and_calls("made", json!({}))
        .says("so");
    let runtime = Runtime::with_model("scripted/model", model).unwrap();
    let made = DynamicTool::typed("made", "Fails.", |_: Nothing, _context| async { Err::<String, _>(Closed) }).unwrap();
    let spec = runtime.agent("assistant").tool(own).tool(boxed).tool(passing).tool(ours).tool(full).tool(made);
    let answer = spec.start().unwrap().ask("x").await.unwrap();
    let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &*turn.text).collect();
    let closed = "error: the shop is closed";
    let away = "error: it is not available at the moment: it is being cleaned";
    assert_eq!(told, [closed, closed, away, away, "error: cannot write x: no storage space", closed]);
    assert_eq!(TRIES.load(Ordering::SeqCst), 4);
}

/// No arguments.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
