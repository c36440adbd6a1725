//! How do planner, researcher, writer and verifier decide without a language model? Pure functions, one file each.

pub mod find;
pub mod plan;
pub mod verify;
pub mod write;

#[cfg(test)]
pub(in crate::research) mod fixtures;
