//! What follows from each reply, tool and failure of an ask? Tables of the pure machine.

use serde_json::json;

use super::*;
use crate::chat::{ChatReply, TokenUsage};

const PRICE: Option<Price> = Some(Price { input: 1_000_000, output: 2_000_000 });

fn said(text: &str, calls: &[(&str, &str)]) -> Completed {
    let of = |(number, (name, arguments)): (usize, &(&str, &str))| ToolCall {
        id: format!("call-{number}"),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    };
    let tool_calls = calls.iter().enumerate().map(of).collect();
    let usage = Some(TokenUsage { input: 10, output: 5 });
    let times = CallTimes { attempts: 2, queue: Duration::from_secs(1), ..CallTimes::default() };
    let reply = ChatReply { tool_calls, usage, ..ChatReply::text(text) };
    Completed { reply, model: "a/b".into(), source: Source::Model, times }
}

fn turns(limits: AskLimits) -> Turns {
    Turns::new(limits, vec![Turn::system("be brief")], "how warm?".to_owned(), Vec::new(), None)
}

fn outcome(id: &str, text: &str) -> Outcome {
    Outcome { id: id.to_owned(), text: text.to_owned(), to_others: None }
}

fn limit_of(next: Next) -> (AskLimit, Answer) {
    let Next::End(Err(ChatAgentError::Limit { limit, partial, .. })) = next else { panic!("{next:?}") };
    (limit, *partial)
}

#[test]
fn a_reply_without_tools_is_the_answer() {
    let mut turns = turns(AskLimits::default());
    let Next::Model(request) = turns.begin() else { panic!("the model is called first") };
    assert_eq!(request.turns, [Turn::system("be brief"), Turn::user("how warm?")]);
    let Next::End(Ok(answer)) = turns.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
    assert_eq!((answer.to_string().as_str(), answer.turns.len()), ("warm", 2), "without the instructions");
    let AskMetrics { model_calls, attempts, input_tokens, output_tokens, cost_micros, queue, .. } = answer.metrics;
    assert_eq!((model_calls, attempts, input_tokens, output_tokens), (1, 2, 10, 5));
    assert_eq!((cost_micros, queue), (Some(20), Duration::from_secs(1)));
}

#[test]
fn what_tools_say_goes_back_to_the_model_in_the_order_of_the_calls() {
    let mut turns = turns(AskLimits::default());
    let next = turns.replied(said("let me see", &[("a", "{}"), ("b", "{}")]), PRICE);
    assert!(matches!(next, Next::Tools(calls) if calls.len() == 2));
    let outcomes = vec![outcome("call-0", "1"), outcome("call-1", "2")];
    let Next::Model(request) = turns.used(outcomes, Duration::from_secs(2)) else { panic!("it is called again") };
    assert_eq!(request.turns[3..], [Turn::tool("call-0", "1"), Turn::tool("call-1", "2")]);
    let Next::End(Ok(answer)) = turns.replied(said("three", &[]), None) else { panic!("it is answered") };
    assert_eq!((answer.metrics.tool_calls, answer.metrics.tools), (2, Duration::from_secs(2)));
    assert_eq!((answer.metrics.cost_micros, answer.metrics.output_tokens), (None, 10), "one price is unknown");
}

