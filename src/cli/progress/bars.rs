//! How does progress look on a terminal? One line for the corpus and one for each researcher, live.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard::actors::research::inert::plain;
use callboard::actors::text::count;
use callboard::corpus::IndexProgress;
use callboard::{Event, ModelActivity, Task, TaskId};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::draft::Draft;
use super::{models, numbers, output, words};

const TICK: Duration = Duration::from_millis(100);

/// The bars of one research.
pub(super) struct Bars {
    all: MultiProgress,
    corpus: ProgressBar,
    tasks: BTreeMap<TaskId, Researcher>,
    /// The answer while a model writes it; it goes when the report comes.
    answer: Option<(ProgressBar, Draft)>,
    /// Where it stands what the crew waits for a model for; `None` without one.
    crew: Option<ProgressBar>,
    /// What that is; empty when nothing is waited for.
    awaited: &'static str,
    /// The numbers of the model, below everything else.
    numbers: Option<ProgressBar>,
}

struct Researcher {
    bar: ProgressBar,
    question: String,
}

impl Bars {
    pub(super) fn new(with_model: bool) -> Self {
        let all = MultiProgress::new();
        let corpus = all.add(line("corpus"));
        let crew = with_model.then(ProgressBar::hidden);
        Self { all, corpus, tasks: BTreeMap::new(), answer: None, crew, awaited: "", numbers: None }
    }

    pub(super) fn has_model(&self) -> bool {
        self.crew.is_some()
    }

    /// The numbers of the model, in one line that is written again and again.
    pub(super) fn model(&mut self, activity: &ModelActivity) {
        let bar = self.numbers.get_or_insert_with(|| self.all.add(line("model")));
        bar.set_message(numbers::line(activity, columns().saturating_sub(BEFORE)));
    }

    /// Adds a line above the numbers.
    fn insert(&self, bar: ProgressBar) -> ProgressBar {
        match &self.numbers {
            Some(numbers) => self.all.insert_before(numbers, bar),
            None => self.all.add(bar),
        }
    }

    pub(super) fn index(&mut self, step: &IndexProgress) {
        match step {
            IndexProgress::Scanning { files } => self.corpus.set_message(format!("{} seen", count(*files, "file"))),
            IndexProgress::Reading { done, total } => self.share("reading files", *done, *total),
            IndexProgress::Indexing { done, total } => self.share("indexing passages", *done, *total),
            step => {
                let text = plain(&words::index_state(step).unwrap_or_default());
                match step {
                    IndexProgress::Ready { .. } => finish(&self.corpus, DONE, text),
                    _ => self.corpus.set_message(text),
                }
            }
        }
    }

