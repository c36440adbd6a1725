//! What outlives a process? Replies of models and conversations, each in a SQLite file that only its owner can read.

mod database;
mod fault;
mod file;
mod form;
mod options;
mod replies;
mod sessions;
mod waiting;

pub use options::ReplyOptions;
pub use replies::Replies;
pub use sessions::Sessions;
