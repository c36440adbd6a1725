//! How does a reply become steps, and what does each fault change? Pure: no socket, no clock.

use std::io::Write;
use std::time::Duration;

use super::steps::{Step, Wire, chunk};
use crate::mock_llm::api::stream::{Events, Kind};
use crate::mock_llm::fault::Fault;

const PAGE: &[u8] = b"<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>\n";

/// What a body that never ends begins with, and what it goes on with.
const ENDLESS: &[u8] = b"{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";

/// How much of an endless body is sent at once, in bytes.
const ENDLESS_PIECE: usize = 16 * 1024;

/// The head of a reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyHead<'a> {
    pub(crate) status: u16,
    /// Empty when `headers` has one.
    pub(crate) content_type: &'a str,
    /// Complete lines.
    pub(crate) headers: &'a str,
    /// HTTP/1.0, which has no chunks.
    pub(crate) is_old: bool,
    /// The request was HEAD: the head alone is sent.
    pub(crate) is_bodiless: bool,
}

enum Framing {
    Length(usize),
    Chunked,
}

/// How a reply goes wrong and how slowly it comes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    pub(crate) fault: Option<Fault>,
    /// Before the first byte.
    pub(crate) delay: Duration,
    /// Between two bytes of what is slow.
    pub(crate) slow: Duration,
}

impl ReplyHead<'_> {
    fn write(&self, framing: Framing, wire: &mut Wire) {
        wire.is_chunked = matches!(framing, Framing::Chunked) && !self.is_old;
        if matches!(framing, Framing::Chunked) && self.is_old {
            // The end of the connection is the end of the body.
            wire.keep = false;
        }
        let (keep, is_chunked) = (wire.keep, wire.is_chunked);
        wire.send(|out| {
            put(out, format_args!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)));
            if !self.content_type.is_empty() {
                put(out, format_args!("content-type: {}\r\n", self.content_type));
            }
            match framing {
                Framing::Length(length) => put(out, format_args!("content-length: {length}\r\n")),
                Framing::Chunked if is_chunked => out.extend(b"transfer-encoding: chunked\r\n"),
                Framing::Chunked => {}
            }
            if !keep {
                out.extend(b"connection: close\r\n");
            } else if self.is_old {
                out.extend(b"connection: keep-alive\r\n");
            }
            out.extend(self.headers.as_bytes());
            out.extend(b"\r\n");
        });
    }

    fn html(&self) -> Self {
        Self { status: 200, content_type: "text/html; charset=utf-8", ..*self }
    }
}

/// A reply in one piece.
pub(crate) fn plain(wire: &mut Wire, head: ReplyHead<'_>, body: &[u8], manner: Manner) {
    wire.wait(manner.delay);
    if before_the_head(wire, manner.fault) {
        return wire.finish();
    }
    let half = body.len() / 2;
    match manner.fault {
        _ if head.is_bodiless => head.write(Framing::Length(body.len()), wire),
        Some(Fault::SlowHeaders) => {
            slowly(wire, manner.slow, |wire| head.write(Framing::Length(body.len()), wire));
            wire.send(|out| out.extend(body));
        }
        Some(Fault::SlowBody) => {
            head.write(Framing::Length(body.len()), wire);
            wire.slow(manner.slow, |out| out.extend(body));
        }
        Some(Fault::Cut) => {
            head.write(Framing::Length(body.len().max(1)), wire);
            wire.send(|out| out.extend(&body[..half]));
            wire.keep = false;
        }
        Some(Fault::MalformedJson) => {
            head.write(Framing::Length(half), wire);
            wire.send(|out| out.extend(&body[..half]));
        }
        Some(Fault::MalformedChunk) => {
            head.write(Framing::Chunked, wire);
            wire.chunk(&body[..half]);
            bad_chunk(wire);
        }
        Some(Fault::WrongContentType) => {
            head.html().write(Framing::Length(PAGE.len()), wire);
            wire.send(|out| out.extend(PAGE));
        }
        Some(Fault::EmptyBody) => head.write(Framing::Length(0), wire),
        Some(Fault::EndlessBody) => {
            head.write(Framing::Chunked, wire);
            wire.chunk(ENDLESS);
            repeat_chunk(wire, Duration::ZERO, &[b'x'; ENDLESS_PIECE]);
        }
        Some(Fault::DuplicateChunks) => {
            head.write(Framing::Length(2 * body.len()), wire);
            (0..2).for_each(|_| wire.send(|out| out.extend(body)));
        }
        Some(Fault::SplitUtf8) => {
            head.write(Framing::Chunked, wire);
            split(wire, body);
            wire.last_chunk();
        }
        _ => {
            head.write(Framing::Length(body.len()), wire);
            wire.send(|out| out.extend(body));
        }
    }
    wire.finish();
}

