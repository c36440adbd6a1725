//! Did it happen as it should? Assertions on what a run told, in order. A failure shows the events around it.
//!
//! ```
//! use callboard_actors::event::Event;
//! use callboard_actors::pattern;
//! use callboard_actors::testkit::Events;
//!
//! let events = Events::new([
//!     Event::RunStarted { question: "Why?".to_owned() },
//!     Event::PlanMade { tasks: Vec::new() },
//!     Event::CollectionFinished { replies: 0 },
//! ]);
//! events
//!     .in_order(&[pattern!(Event::RunStarted { .. }), pattern!(Event::CollectionFinished { replies } if *replies == 0)])
//!     .times(1, pattern!(Event::PlanMade { .. }))
//!     .never(pattern!(Event::TaskFailed { .. }));
//! ```

use std::collections::BTreeSet;
use std::fmt::{Debug, Write};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::event::{Event, RunEvent};
use crate::supervisor::RunEvents;
use crate::text;

/// Events that are shown before and after the one that a failure is about.
const AROUND: usize = 5;

/// Signs that are shown of an event.
const SHOWN: usize = 160;

/// What an event has to look like, with the words for a failure. [`pattern!`](crate::pattern!) makes one of a Rust pattern.
pub struct Pattern<'a, E> {
    words: String,
    fits: Box<dyn Fn(&E) -> bool + 'a>,
}

impl<E> Debug for Pattern<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

impl<'a, E> Pattern<'a, E> {
    /// `words` say in a failure what `fits` looks for.
    pub fn new(words: impl Into<String>, fits: impl Fn(&E) -> bool + 'a) -> Self {
        Self { words: words.into(), fits: Box::new(fits) }
    }
}

/// A [`Pattern`] of a Rust pattern, with a guard if need be: `pattern!(Event::TaskStarted { attempt, .. } if
/// *attempt > 1)`.
#[macro_export]
macro_rules! pattern {
    ($pattern:pat $(if $guard:expr)? $(,)?) => {
        $crate::testkit::Pattern::new(
            concat!(stringify!($pattern) $(, " if ", stringify!($guard))?),
            |event| matches!(event, $pattern $(if $guard)?),
        )
    };
}

/// What an event means for what is under way: see [`Events::at_once`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<K> {
    /// This begins.
    Begins(K),
    /// It is over. What has not begun is not over.
    Ends(K),
    /// Neither.
    Neither,
}

/// Events in the order in which they happened: of a run, or of any other kind. Each assertion panics with what is wrong and the events
/// around it, and gives back the events, so that the next can follow.
#[derive(Debug, Clone)]
pub struct Events<E> {
    entries: Vec<Entry<E>>,
}

#[derive(Debug, Clone)]
struct Entry<E> {
    shown: String,
    event: E,
}

impl Events<Event> {
    /// Those of a run, with their number and their time for a failure.
    pub fn of_run(events: impl IntoIterator<Item = RunEvent>) -> Self {
        let entry = |RunEvent { seq, at_ms, event, .. }| {
            let shown = format!("{seq:>4} {at_ms:>7} ms  {}", short(&event));
            Entry { shown, event }
        };
        Self { entries: events.into_iter().map(entry).collect() }
    }

    /// Reads those of a run until it ends.
    ///
    /// # Panics
    /// Panics, with those so far, when it does not end `within` this time of tokio's clock.
    pub async fn collect(mut events: RunEvents, within: Duration) -> Self {
        let (until, mut all) = (Instant::now() + within, Vec::new());
        let has_ended = loop {
            match timeout_at(until, events.next()).await {
                Ok(Some(event)) => all.push(event),
                Ok(None) => break true,
                Err(_late) => break false,
            }
        };
        let events = Self::of_run(all);
        let last = events.entries.len().checked_sub(1);
        events.hold((!has_ended).then(|| (format!("the run did not end within {within:?}"), last)));
        events
    }

    /// At most so many tasks were with a researcher at the same time.
    ///
    /// # Panics
    /// Panics at the first that was one too many.
    #[track_caller]
    pub fn tasks_at_once(&self, most: usize) -> &Self {
        self.at_once(most, |event| match event {
            Event::TaskStarted { task, .. } => Change::Begins(*task),
            Event::TaskFinished { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::TaskRetried { task, .. }
            | Event::TaskCancelled { task, .. } => Change::Ends(*task),
            _ => Change::Neither,
        })
    }
}

impl<E: Debug> Events<E> {
    /// These, of whatever kind: run events without their times, events of an ask, dead letters, lines of a log.
    pub fn new(events: impl IntoIterator<Item = E>) -> Self {
        let entry = |(place, event): (usize, E)| Entry { shown: format!("{:>4}  {}", place + 1, short(&event)), event };
        Self { entries: events.into_iter().enumerate().map(entry).collect() }
    }
}

impl<E> Events<E> {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.entries.iter().map(|entry| &entry.event)
    }

