//! Does the README show what its first command prints? The question, the corpus and the report are taken out of it.
//!
//! `CALLBOARD_REFRESH=1 cargo test --test readme` puts the report of today into the README.

use std::fs;
use std::path::Path;
use std::time::Duration;

use callboard::corpus::CorpusOptions;
use callboard::report::TextStyle;

/// The widest that the command prints on a terminal.
const COLUMNS: usize = 100;

const FENCE: &str = "\n```";

const REFRESH: &str = "CALLBOARD_REFRESH";

/// What stands between `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("README.md has no `{begin}`"));
    rest.split_once(end).unwrap_or_else(|| panic!("README.md has no `{end}` after `{begin}`")).0
}

/// Without times and the run's name, which differ each time. They stand in the last line.
fn lasting(report: &str) -> (Vec<&str>, &str) {
    let mut lines: Vec<&str> = report.lines().collect();
    let last = lines.pop().expect("the sample has lines");
    (lines, last.split(", in ").next().unwrap_or(last))
}

#[tokio::test]
async fn the_sample_is_what_the_first_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("the README can be read");
    let command = between(&readme, "```sh\n", FENCE);
    let (question, corpus) = (
        between(command, "research \"", "\""),
        command.split_once("\" --corpus ").expect("the command names a corpus").1,
    );
    let sample = between(&readme, "```text\n", FENCE);

    let cache = tempfile::tempdir().expect("a folder for the index");
    let options = CorpusOptions { cache_dir: Some(cache.path().to_owned()), ..CorpusOptions::default() };
    let asked = callboard::research(question).corpus(corpus.trim_end()).corpus_options(options);
    let run = asked.deadline(Duration::from_secs(600)).start().await.expect("the README's corpus can be read");
    let finished = run.finish().await.expect("the run comes to its end");
    let style = TextStyle { width: Some(COLUMNS), bold: false };
    let printed = callboard::report::text(&finished.report, &finished.sources, style);
    let printed = printed.trim_end();

    if lasting(sample) == lasting(printed) {
        return;
    }
    if std::env::var_os(REFRESH).is_some() {
        fs::write(&path, readme.replacen(sample, printed, 1)).expect("the README can be written");
        return;
    }
    panic!("README.md shows another report. `{REFRESH}=1 cargo test --test readme` puts this one there:\n{printed}");
}

/// The lines of the README's program that says `word`, without empty ones.
fn program_with(word: &str) -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it can be read");
    let blocks = readme.split("```rust").skip(1).filter_map(|rest| rest.split_once('\n')?.1.split_once(FENCE));
    let blocks = blocks.map(|(block, _)| block);
    let block =
        blocks.into_iter().find(|block| block.contains(word)).unwrap_or_else(|| panic!("no program has {word}"));
    block.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn an_agent_with_a_tool_and_a_fan_out_are_as_short_as_promised() {
    for (word, most) in [("#[tool]", 15), ("ask_all", 12)] {
        let lines = program_with(word);
        assert!(lines.len() <= most, "{} lines with {word}: {lines:#?}", lines.len());
        assert!(lines.iter().all(|line| line.len() <= 100), "{lines:#?}");
    }
}