    fn share(&self, what: &str, done: usize, total: usize) {
        self.corpus.set_message(shared(what, done, total, columns().saturating_sub(BEFORE)));
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::PlanMade { tasks } => {
                self.wait_for("");
                tasks.iter().for_each(|task| self.add(task));
            }
            Event::TaskAdded { task } => {
                self.wait_for("");
                self.add(task);
            }
            Event::TaskStarted { task, .. } | Event::TaskProgress { task, .. } | Event::TaskRetried { task, .. } => {
                self.say(*task, event);
            }
            Event::TaskFinished { task, .. } | Event::TaskFailed { task, .. } | Event::TaskCancelled { task, .. } => {
                self.say(*task, event);
            }
            Event::ModelCallPaused { task, .. } | Event::ModelCallResumed { task, .. } => self.wait(*task, event),
            Event::ModelFellBack { task, .. } => {
                self.tell(event);
                self.wait(*task, event);
            }
            Event::AnswerText { text } => self.write(text),
            Event::RunStarted { .. } => self.wait_for("planning"),
            Event::LookBackStarted => self.wait_for("looking for what is missing"),
            Event::CollectionFinished { .. } => self.wait_for("writing"),
            event => self.tell(event),
        }
    }

    /// Shows what a model is asked for, below the tasks; nothing for an empty text.
    fn wait_for(&mut self, what: &'static str) {
        let Some(crew) = &self.crew else { return };
        crew.finish_and_clear();
        self.awaited = what;
        if !what.is_empty() {
            let bar = self.insert(line("crew"));
            bar.set_message(what);
            self.crew = Some(bar);
        }
    }

    /// Shows what keeps a call at the moment, where its part or its role stands.
    fn wait(&self, task: Option<TaskId>, event: &Event) {
        match (task, &self.crew) {
            (Some(task), _) => self.say(task, event),
            (None, Some(crew)) if !self.awaited.is_empty() => {
                let phrase = plain(&words::phrase(event).unwrap_or_default());
                crew.set_message(format!("{} · {phrase}", self.awaited));
            }
            (None, _) => {}
        }
    }

    /// Says what happens to a model, and that the rules go on without it, in a line that stays, above everything that changes.
    fn tell(&self, event: &Event) {
        if models::event(event).is_some() || matches!(event, Event::RulesInstead { .. }) {
            words::event(event).iter().for_each(|line| self.above(|| output::line(line)));
        }
    }

    fn write(&mut self, text: &str) {
        self.wait_for("");
        let (bar, mut draft) = self.answer.take().unwrap_or_else(|| {
            let style = ProgressStyle::with_template("{msg:.dim}").expect("the template is a constant");
            (self.insert(ProgressBar::new_spinner().with_style(style)), Draft::default())
        });
        draft.push(text);
        bar.set_message(draft.tail(columns().saturating_sub(1).clamp(20, 100)));
        self.answer = Some((bar, draft));
    }

    /// Shows something above the bars.
    pub(super) fn above(&self, show: impl FnOnce()) {
        self.all.suspend(show);
    }

    /// Stops every bar where it is; whether there is one that stays. The cursor stands behind the last one.
    pub(super) fn end(&mut self) -> bool {
        self.wait_for("");
        if let Some((bar, _)) = self.answer.take() {
            bar.finish_and_clear();
        }
        if let Some(numbers) = self.numbers.take() {
            numbers.finish_and_clear();
        }
        let is_corpus_seen = !self.corpus.message().is_empty();
        if !is_corpus_seen {
            // Such as when there is no question.
            self.corpus.finish_and_clear();
        }
        for bar in self.tasks.values().map(|researcher| &researcher.bar).chain([&self.corpus]) {
            if !bar.is_finished() {
                bar.set_style(style(CUT_SHORT));
                bar.abandon();
            }
        }
        is_corpus_seen || !self.tasks.is_empty()
    }

    fn add(&mut self, task: &Task) {
        if self.tasks.contains_key(&task.id) {
            return;
        }
        let bar = self.insert(line(&task.id.to_string()));
        let question = plain(&task.question);
        bar.set_message(format!("waiting · {question}"));
        self.tasks.insert(task.id, Researcher { bar, question });
    }

    fn say(&self, task: TaskId, event: &Event) {
        let (Some(Researcher { bar, question }), Some(phrase)) = (self.tasks.get(&task), words::phrase(event)) else {
            return;
        };
        // The phrase first: a narrow terminal cuts what comes last.
        let text = format!("{} · {question}", plain(&phrase));
        match mark(event) {
            Some(mark) => finish(bar, mark, text),
            None => bar.set_message(text),
        }
    }
}

/// Columns of a line before its text: the spinner and the name.
const BEFORE: usize = 9;

fn columns() -> usize {
    output::width(terminal_size::terminal_size_of(std::io::stderr()))
}

/// The cells of a share of the way, where there is room for them.
const CELLS: usize = 20;

/// `██░░ reading files: 1 of 2`, in so many columns: the numbers first.
fn shared(what: &str, done: usize, total: usize, columns: usize) -> String {
    let text = format!("{what}: {done} of {total}");
    let cells = columns.saturating_sub(text.len() + 1).min(CELLS);
    let full = (done * cells).checked_div(total).unwrap_or(cells).min(cells);
    if cells == 0 { text } else { format!("{}{} {text}", "█".repeat(full), "░".repeat(cells - full)) }
}

/// What stands before a line that moves no more: found, looked for and not found, failed, cut short.
const DONE: char = '✓';
const NOTHING: char = '○';
const FAILED: char = '✗';
const CUT_SHORT: char = '–';

/// The mark of a task that is over.
fn mark(event: &Event) -> Option<char> {
    match event {
        Event::TaskFinished { claims: 0, .. } => Some(NOTHING),
        Event::TaskFinished { .. } => Some(DONE),
        Event::TaskFailed { .. } => Some(FAILED),
        Event::TaskCancelled { .. } => Some(CUT_SHORT),
        _ => None,
    }
}

