//! How are the figures shown? One Markdown table: a row for each figure, a column for each subject.

use crate::clock::Clock;
use crate::options::Options;
use crate::peers::SUBJECTS;
use crate::rounds::Spread;

/// The head of the table, with the versions that are in the lock file.
pub fn head() -> String {
    let columns: Vec<_> = SUBJECTS.iter().map(|(name, package)| format!("{name}{}", version(package))).collect();
    let rule = "|---:".repeat(SUBJECTS.len() + 1);
    format!("| | {} | Callboard / plain actix |\n|---{rule}|", columns.join(" | "))
}

/// One row: median and quartiles of each subject, and how the first compares with the second.
pub fn row(title: &str, spreads: &[Option<Spread>]) -> String {
    let cells: Vec<_> = spreads.iter().map(|spread| spread.map_or_else(|| "-".to_owned(), cell)).collect();
    let ratio = match spreads {
        [Some(ours), Some(theirs), ..] => format!("{:.2}", ours.median / theirs.median),
        _ => "-".to_owned(),
    };
    format!("| {title} | {} | {ratio} |", cells.join(" | "))
}

/// What stands below the table.
pub fn caption(options: &Options) -> String {
    let clock = match options.clock {
        Clock::Wall => "wall-clock time",
        Clock::Thread => "processor time for what happens on one thread, wall-clock time for the rest",
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (rounds, agents) = (options.rounds, thousands(options.agents as f64));
    format!("Median and quartiles of {rounds} interleaved rounds on {cores} cores; {clock}; memory of {agents} agents.")
}

/// The median, and the quartiles in brackets.
pub fn cell(spread: Spread) -> String {
    let Spread { median, lower, upper } = spread;
    format!("{} ({} to {})", figure(median), figure(lower), figure(upper))
}

/// Three digits, or all of a whole number; thousands apart.
pub fn figure(value: f64) -> String {
    match value {
        _ if value < 10.0 => format!("{value:.2}"),
        _ if value < 100.0 => format!("{value:.1}"),
        _ => thousands(value),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

/// A space and the version of a package; nothing for this repository's own.
fn version(package: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \""));
    entry.and_then(|(_, rest)| rest.split_once('"')).map_or_else(String::new, |(version, _)| format!(" {version}"))
}