#[test]
fn each_limit_ends_it_with_what_there_is() {
    let limits = AskLimits { turns: 2, ..AskLimits::default() };
    let mut asked = turns(limits);
    asked.replied(said("one moment", &[("a", "1")]), PRICE);
    asked.used(vec![outcome("call-0", "x")], Duration::ZERO);
    asked.replied(said("", &[("a", "2")]), PRICE);
    let (limit, partial) = limit_of(asked.used(vec![outcome("call-0", "y")], Duration::ZERO));
    assert_eq!((limit, partial.text.as_str(), partial.turns.len()), (AskLimit::Turns, "one moment", 5));

    let mut asked = turns(AskLimits { tool_calls: 1, ..AskLimits::default() });
    let (limit, partial) = limit_of(asked.replied(said("", &[("a", "1"), ("a", "2")]), PRICE));
    assert_eq!((limit, partial.metrics.tool_calls), (AskLimit::ToolCalls, 0), "none of them was made");

    let mut asked = turns(AskLimits { tokens: Some(15), ..AskLimits::default() });
    asked.replied(said("", &[("a", "1")]), PRICE);
    let (limit, partial) = limit_of(asked.used(vec![outcome("call-0", "x")], Duration::ZERO));
    assert_eq!((limit, partial.metrics.output_tokens), (AskLimit::Tokens, 5));

    let mut asked = turns(AskLimits::default());
    for _ in 0..2 {
        assert!(matches!(asked.replied(said("", &[("a", "1"), ("a", "2")]), PRICE), Next::Tools(_)));
        asked.used(vec![outcome("call-0", "x"), outcome("call-1", "x")], Duration::ZERO);
    }
    let next = asked.replied(said("", &[("b", "1"), ("a", "1")]), PRICE);
    let shown = format!("{next:?}");
    assert!(shown.contains("; `a` was called with the same arguments again"), "{shown}");
    let (limit, partial) = limit_of(next);
    assert_eq!((limit, partial.metrics.model_calls), (AskLimit::Repeats, 3));
}

