//! Do both sides send the same? Each makes one call to a server that writes down what comes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Side;
use super::direct::Direct;
use super::ours::Ours;

/// Compares the bodies, and whether both send a key.
///
/// # Panics
/// Panics when they are not the same.
pub async fn check() {
    let (ours, theirs) = (sent::<Ours>().await, sent::<Direct>().await);
    assert_eq!(ours, theirs, "both sides ask the same");
}

async fn sent<S: Side>() -> serde_json::Value {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("there is a free port");
    let side = S::open(&format!("http://{}/v1", listener.local_addr().expect("it listens")), 1);
    let call = tokio::spawn(async move { side.call().await });
    let (mut stream, _) = listener.accept().await.expect("the side comes");
    let mut request = Vec::new();
    // The body is the only thing in a request that ends like this.
    while !request.ends_with(b"}") {
        assert!(stream.read_buf(&mut request).await.expect("the side sends") > 0, "a whole request");
    }
    let body = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the side reads");
    assert_eq!(call.await.expect("it is answered").tokens, 2);
    let request = String::from_utf8(request).expect("it is text");
    assert!(request.contains("authorization: Bearer "), "a key is sent: {request}");
    let (_, body) = request.split_once("\r\n\r\n").expect("a request has a body");
    serde_json::from_str(body).expect("the body is JSON")
}
