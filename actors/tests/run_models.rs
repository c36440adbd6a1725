//! Does a run with a language model plan, look back and write with it, and go on with the rules where it is no use?

mod common;

use std::time::Duration;

use callboard_actors::chat::{ChatRequest, ReplyForm};
use callboard_actors::error::ModelError;
use callboard_actors::event::{CancelReason, Event, RunEvent};
use callboard_actors::gateway::{BudgetLimits, Source};
use callboard_actors::research::{FailureCause, RunStep, Status, TaskId, Usage};
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Collect, RunOptions};
use callboard_actors::testkit::explore;
use common::chance::{Dice, seeds};
use common::crew::*;
use common::library::{Behaviour, library, question, sentence};
use tokio::time::Instant;

#[test]
fn a_model_plans_chooses_looks_back_and_writes_in_its_own_words() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let played = play(&runtime, &library, "What is alder about?", options(), |role, _, _| good(role)).await;
        assert_eq!(played.roles(), [Role::Planner, Role::Researcher, Role::LooksBack, Role::Writer]);
        assert_eq!(played.said(), ["Letters are passed between cities with the protocol."]);
        let outcome = &played.outcome;
        assert_eq!(
            (outcome.status, &*outcome.generator.kind, &*outcome.generator.model),
            (Status::Complete, "llm", "played/one")
        );
        assert_eq!(outcome.draft.sections[0].claims[0].evidence[0].quote, sentence("alder"));
        assert_eq!((outcome.notes.len(), outcome.struck), (0, 0));
        let usage = Usage { model_calls: 4, input_tokens: 400, output_tokens: 40, ..Usage::default() };
        assert_eq!(outcome.usage, usage, "and what nobody knows the price of costs no known sum");
        let texts = played.log.iter().filter_map(|event| match &event.event {
            Event::AnswerText { text } => Some(text.as_str()),
            _ => None,
        });
        let seen: String = texts.collect();
        assert_eq!(seen.trim(), played.said()[0], "the text is seen while it is written");
        let system = played.asked.iter().map(|(_, request)| &request.turns[0].text);
        assert!(
            system.into_iter().all(|prompt| !prompt.contains("alder")),
            "no question or document is in the system role"
        );
    });
}

/// What is told of the calls of a run, in order; and each stands before the end.
fn calls(log: &[RunEvent]) -> Vec<Event> {
    let told = log.iter().map(|event| &event.event);
    told.filter(|event| matches!(event, Event::ModelCalled { .. } | Event::ModelCallFailed { .. })).cloned().collect()
}

fn called(role: &str, task: Option<u32>, provider_ms: u64) -> Event {
    Event::ModelCalled {
        role: role.to_owned(),
        task: task.map(TaskId),
        model: "played/one".to_owned(),
        source: Source::Model,
        attempts: 1,
        queue_ms: 0,
        provider_ms,
        input_tokens: Some(USED.input),
        output_tokens: Some(USED.output),
    }
}

fn call_failed(role: &str, task: Option<u32>, code: &str) -> Event {
    let (role, model, error_code) = (role.to_owned(), "played/one".to_owned(), code.to_owned());
    Event::ModelCallFailed { role, task: task.map(TaskId), model, error_code, attempts: Some(1) }
}

#[test]
fn each_call_is_told_with_its_numbers_and_without_its_text() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = |role, _: &_, nth| match (role, nth) {
            (Role::Researcher, 0) => says("nonsense"),
            (Role::LooksBack, _) => Does::SaysAfter(Duration::from_millis(1_250), NO_MORE.to_owned()),
            (Role::Writer, _) => Does::Fails(ModelError::ContentRefused("secret words".to_owned())),
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), script).await;
        let (planner, researcher) = (called("planner", None, 0), called("researcher", Some(1), 0));
        let (looks_back, writer) = (called("planner", None, 1_250), call_failed("writer", None, "content_refused"));
        assert_eq!(calls(&played.log), [planner, researcher.clone(), researcher, looks_back, writer]);
        let place = |found: fn(&Event) -> bool| played.log.iter().rposition(|event| found(&event.event)).unwrap();
        let answered = place(|event| matches!(event, Event::ModelCalled { role, .. } if role == "researcher"));
        assert!(answered < place(|event| matches!(event, Event::TaskFinished { .. })), "before what follows from it");
        let told = serde_json::to_string(&calls(&played.log)).unwrap();
        assert!(["secret", "alder", "nonsense"].iter().all(|text| !told.contains(text)), "{told}");
    });
}

