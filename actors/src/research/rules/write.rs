//! How are the findings arranged under the plan's headings, within the limits of a report?

use std::collections::{BTreeMap, BTreeSet};

use crate::research::{Claim, Draft, Evidence, Findings, Plan, Section};

/// A report has at most this many citations.
pub const MAX_CITATIONS: usize = 8;
/// And at most this many from one file. In `evals/` more of them quote a few more answers and cite fewer right files.
pub const MAX_PER_FILE: usize = 3;
/// And quotes at most this many characters.
pub const MAX_QUOTED: usize = 2_000;

/// The draft: sections in the order of the plan. The tasks take turns, each with its best claim that still fits, so that
/// no part of a question uses up the report; a claim stands once in a report, under the first task that wants it, unless
/// it is all that another task has.
pub fn write(plan: &Plan, findings: &[Findings]) -> Draft {
    let mut budget = Budget::default();
    let mut taken: Vec<Vec<Claim>> = vec![Vec::new(); plan.tasks.len()];
    let mut queues: Vec<_> = plan
        .tasks
        .iter()
        .map(|task| findings.iter().filter(|found| found.task == task.id).flat_map(|found| &found.claims))
        .collect();
    let mut progress = true;
    while progress {
        progress = false;
        for (queue, taken) in queues.iter_mut().zip(&mut taken) {
            if let Some(claim) = queue.find(|claim| budget.admits(claim)) {
                budget.spend(claim);
                taken.push(claim.clone());
                progress = true;
            }
        }
    }
    share(plan, findings, &mut taken);
    widen(&mut taken, &mut budget);
    let sections = plan.tasks.iter().zip(taken).filter(|(_, claims)| !claims.is_empty());
    Draft {
        sections: sections
            .map(|(task, claims)| Section {
                task: task.id,
                heading: task.question.clone(),
                claims: in_reading_order(claims),
            })
            .collect(),
    }
}

/// A part whose best quote stands under another part already gets it as well: it answers both, and costs nothing more.
fn share(plan: &Plan, findings: &[Findings], taken: &mut [Vec<Claim>]) {
    for number in 0..taken.len() {
        if !taken[number].is_empty() {
            continue;
        }
        let wanted =
            findings.iter().filter(|found| found.task == plan.tasks[number].id).flat_map(|found| &found.claims);
        let stands = |claim: &&Claim| taken.iter().flatten().any(|other| other.evidence == claim.evidence);
        if let Some(claim) = wanted.into_iter().find(stands).cloned() {
            taken[number].push(claim);
        }
    }
}

/// Spends what is left of the report on longer quotes: the best claim of each task first, each as long as fits.
fn widen(taken: &mut [Vec<Claim>], budget: &mut Budget) {
    let (most, tasks) = (taken.iter().map(Vec::len).max().unwrap_or(0), taken.len());
    for (rank, task) in (0..most).flat_map(|rank| (0..tasks).map(move |task| (rank, task))) {
        let Some(claim) = taken[task].get(rank) else { continue };
        let others: Vec<&Evidence> = taken
            .iter()
            .enumerate()
            .flat_map(|(t, claims)| claims.iter().enumerate().map(move |(r, claim)| ((r, t), claim)))
            .filter(|(at, _)| *at != (rank, task))
            .flat_map(|(_, claim)| &claim.evidence)
            .collect();
        let room = MAX_QUOTED.saturating_sub(budget.quoted) + length(claim);
        let fits = |wider: &&Evidence| {
            wider.quote.chars().count() <= room && !others.iter().any(|other| overlaps(other, wider))
        };
        let Some(chosen) = claim.wider.iter().rev().find(fits).cloned() else { continue };
        budget.quoted = budget.quoted + chosen.quote.chars().count() - length(claim);
        let claim = &mut taken[task][rank];
        claim.text.clone_from(&chosen.quote);
        claim.evidence = vec![chosen];
    }
    taken.iter_mut().flatten().for_each(|claim| claim.wider.clear());
}

fn overlaps(a: &Evidence, b: &Evidence) -> bool {
    a.source == b.source && a.start < b.end && b.start < a.end
}

/// What the report has used up.
#[derive(Default)]
struct Budget {
    citations: usize,
    quoted: usize,
    per_file: BTreeMap<(String, String), usize>,
    quotes: BTreeSet<String>,
}

impl Budget {
    /// Whether `claim` is new and fits.
    fn admits(&self, claim: &Claim) -> bool {
        let fits_files = claim.evidence.iter().all(|evidence| {
            let used = self.per_file.get(&file_of(evidence)).copied().unwrap_or(0);
            let own = claim.evidence.iter().filter(|other| file_of(other) == file_of(evidence)).count();
            used + own <= MAX_PER_FILE
        });
        !claim.evidence.is_empty()
            && fits_files
            && self.citations + claim.evidence.len() <= MAX_CITATIONS
            && self.quoted + length(claim) <= MAX_QUOTED
            && claim.evidence.iter().all(|evidence| !self.quotes.contains(&key(&evidence.quote)))
    }

    fn spend(&mut self, claim: &Claim) {
        self.citations += claim.evidence.len();
        self.quoted += length(claim);
        for evidence in &claim.evidence {
            *self.per_file.entry(file_of(evidence)).or_default() += 1;
            self.quotes.insert(key(&evidence.quote));
        }
    }
}

