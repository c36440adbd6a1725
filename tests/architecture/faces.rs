//! Does `callboard::blocking` have the names of what it stands for? Compares the public methods of types that have the same name in both.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::Source;
use crate::text::code_of;

/// A method that only one face has.
pub(crate) struct Apart {
    pub(crate) of: &'static str,
    pub(crate) method: &'static str,
    pub(crate) face: Face,
    pub(crate) why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Async,
    Blocking,
}

const fn apart(face: Face, of: &'static str, method: &'static str, why: &'static str) -> Apart {
    Apart { of, method, face, why }
}

/// All of them.
pub(crate) const APART: &[Apart] = &[
    apart(Face::Async, "Runtime", "stop_blocking", "`stop` blocks there"),
    apart(Face::Async, "AskStream", "next", "it is an iterator there"),
    apart(Face::Async, "AskAll", "next", "it is an iterator there"),
    apart(
        Face::Async,
        "AskAll",
        "collect",
        "an iterator has a `collect`, which gives numbers, too: it is `collect_in_order` there",
    ),
    apart(Face::Blocking, "AskAll", "collect_in_order", "it is `collect` of the other face"),
];

type Methods = BTreeMap<String, BTreeSet<String>>;

/// The public methods of each type, in whatever file they are.
pub(crate) fn methods_of(sources: &[Source]) -> Methods {
    let mut methods = Methods::new();
    for source in sources {
        let code = code_of(&source.text);
        let mut of = None;
        for line in code.lines() {
            match line.strip_prefix("impl") {
                Some(rest) => of = inherent(rest),
                None if line.starts_with('}') => of = None,
                None => {}
            }
            if let (Some(of), Some(method)) = (&of, method(line)) {
                methods.entry(of.clone()).or_default().insert(method);
            }
        }
    }
    methods
}

/// The type of an `impl` that is none of a trait: what stands behind the word.
fn inherent(rest: &str) -> Option<String> {
    if rest.contains(" for ") {
        return None;
    }
    let name = match rest.strip_prefix('<') {
        Some(generic) => generic.split_once("> ")?.1,
        None => rest.strip_prefix(' ')?,
    };
    Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

fn method(line: &str) -> Option<String> {
    let line = line.strip_prefix("    pub ")?;
    let line = ["const ", "async "].iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
    Some(line.strip_prefix("fn ")?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

/// Each public method of a type is on both faces, unless it stands in the list with its reason; and the list holds nothing else.
pub(crate) fn faces_agree(others: &[Source], blocking: &Source, list: &[Apart]) -> Vec<String> {
    let (path, blocks) = (&blocking.path, methods_of(std::slice::from_ref(blocking)));
    let awaits: Methods = methods_of(others).into_iter().filter(|(of, _)| blocks.contains_key(of)).collect();
    let is_listed = |face, of: &str, method: &str| {
        list.iter().any(|apart| (apart.face, apart.of, apart.method) == (face, of, method) && !apart.why.is_empty())
    };
    let lacks = |face, from: &Methods, to: &Methods, what: &str| -> Vec<String> {
        let all = from.iter().flat_map(|(of, methods)| methods.iter().map(move |method| (of, method)));
        let missing = all.filter(|(of, method)| !to.get(*of).is_some_and(|methods| methods.contains(*method)));
        let unlisted = missing.filter(|(of, method)| !is_listed(face, of, method));
        unlisted.map(|(of, method)| format!("{path}: {of}::{method} {what}")).collect()
    };
    let add = "is missing: add it, or say in tests/architecture/faces.rs why it is async only";
    let strange = "is on no other face: name it as there, or say in tests/architecture/faces.rs why not";
    let mut complaints = lacks(Face::Async, &awaits, &blocks, add);
    complaints.extend(lacks(Face::Blocking, &blocks, &awaits, strange));
    for Apart { of, method, face, .. } in list {
        let has = |methods: &Methods| methods.get(*of).is_some_and(|methods| methods.contains(*method));
        if (has(&awaits), has(&blocks)) != (*face == Face::Async, *face == Face::Blocking) {
            complaints.push(format!(
                "tests/architecture/faces.rs: {of}::{method} is not on the {face:?} face alone: remove it from the list"
            ));
        }
    }
    complaints
}

#[test]
fn a_face_that_lacks_a_name_is_noticed() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let two = "impl<T> Agent<T> {\n    pub fn ask<Q>(&self) {}\n    pub async fn stop(self) {}\n    fn own() {}\n    pub(crate) fn ours() {}\n}\n\
               impl Other {\n    pub fn more() {}\n}\nimpl Drop for Agent {\n    pub fn none() {}\n}\n";
    let others = [source("a.rs", two), source("b.rs", "impl Agent {\n    pub fn name() {}\n}\n")];
    let face = |methods: &str| source("blocking.rs", &format!("impl Agent {{\n{methods}}}\n"));
    let whole = "    pub fn ask() {}\n    pub fn stop() {}\n    pub fn name() {}\n";
    assert!(faces_agree(&others, &face(whole), &[]).is_empty());

    let lacks = face("    pub fn ask() {}\n    // pub fn stop() {}\n    pub fn name() {}\n");
    assert_eq!(faces_agree(&others, &lacks, &[]).len(), 1, "stop");
    assert!(faces_agree(&others, &lacks, &[apart(Face::Async, "Agent", "stop", "it says why")]).is_empty());
    assert_eq!(faces_agree(&others, &lacks, &[apart(Face::Async, "Agent", "stop", "")]).len(), 1, "it does not");
    let strange = face(&format!("{whole}    pub fn strange() {{}}\n"));
    assert_eq!(faces_agree(&others, &strange, &[]).len(), 1, "strange");
    let needless =
        [apart(Face::Async, "Agent", "stop", "both have it"), apart(Face::Blocking, "Agent", "gone", "none has")];
    assert_eq!(faces_agree(&others, &face(whole), &needless).len(), 2);
}
