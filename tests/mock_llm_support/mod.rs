//! How do the tests of the mock talk to it? By hand over a socket, so that every byte is seen. No wait is without an end.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::net::SocketAddr;
use std::time::Duration;

use callboard::mock_llm::{MockConfig, MockLlm};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes long; who waits for this time has found a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A wait that no test lives to see the end of.
pub(crate) const EVER: Duration = Duration::from_secs(24 * 3600);

pub(crate) const CHAT: &str = "/v1/chat/completions";

pub(crate) fn start(change: impl FnOnce(&mut MockConfig)) -> MockLlm {
    let mut config = MockConfig::default();
    change(&mut config);
    MockLlm::start(config).expect("the mock starts")
}

/// A request with one message, and more fields.
pub(crate) fn chat(more: Value) -> Value {
    let mut body = json!({"model": "mock", "messages": [{"role": "user", "content": "How are you today?"}]});
    let (Value::Object(body_fields), Value::Object(more)) = (&mut body, more) else { panic!("objects") };
    body_fields.extend(more);
    body
}

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it happens in time")
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
}

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its head or its chunks promised.
    Whole,
    /// The connection was closed before.
    Closed,
    /// The connection was reset.
    Reset,
    /// A chunk's size was no number.
    BadChunk,
}

/// A reply, as far as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) end: End,
    /// 0 without a head.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) chunks: Vec<Vec<u8>>,
}

impl Client {
    pub(crate) async fn to(server: &MockLlm) -> Self {
        Self::at(server.address()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let stream = in_time(TcpStream::connect(address)).await.expect("the mock listens");
        Self { stream, input: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        in_time(self.stream.write_all(bytes.as_ref())).await.expect("the mock takes it");
    }

    pub(crate) async fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let length = body.len();
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
            .await;
    }

    pub(crate) async fn post(&mut self, body: &Value) -> Reply {
        self.post_with("", body).await
    }

    pub(crate) async fn post_with(&mut self, headers: &str, body: &Value) -> Reply {
        self.request("POST", CHAT, headers, &body.to_string()).await;
        self.reply().await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.request("GET", path, "", "").await;
        self.reply().await
    }

    /// Reads more; how it ended when nothing more comes.
    pub(crate) async fn more(&mut self) -> Result<(), End> {
        match in_time(self.stream.read_buf(&mut self.input)).await {
            Ok(0) => Err(End::Closed),
            Ok(_) => Ok(()),
            Err(_) => Err(End::Reset),
        }
    }

    /// The head, once it is complete.
    pub(crate) async fn head(&mut self) -> Result<String, End> {
        loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.input.split_off(end + 4);
                let head = std::mem::replace(&mut self.input, rest);
                return Ok(String::from_utf8(head).expect("heads are text"));
            }
            self.more().await?;
        }
    }

    /// What was read and is not used yet.
    pub(crate) fn unread(&self) -> String {
        String::from_utf8_lossy(&self.input).into_owned()
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, End> {
        while self.input.len() < length {
            self.more().await?;
        }
        let rest = self.input.split_off(length);
        Ok(std::mem::replace(&mut self.input, rest))
    }

    async fn line(&mut self) -> Result<String, End> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line = self.exactly(end + 2).await?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await?;
        }
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = Reply { end: End::Whole, status: 0, head: String::new(), body: Vec::new(), chunks: Vec::new() };
        if let Err(end) = self.fill(&mut reply).await {
            reply.end = end;
            if reply.chunks.is_empty() {
                reply.body = std::mem::take(&mut self.input);
            }
        }
        reply
    }

    async fn fill(&mut self, reply: &mut Reply) -> Result<(), End> {
        reply.head = self.head().await?;
        reply.status = reply.head[9..12].parse().expect("a status");
        if reply.header("transfer-encoding") != Some("chunked") {
            let length = reply.header("content-length").expect("a length").parse().expect("a number");
            reply.body = self.exactly(length).await?;
            return Ok(());
        }
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16).map_err(|_| End::BadChunk)?;
            let mut data = self.exactly(size + 2).await?;
            assert!(data.ends_with(b"\r\n"));
            if size == 0 {
                return Ok(());
            }
            data.truncate(size);
            reply.body.extend(&data);
            reply.chunks.push(data);
        }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error's type and code.
    pub(crate) fn error(&self) -> (String, String) {
        let error = &self.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert!(error.get("param").is_some() && error.get("code").is_some(), "{error}");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (text("type"), text("code"))
    }

    /// The data of each event; `[DONE]` is a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        let events = self.text().split_terminator("\n\n");
        let parse = |data: &str| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
        events.map(|event| parse(event.strip_prefix("data: ").expect("an event has data"))).collect()
    }

    /// The text that the events of a stream make.
    pub(crate) fn streamed(&self) -> String {
        self.events()
            .iter()
            .filter_map(|event| event.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned))
            .collect()
    }
}

/// What a plain reply says.
pub(crate) fn content(reply: &Value) -> &str {
    reply.pointer("/choices/0/message/content").and_then(Value::as_str).expect("a content")
}
