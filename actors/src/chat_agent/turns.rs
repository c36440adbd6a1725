//! What follows from what the model or a tool says? One ask as a state machine. Pure: time and tools are the shell's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, AskLimit, AskMetrics, ChatAgentError};
use super::guard::Blocked;
use super::limits::AskLimits;
use super::question::AnswerForm;
use crate::chat::{ChatRequest, ReplyForm, Role, ToolCall, ToolSpec, Turn};
use crate::error::ModelError;
use crate::gateway::{Completed, Price, Source};

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Call the model.
    Model(Arc<ChatRequest>),
    /// Call these tools.
    Tools(Vec<ToolCall>),
    /// Nothing: this is how it ended.
    End(Result<Answer, ChatAgentError>),
}

/// What became of one tool call, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) text: String,
}

/// An ask under way.
#[derive(Debug)]
pub(super) struct Turns {
    limits: AskLimits,
    /// What the model is asked next. While it is asked, its call has a share of it, and makes no copy.
    request: Arc<ChatRequest>,
    /// Turns of the request that were there before the question.
    before: usize,
    /// Whether the first of them are the instructions of the agent.
    has_instructions: bool,
    /// What the model said last.
    text: String,
    metrics: AskMetrics,
    /// How often each call was made: a tool with its arguments.
    made: BTreeMap<(String, String), u32>,
    /// What the answer has to be, and how often it was not.
    form: Option<(AnswerForm, u32)>,
}

impl Turns {
    /// An ask that begins: with the instructions, and what was said before.
    pub(super) fn new(
        limits: AskLimits,
        before: Vec<Turn>,
        question: String,
        tools: Vec<Arc<ToolSpec>>,
        form: Option<AnswerForm>,
    ) -> Self {
        let has_instructions = before.first().is_some_and(|turn| turn.role == Role::System);
        let (before, mut turns) = (before.len(), before);
        turns.push(Turn::user(question));
        let wanted = form
            .as_ref()
            .map_or(ReplyForm::Text, |form| ReplyForm::Json { name: form.name.clone(), schema: form.schema.clone() });
        let request = ChatRequest { tools, form: wanted, ..ChatRequest::new(turns, limits.output_tokens) };
        let metrics = AskMetrics { cost_micros: Some(0), ..AskMetrics::default() };
        Self {
            limits,
            request: Arc::new(request),
            before,
            has_instructions,
            text: String::new(),
            metrics,
            made: BTreeMap::new(),
            form: form.map(|form| (form, 0)),
        }
    }

    /// The model is called.
    fn begin(&self) -> Next {
        Next::Model(self.request.clone())
    }

    /// A call that is paid for like those of its own, and none of its turns: a summary of its session, a reply that nobody may see.
    pub(super) fn paid_for(&mut self, completed: &Completed, price: Option<Price>) {
        self.count(completed, price);
        self.limits.turns = self.limits.turns.saturating_add(1);
    }

    /// The model has answered. `price` is that of the model that did.
    pub(super) fn replied(&mut self, completed: Completed, price: Option<Price>) -> Next {
        self.count(&completed, price);
        let reply = completed.reply;
        if !reply.text.is_empty() {
            self.text.clone_from(&reply.text);
        }
        let turn = Turn { tool_calls: reply.tool_calls, ..Turn::assistant(reply.text) };
        let calls = turn.tool_calls.clone();
        self.request().turns.push(turn);
        if calls.is_empty() {
            return self.checked();
        }
        match self.limit_before_tools(&calls) {
            Some(limit) => self.ended_by(limit),
            None => Next::Tools(calls),
        }
    }

    /// The model has said its last. If that is not what it has to be, it is told so and asked again.
    fn checked(&mut self) -> Next {
        let problem = match &self.form {
            Some((form, _)) => (form.check)(&self.text).err(),
            None => None,
        };
        let (Some(problem), Some((form, repaired))) = (problem, &mut self.form) else {
            return Next::End(Ok(self.answer()));
        };
        if *repaired >= form.repairs {
            return Next::End(Err(ChatAgentError::Unfit { problem, partial: Box::new(self.answer()) }));
        }
        *repaired += 1;
        let again =
            format!("That cannot be used: {problem}. Answer again with nothing but JSON that satisfies the schema.");
        self.request().turns.push(Turn::user(again));
        self.again()
    }

    /// The model is called, if it may be.
    pub(super) fn again(&mut self) -> Next {
        if self.metrics.model_calls >= self.limits.turns {
            return self.ended_by(AskLimit::Turns);
        }
        if self.limits.tokens.is_some_and(|most| self.tokens() >= most) {
            return self.ended_by(AskLimit::Tokens);
        }
        self.begin()
    }

    /// All tools of a turn have come to their end, after so long.
    pub(super) fn used(&mut self, outcomes: Vec<Outcome>, took: Duration) -> Next {
        self.metrics.tool_calls += u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
        self.metrics.tools += took;
        self.request().turns.extend(outcomes.into_iter().map(|Outcome { id, text }| Turn::tool(id, text)));
        self.again()
    }

    /// Another agent goes on: with its instructions in place of those before, and its tools.
    pub(super) fn hand_over(&mut self, instructions: Option<Turn>, tools: Vec<Arc<ToolSpec>>) {
        if std::mem::replace(&mut self.has_instructions, instructions.is_some()) {
            self.request().turns.remove(0);
            self.before -= 1;
        }
        if let Some(instructions) = instructions {
            self.request().turns.insert(0, instructions);
            self.before += 1;
        }
        self.request().tools = tools;
    }