#[test]
fn a_usage_that_is_unknown_is_null_and_tries_are_counted() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let unavailable =
            || ModelError::Unavailable { status: 503, retry_after: None, message: "on purpose".to_owned() };
        let script = move |role, _: &_, nth| match (role, nth) {
            (Role::Planner, 0) => Does::Fails(unavailable()),
            (Role::Planner, _) => Does::SaysUncounted(r#"{"tasks": ["What is the alder protocol?"]}"#.to_owned()),
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), script).await;
        let planned = serde_json::to_value(&calls(&played.log)[0]).unwrap();
        assert_eq!((&planned["type"], &planned["attempts"]), (&"model_called".into(), &2.into()));
        assert!(planned["queue_ms"].as_u64() > Some(0), "the wait before the second attempt is in line: {planned}");
        assert!(planned["input_tokens"].is_null() && planned["output_tokens"].is_null(), "{planned}");
        assert_eq!(calls(&played.log)[1], called("researcher", Some(1), 0));
    });
}

#[test]
fn a_run_whose_model_cannot_be_reached_tells_of_the_call_before_its_end() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let refuses = |_, _: &_, _| Does::Fails(ModelError::NotFound("no such model".to_owned()));
        let played = play(&runtime, &library, "What is alder about?", options(), refuses).await;
        assert_eq!(played.outcome.status, Status::Failed);
        assert_eq!(calls(&played.log), [call_failed("planner", None, "not_found")]);
    });
}

#[test]
fn looking_back_adds_parts_as_often_as_it_may() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let more = |role, _: &_, nth| match (role, nth) {
            (Role::LooksBack, 0) => says(r#"{"tasks": ["What is the birch protocol?", "what is the alder protocol"]}"#),
            (Role::LooksBack, 1) => says(r#"{"tasks": ["What is the cedar protocol?"]}"#),
            (Role::Writer, _) => says("One [1]. Two [2]."),
            _ => good(role),
        };
        let with = |iterations| RunOptions { iterations, ..options() };
        for (iterations, tasks) in [(1, 1), (2, 2), (3, 3)] {
            let played = play(&runtime, &library, "What is alder about?", with(iterations), more).await;
            assert_eq!(played.outcome.plan.tasks.len(), tasks, "{iterations} iterations");
            let looked = played.roles().iter().filter(|role| **role == Role::LooksBack).count();
            assert_eq!(looked, iterations as usize - 1);
        }
        let enough = RunOptions { collect: Collect::First(1), ..with(3) };
        let played = play(&runtime, &library, "What is alder about?", enough, more).await;
        assert!(!played.roles().contains(&Role::LooksBack), "a fan-out that has what it needs is not looked back at");
    });
}

