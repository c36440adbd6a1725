//! How many plain requests per second does the mock answer, with the load generator on the same cores?
//! `cargo bench -p callboard-benches --bench mock_llm`; `-- --seconds 3 --rounds 7 --connections 64 --threads 1` change it.
//!
//! The generator sends fixed bytes over connections that are kept, and reads replies by their length. It does not parse
//! them, so that most of the time is the server's and the kernel's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use callboard::mock_llm::{MockConfig, MockLlm};
use callboard_benches::rounds::Spread;
use callboard_benches::table::figure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Options {
    seconds: u64,
    rounds: u64,
    connections: u64,
    threads: u64,
}

fn main() {
    let Some(options) = options() else { return };
    let server = MockLlm::start(MockConfig { threads: 2, ..MockConfig::default() }).expect("the mock starts");
    let address = server.address();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let each = options.connections / options.threads;
    let threads: Vec<_> = (0..options.threads)
        .map(|_| {
            let (stop, answered) = (stop.clone(), answered.clone());
            std::thread::spawn(move || generate(address, each, &stop, &answered))
        })
        .collect();
    let mut figures = Vec::new();
    for round in 0..=options.rounds {
        let (began, before) = (Instant::now(), answered.load(Relaxed));
        std::thread::park_timeout(Duration::from_secs(options.seconds));
        let rate = (answered.load(Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
        eprintln!("round {round}{}: {} requests/s", if round == 0 { ", warm-up" } else { "" }, figure(rate));
        if round > 0 {
            figures.push(rate);
        }
    }
    stop.store(true, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("the generator does not panic"));
    let stats = server.stats();
    assert_eq!(stats.by_status.keys().copied().collect::<Vec<_>>(), [200], "every reply is a good one");
    let Spread { median, lower, upper } = Spread::of(&figures).expect("there are rounds");
    let highest = figures.iter().copied().fold(0.0, f64::max);
    println!("| plain requests/s | median | lower quartile | upper quartile | best |\n|---|---:|---:|---:|---:|");
    println!(
        "| {} connections, {} generating threads | {} | {} | {} | {} |",
        each * options.threads,
        options.threads,
        figure(median),
        figure(lower),
        figure(upper),
        figure(highest)
    );
    server.stop_blocking();
}

/// Asks on many connections of one thread until it is told to stop.
fn generate(address: SocketAddr, connections: u64, stop: &Arc<AtomicBool>, answered: &Arc<AtomicU64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(async {
        let tasks = (0..connections).map(|_| tokio::spawn(ask(address, stop.clone(), answered.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a connection does not panic");
        }
    });
}

async fn ask(address: SocketAddr, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    let mut stream = TcpStream::connect(address).await.expect("the mock listens");
    stream.set_nodelay(true).expect("a fresh connection");
    let request = request();
    let mut input = Vec::with_capacity(4096);
    while !stop.load(Relaxed) {
        stream.write_all(&request).await.expect("the mock takes it");
        input.clear();
        let mut wanted = usize::MAX;
        while input.len() < wanted {
            assert!(stream.read_buf(&mut input).await.expect("the mock answers") > 0, "the mock left");
            if wanted == usize::MAX {
                wanted = length(&input).unwrap_or(usize::MAX);
            }
        }
        assert_eq!(input.len(), wanted, "one reply for each request");
        answered.fetch_add(1, Relaxed);
    }
}

/// About 300 bytes of JSON, as a program would send them.
fn request() -> Vec<u8> {
    let body = r#"{"model":"mock","messages":[{"role":"system","content":"You are a careful researcher. Quote your sources and say what you do not know."},{"role":"user","content":"How does a supervisor learn that one of its agents died, and what does it do about it?"}],"temperature":0.2,"max_tokens":256,"stream":false}"#;
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
        authorization: Bearer test\r\nuser-agent: callboard-bench\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The length of the whole reply, once its head is there.
fn length(input: &[u8]) -> Option<usize> {
    let end = input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&input[..end]).ok()?;
    let (_, rest) = head.split_once("content-length: ")?;
    rest.split("\r\n").next()?.parse::<usize>().ok().map(|body| end + body)
}

fn options() -> Option<Options> {
    let mut options = Options { seconds: 2, rounds: 5, connections: 64, threads: 1 };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok()).filter(|value| *value > 0);
        match (name.as_str(), value) {
            ("--seconds", Some(value)) => options.seconds = value,
            ("--rounds", Some(value)) => options.rounds = value,
            ("--connections", Some(value)) => options.connections = value,
            ("--threads", Some(value)) => options.threads = value,
            // `cargo bench` gives all benchmarks the same arguments; these are for another one.
            _ => {
                eprintln!(
                    "the mock server is left out; it knows --seconds, --rounds, --connections and --threads, each with a number"
                );
                return None;
            }
        }
    }
    Some(options)
}