fn file_of(evidence: &Evidence) -> (String, String) {
    (evidence.corpus.to_string(), evidence.file.to_string())
}

fn length(claim: &Claim) -> usize {
    claim.evidence.iter().map(|evidence| evidence.quote.chars().count()).sum()
}

/// Quotes that differ only in case or marks are the same.
fn key(quote: &str) -> String {
    quote.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The file of the best claim first; claims of one file in the order in which they stand there.
fn in_reading_order(claims: Vec<Claim>) -> Vec<Claim> {
    let mut files: Vec<(String, String)> = Vec::new();
    for claim in &claims {
        let file = claim.evidence.first().map(file_of).unwrap_or_default();
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let mut claims = claims;
    claims.sort_by_key(|claim| {
        let first = claim.evidence.first();
        let file = first.map(file_of).unwrap_or_default();
        (files.iter().position(|known| *known == file), first.map_or(0, |evidence| evidence.start))
    });
    claims
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::rules::fixtures::{claim, findings};
    use crate::research::rules::plan::plan;

    fn quotes(draft: &Draft) -> Vec<Vec<&str>> {
        draft.sections.iter().map(|section| section.claims.iter().map(|claim| claim.text.as_str()).collect()).collect()
    }

    #[test]
    fn sections_follow_the_plan_and_claims_the_files() {
        let plan = plan("What is a view? What is an index?");
        let found = [
            findings(
                2,
                vec![claim("b.html", 50, "later"), claim("c.html", 0, "other"), claim("b.html", 10, "earlier")],
            ),
            findings(1, vec![claim("a.html", 0, "first")]),
        ];
        let draft = write(&plan, &found);
        assert_eq!(quotes(&draft), [vec!["first"], vec!["earlier", "later", "other"]]);
        assert_eq!(draft.sections[1].heading, "What is an index?");
    }

    #[test]
    fn a_task_without_claims_has_no_section() {
        let draft = write(&plan("What is a view? What is an index?"), &[findings(2, vec![claim("a", 0, "x")])]);
        assert_eq!(draft.sections.len(), 1);
        assert_eq!(draft.sections[0].task.0, 2);
    }

    #[test]
    fn the_limits_hold_and_are_shared() {
        let many =
            |prefix: &str| (0..20).map(|n| claim(&format!("{prefix}{n}"), n, &format!("{prefix} says {n}"))).collect();
        let draft =
            write(&plan("What is a view? What is an index?"), &[findings(1, many("v")), findings(2, many("i"))]);
        assert_eq!(quotes(&draft).iter().map(Vec::len).collect::<Vec<_>>(), [MAX_CITATIONS / 2, MAX_CITATIONS / 2]);

        let one_file = (0..20).map(|n| claim("same", n, &format!("sentence {n}"))).collect();
        let draft = write(&plan("What is a view?"), &[findings(1, one_file)]);
        assert_eq!(draft.sections[0].claims.len(), MAX_PER_FILE);

        let long = (0..5).map(|n| claim(&format!("f{n}"), n, &format!("{n}{}", "x".repeat(900)))).collect();
        assert_eq!(write(&plan("What is a view?"), &[findings(1, long)]).sections[0].claims.len(), 2);
    }

    #[test]
    fn room_that_is_left_goes_to_longer_quotes_that_do_not_meet_others() {
        let with = |file: &str, at: usize, short: usize, long: usize| {
            let mut made = claim(file, at, &format!("{at}{}", "x".repeat(short)));
            made.wider = vec![claim(file, at, &format!("{at}{}", "y".repeat(long))).evidence.remove(0)];
            made
        };
        let draft = write(
            &plan("What is a view?"),
            &[findings(1, vec![with("a", 100, 297, 1_497), with("b", 0, 99, 399), with("a", 600, 99, 199)])],
        );
        let lengths: Vec<usize> = draft.sections[0].claims.iter().map(|claim| claim.text.len()).collect();
        // The first would run into the third; the second and the third have room.
        assert_eq!(lengths, [300, 202, 400]);
        assert!(draft.sections[0].claims.iter().all(|c| c.text == c.evidence[0].quote && c.wider.is_empty()));

        let tight = write(
            &plan("What is a view?"),
            &[findings(1, vec![with("a", 0, 899, 1_199), with("b", 0, 699, 1_699), with("c", 0, 99, 299)])],
        );
        let lengths: Vec<usize> = tight.sections[0].claims.iter().map(|claim| claim.text.len()).collect();
        assert_eq!(lengths, [1_200, 700, 100]);
    }

    #[test]
    fn nothing_is_said_twice() {
        let found = [
            findings(1, vec![claim("a", 0, "The same.")]),
            findings(2, vec![claim("b", 9, "the same"), claim("b", 0, "new")]),
        ];
        assert_eq!(quotes(&write(&plan("What is a view? What is an index?"), &found)), [["The same."], ["new"]]);
    }

    #[test]
    fn a_quote_that_is_all_a_part_has_stands_under_both() {
        let found = [
            findings(1, vec![claim("a", 0, "It was replaced in May.")]),
            findings(2, vec![claim("a", 0, "It was replaced in May.")]),
        ];
        let draft = write(&plan("What is a view? What is an index?"), &found);
        assert_eq!(quotes(&draft), [["It was replaced in May."], ["It was replaced in May."]]);
    }
}
