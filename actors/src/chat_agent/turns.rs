//! What follows from what the model or a tool says? One ask as a state machine. Pure: time and tools are the shell's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, AskLimit, AskMetrics, ChatAgentError, Ended};
use super::guard::Blocked;
use super::limits::AskLimits;
use super::made::Made;
use super::question::AnswerForm;
use super::waits::AskWait;
pub(super) use super::waits::Outcome;
use crate::chat::{ChatRequest, Finish, ReplyForm, Role, TokenUsage, ToolCall, ToolSpec, Turn};
use crate::error::ModelError;
use crate::gateway::{CallFailed, CallTimes, Completed, Price, Source};
use crate::mailbox::contain;
use crate::text::count;

/// What is to be done next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Call the model.
    Model(Arc<ChatRequest>),
    /// Call these tools.
    Tools(Vec<ToolCall>),
    /// Nothing: this is how it ended.
    End(Ended),
}

impl Next {
    /// If it is the end by a limit, this is more about it.
    fn because(mut self, why: impl FnOnce() -> String) -> Self {
        if let Self::End(Err(ChatAgentError::Limit { detail, .. })) = &mut self {
            *detail = why();
        }
        self
    }
}

/// What stands in the place of what a tool says when its ask has ended before: its call had not begun, or was not over.
const NOT_BEGUN: &str = "error: it was not called, as the ask had come to its end";
const NOT_OVER: &str =
    "error: it was called, and was not over at the end of the ask; it may have been done all the same";

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
    /// What the model said last, or what had come of that when it broke.
    text: String,
    metrics: AskMetrics,
    /// Calls among them that are none of its turns.
    extra: u32,
    /// Tokens that the calls can have used whose usage nobody told.
    unknown: u64,
    made: Made,
    /// What the answer has to be, and how often it was not.
    form: Option<Box<(AnswerForm, u32)>>,
    /// What of the turns from the question on is kept otherwise than it was said: not at all, such as the answers that were not and the
    /// words that asked again, or in other words, such as those of a handoff.
    edits: Vec<(usize, Option<String>)>,
    /// Whether a reply without a word was asked for again.
    has_been_silent: bool,
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
        let wanted = form.as_ref().map_or(ReplyForm::Text, |form| ReplyForm::Json {
            name: form.name.clone(),
            schema: form.schema.clone().into(),
        });
        let request = ChatRequest { tools, form: wanted, ..ChatRequest::new(turns, limits.longest_reply()) };
        Self {
            limits,
            request: Arc::new(request),
            before,
            has_instructions,
            text: String::new(),
            metrics: AskMetrics::nothing(),
            extra: 0,
            unknown: 0,
            made: Made::default(),
            form: form.map(|form| Box::new((form, 0))),
            edits: Vec::new(),
            has_been_silent: false,
        }
    }

    /// Its calls are made with this temperature.
    pub(super) fn at(mut self, temperature: Option<f32>) -> Self {
        self.request().temperature = temperature;
        self
    }

    /// This was said before, in its session.
    pub(super) fn recall(&mut self, said: Vec<Turn>) {
        let at = self.before;
        self.before += said.len();
        self.request().turns.splice(at..at, said);
    }

    /// The model is called.
    pub(super) fn begin(&self) -> Next {
        Next::Model(self.request.clone())
    }

    /// A call that is paid for like those of its own, and none of its turns: a reply that nobody may see.
    pub(super) fn paid_for(&mut self, completed: &Completed, price: Option<Price>) {
        self.count(completed, None, price);
        self.extra += 1;
    }

    /// A call to summarise its session, which counts as such a one: it can have used `most`, and was waited for so long.
    pub(super) fn summarised(
        &mut self,
        called: Result<Completed, CallFailed>,
        most: TokenUsage,
        price: Option<Price>,
        waited: Duration,
    ) {
        match called {
            Ok(completed) => {
                self.count(&completed, Some(most), price);
                self.extra += 1;
            }
            Err(CallFailed { times, .. }) => self.count_failed(times, Some(most), waited),
        }
    }

    /// A call of its own failed: what was tried is counted. Without times nobody knows how far it came, but that it was waited for so
    /// long.
    pub(super) fn not_answered(&mut self, times: Option<CallTimes>, waited: Duration) {
        self.count_failed(times, None, waited);
    }

    fn count_failed(&mut self, times: Option<CallTimes>, most: Option<TokenUsage>, waited: Duration) {
        let metrics = &mut self.metrics;
        let unknown = CallTimes { provider: waited, without_usage: 1, ..CallTimes::default() };
        let CallTimes { queue, provider, attempts, without_usage, failed_usage, .. } = times.unwrap_or(unknown);
        metrics.attempts += attempts;
        metrics.queue += queue;
        metrics.model += provider;
        metrics.calls_without_usage += u32::from(without_usage > 0);
        if without_usage > 0 {
            metrics.cost_micros = None;
        }
        self.count_failed_usage(failed_usage);
        self.may_have_used(most, without_usage);
    }

    /// What failed attempts used. Their price is that of whichever model they were made by, and not known here.
    fn count_failed_usage(&mut self, used: TokenUsage) {
        if used != TokenUsage::default() {
            self.count_tokens(used);
            self.metrics.cost_micros = None;
        }
    }

    fn count_tokens(&mut self, used: TokenUsage) {
        self.metrics.input_tokens = self.metrics.input_tokens.saturating_add(used.input);
        self.metrics.output_tokens = self.metrics.output_tokens.saturating_add(used.output);
    }

    /// The model has answered. `price` is that of the model that did.
    pub(super) fn replied(&mut self, completed: Completed, price: Option<Price>) -> Next {
        self.count(&completed, None, price);
        let reply = completed.reply;
        if reply.text.trim().is_empty() && reply.tool_calls.is_empty() {
            return self.silent(&reply.finish);
        }
        if !reply.text.is_empty() {
            self.text.clone_from(&reply.text);
        }
        let calls = reply.tool_calls;
        // The copy is no larger than what is in it, and is kept while the ask goes on.
        self.request().turns.push(Turn { tool_calls: calls.clone(), ..Turn::assistant(reply.text) });
        if reply.finish == Finish::Length {
            // No answer that is whole, nor calls of which anybody knows that they are; the next one would be cut at the same place.
            return self.ended_by(AskLimit::OutputTokens);
        }
        if calls.is_empty() {
            return self.checked();
        }
        match self.limit_before_tools(&calls) {
            Some((limit, None)) => self.ended_by(limit),
            Some((limit, Some(tool))) => {
                self.ended_by(limit).because(|| format!("`{tool}` was called with the same arguments again"))
            }
            None => Next::Tools(calls),
        }
    }

    /// The model has said nothing, which is no answer. It is asked again once: some do so after a tool, and not the next time. What it
    /// said is no turn, because providers take none without a word.
    fn silent(&mut self, finish: &Finish) -> Next {
        let problem = match finish {
            // It may have thought all the time, and would do so again.
            Finish::Length => return self.ended_by(AskLimit::OutputTokens),
            _ if !self.has_been_silent => {
                self.has_been_silent = true;
                self.ask_again("Your reply was empty. Answer.");
                return self.again();
            }
            Finish::Other(why) => format!("the model said nothing, twice; it ended with `{why}`"),
            _ => "the model said nothing, twice".to_owned(),
        };
        Next::End(Err(ChatAgentError::Unfit { problem, partial: Box::new(self.answer()) }))
    }

    /// Says these words behind what was said last, and keeps them out of the session. Two turns of a user in a row are refused by the
    /// templates of some models, so that a question has the words at its end.
    fn ask_again(&mut self, words: &str) {
        let at = self.request.turns.len().saturating_sub(self.before);
        match self.request().turns.last_mut().filter(|last| last.role == Role::User) {
            None => {
                self.edits.push((at, None));
                self.request().turns.push(Turn::user(words));
            }
            Some(question) => {
                let longer = format!("{}\n\n{words}", question.text);
                let asked = std::mem::replace(&mut question.text, longer);
                // Words that asked again are not kept, whatever stands behind them.
                if !self.edits.iter().any(|(edit, _)| *edit + 1 == at) {
                    self.edits.push((at.saturating_sub(1), Some(asked)));
                }
            }
        }
    }

    /// The model has said its last. If that is not what it has to be, it is told so and asked again.
    fn checked(&mut self) -> Next {
        let problem = match self.form.as_deref() {
            // It is somebody else's, and the answer is paid for.
            Some((form, _)) => match contain(|| (form.check)(&self.text)) {
                Ok(checked) => checked.err(),
                Err(panic) => Some(format!("its check panicked: {panic}")),
            },
            None => None,
        };
        let (Some(problem), Some((form, repaired))) = (problem, self.form.as_deref_mut()) else {
            return Next::End(Ok(Box::new(self.answer())));
        };
        if *repaired >= form.repairs {
            let problem = format!("no `{}` in {}: {problem}", form.name, count(*repaired + 1, "answer"));
            return Next::End(Err(ChatAgentError::Unfit { problem, partial: Box::new(self.answer()) }));
        }
        *repaired += 1;
        let again =
            format!("That cannot be used: {problem}. Answer again with nothing but JSON that satisfies the schema.");
        let at = self.request.turns.len().saturating_sub(self.before);
        self.edits.extend([(at.saturating_sub(1), None), (at, None)]);
        self.request().turns.push(Turn::user(again));
        self.again().because(|| format!("the last answer could not be used: {problem}"))
    }

    /// The model is called, if it may be.
    pub(super) fn again(&mut self) -> Next {
        if self.metrics.model_calls.saturating_sub(self.extra) >= self.limits.turns {
            return self.ended_by(AskLimit::Turns);
        }
        if self.limits.tokens.is_some_and(|most| self.tokens() >= most) {
            return self.ended_by(AskLimit::Tokens);
        }
        self.begin()
    }

    /// What the agents used that were asked as tools, by calls that are none of its turns.
    pub(super) fn delegated(&mut self, used: &AskMetrics) {
        self.metrics.add_calls(used);
        self.extra = self.extra.saturating_add(used.model_calls);
    }

    /// Its next call has waited for so long before it could be made.
    pub(super) fn has_waited(&mut self, waited: Duration) {
        self.metrics.queue += waited;
    }

    /// The time of the ask was over before all tools of a turn were, of which these had begun. What those have said that were over is
    /// said; each of the others has a turn that says how far it was, so that these turns can be shown to a model again.
    pub(super) fn cut_short(&mut self, mut begun: BTreeMap<usize, Option<Outcome>>, took: Duration) {
        if begun.is_empty() {
            return;
        }
        self.count_tools(u32::try_from(begun.len()).unwrap_or(u32::MAX), took);
        let calls = self.request.turns.last().map(|turn| turn.tool_calls.clone()).unwrap_or_default();
        for (number, call) in calls.into_iter().enumerate() {
            let text = match begun.remove(&number) {
                Some(Some(outcome)) => outcome.text,
                Some(None) => NOT_OVER.to_owned(),
                None => NOT_BEGUN.to_owned(),
            };
            self.request().turns.push(Turn::tool(call.id, text));
        }
    }

    /// So many tools of a turn were called, for so long.
    fn count_tools(&mut self, calls: u32, took: Duration) {
        self.metrics.tool_calls += calls;
        self.metrics.tools += took;
    }

    /// All tools of a turn have come to their end, after so long.
    pub(super) fn used(&mut self, outcomes: Vec<Outcome>, took: Duration) -> Next {
        self.count_tools(u32::try_from(outcomes.len()).unwrap_or(u32::MAX), took);
        for Outcome { id, text, to_others } in outcomes {
            if to_others.is_some() {
                self.edits.push((self.request.turns.len().saturating_sub(self.before), to_others));
            }
            self.request().turns.push(Turn::tool(id, text));
        }
        self.again()
    }

    /// Another agent goes on: with its instructions in place of those before, its tools and its temperature. What a handoff before said
    /// was not for it.
    pub(super) fn hand_over(
        &mut self,
        instructions: Option<Turn>,
        tools: Vec<Arc<ToolSpec>>,
        temperature: Option<f32>,
    ) {
        let (before, edits) = (self.before, std::mem::take(&mut self.edits));
        for (at, words) in edits.iter().filter_map(|(at, words)| words.as_ref().map(|words| (at, words))) {
            if let Some(turn) = self.request().turns.get_mut(before + at) {
                turn.text.clone_from(words);
            }
        }
        self.edits = edits;
        if std::mem::replace(&mut self.has_instructions, instructions.is_some()) {
            self.request().turns.remove(0);
            self.before -= 1;
        }
        if let Some(instructions) = instructions {
            self.request().turns.insert(0, instructions);
            self.before += 1;
        }
        let request = self.request();
        (request.tools, request.temperature) = (tools, temperature);
    }

    /// A turn broke after this text had come, all of which was sent to its reader, or was about to be.
    pub(super) fn came(&mut self, text: String) {
        if !text.is_empty() {
            self.text = text;
        }
    }

    /// The model could not be called. A server that takes no schemas is told in words.
    pub(super) fn failed(&mut self, error: ModelError) -> Next {
        if matches!(error, ModelError::Rejected { status: 400 | 422, .. })
            && let ReplyForm::Json { schema, .. } = std::mem::take(&mut self.request().form)
        {
            let told =
                format!("Answer with nothing but one JSON value that satisfies this JSON schema: {}", schema.text());
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
    fn ended_by(&mut self, limit: AskLimit) -> Next {
        let AskLimits { turns, tool_calls, tokens, time, repeats, .. } = &self.limits;
        let most = match limit {
            AskLimit::Turns => turns.to_string(),
            AskLimit::ToolCalls => tool_calls.to_string(),
            AskLimit::Tokens => tokens.map(|most| most.to_string()).unwrap_or_default(),
            AskLimit::Time => format!("{time:?}"),
            AskLimit::Repeats => repeats.to_string(),
            AskLimit::OutputTokens => self.limits.longest_reply().to_string(),
        };
        Next::End(Err(ChatAgentError::limit(limit, None, most, self.answer())))
    }

    /// Its time is over.
    pub(super) fn late(&mut self, wait: AskWait) -> Next {
        Next::End(Err(ChatAgentError::late(wait, self.answer())))
    }

    /// To be changed: nobody else has it any more, unless a model keeps what it was asked.
    fn request(&mut self) -> &mut ChatRequest {
        Arc::make_mut(&mut self.request)
    }

    /// So many calls told nothing of what they used. As with a budget, they count as much as they can have used: `most`, or of its own calls
    /// what its request says.
    fn may_have_used(&mut self, most: Option<TokenUsage>, calls: u32) {
        if calls > 0 {
            let most = most.unwrap_or_else(|| self.request.most_tokens()).total();
            self.unknown = self.unknown.saturating_add(most.saturating_mul(u64::from(calls)));
        }
    }

    fn count(&mut self, completed: &Completed, most: Option<TokenUsage>, price: Option<Price>) {
        let (metrics, times) = (&mut self.metrics, completed.times);
        metrics.model_calls += 1;
        metrics.attempts += times.attempts;
        metrics.queue += times.queue;
        metrics.model += times.provider;
        if completed.source != Source::Model {
            // It was kept, or somebody else's.
            return;
        }
        if times.without_usage > 0 || completed.reply.usage.is_none() {
            metrics.calls_without_usage += 1;
            metrics.cost_micros = None;
        }
        if let Some(usage) = completed.reply.usage {
            let cost = price.map(|price| price.of(usage));
            metrics.cost_micros = metrics.cost_micros.zip(cost).map(|(sum, cost)| sum.saturating_add(cost));
            self.count_tokens(usage);
        }
        self.count_failed_usage(times.failed_usage);
        self.may_have_used(most, times.without_usage + u32::from(completed.reply.usage.is_none()));
    }

    fn tokens(&self) -> u64 {
        self.metrics.input_tokens.saturating_add(self.metrics.output_tokens).saturating_add(self.unknown)
    }

    /// And the tool that is called too often with the same arguments, if it is that.
    fn limit_before_tools<'a>(&mut self, calls: &'a [ToolCall]) -> Option<(AskLimit, Option<&'a str>)> {
        let wanted = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        if self.metrics.tool_calls.saturating_add(wanted) > self.limits.tool_calls {
            return Some((AskLimit::ToolCalls, None));
        }
        for call in calls {
            if self.made.make(call) > self.limits.repeats {
                return Some((AskLimit::Repeats, Some(&call.name)));
            }
        }
        None
    }

    /// What a session keeps of the turns of its answer: without the answers that were not fit and the words that asked again, which are
    /// no exchange with whoever asked, and would be shown, and paid for, with every ask to come. Of a handoff it keeps that there was
    /// one: whoever is asked next is not the agent that it was for.
    pub(super) fn kept(&self, turns: &[Turn]) -> Vec<Turn> {
        let kept = |(number, turn): (usize, &Turn)| match self.edits.iter().find(|(at, _)| *at == number) {
            None => Some(turn.clone()),
            Some((_, None)) => None,
            Some((_, Some(words))) => Some(Turn { text: words.clone(), ..turn.clone() }),
        };
        turns.iter().enumerate().filter_map(kept).collect()
    }

    /// What there is.
    fn answer(&mut self) -> Answer {
        let calls = self.request.turns.last().map(|turn| turn.tool_calls.clone()).unwrap_or_default();
        for call in calls {
            self.request().turns.push(Turn::tool(call.id, NOT_BEGUN));
        }
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
#[path = "turns_tests.rs"]
mod tests;