#[test]
fn a_reply_that_is_no_use_is_repaired_once_and_then_the_rules_decide() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let mended = |role, _: &_, nth| if nth == 0 { says("nonsense") } else { good(role) };
        let played = play(&runtime, &library, "What is alder about?", options(), mended).await;
        assert_eq!((played.outcome.notes.len(), played.asked.len()), (0, 8), "each was asked twice");
        let again = &played.asked[1].1.turns;
        assert!(again[3].text.contains("there is no JSON object in it"), "{}", again[3].text);

        let played = play(&runtime, &library, &question(&["alder"]), options(), |_, _, _| says("nonsense")).await;
        assert_eq!(played.outcome.status, Status::Complete);
        assert_eq!(played.said(), [sentence("alder")], "the rules quote");
        assert_eq!((&*played.outcome.generator.kind, played.outcome.usage.model_calls), ("extractive", 8));
        let notes = &played.outcome.notes;
        let begins = [
            "The question was planned by rules",
            "“What is the alder protocol?” was answered by rules",
            "Nobody looked back",
            "The answer was written by rules",
        ];
        assert_eq!(notes.len(), begins.len(), "{notes:?}");
        assert!(notes.iter().zip(begins).all(|(note, begin)| note.starts_with(begin)), "{notes:?}");
        let told = played.log.iter().filter(|event| matches!(event.event, Event::RulesInstead { .. })).count();
        assert_eq!(told, 4);
        let steps = [RunStep::Plan, RunStep::Research, RunStep::LookBack, RunStep::Write];
        let instead = &played.outcome.rules_instead;
        assert_eq!(instead.iter().map(|instead| instead.step).collect::<Vec<_>>(), steps);
        assert!(
            instead.iter().all(|instead| instead.model == "played/one" && instead.reason.contains("no JSON object")
                || instead.step == RunStep::Write),
            "{instead:?}"
        );
        assert_eq!((instead[1].task, instead[3].task), (Some(TaskId(1)), None));
    });
}

#[test]
fn a_model_that_has_nothing_to_choose_from_is_not_asked_and_the_report_says_so() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Nothing)]);
        let played = play(&runtime, &library, "What is alder about?", options(), |role, _, _| good(role)).await;
        assert_eq!(played.roles(), [Role::Planner, Role::LooksBack], "nobody asks it about nothing");
        let note = "played/one was not asked about “What is the alder protocol?”: no passage was retrieved for it.";
        assert_eq!((played.outcome.status, &*played.outcome.notes), (Status::NoEvidence, &[note.to_owned()][..]));
        assert_eq!(played.outcome.rules_instead, [], "it is not the model's fault");
        let said = |note: &str| matches!(note, "played/one is not asked");
        let told = |event: &RunEvent| matches!(&event.event, Event::TaskProgress { note, .. } if said(note));
        assert!(played.log.iter().any(told));
    });
}

#[test]
fn a_reply_that_was_cut_is_called_so_to_the_model_and_to_people() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let cut = |role, _: &_, _| match role {
            Role::Planner => Does::IsCut(r#"{"tasks": ["What is the"#.to_owned()),
            // A model that thinks first, and came to no word of its reply.
            Role::Researcher => Does::IsCut(String::new()),
            _ => good(role),
        };
        let played = play(&runtime, &library, &question(&["alder"]), options(), cut).await;
        let again = &played.asked[1].1.turns[3].text;
        assert!(again.starts_with("This reply cannot be used: it was cut before its end"), "{again}");
        let notes = &played.outcome.notes;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes.iter().all(|note| note.contains("it was cut before its end, with 2048 tokens allowed")),
            "{notes:?}"
        );
        // What is whole in spite of it is used.
        let enough = |role, _: &_, _| match role {
            Role::Researcher => Does::IsCut(FINDING.to_owned()),
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), enough).await;
        assert_eq!((played.outcome.notes.len(), played.asked.len()), (0, 4));
    });
}

