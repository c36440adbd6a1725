//! How does a provider answer over a socket? One prepared answer for each connection, cut into pieces, and what was asked written down.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// In small letters.
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// What a connection gets.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// All of it, head included; nothing is silence.
    bytes: Vec<u8>,
    /// Whether the connection is left open until the client leaves.
    stays_open: bool,
    /// In how many bytes at a time it is sent.
    at_a_time: usize,
}

impl Sent {
    fn new(status: u16, headers: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\n\r\n");
        Self { bytes: (head + body).into_bytes(), stays_open: false, at_a_time: 64 * 1024 }
    }

    /// JSON with this status.
    pub(crate) fn json(status: u16, body: impl AsRef<str>) -> Self {
        Self::json_with(status, "", body)
    }

    /// The same with more headers, each a line.
    pub(crate) fn json_with(status: u16, headers: &str, body: impl AsRef<str>) -> Self {
        let (body, length) = (body.as_ref(), body.as_ref().len());
        Self::new(status, &format!("content-type: application/json\r\ncontent-length: {length}\r\n{headers}"), body)
    }

    /// A stream, which ends with its connection.
    pub(crate) fn stream(body: impl AsRef<str>) -> Self {
        Self::new(200, "content-type: text/event-stream\r\n", body.as_ref())
    }

    /// These bytes, head included, after which the connection is left open.
    pub(crate) fn recorded(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), stays_open: true, at_a_time: 64 * 1024 }
    }

    /// Nothing at all.
    pub(crate) fn silence() -> Self {
        Self { bytes: Vec::new(), stays_open: true, at_a_time: 1 }
    }

    /// Without the last bytes of it.
    pub(crate) fn without_last(mut self, bytes: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - bytes);
        self
    }

    pub(crate) fn at_a_time(self, at_a_time: usize) -> Self {
        Self { at_a_time, ..self }
    }

    pub(crate) fn stays_open(self) -> Self {
        Self { stays_open: true, ..self }
    }

    /// Sends it. A client that leaves in between has had enough.
    async fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        for piece in self.bytes.chunks(self.at_a_time) {
            stream.write_all(piece).await?;
            stream.flush().await?;
        }
        let mut rest = [0; 1024];
        while self.stays_open && stream.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

/// A server with one answer for each connection, in this order.
pub(crate) struct Server {
    pub(crate) base_url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    serves: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answers: Vec<Sent>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let serves = tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                seen.lock().unwrap().push(request);
                let _the_client_may_leave = answer.send(&mut stream).await;
            }
        });
        Self { base_url, requests, serves }
    }

    /// Ends when each answer was given, and the last client has closed its connection.
    pub(crate) async fn is_left(&mut self) {
        (&mut self.serves).await.unwrap();
    }

    /// What came since the last time.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

async fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a whole request");
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return Request { head: head.to_lowercase(), body };
        }
    }
}
