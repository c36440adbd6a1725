//! How fast and how small is Callboard's actor core, beside its yardsticks in the same run?
//!
//! `cargo bench -p callboard-benches` measures everything and prints a table; `-- ask tell` only these; `-- --help`
//! lists the rest.
//!
//! - [`peer`]: what a subject must be able to do, so that all do the same; [`peers`]: the five subjects
//! - [`measure`]: one file for each measurement, which says what is compared
//! - [`rounds`], [`table`], [`options`], [`clock`]: interleaved rounds, medians and their spread, as Markdown
//! - [`yardstick`]: the gateway beside a loop that is written by hand; a target of its own

pub mod clock;
pub mod measure;
pub mod options;
pub mod peer;
pub mod peers;
pub mod rounds;
pub mod table;
pub mod yardstick;