#[test]
fn an_answer_that_was_cut_is_its_whole_sentences_and_no_complete_one() {
    const WHOLE: &str = "Letters are passed between cities with the protocol";
    let long = format!("{WHOLE} [1].\n").repeat(2_000);
    let cut = |at| format!("The reply of played/one was cut at {at}: the answer is its whole sentences.");
    let left_out = "1 sentence of the language model rested on no finding and was left out.".to_owned();
    let (complete, partial) = (Status::Complete, Status::Partial);
    // What the writer replies, what is noted of it, and the status. Half a sentence is not one that rests on nothing.
    let table = [
        (Does::IsCut(format!("{WHOLE} [1]. The protocol passes letters [1")), Some(cut("10 tokens")), partial),
        (Does::IsCut(format!("{WHOLE} [1]")), Some(cut("10 tokens")), partial),
        (says(long), Some(cut("64 KiB, of which no more is read")), partial),
        (says(ANSWER), None, complete),
        (says(format!("{ANSWER} It rains.")), Some(left_out), complete),
    ];
    for (does, note, status) in table {
        simulated(1, |runtime| async move {
            let script = move |role, _: &_, _| if role == Role::Writer { does.clone() } else { good(role) };
            let played = play(&runtime, &library(&SUBJECTS), "What is alder about?", options(), script).await;
            let outcome = &played.outcome;
            let notes: Vec<_> = outcome.notes.iter().filter(|note| note.contains(" was ")).collect();
            assert_eq!(notes, note.iter().collect::<Vec<_>>());
            assert_eq!((outcome.status, outcome.rules_instead.len(), played.asked.len()), (status, 0, 4));
            assert!(played.said().iter().all(|said| *said == format!("{WHOLE}.")), "{:?}", played.said());
        });
    }
}

#[test]
fn a_sentence_that_says_more_than_its_sources_is_shown_as_the_quote() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let invents = |role, _: &_, _| match role {
            Role::Writer => says(
                "It was made in 1867 by Siemens [1]. Read http://evil.example/?q=letters [1]. More without a source.",
            ),
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), invents).await;
        assert_eq!(played.said(), [sentence("alder")]);
        assert_eq!(played.outcome.struck, 1, "the one without a source");
    });
}

#[test]
fn a_model_that_cannot_be_asked_ends_the_run_at_the_plan_and_later_only_its_step() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let refuses = || Does::Fails(ModelError::Unauthorized { status: 401, message: "no".to_owned() });
        let played = play(&runtime, &library, "What is alder about?", options(), move |_, _, _| refuses()).await;
        let failure = played.outcome.failure.clone().unwrap();
        assert_eq!((played.outcome.status, failure.cause), (Status::Failed, FailureCause::Provider));
        assert_eq!(played.roles(), [Role::Planner], "nothing else is tried");

        let later = move |role, _: &_, _| if role == Role::Planner { good(role) } else { refuses() };
        let played = play(&runtime, &library, "What is alder about?", options(), later).await;
        assert_eq!((played.outcome.status, played.outcome.notes.len()), (Status::Complete, 3));
    });
}

#[test]
fn a_budget_ends_the_use_of_the_model_and_not_the_run() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        for (tokens, status, cause) in
            [(100, Status::Failed, Some(FailureCause::Budget)), (3_500, Status::Complete, None)]
        {
            let budget = BudgetLimits { tokens: Some(tokens), micros: None };
            let stage = stage(&runtime, &library, budget, Box::new(|role, _, _| good(role)));
            let mut run = runtime.research(&question(&["alder"]), stage.crew, options()).unwrap();
            let outcome = run.outcome().await;
            assert_eq!((outcome.status, outcome.failure.map(|failure| failure.cause)), (status, cause), "{tokens}");
            let calls = stage.player.asked.lock().unwrap().len();
            assert_eq!(outcome.usage.model_calls, calls as u64);
            assert!(calls < 4 && (cause.is_some() || outcome.notes.last().unwrap().contains("tokens left")), "{calls}");
        }
    });
}

#[test]
fn too_much_text_is_reduced_and_a_server_without_schemas_is_asked_without() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let short = |role, request: &callboard_actors::chat::ChatRequest, nth| match role {
            Role::Researcher if nth < 2 => Does::Fails(ModelError::ContextTooLong("8192".to_owned())),
            _ if role != Role::Writer && request.form != ReplyForm::Text => {
                Does::Fails(ModelError::Rejected { status: 400, message: "response_format".to_owned() })
            }
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), short).await;
        assert_eq!(
            (played.outcome.notes.len(), &*played.outcome.generator.kind),
            (0, "llm"),
            "{:?}",
            played.outcome.notes
        );
        let never = |role, _: &_, _| match role {
            Role::Writer => Does::Fails(ModelError::ContextTooLong("1".to_owned())),
            _ => good(role),
        };
        let played = play(&runtime, &library, "What is alder about?", options(), never).await;
        assert!(played.outcome.notes[0].contains("too long for it, however little"), "{:?}", played.outcome.notes);
        assert_eq!(played.said(), ["The protocol passes letters between cities."], "the researcher's words");
    });
}

