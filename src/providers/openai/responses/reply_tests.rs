//! Is what servers say by Responses read, whole and as the events of a stream?

use super::caller::Growing as _;
use super::*;

const USED: Option<TokenUsage> = Some(TokenUsage { input: 5, output: 2 });
const USAGE: &str = r#""usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}"#;

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
}

fn read(json: &str) -> Result<ChatReply, ModelError> {
    whole(json.as_bytes())
}

fn message(text: &str) -> String {
    format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#)
}

#[test]
fn every_end_of_a_whole_reply_is_read() {
    let ended = |status: &str, reason: &str| {
        format!(
            r#"{{"status":"{status}","error":null,"incomplete_details":{{"reason":"{reason}"}},
            "output":[{{"type":"reasoning","content":[{{"text":"hm"}}],"summary":[]}},{},{{"type":"odd"}}],{USAGE}}}"#,
            message("Hi")
        )
    };
    let reply = |finish| ChatReply { usage: USED, finish, ..ChatReply::text("Hi") };
    let other = |reason: &str| Finish::Other(reason.to_owned());
    for (status, reason, finish) in [
        ("completed", "", Finish::Done),
        ("incomplete", "max_output_tokens", Finish::Length),
        ("incomplete", "max_tokens", Finish::Length),
        ("incomplete", "odd", other("odd")),
        ("odd", "", other("odd")),
    ] {
        assert_eq!(read(&ended(status, reason)), Ok(reply(finish)), "{status} {reason}");
    }
    let filtered = read(&ended("incomplete", "content_filter")).unwrap_err();
    assert!(
        matches!(&filtered, ModelError::WithUsage { error, usage } if error.code() == "content_refused" && *usage == USED)
    );
    // All of its tokens were thought away.
    let nothing = r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#;
    assert_eq!(read(nothing).map(|reply| (reply.text, reply.finish)), Ok((String::new(), Finish::Length)));
}

