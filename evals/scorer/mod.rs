//! The parts of the scorer.

pub(crate) mod answer;
pub(crate) mod baseline;
pub(crate) mod measure;
pub(crate) mod questions;
pub(crate) mod table;