#[test]
fn a_slow_model_is_not_waited_for_beyond_the_deadline() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        for slow in [Role::Planner, Role::Researcher, Role::LooksBack, Role::Writer] {
            let script = move |role, _: &_, _| if role == slow { Does::Hangs } else { good(role) };
            let began = Instant::now();
            let played = play(&runtime, &library, &question(&["alder"]), options(), script).await;
            assert!(began.elapsed() <= Duration::from_secs(101), "{slow:?} took {:?}", began.elapsed());
            assert_eq!(played.outcome.status, Status::Complete, "{slow:?}: {:?}", played.outcome);
            assert!(
                played.outcome.notes[0].contains("did not answer in the time"),
                "{slow:?}: {:?}",
                played.outcome.notes
            );
        }
    });
}

#[test]
fn a_silent_model_is_waited_for_twice_and_then_no_more() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let began = Instant::now();
        let played = play(&runtime, &library, &question(&["alder"]), options(), |_, _, _| Does::Hangs).await;
        assert_eq!(played.roles(), [Role::Planner, Role::Researcher], "nobody waits for it a third time");
        // A third of the 80 seconds before the writing, and nine tenths of the rest.
        assert!(began.elapsed() < Duration::from_secs(76), "{:?}", began.elapsed());
        assert_eq!((played.outcome.status, played.said()), (Status::Complete, vec![&*sentence("alder")]));
        let why: Vec<_> = played.outcome.rules_instead.iter().map(|instead| &*instead.reason).collect();
        assert!(why[..2].iter().all(|why| *why == "it did not answer in the time that it had"), "{why:?}");
        assert!(why.len() == 4 && why[2..].iter().all(|why| why.ends_with("not asked again in this run")), "{why:?}");
        assert!(played.outcome.notes[3].ends_with("not asked again in this run."), "{:?}", played.outcome.notes);
    });
}

#[test]
fn an_answer_and_the_runs_own_end_are_no_silence() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let all = [Role::Planner, Role::Researcher, Role::LooksBack, Role::Writer];
        let hangs = |role, _: &_, _| if role == Role::Researcher { good(role) } else { Does::Hangs };
        let played = play(&runtime, &library, &question(&["alder"]), options(), hangs).await;
        assert_eq!(played.roles(), all, "an answer in between begins the count anew");
        // The planner has 3 s, and the look back what is left: only the researcher was waited for long.
        let short = RunOptions { deadline: Duration::from_secs(12), ..options() };
        let played = play(&runtime, &library, &question(&["alder"]), short, |_, _, _| Does::Hangs).await;
        assert_eq!(played.roles(), all);
    });
}

#[test]
fn who_interrupts_the_writing_still_gets_what_was_found() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = |role, _: &_, _| if role == Role::Writer { Does::Hangs } else { good(role) };
        let stage = stage(&runtime, &library, BudgetLimits::default(), Box::new(script));
        let mut run = runtime.research(&question(&["alder"]), stage.crew, options()).unwrap();
        let mut events = run.events();
        while !matches!(events.next().await.unwrap().event, Event::CollectionFinished { .. }) {}
        tokio::time::sleep(Duration::from_secs(1)).await;
        run.cancel(CancelReason::Interrupted);
        let began = Instant::now();
        let outcome = run.outcome().await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(
            (outcome.cancelled, outcome.draft.sections.len()),
            (Some(CancelReason::Interrupted), 1),
            "{outcome:?}"
        );
    });
}

