//! What outlives a process? Replies of models, in a SQLite file that only its owner can read.

mod database;
mod fault;
mod file;
mod options;
mod replies;

pub use options::ReplyOptions;
pub use replies::Replies;
