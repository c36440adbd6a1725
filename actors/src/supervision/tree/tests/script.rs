//! Scenarios as text: `input > commands | input > commands`. The input `tick` lets a second pass, `due` ends every backoff
//! that was asked for, `add:2:x?` adds an agent to group 2.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::{Command, End, NodeId, SweepId, Tree};
use super::{lifetime, tree};

struct Script {
    tree: Tree,
    names: BTreeMap<String, NodeId>,
    now: Instant,
    waits: Vec<SweepId>,
}

impl Script {
    fn input(&mut self, input: &str) -> String {
        let (word, name) = input.split_once(':').unwrap_or((input, "0"));
        let of = |name: &str| *self.names.get(name).unwrap_or_else(|| panic!("nobody is called {name}"));
        match word {
            "up" => self.tree.up(of(name)),
            "crash" => self.tree.ended(of(name), End::Crash, self.now, 0.5),
            "end" => self.tree.ended(of(name), End::Normal, self.now, 0.5),
            "halted" => self.tree.ended(of(name), End::Halted, self.now, 0.5),
            "late" => self.tree.late(of(name)),
            "finished" => self.tree.finished(of(name)),
            "remove" => self.tree.remove(of(name)),
            "stop" => self.tree.stop(),
            "wind-down" => self.tree.wind_down(),
            "tick" => self.now += Duration::from_secs(1),
            "due" => std::mem::take(&mut self.waits).into_iter().for_each(|sweep| self.tree.due(sweep)),
            "add" => {
                let (group, agent) = name.split_once(':').expect("add:group:agent");
                match self.tree.add_agent(of(group), lifetime(agent)) {
                    Some(id) => drop(self.names.insert(agent.trim_end_matches(['?', '!']).to_owned(), id)),
                    None => return "refused".to_owned(),
                }
            }
            other => panic!("no input: {other}"),
        }
        let commands = self.tree.take_commands();
        let words: Vec<String> = commands.iter().map(|command| self.word(command)).collect();
        words.join(" ")
    }

    fn word(&mut self, command: &Command) -> String {
        let name = |id: &NodeId| self.names.iter().find(|(_, of)| *of == id).map_or("?", |(name, _)| name.as_str());
        match command {
            Command::Begin(id) => format!("begin:{}", name(id)),
            Command::Retain(id) => format!("retain:{}", name(id)),
            Command::Halt(id) => format!("halt:{}", name(id)),
            Command::Drain(id) => format!("drain:{}", name(id)),
            Command::Finish(id) => format!("finish:{}", name(id)),
            Command::GaveUp(id) => format!("gave-up:{}", name(id)),
            Command::Wait(sweep, _) => {
                self.waits.push(*sweep);
                "wait".to_owned()
            }
        }
    }
}

/// From the making of the tree: the first commands are those of a `tick`.
pub(super) fn from_the_start(text: &str, script: &str) {
    let (tree, names) = tree(text);
    play(Script { tree, names, now: Instant::now(), waits: Vec::new() }, text, script);
}

/// With all agents up.
pub(super) fn check(text: &str, script: &str) {
    let (mut tree, names) = tree(text);
    while !tree.is_settled() {
        for command in tree.take_commands() {
            match command {
                Command::Begin(leaf) => tree.up(leaf),
                other => panic!("a start needs no {other:?}"),
            }
        }
    }
    play(Script { tree, names, now: Instant::now(), waits: Vec::new() }, text, script);
}

fn play(mut script: Script, text: &str, lines: &str) {
    for line in lines.split('|') {
        let (input, expected) = line.split_once('>').unwrap_or((line, ""));
        assert_eq!(script.input(input.trim()), expected.trim(), "after `{}` of `{lines}` in `{text}`", input.trim());
    }
}
