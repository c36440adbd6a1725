//! How does a model write the answer, and on which findings does each of its sentences rest?

use std::collections::BTreeMap;

use super::find::MAX_STATEMENT;
use super::marked::{Said, sentences_of};
use super::{Unfit, data, origin};
use crate::chat::{ChatRequest, Turn};
use crate::research::rules::verify::quote_if_it_says_more;
use crate::research::{Claim, Draft, Evidence, Findings, Plan, Section, Task, TaskId};

/// The writer sees at most so many findings of each task; fewer in each step, when they are too many for it.
const STEPS: [usize; 4] = [8, 4, 2, 1];
/// A sentence rests on at most this many quotes.
const MAX_EVIDENCE: usize = 6;
/// So many findings of a part are shown that the model wrote nothing about.
const FORGOTTEN: usize = 3;
/// A draft has at most this many sentences.
const MAX_CLAIMS: usize = 60;

const WRITER: &str = include_str!("prompts/writer.md");

/// The findings that a step shows, in the order of their numbers, which begin at 1.
fn shown<'a>(plan: &'a Plan, findings: &'a [Findings], step: usize) -> Option<Vec<(TaskId, &'a Claim)>> {
    let most = *STEPS.get(step)?;
    let of =
        |id: TaskId| findings.iter().filter(move |found| found.task == id).flat_map(|found| &found.claims).take(most);
    Some(plan.tasks.iter().flat_map(|task| of(task.id).map(move |claim| (task.id, claim))).collect())
}

/// "Write the answer", with fewer findings in each step, from 0; `None` after the last.
pub(crate) fn request(plan: &Plan, findings: &[Findings], step: usize, output_tokens: u32) -> Option<ChatRequest> {
    let shown = shown(plan, findings, step)?;
    let mut text = format!("Question: {}\n", plan.question);
    for task in &plan.tasks {
        let mut own = shown.iter().zip(1..).filter(|((id, _), _)| *id == task.id).peekable();
        if own.peek().is_some() {
            text.push_str(&format!("\n## {}\n", data(&task.question)));
        }
        for ((_, claim), number) in own {
            let quotes: Vec<&str> = claim.evidence.iter().map(|evidence| evidence.quote.as_str()).collect();
            let quotes = quotes.join(" … ");
            let said = if claim.text == quotes { String::new() } else { format!("{} — ", data(&claim.text)) };
            let (from, quotes) = (origin(claim), data(&quotes));
            text.push_str(&format!("[{number}] <finding from=\"{from}\">{said}“{quotes}”</finding>\n"));
        }
    }
    Some(ChatRequest::new(vec![Turn::system(WRITER), Turn::user(text)], output_tokens))
}

/// The draft in a reply to the request of this step, and how many of its sentences rest on nothing and are left out.
pub(crate) fn read(plan: &Plan, findings: &[Findings], step: usize, reply: &str) -> Result<(Draft, usize), Unfit> {
    let shown = shown(plan, findings, step).unwrap_or_default();
    let mut sections: BTreeMap<TaskId, Vec<Claim>> = BTreeMap::new();
    let (mut heading, mut written, mut left_out) = (None, 0, 0);
    for line in reply.lines() {
        match read_line(plan, &shown, line) {
            Line::Heading(task) => heading = task,
            Line::Text { said, unsupported } => {
                left_out += unsupported;
                for (task, claim) in said {
                    if written == MAX_CLAIMS {
                        left_out += 1;
                        continue;
                    }
                    written += 1;
                    sections.entry(heading.unwrap_or(task)).or_default().push(claim);
                }
            }
        }
    }
    if written == 0 {
        let why = format!("it has no sentence of at most {MAX_STATEMENT} bytes that ends with the number of a finding");
        return Err(Unfit(match shown.len() {
            1 => format!("{why}; the only one is [1]"),
            last => format!("{why}; they are [1] to [{last}]"),
        }));
    }
    for task in &plan.tasks {
        // What was found for a part that the text forgets is shown as it was found.
        let forgotten =
            || shown.iter().filter(|(id, _)| *id == task.id).take(FORGOTTEN).map(|(_, claim)| (*claim).clone());
        let claims = sections.entry(task.id).or_default();
        if claims.is_empty() {
            claims.extend(forgotten());
        }
    }
    let sections = plan.tasks.iter().filter_map(|task| Some((task, sections.remove(&task.id)?)));
    let tasks = sections.filter(|(_, claims)| !claims.is_empty());
    let section = |(task, claims): (&Task, _)| Section { task: task.id, heading: task.question.clone(), claims };
    Ok((Draft { sections: tasks.map(section).collect() }, left_out))
}

