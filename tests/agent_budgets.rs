//! Is what an agent may spend a part of what all may spend together? On a model that says what it used.

use callboard::actors::chat::{ChatReply, Role, TokenUsage, ToolCall};
use callboard::actors::chat_agent::ChatAgentSpec;
use callboard::actors::error::StartError;
use callboard::actors::gateway::{Budget, BudgetLimits, Price, ServedModel};
use callboard::testkit::{FunctionModel, ScriptedModel};
use callboard::{ChatAgent, ModelChoice, Runtime, tool};

/// Tokens of a call, each for a millionth of a dollar.
const USED: u64 = 400;

fn runtime(budget: BudgetLimits) -> Runtime {
    let says = |_: &_| {
        let usage = Some(TokenUsage { input: USED - 1, output: 1 });
        Ok(ChatReply { usage, ..ChatReply::text("ok") })
    };
    let price = Some(Price { input: 1_000_000, output: 1_000_000 });
    let model =
        ServedModel { price, ..ServedModel::new("function/model", std::sync::Arc::new(FunctionModel::new(says))) };
    Runtime::with(ModelChoice { budget, output_tokens: 100, ..ModelChoice::new(model) }).unwrap()
}

fn tokens(tokens: u64) -> BudgetLimits {
    BudgetLimits { tokens: Some(tokens), micros: None }
}

/// `ok`, or the code of the error and its words.
async fn asked(agent: &ChatAgent) -> String {
    match agent.ask("x").await {
        Ok(answer) => answer.text,
        Err(error) => format!("{}: {error}", error.code()),
    }
}

/// Why it does not start.
fn refused(spec: ChatAgentSpec) -> String {
    match spec.start() {
        Err(error @ StartError::Budget(_)) => error.to_string(),
        other => panic!("it is not refused for its budget: {other:?}"),
    }
}

fn has_words(told: &str, words: &[&str]) {
    assert!(words.iter().all(|word| told.contains(word)), "{told}: {words:?}");
}