#[test]
fn what_servers_leave_out_or_write_otherwise_is_read() {
    let calls = r#"{"status":"completed","output":[
        {"type":"function_call","id":"f","call_id":"c","name":"add","arguments":"{}"},
        {"type":"function_call","id":"f2","call_id":"","name":"add","arguments":{"x":1}},{"type":"function_call"}]}"#;
    let reply = read(calls).unwrap();
    let expected = [call("c", "add", "{}"), call("f2", "add", r#"{"x":1}"#), call("", "", "")];
    assert_eq!((reply.tool_calls.as_slice(), reply.finish, reply.usage), (&expected[..], Finish::ToolCalls, None));
    let plain = read(r#"{"output":[{"type":"message","content":"Hi"}],"usage":{"input_tokens":5}}"#).unwrap();
    assert_eq!((plain.text.as_str(), plain.usage), ("Hi", None));
    assert_eq!(plain.finish, Finish::Other("unknown".to_owned()));
}

#[test]
fn what_is_no_reply_says_so_without_its_text() {
    for (json, message) in [
        ("", "it is empty"),
        ("{}", "it holds no output"),
        (r#"{"status":"completed","output":[]}"#, "it holds no output"),
        (r#"{"status":"completed","output":[{"type":"message","content":42}]}"#, "its content is neither"),
        (r#"{"output":"secret"}"#, "it is JSON, and not that of a response"),
        (r#"{"error":{"message":"Broken","code":"odd"}}"#, "it holds an error: Broken"),
    ] {
        let error = read(json).unwrap_err();
        assert!(matches!(&error, ModelError::Malformed(text) if text.starts_with(message)), "{json}: {error:?}");
    }
    let failed = |code: &str| read(&format!(r#"{{"status":"failed","error":{{"code":"{code}","message":"No"}}}}"#));
    assert!(matches!(failed("server_error"), Err(ModelError::Unavailable { status: 500, .. })));
    assert!(matches!(failed("rate_limit_exceeded"), Err(ModelError::RateLimited { .. })));
    for code in ["invalid_prompt", "bio_policy", "image_content_policy_violation"] {
        assert!(matches!(failed(code), Err(ModelError::ContentRefused(_))), "{code}");
    }
    let refused =
        r#"{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"I will not"}]}]}"#;
    assert_eq!(read(refused), Err(ModelError::ContentRefused("I will not".to_owned()).with_usage(None)));
    let many = format!(r#"{{"status":"completed","output":[{}{{}}]}}"#, "{},".repeat(MOST_ENTRIES));
    assert!(matches!(read(&many), Err(ModelError::Malformed(_))));
}

/// Plays events; gives what was seen of them, as text and as arguments of calls, and the reply.
fn played(events: &[String]) -> (String, String, Result<ChatReply, ModelError>) {
    let (mut growing, mut text, mut arguments) = (Growing::default(), String::new(), String::new());
    for event in events {
        assert!(!growing.is_over(), "{event}");
        match growing.take(event.as_bytes()) {
            Err(error) => return (text, arguments, Err(error)),
            Ok(chunks) => chunks.iter().for_each(|chunk| match chunk {
                ChatChunk::Text(more) => text.push_str(more),
                ChatChunk::ToolCall { index, arguments: more, .. } => arguments.push_str(&format!("{index}{more}")),
                _ => {}
            }),
        }
    }
    assert!(growing.is_over() && growing.is_finished());
    (text, arguments, growing.end())
}

#[test]
fn a_stream_grows_to_the_same_whether_its_entries_have_numbers_names_or_neither() {
    for place in [r#","output_index":NUMBER"#, r#","item_id":"iNUMBER""#, ""] {
        let at = |number: usize| place.replace("NUMBER", &number.to_string());
        let item = |number: usize, rest: &str| format!(r#"{},"item":{{"id":"i{number}",{rest}}}"#, at(number));
        let event = |kind: &str, rest: &str| format!(r#"{{"type":"response.{kind}","sequence_number":1{rest}}}"#);
        let delta = |kind: &str, number: usize, more: &str| {
            event(&format!("{kind}.delta"), &format!(r#"{},"delta":{more}"#, at(number)))
        };
        let said = r#""type":"message","content":[{"type":"output_text","text":"It is."}]"#;
        let called =
            |arguments: &str| format!(r#""type":"function_call","call_id":"c","name":"add","arguments":"{arguments}""#);
        let mut events = vec![
            event("created", r#","response":{"status":"in_progress","output":[]}"#),
            event("output_item.added", &item(0, r#""type":"reasoning""#)),
            delta("reasoning_summary_text", 0, r#""hm""#),
            event("output_item.added", &item(1, r#""type":"message","content":[]"#)),
            delta("output_text", 1, r#""It ""#),
            delta("odd", 1, r#"{"a":1}"#),
            delta("output_text", 1, r#""is""#),
            // The rest of it came in no piece.
            event("output_item.done", &item(1, said)),
            event("output_item.added", &item(2, &called(""))),
            delta("function_call_arguments", 2, r#""{\"x\":""#),
            delta("function_call_arguments", 2, r#""1}""#),
            event("output_item.done", &item(2, &called(r#"{\"x\":1}"#))),
            event("completed", &format!(r#","response":{{"output":[],{USAGE}}}"#)),
        ];
        if !place.is_empty() {
            // One is not over when the next begins.
            let done = events.remove(7);
            events.insert(10, done);
        }
        let (text, arguments, reply) = played(&events);
        assert_eq!((text.as_str(), arguments.as_str()), ("It is.", r#"00{"x":01}"#), "{place}");
        let (tool_calls, finish) = (vec![call("c", "add", r#"{"x":1}"#)], Finish::ToolCalls);
        assert_eq!(reply, Ok(ChatReply { tool_calls, finish, usage: USED, ..ChatReply::text("It is.") }), "{place}");
    }
}

#[test]
fn the_last_event_stands_where_pieces_were_lost_or_came_twice() {
    let delta = |text: &str| format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{text}"}}"#);
    let end = |kind: &str, response: &str| format!(r#"{{"type":"response.{kind}","response":{{{response}}}}}"#);
    let all = format!(r#""output":[{}]"#, message("All."));
    let reply = |finish| Ok(ChatReply { finish, ..ChatReply::text("All.") });
    let twice = played(&[delta("Al"), delta("Al"), end("completed", &all)]);
    assert_eq!((twice.0.as_str(), twice.2), ("AlAl", reply(Finish::Done)));
    let lost = played(&[end("completed", &all)]);
    assert_eq!((lost.0.as_str(), lost.2), ("All.", reply(Finish::Done)));
    let cut = format!(r#"{all},"incomplete_details":{{"reason":"max_output_tokens"}}"#);
    assert_eq!(played(&[delta("All."), end("incomplete", &cut)]).2, reply(Finish::Length));
    // A server that does not repeat it.
    assert_eq!(played(&[delta("All."), end("completed", "")]).2, reply(Finish::Done));
}

#[test]
fn a_response_that_is_not_over_or_was_cancelled_is_no_answer() {
    for status in ["cancelled", "queued", "in_progress"] {
        let response = |output: &str| format!(r#"{{"status":"{status}","output":[{output}]}}"#);
        for (output, came) in [("", 0), (message("Hi").as_str(), 2)] {
            let reply = read(&response(output));
            let is_so = matches!(&reply, Err(ModelError::Broken { received, message }) if *received == came && message.contains(status));
            assert!(is_so, "{reply:?}");
        }
        // The event knows better than a status from before.
        let over = format!(r#"{{"type":"response.completed","response":{}}}"#, response(&message("Hi")));
        assert_eq!(played(&[over]).2.is_ok(), status != "cancelled", "{status}");
    }
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"delta":"Hi"}"#.to_owned();
    let cancelled = played(&[delta, r#"{"type":"response.cancelled"}"#.to_owned()]).2;
    assert!(matches!(cancelled, Err(ModelError::Broken { received: 2, .. })), "{cancelled:?}");
}

#[test]
fn an_error_in_a_stream_is_told() {
    let failed =
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"No"}}}"#;
    let documented = r#"{"type":"error","code":"server_error","message":"No","param":null,"sequence_number":1}"#;
    let nested = r#"{"type":"error","error":{"type":"server_error","message":"No"}}"#;
    let untyped = r#"{"error":{"code":503,"message":"No"}}"#;
    for event in [failed, documented, nested, untyped] {
        let error = played(&[event.to_owned()]).2.unwrap_err();
        assert!(matches!(error, ModelError::Unavailable { .. }), "{event}: {error:?}");
    }
    assert!(matches!(played(&["{".to_owned()]).2, Err(ModelError::Malformed(_))));
    assert_eq!(Growing::default().take(b"[DONE]"), Ok(Vec::new()));
}