/// A reply in events. `wait` says how long the token with a number is waited for.
pub(crate) fn stream(
    wire: &mut Wire,
    head: ReplyHead<'_>,
    events: &Events,
    manner: Manner,
    wait: impl Fn(u64) -> Duration,
) {
    let fault = manner.fault;
    wire.wait(manner.delay);
    if before_the_head(wire, fault) {
        return wire.finish();
    }
    match fault {
        Some(Fault::WrongContentType) => {
            head.html().write(Framing::Length(PAGE.len()), wire);
            wire.send(|out| out.extend(PAGE));
            return wire.finish();
        }
        Some(Fault::SlowHeaders) => slowly(wire, manner.slow, |wire| head.write(Framing::Chunked, wire)),
        _ => head.write(Framing::Chunked, wire),
    }
    match fault {
        Some(Fault::EmptyBody) => wire.last_chunk(),
        Some(Fault::SlowBody) => {
            slowly(wire, manner.slow, |wire| {
                events.iter().for_each(|(_, event)| wire.chunk(event));
                wire.last_chunk();
            });
        }
        _ => events_in_turn(wire, events, fault, wait),
    }
    wire.finish();
}

fn events_in_turn(wire: &mut Wire, events: &Events, fault: Option<Fault>, wait: impl Fn(u64) -> Duration) {
    let mut tokens = 0;
    for (kind, event) in events.iter() {
        if kind == Kind::Token {
            wire.wait(wait(tokens));
            tokens += 1;
        }
        // A reply without a token has its fault at its end.
        let is_first = tokens == 1 && kind == Kind::Token || tokens == 0 && kind == Kind::End;
        match (fault, kind) {
            (Some(Fault::MissingDone), Kind::Done) => {}
            (Some(Fault::MalformedJson), _) if is_first => {
                wire.chunk(&[&event[..event.len() / 2], b"\n\n"].concat());
            }
            (Some(Fault::DuplicateChunks), Kind::Token) => (0..2).for_each(|_| wire.chunk(event)),
            (Some(Fault::SplitUtf8), _) => split(wire, event),
            (Some(Fault::EndlessBody), _) if is_first => return repeat_chunk(wire, wait(1), event),
            _ => wire.chunk(event),
        }
        match fault {
            Some(Fault::Cut) if is_first => {
                wire.keep = false;
                return;
            }
            Some(Fault::MalformedChunk) if is_first => return bad_chunk(wire),
            _ => {}
        }
    }
    wire.last_chunk();
}

/// The faults in which no head comes. Whether this is one.
fn before_the_head(wire: &mut Wire, fault: Option<Fault>) -> bool {
    match fault {
        Some(Fault::Reset) => wire.steps.push(Step::Reset),
        Some(Fault::Hang) => wire.steps.push(Step::Hang),
        Some(Fault::CutBefore) => {}
        _ => return false,
    }
    wire.keep = false;
    true
}

/// What `build` sends, one byte at a time.
fn slowly(wire: &mut Wire, every: Duration, build: impl FnOnce(&mut Wire)) {
    let mut apart = Wire::default();
    (apart.keep, apart.is_chunked) = (wire.keep, wire.is_chunked);
    build(&mut apart);
    (wire.keep, wire.is_chunked) = (apart.keep, apart.is_chunked);
    wire.slow(every, |out| out.extend(&apart.bytes));
}

fn bad_chunk(wire: &mut Wire) {
    wire.send(|out| out.extend(b"zz\r\n"));
    wire.keep = false;
}

fn repeat_chunk(wire: &mut Wire, every: Duration, data: &[u8]) {
    let is_chunked = wire.is_chunked;
    wire.keep = false;
    wire.repeat(every, |out| match is_chunked {
        true => chunk(data, out),
        false => out.extend(data),
    });
}

/// Chunks that end after the first byte of each character that has several.
fn split(wire: &mut Wire, data: &[u8]) {
    let mut begin = 0;
    for (at, byte) in data.iter().enumerate() {
        // 0b11...... begins a character of several bytes.
        if *byte >= 0b1100_0000 {
            wire.chunk(&data[begin..=at]);
            wire.flush();
            begin = at + 1;
        }
    }
    wire.chunk(&data[begin..]);
}

pub(super) fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(what);
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        529 => "Overloaded",
        _ => "Status",
    }
}
