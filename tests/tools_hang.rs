//! What if a plain function of `#[tool]` does not return? Its call ends with its time, and its places are taken until it does. On real threads,
//! which each test lets go at its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use callboard::actors::chat::{ChatReply, ChatRequest, Role, ToolCall};
use callboard::testkit::FunctionModel;
use callboard::tool;
use callboard::{AskLimits, ChatAgent, Runtime};
use serde_json::json;

/// Where functions hang.
struct Gate {
    begun: AtomicUsize,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    const fn new() -> Self {
        Self { begun: AtomicUsize::new(0), is_open: Mutex::new(false), opened: Condvar::new() }
    }

    fn hang(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many hang, or have, which are at least so many soon: a thread may begin late.
    async fn begun(&self, least: usize) -> usize {
        loop {
            match self.begun.load(Ordering::SeqCst) {
                begun if begun >= least => return begun,
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

/// Opens a gate at a test's end, whatever that is.
struct Opens(&'static Gate);

impl Drop for Opens {
    fn drop(&mut self) {
        *self.0.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.opened.notify_all();
    }
}

/// Answers at once.
#[tool]
fn other(n: Option<u32>) -> u32 {
    n.unwrap_or(7)
}

/// The question names the tools of the first turn; the answer is what they said, one a line.
fn asks_for_tools(request: &ChatRequest) -> ChatReply {
    let said = |role| request.turns.iter().filter(move |turn| turn.role == role).map(|turn| turn.text.as_str());
    let told: Vec<_> = said(Role::Tool).collect();
    if !told.is_empty() {
        return ChatReply::text(told.join("\n"));
    }
    let call = |(n, name): (usize, &str)| ToolCall {
        id: format!("call-{n}"),
        name: name.to_owned(),
        arguments: json!({"n": n}).to_string(),
    };
    let tools = said(Role::User).next_back().unwrap_or_default();
    ChatReply { tool_calls: tools.split_whitespace().enumerate().map(call).collect(), ..ChatReply::default() }
}

fn runtime() -> Runtime {
    Runtime::with_model("function/model", FunctionModel::new(|request| Ok(asks_for_tools(request)))).unwrap()
}

/// What the tools that it names say.
async fn told(agent: &ChatAgent, tools: &str) -> Vec<String> {
    agent.ask(tools).await.unwrap().text.lines().map(str::to_owned).collect()
}

/// Until the place of an ended thread has come back.
async fn until_it_says(agent: &ChatAgent, tools: &str, says: &str) {
    while told(agent, tools).await != [says] {}
}

const LATE: &str = "error: it is not available at the moment: it took longer than 20ms, and it still runs";

#[tokio::test]
async fn what_hangs_keeps_its_place_in_at_once_and_later_calls_are_told() {
    static GATE: Gate = Gate::new();
    /// Hangs.
    #[tool(timeout = "20ms", at_once = 2, attempts = 5)]
    fn twice(n: u32) -> u32 {
        GATE.hang();
        n
    }
    let (runtime, opens) = (runtime(), Opens(&GATE));
    let agent = runtime.agent("assistant").tool(twice).tool(other).start().unwrap();
    let busy = "error: it was not called: twice waited 20ms or longer for a place: 2 of its calls may run at the same time, and those went over \
                their time and do not end; go on without it";
    // The first call takes a place by its first attempt and one by its second; the third attempt has none, and the call was made.
    assert_eq!(told(&agent, "twice").await, [LATE]);
    for _ in 0..3 {
        assert_eq!(told(&agent, "twice other").await, [busy, "1"]);
    }
    // The copies of an agent that answer many questions have its places, too.
    let all = agent.ask_all(["twice", "twice", "twice"]).collect().await;
    assert!(all.into_iter().all(|answer| answer.unwrap().text == busy));
    assert_eq!(GATE.begun(2).await, 2, "threads");
    drop(opens);
    until_it_says(&agent, "twice", "0").await;
}

#[tokio::test]
async fn a_sequential_tool_that_hangs_is_alone_until_it_returns() {
    static GATE: Gate = Gate::new();
    /// Hangs.
    #[tool(timeout = "20ms", sequential)]
    fn alone(n: u32) -> u32 {
        GATE.hang();
        n
    }
    /// Answers at once.
    #[tool(timeout = "20ms")]
    async fn beside(n: u32) -> u32 {
        n.max(8)
    }
    let (runtime, opens) = (runtime(), Opens(&GATE));
    let agent = runtime.agent("assistant").tool(alone).tool(beside).start().unwrap();
    let waits = |tool| {
        format!(
            "error: it was not called: {tool} waited 20ms or longer for its turn: it must not run beside an earlier call, which went over its time \
             and does not end; go on without it"
        )
    };
    assert_eq!(told(&agent, "alone beside").await, [LATE.to_owned(), waits("beside")]);
    assert_eq!(told(&agent, "alone").await, [waits("alone")], "in a later turn, too");
    assert_eq!(GATE.begun(1).await, 1);
    // Another agent with the same tools has an order of its own.
    let another = runtime.agent("another").tool(alone).tool(beside).start().unwrap();
    assert_eq!(told(&another, "beside").await, ["8"]);
    drop(opens);
    until_it_says(&agent, "beside", "8").await;
}

#[tokio::test]
async fn what_hangs_is_one_of_those_that_run_side_by_side_in_its_turn() {
    static GATE: Gate = Gate::new();
    /// Hangs.
    #[tool(timeout = "20ms")]
    fn hangs(n: u32) -> u32 {
        GATE.hang();
        n
    }
    /// Must be alone.
    #[tool(timeout = "20ms", sequential)]
    fn alone(n: u32) -> u32 {
        n.max(8)
    }
    /// Answers at once.
    #[tool(timeout = "20ms")]
    fn quick(n: u32) -> u32 {
        n.max(9)
    }
    let (runtime, _opens) = (runtime(), Opens(&GATE));
    let limits = AskLimits { tools_at_once: 1, ..AskLimits::default() };
    let agent = runtime.agent("assistant").tool(hangs).tool(quick).limits(limits).start().unwrap();
    let told_it = told(&agent, "hangs quick").await;
    assert!(
        told_it[0] == LATE && told_it[1].contains("quick waited 20ms or longer for its turn: 1 calls may be made"),
        "{told_it:?}"
    );
    assert_eq!(told(&agent, "quick").await, ["9"], "the next turn has all its places");

    let agent = runtime.agent("assistant").tool(hangs).tool(alone).start().unwrap();
    let told_it = told(&agent, "hangs alone").await;
    assert!(
        told_it[0] == LATE && told_it[1].contains("alone waited 20ms or longer for its turn: it must not run"),
        "{told_it:?}"
    );
    assert_eq!(told(&agent, "alone").await, ["8"], "what hangs beside it in another turn is none of its business");
}

#[tokio::test]
async fn a_tool_that_hangs_takes_half_of_the_threads_and_the_others_go_on() {
    static GATE: Gate = Gate::new();
    /// Hangs.
    #[tool(timeout = "20ms")]
    fn fills(n: u32) -> u32 {
        GATE.hang();
        n
    }
    let (runtime, opens) = (runtime(), Opens(&GATE));
    let limits = AskLimits { tools_at_once: 64, ..AskLimits::default() };
    let agent = runtime.agent("assistant").tool(fills).tool(other).limits(limits).start().unwrap();
    let all = "fills ".repeat(64);
    let mut told_it = Vec::new();
    for _ in 0..3 {
        told_it.extend(told(&agent, &all).await);
    }
    let late = told_it.iter().filter(|told| *told == LATE).count();
    let busy =
        told_it.iter().filter(|told| told.contains("fills waited 20ms or longer for a thread: too many calls")).count();
    // Other tests of this file have a few threads of the 256, too.
    assert!((120..=128).contains(&late), "{late}");
    assert_eq!((late + busy, GATE.begun(late).await), (192, late));
    assert_eq!(told(&agent, "other fills").await[0], "0", "another tool has threads");
    drop(opens);
    until_it_says(&agent, "fills", "0").await;
}