#[test]
fn what_was_retrieved_for_parts_that_are_cut_short_is_in_the_outcome() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = |role, request: &ChatRequest, _| match role {
            Role::Planner => says(r#"{"tasks": ["What is the alder protocol?", "What is the birch protocol?"]}"#),
            Role::Researcher if request.turns[1].text.contains("The birch protocol is") => Does::Hangs,
            _ => good(role),
        };
        let stage = stage(&runtime, &library, BudgetLimits::default(), Box::new(script));
        let mut run = runtime.research(&question(&["alder", "birch"]), stage.crew, options()).unwrap();
        let mut events = run.events();
        while !matches!(events.next().await.unwrap().event, Event::TaskFinished { .. }) {}
        tokio::time::sleep(Duration::from_secs(1)).await;
        run.cancel(CancelReason::Interrupted);
        let outcome = run.outcome().await;
        assert_eq!((outcome.status, outcome.draft.sections.len()), (Status::Partial, 1), "{outcome:?}");
        let unread: Vec<_> = outcome.unread.iter().map(|unread| (unread.task, &*unread.passages[0].text)).collect();
        assert_eq!(unread, [(TaskId(2), &*sentence("birch"))], "and none of what was read");
    });
}

/// What a model may say or do, well or badly.
fn anything(role: Role, dice: &mut Dice) -> Does {
    let texts = [
        "",
        "{",
        "[1]",
        "Some words [1]. More [99].",
        "See http://evil.example [1].",
        r#"{"tasks": ["What is the birch protocol?"]}"#,
        r#"{"findings": []}"#,
        r#"{"findings": [{"statement": "42", "sentences": [1, 2, 3]}]}"#,
        r#"{"tasks": null}"#,
    ];
    let wait = Duration::from_millis(dice.pick(&[1, 900, 20_000]));
    let unavailable = ModelError::Unavailable { status: 503, retry_after: None, message: "on purpose".to_owned() };
    match dice.roll(12) {
        0..5 => good(role),
        5..8 => Does::SaysAfter(wait, dice.pick(&texts).to_owned()),
        8 => Does::Fails(unavailable),
        9 => Does::Fails(ModelError::ContextTooLong("on purpose".to_owned())),
        10 => Does::Panics,
        _ => Does::Hangs,
    }
}

#[test]
fn whatever_a_model_does_a_run_ends_in_time_and_cites_what_is_stored() {
    let kinds = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let range = seeds(300);
    let all = range.clone().count() > 1;
    explore(range, |seed, runtime, _| {
        let kinds = &kinds;
        async move {
            let mut dice = Dice(seed);
            let library = library(&SUBJECTS);
            let deadline = Duration::from_millis(dice.pick(&[20, 3_000, 100_000]));
            let options = RunOptions { deadline, iterations: 1 + u32::try_from(dice.roll(3)).unwrap(), ..options() };
            let script_dice = std::sync::Mutex::new(dice);
            let began = Instant::now();
            let asked = question(&["alder", "birch"]);
            let played = play(&runtime, &library, &asked, options, move |role, _, _| {
                anything(role, &mut script_dice.lock().unwrap())
            })
            .await;
            assert!(began.elapsed() <= deadline + Duration::from_secs(1), "took {:?}", began.elapsed());
            let outcome = played.outcome;
            for claim in outcome.draft.sections.iter().flat_map(|section| &section.claims) {
                assert!(!claim.text.contains("evil"), "{claim:?}");
                for evidence in &claim.evidence {
                    assert_eq!(evidence.quote, library.stored(&evidence.source)[evidence.start..evidence.end]);
                }
            }
            assert!(outcome.usage.model_calls >= played.asked.len() as u64);
            kinds.borrow_mut().insert(format!("{} {:?}", outcome.generator.kind, outcome.status));
        }
    });
    let kinds = kinds.into_inner();
    assert!(!all || kinds.len() >= 4, "the scenarios come to few ends: {kinds:?}");
}
