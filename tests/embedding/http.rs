//! How does a test ask a server? HTTP/1.1 by hand, one connection for each request, each with a deadline.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agents::LONG;
use crate::assistant::answer_to;

/// Sends a request and does not wait for its answer. Dropping the stream leaves.
pub(crate) async fn begin(server: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.expect("the server listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    stream
}

/// The body of the answer, which is a good one.
pub(crate) async fn get(server: SocketAddr, path: &str) -> String {
    let exchange = async {
        let mut answer = String::new();
        begin(server, path).await.read_to_string(&mut answer).await.expect("the answer is text");
        answer
    };
    let answer = timeout(LONG, exchange).await.expect("the server answers in time");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    body.to_owned()
}

/// Has the server double `most` numbers at the same time.
pub(crate) async fn double_all(server: SocketAddr, most: u64) {
    let double = |number| async move { (2 * number, get(server, &format!("/double/{number}")).await) };
    let mut requests: JoinSet<_> = (0..most).map(double).collect();
    while let Some(answered) = requests.join_next().await {
        let (expected, answer) = answered.expect("no request panics");
        assert_eq!(answer, expected.to_string());
    }
}

/// Has an agent with a model answer `most` questions at the same time.
pub(crate) async fn ask_all(server: SocketAddr, most: u64) {
    let ask = |number: u64| async move { (number, get(server, &format!("/ask/{number}")).await) };
    let mut requests: JoinSet<_> = (0..most).map(ask).collect();
    while let Some(answered) = requests.join_next().await {
        let (number, answer) = answered.expect("no request panics");
        assert_eq!(answer, answer_to(&number.to_string()));
    }
}