/// Until what was set aside for an agent that has ended is back.
async fn until_reserved(budget: &Budget, tokens: u64) {
    while budget.spent().reserved_tokens != tokens {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn parts_of_agents_are_set_aside_of_the_total_and_the_rest_comes_back() {
    let runtime = runtime(tokens(1_000));
    let total = runtime.budget();
    let [first, second] = ["first", "second"].map(|name| runtime.agent(name).budget(tokens(500)).start().unwrap());
    assert_eq!((total.spent().tokens, total.spent().reserved_tokens), (0, 1_000));

    // The total is reached by two agents that have not spent anything.
    let words = "the runtime has 0 of its 1000 tokens left, and 100 are to be set aside for a part";
    has_words(&refused(runtime.agent("third").budget(tokens(100))), &[words]);
    let without = runtime.agent("without").start().unwrap();
    has_words(&asked(&without).await, &["budget_exhausted: ", "the runtime has 0 of its 1000 tokens left"]);

    // What is spent counts in both. One agent's end is not the other's.
    assert_eq!(asked(&first).await, "ok");
    assert_eq!((total.spent().tokens, total.spent().reserved_tokens), (USED, 1_000 - USED));
    has_words(&asked(&first).await, &["budget_exhausted: ", "the agent first has 100 of its 500 tokens left"]);
    assert_eq!(asked(&second).await, "ok");

    // What it did not use comes back.
    drop(first);
    until_reserved(total, 100).await;
    let third = runtime.agent("third").budget(tokens(100)).start().unwrap();
    assert_eq!(total.spent().reserved_tokens, 200);
    drop((second, third));
    until_reserved(total, 0).await;
    assert_eq!((total.spent().tokens, total.spent().calls), (2 * USED, 2));
}

#[tokio::test]
async fn an_agent_ends_with_its_own_budget_while_there_is_money_for_others() {
    let runtime = runtime(BudgetLimits { tokens: None, micros: Some(10_000) });
    let own = BudgetLimits { tokens: None, micros: Some(USED + 50) };
    let poor = runtime.agent("poor").budget(own).start().unwrap();
    assert_eq!(asked(&poor).await, "ok");
    has_words(&asked(&poor).await, &["budget_exhausted: ", "the agent poor has $0.000050 of its $0.000450 left"]);
    // The copies that answer many questions have no budget of their own.
    let all = poor.ask_all(["x"; 3]).collect().await;
    assert!(all.into_iter().all(|answer| answer.unwrap_err().code() == "budget_exhausted"));
    assert_eq!(asked(&runtime.agent("rich").start().unwrap()).await, "ok");
    assert_eq!(runtime.budget().spent().micros, 2 * USED);
}

#[tokio::test]
async fn a_program_splits_the_total_itself_or_takes_a_budget_beside_it() {
    let runtime = runtime(tokens(1_000));
    let total = runtime.budget();
    let team = total.split(tokens(600)).unwrap().named("team");
    let agent = |name: &str| runtime.agent(name).budget(&team);
    assert_eq!(asked(&agent("first").start().unwrap()).await, "ok");
    assert_eq!((team.spent().tokens, total.spent().tokens), (USED, USED));
    // Amounts that are said after a budget are a part of that one.
    has_words(&refused(agent("second").budget(tokens(300))), &["the team has 200 of its 600 tokens left"]);
    let second = agent("second").budget(tokens(150)).start().unwrap();
    has_words(&asked(&agent("third").start().unwrap()).await, &["the team has 50 of its 600 tokens left"]);
    // What is said last holds.
    let beside = Budget::new(BudgetLimits::default());
    let outside = runtime.agent("outside").budget(tokens(5_000)).budget(&beside).start().unwrap();
    assert_eq!(asked(&outside).await, "ok");
    assert_eq!((beside.spent().tokens, total.spent().tokens), (USED, USED), "it is in no total");
    drop(second);
    until_reserved(&team, 0).await;
    team.give_back();
    until_reserved(total, 0).await;
    // A cap sets nothing aside: more are promised than there is, and who comes first has it.
    let capped = |name: &str| runtime.agent(name).budget(total.child(tokens(500)).named("cap")).start().unwrap();
    let [fourth, fifth] = ["fourth", "fifth"].map(capped);
    assert_eq!((total.spent().reserved_tokens, asked(&fourth).await.as_str()), (0, "ok"));
    has_words(&asked(&fourth).await, &["the cap has 100 of its 500 tokens left"]);
    assert_eq!(asked(&fifth).await, "ok");
    has_words(&asked(&capped("sixth")).await, &["the runtime has 0 of its 1000 tokens left"]);
}

#[tokio::test]
async fn a_limit_of_nothing_is_a_mistake_and_a_budget_without_a_name_is_no_run() {
    let money = BudgetLimits { tokens: None, micros: Some(0) };
    let runtime = runtime(BudgetLimits::default());
    for (limits, rule) in [(tokens(0), "the budget's tokens is 0"), (money, "the budget's micros is 0")] {
        let refused = runtime.agent("a").budget(limits).start().unwrap_err();
        assert!(matches!(&refused, StartError::Invalid(why) if why.starts_with(rule)), "{refused}");
        let model = ServedModel::new("scripted/model", std::sync::Arc::new(ScriptedModel::new()));
        let whole = Runtime::with(ModelChoice { budget: limits, ..ModelChoice::new(model) }).unwrap_err();
        assert!(whole.code() == "invalid_configuration" && whole.to_string().contains(rule), "{whole}");
    }
    let agent = runtime.agent("a").budget(Budget::new(tokens(10))).start().unwrap();
    has_words(&asked(&agent).await, &["budget_exhausted", "this budget has 10 of its 10 tokens left"]);
}

/// Says much.
#[tool]
fn read() -> String {
    "word ".repeat(1_000)
}

#[tokio::test]
async fn what_there_is_when_a_budget_ends_after_a_tool_is_in_the_error() {
    let says = |_: &_| {
        let call = ToolCall { id: "1".to_owned(), name: "read".to_owned(), arguments: "{}".to_owned() };
        let usage = Some(TokenUsage { input: USED - 1, output: 1 });
        Ok(ChatReply { usage, tool_calls: vec![call], ..ChatReply::text("I read it.") })
    };
    let model = FunctionModel::new(says);
    let runtime = Runtime::with_model("function/model", model).unwrap();
    let agent = runtime.agent("a").tool(read).output_tokens(100).budget(tokens(2_000)).start().unwrap();
    let error = agent.ask_as::<u8>("What does it say?").await.unwrap_err();
    has_words(&error.to_string(), &["the agent a has 1600 of its 2000 tokens left"]);
    assert_eq!((error.code(), error.is_retryable()), ("budget_exhausted", false));
    let partial = error.partial().expect("it has what there is");
    let roles: Vec<_> = partial.turns.iter().map(|turn| turn.role).collect();
    assert_eq!((partial.text.as_str(), &roles[..]), ("I read it.", &[Role::User, Role::Assistant, Role::Tool][..]));
    assert!(partial.turns[2].text.starts_with("word word"));
    let metrics = &partial.metrics;
    assert_eq!((metrics.model_calls, metrics.tool_calls, metrics.input_tokens), (1, 1, USED - 1));
}