    /// How many look like this.
    pub fn count(&self, pattern: &Pattern<'_, E>) -> usize {
        self.iter().filter(|event| (pattern.fits)(event)).count()
    }

    /// Each of these happened after the one before; others may have happened between.
    ///
    /// # Panics
    /// Panics at the first that did not.
    #[track_caller]
    pub fn in_order(&self, patterns: &[Pattern<'_, E>]) -> &Self {
        self.hold(self.not_in_order(patterns))
    }

    /// None looks like this.
    ///
    /// # Panics
    /// Panics at the first that does.
    #[track_caller]
    pub fn never(&self, pattern: Pattern<'_, E>) -> &Self {
        let found = self.iter().position(|event| (pattern.fits)(event));
        self.hold(found.map(|at| (format!("{pattern:?} happened, and should not"), Some(at))))
    }

    /// So many look like this, neither more nor less.
    ///
    /// # Panics
    /// Panics with how many do.
    #[track_caller]
    pub fn times(&self, times: usize, pattern: Pattern<'_, E>) -> &Self {
        let count = self.count(&pattern);
        let last = self.entries.iter().rposition(|entry| (pattern.fits)(&entry.event));
        self.hold(
            (count != times)
                .then(|| (format!("{pattern:?} happened {}, and not {times}", text::count(count, "time")), last)),
        )
    }

    /// At most so many of what `change` tells apart were under way at the same time.
    ///
    /// # Panics
    /// Panics at the first that was one too many.
    #[track_caller]
    pub fn at_once<K: Ord + Debug>(&self, most: usize, change: impl Fn(&E) -> Change<K>) -> &Self {
        self.hold(self.too_many(most, change))
    }

    /// The last one looks like this.
    ///
    /// # Panics
    /// Panics when it does not, or when there is none.
    #[track_caller]
    pub fn ends_with(&self, pattern: Pattern<'_, E>) -> &Self {
        let last = self.entries.last();
        let fits = last.is_some_and(|last| (pattern.fits)(&last.event));
        let at = self.entries.len().checked_sub(1);
        self.hold((!fits).then(|| (format!("the last event should be {pattern:?}, and is not"), at)))
    }

    fn not_in_order(&self, patterns: &[Pattern<'_, E>]) -> Option<Wrong> {
        let mut next = 0;
        for (number, pattern) in patterns.iter().enumerate() {
            let found = self.iter().skip(next).position(|event| (pattern.fits)(event));
            let Some(found) = found else {
                let before = match number.checked_sub(1) {
                    Some(before) => format!("after {:?}", patterns[before]),
                    None => "at all".to_owned(),
                };
                return Some((format!("{pattern:?} did not happen {before}"), next.checked_sub(1)));
            };
            next += found + 1;
        }
        None
    }

    fn too_many<K: Ord + Debug>(&self, most: usize, change: impl Fn(&E) -> Change<K>) -> Option<Wrong> {
        let mut under_way = BTreeSet::new();
        for (at, event) in self.iter().enumerate() {
            match change(event) {
                Change::Begins(key) => drop(under_way.insert(key)),
                Change::Ends(key) => drop(under_way.remove(&key)),
                Change::Neither => {}
            }
            if under_way.len() > most {
                return Some((format!("{} at once, and not at most {most}: {under_way:?}", under_way.len()), Some(at)));
            }
        }
        None
    }

    #[track_caller]
    fn hold(&self, wrong: Option<Wrong>) -> &Self {
        if let Some((what, at)) = wrong {
            panic!("{what}\n{}", self.around(at));
        }
        self
    }

    /// The events around this place, which is marked; the first and the last ones without a place.
    fn around(&self, at: Option<usize>) -> String {
        if self.entries.is_empty() {
            return "  (no event at all)\n".to_owned();
        }
        let is_near = |place: usize| match at {
            Some(at) => place.abs_diff(at) <= AROUND,
            None => place < AROUND || place + AROUND >= self.entries.len(),
        };
        let (mut text, mut left_out) = (String::new(), 0);
        let gap = |text: &mut String, left_out: &mut usize| {
            let _infallible = (*left_out > 0).then(|| writeln!(text, "  ... {left_out} more"));
            *left_out = 0;
        };
        for (place, entry) in self.entries.iter().enumerate() {
            if !is_near(place) {
                left_out += 1;
                continue;
            }
            gap(&mut text, &mut left_out);
            let mark = if at == Some(place) { '>' } else { ' ' };
            let _infallible = writeln!(text, "{mark} {}", entry.shown);
        }
        gap(&mut text, &mut left_out);
        text
    }
}

/// What is wrong, and at which event it is seen.
type Wrong = (String, Option<usize>);

fn short(event: &impl Debug) -> String {
    let text = format!("{event:?}");
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
