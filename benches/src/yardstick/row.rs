//! How are the two sides shown? A row for each figure: medians, quartiles, and the ratio of each round.

use super::Side;
use super::direct::Direct;
use super::ours::Ours;
use crate::rounds::Spread;
use crate::table::{cell, figure};

/// The head of the table.
pub fn head() -> String {
    format!("| | {} | {} | ratio | aim |\n|---|---:|---:|---:|---|", Ours::NAME, Direct::NAME)
}

/// One figure of both sides, round by round.
#[derive(Debug)]
pub struct Row {
    title: String,
    aim: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Row {
    /// Without figures.
    pub fn new(title: impl Into<String>, aim: &'static str) -> Self {
        Self { title: title.into(), aim, ours: Vec::new(), theirs: Vec::new() }
    }

    /// The figures of one round.
    pub fn push(&mut self, ours: f64, theirs: f64) {
        eprintln!("{}: {} and {}", self.title, figure(ours), figure(theirs));
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// A figure that only we have.
    pub fn push_ours(&mut self, ours: f64) {
        eprintln!("{}: {}", self.title, figure(ours));
        self.ours.push(ours);
    }

    /// As Markdown. The ratios are those of the rounds, and not of the medians: a slow minute hits both sides.
    pub fn line(&self) -> String {
        let show = |figures: &[f64]| Spread::of(figures).map_or_else(|| "-".to_owned(), cell);
        let ratios: Vec<_> = self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (ours, theirs, ratios) = (show(&self.ours), show(&self.theirs), show(&ratios));
        format!("| {} | {ours} | {theirs} | {ratios} | {} |", self.title, self.aim)
    }
}