fn line(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_style(style(DONE)).with_prefix(name.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// A line with this mark at its end.
fn style(mark: char) -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {prefix:6} {wide_msg}");
    style.expect("the template is a constant").tick_chars(&format!("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏{mark}"))
}

fn finish(bar: &ProgressBar, mark: char, text: String) {
    bar.set_style(style(mark));
    bar.finish_with_message(text);
}

#[cfg(test)]
mod tests {
    use super::super::numbers::tests::activity;
    use super::*;

    #[test]
    fn the_share_of_the_way_leaves_room_for_its_numbers() {
        assert_eq!(
            shared("reading files", 1, 2, 99),
            format!("{}{} reading files: 1 of 2", "█".repeat(10), "░".repeat(10))
        );
        assert_eq!(shared("reading files", 3, 4, 31), "██████░░░ reading files: 3 of 4".to_owned());
        assert_eq!(shared("reading files", 3, 4, 20), "reading files: 3 of 4");
        assert_eq!(shared("reading files", 0, 0, 31), "█████████ reading files: 0 of 0");
    }

    #[test]
    fn each_end_of_a_task_has_its_mark() {
        let task = TaskId(1);
        for (event, wanted) in [
            (Event::TaskFinished { task, claims: 2 }, Some('✓')),
            (Event::TaskFinished { task, claims: 0 }, Some('○')),
            (Event::TaskFailed { task, reason: String::new() }, Some('✗')),
            (Event::TaskCancelled { task, reason: callboard::CancelReason::Interrupted }, Some('–')),
            (Event::TaskStarted { task, attempt: 1 }, None),
        ] {
            assert_eq!(mark(&event), wanted, "{event:?}");
        }
    }

    #[test]
    fn the_numbers_are_one_line_that_changes_and_goes_at_the_end() {
        let mut bars = Bars::new(true);
        assert!(bars.has_model() && !Bars::new(false).has_model());
        let told = |bars: &Bars| bars.numbers.as_ref().map(ProgressBar::message);
        assert_eq!(told(&bars), None, "nothing before the first look");
        bars.model(&activity(900, 0, None));
        assert!(told(&bars).unwrap().ends_with("41 calls, 900 tokens, cost unknown"), "{:?}", told(&bars));
        let bar = bars.numbers.clone().unwrap();
        bars.event(&Event::RunStarted { question: "Why?".to_owned() });
        bars.event(&Event::AnswerText { text: "Because.".to_owned() });
        bars.model(&activity(901, 0, Some(0.5)));
        assert!(bar.message().ends_with("901 tokens, $0.50"), "the same line: {}", bar.message());
        bars.end();
        assert!(bar.is_finished() && bars.numbers.is_none());
    }

    #[test]
    fn a_part_and_a_role_say_that_they_wait_and_that_they_go_on() {
        let mut bars = Bars::new(true);
        bars.event(&Event::RunStarted { question: "Why?".to_owned() });
        let waits = |task: Option<TaskId>| {
            let [role, model, refused_model] = ["planner", "openai/a", "openai/b"].map(str::to_owned);
            Event::ModelCallPaused { role, task, model, refused_model, pause_ms: 12_000 }
        };
        let goes_on = |task: Option<TaskId>| {
            let [role, model] = ["planner", "openai/a"].map(str::to_owned);
            Event::ModelCallResumed { role, task, model }
        };
        let crew = |bars: &Bars| bars.crew.as_ref().unwrap().message();
        bars.event(&waits(None));
        assert_eq!(crew(&bars), "planning · waiting 12 s, as openai/b asked for");
        bars.event(&goes_on(None));
        assert_eq!(crew(&bars), "planning · asking openai/a now");
        let id = TaskId(1);
        let part = |bars: &Bars| bars.tasks[&id].bar.message();
        bars.event(&Event::PlanMade { tasks: vec![Task { id, question: "Why so?".to_owned() }] });
        bars.event(&waits(Some(id)));
        assert_eq!(part(&bars), "waiting 12 s, as openai/b asked for · Why so?");
        bars.event(&goes_on(Some(id)));
        assert_eq!(part(&bars), "asking openai/a now · Why so?");
        bars.event(&waits(Some(id)));
        let [role, from, to, error_code] = ["researcher", "openai/a", "openai/c", "paused"].map(str::to_owned);
        bars.event(&Event::ModelFellBack { role, task: Some(id), from, to, error_code });
        assert_eq!(part(&bars), "asking openai/c · Why so?");
        bars.end();
    }
}
