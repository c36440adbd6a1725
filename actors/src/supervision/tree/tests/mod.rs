//! The tree's tests: tables in `tables`, random trees against a model in `property`.
//!
//! A tree is written `rest/2[ a b? all/1![ c d ] ]`: strategy, intensity, children; `?` is transient, `!` temporary,
//! and `~` after the intensity restarts at once.

mod agents;
mod many;
mod model;
mod property;
mod script;
mod shape;
mod simulator;
mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{GroupSpec, Lifetime, NodeId, Strategy, Tree};
use crate::supervision::{Backoff, RestartPolicy};

/// The period of every group.
const PERIOD: u64 = 5;

/// A tree from its text, and the names of its nodes; a group's name is its number among the groups.
pub(super) fn tree(text: &str) -> (Tree, BTreeMap<String, NodeId>) {
    let mut words = text.split_whitespace();
    let mut tree = Tree::new(group_spec(words.next().expect("a tree has a root")));
    let mut names = BTreeMap::from([("0".to_owned(), tree.root())]);
    let (mut groups, mut path) = (1, vec![tree.root()]);
    for word in words {
        let parent = *path.last().expect("a word belongs to a group");
        if word == "]" {
            path.pop();
        } else if word.ends_with('[') {
            let id = tree.add_group(parent, group_spec(word)).expect("the parent lives");
            names.insert(groups.to_string(), id);
            groups += 1;
            path.push(id);
        } else {
            let id = tree.add_agent(parent, lifetime(word)).expect("the parent lives");
            names.insert(word.trim_end_matches(['?', '!']).to_owned(), id);
        }
    }
    (tree, names)
}

impl Tree {
    /// Nothing is left over: all nodes hang on the root, none waits for its end, and each is where the sets say.
    fn assert_complete(&self) {
        let mut rest = vec![self.root];
        let mut count = 0;
        while let Some(id) = rest.pop() {
            count += 1;
            let node = self.nodes.get(id).expect("a child exists");
            assert!(node.doom.is_none() || id == self.root, "still there: {node:?}");
            if let Some(group) = self.nodes.group(id) {
                let holds = |child: &&NodeId| self.nodes.group(**child).is_none_or(|group| !group.running.is_empty());
                assert!(group.running.iter().eq(group.children.iter().filter(holds)), "{group:?}");
                assert!(group.missing.is_empty() && group.leaving.is_empty(), "{group:?}");
                rest.extend(&group.children);
            }
        }
        assert_eq!(count, self.nodes.count(), "nodes are left over");
    }

    /// No sweep that was not looked at could have gone on.
    fn assert_at_rest(&self) {
        if self.is_settled() {
            return;
        }
        let mut trial = self.clone();
        for id in self.agenda.all() {
            assert!(!trial.step(id) && trial.agenda.get(id).is_some(), "nobody looked at {id:?} of {self:?}");
        }
    }
}

fn group_spec(word: &str) -> GroupSpec {
    let word = word.trim_end_matches('[');
    let (strategy, limit) = word.trim_end_matches(['?', '!']).split_once('/').expect("strategy/intensity");
    let (limit, first) = limit.strip_suffix('~').map_or((limit, 10), |limit| (limit, 0));
    let backoff = Backoff { first: Duration::from_millis(first), ..Backoff::default() };
    let within = Duration::from_secs(PERIOD);
    let policy = RestartPolicy { max_restarts: limit.parse().expect("a number"), within, backoff };
    GroupSpec { strategy: strategy_of(strategy), policy, lifetime: lifetime(word) }
}

fn strategy_of(word: &str) -> Strategy {
    match word {
        "one" => Strategy::OneForOne,
        "all" => Strategy::OneForAll,
        "rest" => Strategy::RestForOne,
        other => panic!("no strategy: {other}"),
    }
}

fn lifetime(word: &str) -> Lifetime {
    match word.chars().last() {
        Some('?') => Lifetime::Transient,
        Some('!') => Lifetime::Temporary,
        _ => Lifetime::Permanent,
    }
}
