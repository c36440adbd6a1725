//! How does a report look? As text for a terminal, as Markdown, as one HTML page, as JSON, and as a folder of files.
//!
//! Every renderer is a pure function of the report and its stored sources; only [`files`] writes. What a document says
//! is inert in each of them: see [`inert`](callboard_actors::research::inert).

pub mod files;
mod html;
pub mod json;
mod markdown;
pub(crate) mod own;
#[cfg(test)]
mod sample;
mod sources;
mod text;
mod unread;
mod words;
mod wrap;

pub use html::html;
pub use markdown::markdown;
pub use sources::Sources;
pub use text::{TextStyle, plan, text};
pub use words::{dollars, skipped};
pub use wrap::wrap;