#[test]
fn the_same_call_is_the_same_value_however_it_is_written() {
    let same = [
        r#"{"a":1,"b":{"c":[1,2],"d":3}}"#,
        r#" {"b": {"d": 3, "c": [1, 2]}, "a": 1}"#,
        r#"{"a":1,"\u0062":{"d":3,"c":[1,2]}}"#,
    ];
    let other = [r#"{"a":1,"b":{"c":[2,1],"d":3}}"#, r#"{"a":"1","b":{"c":[1,2],"d":3}}"#, "{\"a\":1", "{\"a\": 1"];
    let mut asked = turns(AskLimits::default());
    let calls: Vec<_> = same[..2].iter().chain(&other).map(|arguments| ("a", *arguments)).collect();
    assert!(matches!(asked.replied(said("", &calls), PRICE), Next::Tools(_)), "the same twice, and others");
    assert_eq!(limit_of(asked.replied(said("", &[("a", same[2])]), PRICE)).0, AskLimit::Repeats);

    let mut asked = turns(AskLimits { repeats: 1, ..AskLimits::default() });
    let (limit, _) = limit_of(asked.replied(said("", &[("a", ""), ("a", "{ }")]), PRICE));
    assert_eq!(limit, AskLimit::Repeats, "nothing is an empty object");
}

fn summarised(asked: &mut Turns) {
    asked.summarised(Ok(said("so far", &[])), TokenUsage { input: 900, output: 90 }, PRICE, Duration::ZERO);
}

#[test]
fn what_nobody_tells_counts_as_what_it_can_have_used() {
    let untold = |completed: Completed| Completed { reply: ChatReply { usage: None, ..completed.reply }, ..completed };
    let failed = |without_usage| CallTimes { attempts: without_usage, without_usage, ..CallTimes::default() };
    let limited = |tokens| turns(AskLimits { tokens: Some(tokens), output_tokens: Some(7), ..AskLimits::default() });
    let Next::Model(request) = limited(1).begin() else { panic!("it begins") };
    let (most, ends) = (request.most_tokens().total(), |next| {
        matches!(next, Next::End(Err(ChatAgentError::Limit { limit: AskLimit::Tokens, .. })))
    });
    type Does<'a> = &'a dyn Fn(&mut Turns);
    let reply = |asked: &mut Turns| drop(asked.replied(untold(said("", &[("a", "")])), PRICE));
    let mended = |asked: &mut Turns| {
        drop(asked.replied(Completed { times: failed(2), ..said("", &[("a", "")]) }, PRICE));
    };
    let cached = |asked: &mut Turns| {
        drop(asked.replied(Completed { source: Source::Cache, ..untold(said("", &[("a", "")])) }, PRICE));
    };
    let (lost, in_vain) = (
        |asked: &mut Turns| asked.not_answered(None, Duration::ZERO),
        |asked: &mut Turns| asked.not_answered(Some(failed(3)), Duration::ZERO),
    );
    let unseen = |asked: &mut Turns| asked.paid_for(&untold(said("so", &[])), PRICE);
    let used = TokenUsage { input: 900, output: 90 };
    let summary = |asked: &mut Turns| asked.summarised(Ok(untold(said("so far", &[]))), used, PRICE, Duration::ZERO);
    let no_summary = |asked: &mut Turns| {
        let (error, times) = (ModelError::Stopped, Some(failed(2)));
        asked.summarised(Err(CallFailed { error, short: None, times }), used, PRICE, Duration::ZERO);
    };
    let table: [(&str, Does<'_>, u64); 8] = [
        ("a reply", &reply, most),
        ("two attempts and a reply that tells", &mended, 2 * most + 15),
        ("a reply that was kept", &cached, 0),
        ("a call that was lost", &lost, most),
        ("three attempts in vain", &in_vain, 3 * most),
        ("a reply that nobody sees", &unseen, most),
        ("a summary", &summary, 990),
        ("two attempts at a summary", &no_summary, 2 * 990),
    ];
    for (what, does, counts) in table {
        for (tokens, is_over) in [(counts + 1, false), (counts.max(1), counts > 0)] {
            let mut asked = limited(tokens);
            does(&mut asked);
            assert_eq!((asked.tokens(), ends(asked.again())), (counts, is_over), "{what}: {tokens}");
        }
    }
}

#[test]
fn a_summary_is_paid_for_and_is_no_turn() {
    let mut asked = turns(AskLimits { turns: 1, tokens: Some(30), ..AskLimits::default() });
    summarised(&mut asked);
    assert!(matches!(asked.again(), Next::Model(_)));
    let Next::End(Ok(answer)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
    assert_eq!((answer.text.as_str(), answer.metrics.model_calls), ("warm", 2));
    assert_eq!((answer.metrics.output_tokens, answer.metrics.cost_micros), (10, Some(40)));

    let mut asked = turns(AskLimits { tokens: Some(15), ..AskLimits::default() });
    summarised(&mut asked);
    assert_eq!(limit_of(asked.again()).0, AskLimit::Tokens, "nothing is left for the ask itself");
}

#[test]
fn a_model_that_cannot_be_called_ends_it_with_what_there_is() {
    let mut asked = turns(AskLimits::default());
    asked.replied(said("wait", &[("a", "1")]), PRICE);
    asked.used(vec![outcome("call-0", "x")], Duration::ZERO);
    let Next::End(Err(error)) = asked.failed(ModelError::Stopped) else { panic!("it ends") };
    assert_eq!((error.code(), error.partial().unwrap().text.as_str()), ("stopped", "wait"));
}

fn a_number(repairs: u32) -> AnswerForm {
    let check = |text: &str| text.parse::<i32>().map(drop).map_err(|error| error.to_string());
    AnswerForm { name: "number".to_owned(), schema: json!({"type": "integer"}), check: Arc::new(check), repairs }
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_and_not_for_ever() {
    let question = || "how warm?".to_owned();
    let mut asked = Turns::new(AskLimits::default(), Vec::new(), question(), Vec::new(), Some(a_number(1)));
    let Next::Model(request) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is asked again") };
    let told = &request.turns[2].text;
    assert!(matches!(request.form, ReplyForm::Json { .. }) && told.contains("invalid digit"), "{told}");
    let Next::End(Ok(answer)) = asked.replied(said("21", &[]), PRICE) else { panic!("it is answered") };
    assert_eq!((answer.text.as_str(), answer.metrics.model_calls), ("21", 2));

    let mut asked = Turns::new(AskLimits::default(), Vec::new(), question(), Vec::new(), Some(a_number(0)));
    let Next::End(Err(error)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it ends") };
    assert_eq!((error.code(), error.partial().unwrap().text.as_str()), ("answer_unfit", "warm"));

    let mut asked = Turns::new(AskLimits::default(), Vec::new(), question(), Vec::new(), Some(a_number(2)));
    asked.replied(said("warm", &[]), PRICE);
    asked.replied(said("warmer", &[]), PRICE);
    let Next::End(Err(error)) = asked.replied(said("too warm", &[]), PRICE) else { panic!("it ends") };
    let (text, last) = (error.to_string(), &error.partial().unwrap().text);
    assert!(text.contains("no `number` in 3 answers: invalid digit") && !text.contains("too warm"), "{text}");
    assert_eq!(last, "too warm");

    let one = AskLimits { turns: 1, ..AskLimits::default() };
    let mut asked = Turns::new(one, Vec::new(), question(), Vec::new(), Some(a_number(2)));
    let Next::End(Err(error)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it ends") };
    let text = error.to_string();
    assert!(text.ends_with("; the last answer could not be used: invalid digit found in string"), "{text}");
    assert_eq!((error.code(), error.partial().unwrap().text.as_str()), ("limit_turns", "warm"));
}

#[test]
fn a_server_that_takes_no_schemas_is_told_in_words_once() {
    let refused = || ModelError::Rejected { status: 400, message: "response_format".to_owned() };
    let mut asked =
        Turns::new(AskLimits::default(), vec![Turn::system("x")], "how?".to_owned(), Vec::new(), Some(a_number(1)));
    let Next::Model(request) = asked.failed(refused()) else { panic!("it is called again") };
    assert_eq!((&request.form, request.turns.len()), (&ReplyForm::Text, 3));
    assert!(request.turns[1].text.contains("{\"type\":\"integer\"}"));
    assert!(matches!(asked.failed(refused()), Next::End(Err(ChatAgentError::Model { .. }))));
}

#[test]
fn a_schema_that_was_told_in_words_stays_after_a_handoff() {
    let refused = ModelError::Rejected { status: 400, message: "response_format".to_owned() };
    let mut asked = Turns::new(AskLimits::default(), Vec::new(), "how?".to_owned(), Vec::new(), Some(a_number(1)));
    asked.failed(refused);
    for instructions in [Some("sell"), None] {
        asked.hand_over(instructions.map(Turn::system), Vec::new(), None);
        let Next::Model(request) = asked.begin() else { panic!("it goes on") };
        let at = usize::from(instructions.is_some());
        assert!(request.turns[at].text.contains("{\"type\":\"integer\"}"), "{:?}", request.turns);
        assert_eq!((request.turns.len(), request.turns[0].text == "sell"), (2 + at, at == 1));
    }
}

#[test]
fn what_was_said_before_comes_after_the_instructions_and_stays_at_a_handoff() {
    let summary = Turn::system("so far: nothing");
    for instructions in [None, Some(Turn::system("be brief"))] {
        let before = instructions.clone().into_iter().collect();
        let mut asked = Turns::new(AskLimits::default(), before, "how warm?".to_owned(), Vec::new(), None);
        asked.recall(vec![summary.clone(), Turn::user("hello")]);
        let shown = |asked: &Turns, first: Option<&Turn>| {
            let rest = [&summary, &Turn::user("hello"), &Turn::user("how warm?")];
            let all: Vec<_> = first.into_iter().chain(rest).cloned().collect();
            let Next::Model(request) = asked.begin() else { panic!("it goes on") };
            assert_eq!(request.turns, all);
        };
        shown(&asked, instructions.as_ref());
        asked.hand_over(Some(Turn::system("sell")), Vec::new(), None);
        shown(&asked, Some(&Turn::system("sell")));
        let Next::End(Ok(answer)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
        assert_eq!(answer.turns, [Turn::user("how warm?"), Turn::assistant("warm")], "only what is new");
    }
}

#[test]
fn the_words_of_a_handoff_are_for_one_agent() {
    let mut asked = turns(AskLimits::default());
    let hand_over = |asked: &mut Turns, to: &str| {
        asked.replied(said("", &[("transfer", &format!("\"{to}\""))]), PRICE);
        asked.hand_over(Some(Turn::system(to)), Vec::new(), None);
        let handed =
            Outcome { to_others: Some(format!("it went to {to}")), ..outcome("call-0", &format!("you are {to}")) };
        let Next::Model(request) = asked.used(vec![handed], Duration::ZERO) else { panic!("it goes on") };
        let told = request.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| turn.text.clone());
        told.collect::<Vec<_>>()
    };
    assert_eq!(hand_over(&mut asked, "sales"), ["you are sales"]);
    assert_eq!(hand_over(&mut asked, "support"), ["it went to sales", "you are support"]);
    let Next::End(Ok(answer)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
    let kept: Vec<_> = asked.kept(&answer.turns).into_iter().map(|turn| turn.text).collect();
    assert_eq!(kept, ["how warm?", "", "it went to sales", "", "it went to support", "warm"]);
}

#[test]
fn kept_and_shared_replies_cost_nothing() {
    let mut asked = turns(AskLimits::default());
    let kept = Completed { source: Source::Cache, ..said("so", &[]) };
    let Next::End(Ok(answer)) = asked.replied(kept, None) else { panic!("it is answered") };
    assert_eq!((answer.metrics.input_tokens, answer.metrics.cost_micros), (0, Some(0)));
}

#[test]
fn what_was_tried_in_vain_is_counted_and_its_unknown_cost_is_no_zero() {
    let times = |attempts, without_usage| {
        let second = Duration::from_secs(1);
        Some(CallTimes { attempts, without_usage, queue: second, provider: 2 * second, ..CallTimes::default() })
    };
    let failed = |times, waited| {
        let mut asked = turns(AskLimits::default());
        asked.replied(said("wait", &[("a", "1")]), PRICE);
        asked.not_answered(times, Duration::from_secs(waited));
        let Next::End(Err(error)) = asked.failed(ModelError::Stopped) else { panic!("it ends") };
        let AskMetrics { attempts, calls_without_usage, cost_micros, queue, model, .. } =
            error.partial().unwrap().metrics;
        (attempts, calls_without_usage, cost_micros, queue.as_secs(), model.as_secs())
    };
    assert_eq!(failed(times(3, 0), 9), (5, 0, Some(20), 2, 2), "refused three times");
    assert_eq!(failed(times(3, 2), 9), (5, 1, None, 2, 2));
    assert_eq!(failed(None, 9), (2, 1, None, 1, 9), "nobody knows what became of it");
    let failed_usage = TokenUsage { input: 30, output: 4 };
    let told = CallTimes { attempts: 1, failed_usage, ..CallTimes::default() };
    let ends: [&dyn Fn(&mut Turns); 2] = [&|asked| asked.not_answered(Some(told), Duration::ZERO), &|asked| {
        drop(asked.replied(Completed { times: told, ..said("", &[]) }, PRICE))
    }];
    for (ends, tokens) in ends.into_iter().zip([(30, 4), (40, 9)]) {
        let mut asked = turns(AskLimits::default());
        ends(&mut asked);
        let Next::End(Err(error)) = asked.failed(ModelError::Stopped) else { panic!("it ends") };
        let metrics = &error.partial().unwrap().metrics;
        assert_eq!((metrics.input_tokens, metrics.output_tokens), tokens);
        assert_eq!((metrics.calls_without_usage, metrics.cost_micros), (0, None), "its price is not known here");
    }

    let mut asked = turns(AskLimits::default());
    let mended = Completed { times: times(2, 1).unwrap(), ..said("so", &[]) };
    let Next::End(Ok(answer)) = asked.replied(mended, PRICE) else { panic!("it is answered") };
    assert_eq!(
        (answer.metrics.cost_micros, answer.metrics.output_tokens),
        (None, 5),
        "the first attempt may cost, too"
    );
}

#[test]
fn words_that_ask_again_twice_are_kept_out_of_the_session() {
    let mut asked = Turns::new(AskLimits::default(), Vec::new(), "how?".to_owned(), Vec::new(), Some(a_number(1)));
    asked.replied(said("warm", &[]), PRICE);
    let Next::Model(request) = asked.replied(said(" ", &[]), PRICE) else { panic!("it is asked again") };
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    assert!(
        request.turns[2].text.starts_with("That cannot be used") && request.turns[2].text.ends_with("empty. Answer.")
    );
    drop(request);
    let Next::End(Ok(answer)) = asked.replied(said("7", &[]), PRICE) else { panic!("it is answered") };
    assert_eq!(asked.kept(&answer.turns), [Turn::user("how?"), Turn::assistant("7")]);
}

#[test]
fn a_reply_without_a_word_is_no_answer() {
    let empty = |finish| Completed { reply: ChatReply { finish, ..said(" ", &[]).reply }, ..said("", &[]) };
    let mut asked = turns(AskLimits::default());
    let Next::Model(request) = asked.replied(empty(Finish::Done), PRICE) else { panic!("it is asked again") };
    assert_eq!(
        request.turns[1..],
        [Turn::user("how warm?\n\nYour reply was empty. Answer.")],
        "no two turns of a user"
    );
    drop(request);
    let Next::End(Ok(answer)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
    assert_eq!((answer.text.as_str(), answer.metrics.model_calls), ("warm", 2));
    assert_eq!(asked.kept(&answer.turns), [Turn::user("how warm?"), Turn::assistant("warm")]);

    let unfit = |next| match next {
        Next::End(Err(error @ ChatAgentError::Unfit { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let mut asked = turns(AskLimits::default());
    asked.replied(said("wait", &[("a", "1")]), PRICE);
    asked.used(vec![outcome("call-0", "x")], Duration::ZERO);
    asked.replied(empty(Finish::Done), PRICE);
    let Next::Model(request) = asked.again() else { panic!("it goes on") };
    assert_eq!(request.turns.last(), Some(&Turn::user("Your reply was empty. Answer.")));
    drop(request);
    let told = unfit(asked.replied(empty(Finish::Other("safety".to_owned())), PRICE));
    assert!(told.ends_with("said nothing, twice; it ended with `safety`"), "{told}");

    let (limit, partial) = limit_of(turns(AskLimits::default()).replied(empty(Finish::Length), PRICE));
    assert_eq!((limit, partial.text.as_str(), partial.metrics.model_calls), (AskLimit::OutputTokens, "", 1));
}

#[test]
fn a_reply_that_was_cut_is_no_answer_and_its_calls_are_not_made() {
    let cut = |completed: Completed| Completed {
        reply: ChatReply { finish: Finish::Length, ..completed.reply },
        ..completed
    };
    let next =
        turns(AskLimits { output_tokens: Some(5), ..AskLimits::default() }).replied(cut(said("It is w", &[])), PRICE);
    let Next::End(Err(error)) = next else { panic!("{next:?}") };
    assert_eq!(error.code(), "limit_output_tokens");
    assert!(
        error.to_string().starts_with("the ask came to its limit `output_tokens` of 5 after 1 model call"),
        "{error}"
    );
    assert_eq!(error.partial().map(|partial| (partial.text.as_str(), partial.turns.len())), Some(("It is w", 2)));

    // Nothing at all is read as no arguments, and what was cut may be JSON.
    let (limit, partial) = limit_of(turns(AskLimits::default()).replied(cut(said("", &[("a", "")])), PRICE));
    assert_eq!((limit, partial.metrics.tool_calls), (AskLimit::OutputTokens, 0));

    // It would be cut again, and a part of a number is a number, too.
    for text in ["war", "12"] {
        let mut asked = Turns::new(AskLimits::default(), Vec::new(), "how?".to_owned(), Vec::new(), Some(a_number(2)));
        let (limit, partial) = limit_of(asked.replied(cut(said(text, &[])), PRICE));
        assert_eq!((limit, partial.text.as_str(), partial.metrics.model_calls), (AskLimit::OutputTokens, text, 1));
    }
}