    /// The model could not be called. A server that takes no schemas is told in words.
    pub(super) fn failed(&mut self, error: ModelError) -> Next {
        if matches!(error, ModelError::Rejected { status: 400 | 422, .. })
            && let ReplyForm::Json { schema, .. } = std::mem::take(&mut self.request().form)
        {
            let told = format!("Answer with nothing but one JSON value that satisfies this JSON schema: {schema}");
            let before = self.before;
            self.request().turns.insert(before, Turn::system(told));
            self.before += 1;
            return self.begin();
        }
        Next::End(Err(ChatAgentError::Model { error, partial: Box::new(self.answer()) }))
    }

    /// A guardrail ends it.
    pub(super) fn blocked(&mut self, Blocked { guardrail, reason }: Blocked) -> Next {
        Next::End(Err(ChatAgentError::Blocked { guardrail, reason, partial: Box::new(self.answer()) }))
    }

    /// A limit ends it.
    pub(super) fn ended_by(&mut self, limit: AskLimit) -> Next {
        Next::End(Err(ChatAgentError::Limit { limit, partial: Box::new(self.answer()) }))
    }

    /// To be changed: nobody else has it any more, unless a model keeps what it was asked.
    fn request(&mut self) -> &mut ChatRequest {
        Arc::make_mut(&mut self.request)
    }

    fn count(&mut self, completed: &Completed, price: Option<Price>) {
        let (metrics, times) = (&mut self.metrics, completed.times);
        metrics.model_calls += 1;
        metrics.attempts += times.attempts;
        metrics.queue += times.queue;
        metrics.model += times.provider;
        if completed.source != Source::Model {
            // It was kept, or somebody else's.
            return;
        }
        match completed.reply.usage {
            Some(usage) => {
                metrics.input_tokens = metrics.input_tokens.saturating_add(usage.input);
                metrics.output_tokens = metrics.output_tokens.saturating_add(usage.output);
                let cost = price.map(|price| price.of(usage));
                metrics.cost_micros = metrics.cost_micros.zip(cost).map(|(sum, cost)| sum.saturating_add(cost));
            }
            None => {
                metrics.calls_without_usage += 1;
                metrics.cost_micros = None;
            }
        }
    }

    fn tokens(&self) -> u64 {
        self.metrics.input_tokens.saturating_add(self.metrics.output_tokens)
    }

    fn limit_before_tools(&mut self, calls: &[ToolCall]) -> Option<AskLimit> {
        let wanted = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        if self.metrics.tool_calls.saturating_add(wanted) > self.limits.tool_calls {
            return Some(AskLimit::ToolCalls);
        }
        for call in calls {
            let made = self.made.entry((call.name.clone(), call.arguments.clone())).or_default();
            *made += 1;
            if *made > self.limits.repeats {
                return Some(AskLimit::Repeats);
            }
        }
        None
    }

    /// What there is.
    fn answer(&mut self) -> Answer {
        let before = self.before.min(self.request.turns.len());
        let turns = self.request().turns.split_off(before);
        Answer {
            text: std::mem::take(&mut self.text),
            turns,
            metrics: std::mem::take(&mut self.metrics),
            ..Answer::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::{ChatReply, TokenUsage};
    use crate::gateway::CallTimes;

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
        Outcome { id: id.to_owned(), text: text.to_owned() }
    }

    fn limit_of(next: Next) -> (AskLimit, Answer) {
        let Next::End(Err(ChatAgentError::Limit { limit, partial })) = next else { panic!("{next:?}") };
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
        let (limit, partial) = limit_of(asked.replied(said("", &[("a", "1")]), PRICE));
        assert_eq!((limit, partial.metrics.model_calls), (AskLimit::Repeats, 3));
    }

    #[test]
    fn a_summary_is_paid_for_and_is_no_turn() {
        let mut asked = turns(AskLimits { turns: 1, tokens: Some(30), ..AskLimits::default() });
        asked.paid_for(&said("so far", &[]), PRICE);
        assert!(matches!(asked.again(), Next::Model(_)));
        let Next::End(Ok(answer)) = asked.replied(said("warm", &[]), PRICE) else { panic!("it is answered") };
        assert_eq!((answer.text.as_str(), answer.metrics.model_calls), ("warm", 2));
        assert_eq!((answer.metrics.output_tokens, answer.metrics.cost_micros), (10, Some(40)));

        let mut asked = turns(AskLimits { tokens: Some(15), ..AskLimits::default() });
        asked.paid_for(&said("so far", &[]), PRICE);
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
            asked.hand_over(instructions.map(Turn::system), Vec::new());
            let Next::Model(request) = asked.begin() else { panic!("it goes on") };
            let at = usize::from(instructions.is_some());
            assert!(request.turns[at].text.contains("{\"type\":\"integer\"}"), "{:?}", request.turns);
            assert_eq!((request.turns.len(), request.turns[0].text == "sell"), (2 + at, at == 1));
        }
    }

    #[test]
    fn kept_and_shared_replies_cost_nothing() {
        let mut asked = turns(AskLimits::default());
        let kept = Completed { source: Source::Cache, ..said("so", &[]) };
        let Next::End(Ok(answer)) = asked.replied(kept, None) else { panic!("it is answered") };
        assert_eq!((answer.metrics.input_tokens, answer.metrics.cost_micros), (0, Some(0)));
    }
}
