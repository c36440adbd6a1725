//! Does `callboard mock-llm` start, say where it is, answer, refuse what cannot be, and end at a signal?

mod cli_support;
#[cfg(unix)]
mod mock_llm_support;

use std::process::{Command, Output, Stdio};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
    command.arg("mock-llm").args(arguments).env("CALLBOARD_NETWORK", "loopback").stdin(Stdio::null());
    command
}

fn ran(arguments: &[&str]) -> cli_support::Ran {
    let output: Output = command(arguments).output().expect("the binary runs");
    cli_support::Ran::of(output)
}

#[test]
fn what_cannot_be_is_a_usage_error() {
    for (arguments, word) in [
        (&["--port", "70000"][..], "70000"),
        (&["--host", "0.0.0.0"], "loopback only"),
        (&["--latency", "soon"], "write a number with a unit"),
        (&["--latency-sigma", "11"], "from 0 to 10"),
        (&["--max-in-flight", "0"], "0"),
        (&["--fault", "explode=0.1"], "no fault is called `explode`"),
        (&["--fault", "help"], "there are: status_500"),
        (&["--fault", "cut=1.5"], "write a rate from 0 to 1"),
        (&["--fault", "cut=0.6", "--fault", "hang=0.6"], "at most 1"),
        (&["--threads", "0"], "whole number from 1 to 64"),
        (&["--rpm", "-3"], "write a whole number from 1 to "),
        (&["--seed", "-1"], "write a whole number from 0 to "),
        (&["--latency", "-1s"], "write a number with a unit"),
        (&["--latency-sigma", "-0.5"], "write a number from 0 to 10"),
        (&["--model", " "], "empty name"),
        (&["--unheard-of"], "--unheard-of"),
    ] {
        let ran = ran(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(word) && ran.err.contains("callboard mock-llm --help"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_bad_script_is_an_input_error_with_its_line() {
    let place = cli_support::Place::empty().file("script.json", "[\n  {\"txet\": \"x\"}\n]");
    let path = place.path("script.json");
    let bad = ran(&["--port", "0", "--script", path.to_str().unwrap()]);
    assert_eq!((bad.code, bad.out.as_str()), (3, ""));
    assert!(bad.err.contains("line 2") && bad.err.contains("`txet`") && bad.err.contains("`text`"), "{}", bad.err);
    let missing = ran(&["--script", "no-such-file.json"]);
    assert!(missing.code == 3 && missing.err.contains("no-such-file.json"), "{}", missing.err);
}

#[test]
fn a_port_that_is_taken_is_an_input_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = ran(&["--port", &taken.local_addr().unwrap().port().to_string()]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert!(ran.err.contains("cannot listen on 127.0.0.1") && ran.err.contains("--port 0"), "{}", ran.err);
}

#[cfg(unix)]
mod running {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Child, Command, Stdio};

    use super::command;
    use super::mock_llm_support::{Client, chat, content};
    use serde_json::json;

    /// The binary while it runs. It does not outlive its test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn it_says_where_it_is_and_a_signal_ends_it() {
        for signal in ["INT", "TERM"] {
            let child = command(&["--port", "0", "--reply-tokens", "7", "--model", "tiny", "--fault", "status_503=0"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut running = Running(child);
            let mut out = BufReader::new(running.0.stdout.take().unwrap());
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
            let mut client = Client::at(address.parse().unwrap()).await;
            let reply = client.post(&chat(json!({}))).await.json();
            assert_eq!(content(&reply).len().div_ceil(4), 7);
            assert_eq!(client.get("/v1/models").await.json()["data"][0]["id"], "tiny");
            assert_eq!(client.get("/stats").await.json()["requests"], 2);
            let pid = running.0.id().to_string();
            assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
            let (mut rest, mut errors) = (String::new(), String::new());
            out.read_to_string(&mut rest).unwrap();
            running.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            assert_eq!((rest.as_str(), errors.as_str()), ("", ""));
            assert_eq!(running.0.wait().unwrap().code(), Some(0));
        }
    }
}
