//! Is what a model writes held to the schema that it was told? Arguments of tools and typed answers, through a whole ask: refused in words
//! that name the field, the rule and what was given, mended, and taken.

use std::sync::{Arc, Mutex};

use callboard::actors::chat::{ChatReply, Finish, Role, ToolCall};
use callboard::actors::schema;
use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use callboard::tool;
use callboard::tools::DynamicTool;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// What only the schema says: serde would take all of it.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Seat {
    #[schemars(range(min = 1, max = 40))]
    row: u32,
    #[schemars(regex(pattern = "^[A-F]$"))]
    letter: String,
    #[schemars(length(max = 2))]
    meals: Vec<String>,
    #[schemars(length(max = 10))]
    name: String,
}

/// Books a seat.
#[tool]
async fn book(
    seat: Seat,
    /// How many nights.
    #[schemars(range(max = 9))]
    #[serde(default)]
    nights: u8,
) -> String {
    format!("{}{}", seat.row, seat.letter) + if nights > 0 { " with a bed" } else { "" }
}

/// A `pattern` that is no regular expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "no value of it is ever read")]
struct Odd {
    #[schemars(regex(pattern = "["))]
    letter: String,
}

/// Has a schema that is none.
#[tool]
async fn odd(seat: Odd) -> String {
    format!("{seat:?}")
}

fn good() -> Value {
    json!({"row": 40, "letter": "F", "meals": ["a", "b"], "name": "Anna"})
}

/// Seats of which one field is bad, and what is said of it: the rule with what was given, and the place.
fn bad() -> Vec<(Value, [&'static str; 2])> {
    let bad = [
        ("row", json!(41), ["41 is greater than the maximum of 40", "/row)"]),
        ("row", json!(0), ["0 is less than the minimum of 1", "/row)"]),
        ("letter", json!("a"), ["\"a\" does not match \"^[A-F]$\"", "/letter)"]),
        ("meals", json!(["a", "b", "c"]), ["[\"a\",\"b\",\"c\"] has more than 2 items", "/meals)"]),
        ("name", json!("Anna-Helena"), ["\"Anna-Helena\" is longer than 10 characters", "/name)"]),
        ("row", Value::Null, ["null is not of type \"integer\"", "/row)"]),
    ];
    let with = |field: &str, value| {
        let mut seat = good();
        seat[field] = value;
        seat
    };
    bad.into_iter().map(|(field, value, words)| (with(field, value), words)).collect()
}

fn agent(model: &ScriptedModel) -> (Runtime, ChatAgent) {
    let runtime = Runtime::with_model("scripted/model", model.clone()).unwrap();
    let agent = runtime.agent("assistant").tool(book).tool(odd).start().unwrap();
    (runtime, agent)
}

#[tokio::test]
async fn arguments_that_break_a_rule_are_told_and_mended() {
    for (bad, words) in bad() {
        let (bad, good) = (json!({ "seat": bad }), json!({ "seat": good() }));
        let model = ScriptedModel::new().calls("book", bad).calls("book", good).says("so");
        let (_runtime, agent) = agent(&model);
        let answer = agent.ask("x").await.unwrap();
        let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &turn.text).collect();
        assert!(told[0].starts_with("error: the arguments do not fit: ") && told[0].contains("(at /seat/"), "{told:?}");
        assert!(words.iter().all(|part| told[0].contains(part)), "{told:?}");
        assert_eq!((told[1].as_str(), answer.text.as_str()), ("40F", "so"));
    }
}

#[tokio::test]
async fn rules_stand_at_arguments_themselves_too() {
    let with = |nights: u8| json!({ "seat": good(), "nights": nights });
    let model = ScriptedModel::new().calls("book", with(10)).and_calls("book", with(9)).says("so");
    let (_runtime, agent) = agent(&model);
    let answer = agent.ask("x").await.unwrap();
    let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &turn.text).collect();
    assert!(told[0].contains("10 is greater than the maximum of 9 (at /nights)"), "{told:?}");
    assert_eq!(told[1], "40F with a bed");
}