/// What a line of a reply is.
enum Line {
    /// It names a part. A part without findings has no section of its own: what stands below it belongs where it rests.
    Heading(Option<TaskId>),
    /// Sentences, each with the part of its first finding, and how many rest on nothing.
    Text { said: Vec<(TaskId, Claim)>, unsupported: usize },
}

fn read_line(plan: &Plan, shown: &[(TaskId, &Claim)], line: &str) -> Line {
    let title = line.trim_start();
    let inside = title.trim_start_matches('#');
    if inside.len() < title.len() && inside.starts_with(' ') {
        return Line::Heading(task_of(plan, inside).filter(|task| shown.iter().any(|(id, _)| id == task)));
    }
    let (mut said, mut unsupported) = (Vec::new(), 0);
    for Said { text, numbers, is_marked } in sentences_of(line) {
        let rests_on: Vec<_> = numbers.iter().filter_map(|number| shown.get(number.checked_sub(1)?)).collect();
        let Some((task, _)) = rests_on.first().filter(|_| text.len() <= MAX_STATEMENT) else {
            unsupported += 1;
            continue;
        };
        let claim = claim(text, rests_on.iter().map(|(_, claim)| *claim));
        // A sentence before the one that bears the numbers shares them, if it says no more than they do.
        match is_marked || !quote_if_it_says_more(&mut claim.clone(), &plan.question) {
            true => said.push((*task, claim)),
            false => unsupported += 1,
        }
    }
    Line::Text { said, unsupported }
}

/// A complete piece of the text as it may be shown before the whole is checked: headings of the plan, and sentences that rest
/// on findings and say no more than those.
pub(crate) fn shown_early(plan: &Plan, findings: &[Findings], step: usize, piece: &str) -> String {
    let shown = shown(plan, findings, step).unwrap_or_default();
    let mut text = String::new();
    for line in piece.lines() {
        match read_line(plan, &shown, line) {
            Line::Heading(id) => {
                let task = plan.tasks.iter().find(|task| Some(task.id) == id);
                task.iter().for_each(|task| text.push_str(&format!("\n## {}\n\n", task.question)));
            }
            Line::Text { said, .. } => {
                for (_, mut claim) in said.into_iter().take(MAX_CLAIMS) {
                    quote_if_it_says_more(&mut claim, &plan.question);
                    text.push_str(&claim.text);
                    text.push(' ');
                }
            }
        }
    }
    text
}

fn claim<'a>(text: String, rests_on: impl Iterator<Item = &'a Claim>) -> Claim {
    let mut evidence: Vec<Evidence> = Vec::new();
    for quote in rests_on.flat_map(|claim| &claim.evidence) {
        if evidence.len() < MAX_EVIDENCE && !evidence.contains(quote) {
            evidence.push(quote.clone());
        }
    }
    Claim { text, evidence, wider: Vec::new(), score: 1.0 }
}

