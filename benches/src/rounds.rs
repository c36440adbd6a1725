//! How is one measurement made of several subjects? In rounds, A B C A B C, so that a slow minute of the machine hits
//! all of them; the first round warms up and does not count.

use crate::options::Options;
use crate::peers::SUBJECTS;
use crate::table;

/// Measures one subject once: one figure for each of [`Measure::titles`].
pub type Sample = fn(&Options) -> Vec<f64>;

/// One measurement.
#[derive(Debug)]
pub struct Measure {
    /// What chooses it on the command line.
    pub name: &'static str,
    /// Its figures with their units: the rows of the table.
    pub titles: &'static [&'static str],
    /// For each of [`SUBJECTS`]; `None` for one that cannot do it.
    pub subjects: [Option<Sample>; SUBJECTS.len()],
}

impl Measure {
    /// Measures all wanted subjects, prints the rows as Markdown, and the progress to standard error.
    pub fn run(&self, options: &Options) {
        let mut figures: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); self.titles.len()]; SUBJECTS.len()];
        for round in 0..=options.rounds {
            for (index, sample) in self.subjects.iter().enumerate() {
                let Some(sample) = sample.filter(|_| options.wants_subject(index)) else { continue };
                let got = sample(options);
                assert_eq!(got.len(), self.titles.len(), "one figure for each row");
                progress(self.name, round, index, &got);
                if round > 0 {
                    figures[index].iter_mut().zip(got).for_each(|(all, figure)| all.push(figure));
                }
            }
        }
        for (row, title) in self.titles.iter().enumerate() {
            let spreads: Vec<_> = figures.iter().map(|subject| Spread::of(&subject[row])).collect();
            println!("{}", table::row(title, &spreads));
        }
    }
}

fn progress(name: &str, round: usize, index: usize, figures: &[f64]) {
    let round = if round == 0 { "warm-up".to_owned() } else { format!("round {round}") };
    let figures: Vec<_> = figures.iter().map(|figure| table::figure(*figure)).collect();
    eprintln!("{name}, {round}, {}: {}", SUBJECTS[index].0, figures.join(", "));
}

/// The middle of several figures, and how far they are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of the figures are below.
    pub median: f64,
    /// A quarter is below.
    pub lower: f64,
    /// A quarter is above.
    pub upper: f64,
}

impl Spread {
    /// Median and quartiles, between two figures where they fall there; `None` of nothing.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |quarters: usize| {
            let (whole, part) = (last * quarters / 4, (last * quarters % 4) as f64 / 4.0);
            sorted[whole] + (sorted[(whole + 1).min(last)] - sorted[whole]) * part
        };
        Some(Self { median: at(2), lower: at(1), upper: at(3) })
    }
}