#[tokio::test]
async fn whole_numbers_are_taken_as_they_are_written_and_doubled_names_are_not() {
    let (mut whole, twice) = (good(), format!(r#"{{"nights": 1, "seat": {}, "nights": 2}}"#, good()));
    whole["row"] = json!(12.0);
    let model = ScriptedModel::new()
        .calls("book", json!({ "seat": whole, "nights": 1e0 }))
        .calls("book", json!({ "seat": good(), "hint": 1 }))
        .says("so");
    let (_runtime, agent) = agent(&model);
    let answer = agent.ask("x").await.unwrap();
    let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &turn.text).collect();
    assert_eq!(told[0], "12F with a bed");
    assert!(told[1].contains("'hint' was unexpected"), "{told:?}");
    let call = ToolCall { id: "1".to_owned(), name: "book".to_owned(), arguments: twice };
    let reply = ChatReply { tool_calls: vec![call], finish: Finish::ToolCalls, ..ChatReply::default() };
    let model = ScriptedModel::new().replies(Ok(reply)).says("so");
    let (_runtime, agent) = self::agent(&model);
    let answer = agent.ask("x").await.unwrap();
    let told = &answer.turns.iter().find(|turn| turn.role == Role::Tool).unwrap().text;
    assert!(told.contains("`nights` is there twice"), "{told}");
}

#[tokio::test]
async fn a_tool_with_state_is_checked_as_any_other() {
    let booked = Arc::new(Mutex::new(Vec::new()));
    let held = booked.clone();
    let reserve = DynamicTool::typed("reserve", "Reserves a seat.", move |seat: Seat, context: ToolContext| {
        let booked = held.clone();
        async move {
            booked.lock().unwrap().push(seat.row);
            Ok::<_, ToolError>(format!("{} for {}", seat.row, context.agent))
        }
    });
    let model = ScriptedModel::new().calls("reserve", bad().remove(0).0).and_calls("reserve", good()).says("so");
    let runtime = Runtime::with_model("scripted/model", model).unwrap();
    let agent = runtime.agent("assistant").tool(reserve.unwrap()).start().unwrap();
    let answer = agent.ask("x").await.unwrap();
    let told: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &turn.text).collect();
    assert!(told[0].contains("41 is greater than the maximum of 40 (at /row)"), "{told:?}");
    assert_eq!((told[1].as_str(), &*booked.lock().unwrap()), ("40 for assistant", &vec![40]));
    let none = DynamicTool::typed("odd", "Odd.", |_odd: Odd, _context| async { "so" });
    assert!(matches!(none, Err(StartError::Invalid(_))), "before any call");
    let number = DynamicTool::typed("number", "A number.", |number: u32, _context| async move { number }).unwrap();
    let refused = runtime.agent("assistant").tool(number).start().unwrap_err();
    assert!(refused.to_string().contains("the tool number are no JSON object"), "{refused}");
}

#[tokio::test]
async fn a_typed_answer_that_breaks_a_rule_is_told_and_mended() {
    for (bad, words) in bad() {
        let model = ScriptedModel::new().says(bad.to_string()).says(good().to_string());
        let (_runtime, agent) = agent(&model);
        let seat = agent.ask_as::<Seat>("x").await.unwrap();
        assert_eq!((seat.row, seat.letter.as_str()), (40, "F"));
        let told = model.asked()[1].turns.last().unwrap().text.clone();
        assert!(words.iter().all(|part| told.contains(part)), "{told}");
    }
}

#[tokio::test]
async fn a_typed_answer_that_never_satisfies_its_schema_is_unfit() {
    let bad = bad().remove(0).0.to_string();
    let model = ScriptedModel::new().says(&bad).says(&bad).says(&bad).says(good().to_string());
    let (_runtime, agent) = agent(&model);
    let unfit = agent.ask_as::<Seat>("x").await.unwrap_err();
    assert_eq!((unfit.code(), model.left()), ("answer_unfit", 1), "twice mended, then told");
    assert!(unfit.to_string().contains("41 is greater than the maximum of 40 (at /row)"), "{unfit}");
}

#[tokio::test]
async fn a_schema_that_is_none_is_told_to_who_can_mend_it() {
    let model = ScriptedModel::new().calls("odd", json!({"seat": {"letter": "A"}})).says("so");
    let (_runtime, agent) = agent(&model);
    let refused = agent.ask_as::<Odd>("x").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.is_retryable(), model.left()),
        ("invalid_question", false, 2),
        "nothing is asked"
    );
    assert!(
        refused.to_string().contains("Odd") && refused.to_string().contains("/properties/letter/pattern"),
        "{refused}"
    );
    assert!(refused.hint().contains("schemars") && refused.partial().is_none());

    let answer = agent.ask("x").await.unwrap();
    let told = &answer.turns.iter().find(|turn| turn.role == Role::Tool).unwrap().text;
    assert!(told.contains("its own schema is wrong") && told.contains("/pattern"), "{told}");
    assert!(schema::Rules::of(&odd.spec().parameters).is_err(), "a test of the tool finds it");
}