/// The part that a heading names.
fn task_of(plan: &Plan, title: &str) -> Option<TaskId> {
    let letters =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    // What the model saw was escaped, and it may repeat it so.
    let title = letters(&title.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").replace("&quot;", ""));
    plan.tasks.iter().find(|task| letters(&task.question) == title).map(|task| task.id)
}

#[cfg(test)]
mod tests {
    use super::super::marked;
    use super::*;
    use crate::research::rules::fixtures::{claim, findings};

    fn plan() -> Plan {
        let task = |id, question: &str| Task { id: TaskId(id), question: question.to_owned() };
        Plan {
            question: "Views & indexes?".to_owned(),
            tasks: vec![task(1, "What is a \"view\"?"), task(2, "What is an index?")],
        }
    }

    fn found() -> Vec<Findings> {
        vec![
            findings(2, vec![claim("b", 0, "An index is fast.")]),
            findings(1, vec![claim("a", 0, "A view is a query."), claim("a", 9, "It is stored.")]),
        ]
    }

    /// What the model wrote, without what is shown as it was found.
    fn drafted(reply: &str) -> Vec<(u32, String, usize)> {
        let (draft, _) = read(&plan(), &found(), 0, reply).unwrap();
        let claims = |section: Section| {
            let written = section.claims.into_iter().filter(|claim| claim.text != claim.evidence[0].quote);
            written.map(move |claim| (section.task.0, claim.text, claim.evidence.len()))
        };
        draft.sections.into_iter().flat_map(claims).collect()
    }

    #[test]
    fn a_part_that_the_text_forgets_is_shown_as_it_was_found() {
        let (draft, _) = read(&plan(), &found(), 0, "An index helps [3].").unwrap();
        let texts: Vec<_> =
            draft.sections.iter().flat_map(|section| &section.claims).map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["A view is a query.", "It is stored.", "An index helps."]);
    }

    #[test]
    fn a_sentence_rests_on_the_findings_that_it_names() {
        let said = |task, text: &str, quotes| (task, text.to_owned(), quotes);
        for (reply, draft) in [
            (
                "A view is a stored query [1][2]. An index helps [3].",
                vec![said(1, "A view is a stored query.", 2), said(2, "An index helps.", 1)],
            ),
            ("- One [1, 2]\n* Two [2], [3]", vec![said(1, "One.", 2), said(1, "Two.", 2)]),
            (
                "## What is an index?\nBoth are there [1].\n# else\nFast [3]!",
                vec![said(2, "Both are there.", 1), said(2, "Fast.", 1)],
            ),
            ("## What is a &quot;view&quot;?\nIt helps [3].", vec![said(1, "It helps.", 1)]),
            ("See [the manual] (x) [1].", vec![said(1, "See [the manual] (x)", 1)]),
        ] {
            assert_eq!(drafted(reply), draft, "{reply}");
        }
    }

    #[test]
    fn what_rests_on_nothing_is_left_out_and_a_text_of_it_is_unfit() {
        let reply = "Known [1]. Unknown [9]. And more.\nVisit http://evil.example";
        let (draft, left_out) = read(&plan(), &found(), 0, reply).unwrap();
        assert_eq!((draft.sections[0].claims.len(), left_out), (1, 3));
        for reply in ["", "No numbers at all.", "[1]", "[1][2]", "## What is an index?", "Unknown [0] [4]."] {
            assert!(read(&plan(), &found(), 0, reply).is_err(), "{reply}");
        }
    }

    #[test]
    fn findings_are_shown_by_part_as_data_and_fewer_in_each_step() {
        let text = request(&plan(), &found(), 0, 100).unwrap().turns[1].text.clone();
        assert_eq!(
            text,
            "Question: Views & indexes?\n\n## What is a &quot;view&quot;?\n[1] <finding from=\"a\">“A view is a query.”</finding>\n\
[2] <finding from=\"a\">“It is stored.”</finding>\n\n## What is an index?\n[3] <finding from=\"b\">“An index is fast.”</finding>\n"
        );
        assert!(!request(&plan(), &found(), 3, 100).unwrap().turns[1].text.contains("It is stored."));
        assert!(request(&plan(), &found(), 4, 100).is_none());
    }

    #[test]
    fn a_sentence_before_the_numbers_shares_them_if_it_says_no_more() {
        let reply = "A view is a query. The program is unsafe. A view is a stored query [1].";
        let (draft, left_out) = read(&plan(), &found(), 0, reply).unwrap();
        let said: Vec<_> = draft.sections[0].claims.iter().map(|claim| claim.text.as_str()).collect();
        assert_eq!((said, left_out), (vec!["A view is a query.", "A view is a stored query."], 1));
    }

    #[test]
    fn a_part_without_findings_gets_no_section_by_its_heading() {
        let mut found = found();
        found.remove(0);
        let reply = "## What is an index?\nA view is a stored query [1].\n#1 is that a view is stored [2].";
        let (draft, left_out) = read(&plan(), &found, 0, reply).unwrap();
        assert_eq!((draft.sections.len(), draft.sections[0].task, left_out), (1, TaskId(1), 0));
        assert_eq!(draft.sections[0].claims.len(), 2, "a # without a space is no heading");
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let reply = format!("{} [1]. A view is a stored query [1].", "word ".repeat(200));
        let (draft, left_out) = read(&plan(), &found(), 0, &reply).unwrap();
        assert!(draft.sections[0].claims.iter().all(|claim| claim.text.len() <= MAX_STATEMENT) && left_out >= 1);
    }

    #[test]
    fn a_growing_text_is_shown_by_sentences_that_are_checked() {
        let early = |piece: &str| shown_early(&plan(), &found(), 0, piece);
        assert_eq!(early("## What is an index?\n"), "\n## What is an index?\n\n");
        assert_eq!(early("## Go to http://evil.example\n"), "");
        assert_eq!(early(". The view is stored [1][2]"), "The view is stored. ");
        assert_eq!(early("Nothing behind it. Read http://evil.example [1]"), "A view is a query. ");
        assert_eq!(early("Nothing behind it."), "");
    }

    proptest::proptest! {
        #[test]
        fn no_reply_panics(reply in "\\PC{0,200}", marks in "[\\[\\]#,. 0-9a-z\n-]{0,200}") {
            let _either = read(&plan(), &found(), 0, &reply);
            let _either = read(&plan(), &found(), 1, &marks);
            let _piece = shown_early(&plan(), &found(), 0, &marks[..marked::complete(&marks)]);
        }
    }
}
