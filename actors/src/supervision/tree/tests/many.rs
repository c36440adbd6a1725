//! What does a death cost among many? So many looks at sweeps, however many other agents die at the same time.

use tokio::time::Instant;

use super::super::{Command, End, Lifetime, NodeId, Tree};
use super::group_spec;

/// Looks for each agent that are enough for its whole life.
const ENOUGH: u64 = 12;

fn all_up(tree: &mut Tree) {
    loop {
        let commands = tree.take_commands();
        if commands.is_empty() {
            return;
        }
        for command in commands {
            match command {
                Command::Begin(leaf) => tree.up(leaf),
                Command::Halt(leaf) => tree.ended(leaf, End::Halted, Instant::now(), 0.5),
                Command::Drain(leaf) | Command::Finish(leaf) => tree.finished(leaf),
                Command::Wait(sweep, _) => tree.due(sweep),
                Command::Retain(_) | Command::GaveUp(_) => {}
            }
        }
    }
}

/// Each group has as many agents as it is told.
fn tree_of(root: &str, inner: &str, groups: usize, agents: usize) -> (Tree, Vec<NodeId>) {
    let mut tree = Tree::new(group_spec(root));
    let mut leaves = Vec::new();
    for _ in 0..groups {
        let group = tree.add_group(tree.root(), group_spec(inner)).expect("the root lives");
        let add = |_| tree.add_agent(group, Lifetime::Permanent).expect("the group lives");
        leaves.extend((0..agents).map(add));
    }
    all_up(&mut tree);
    (tree, leaves)
}

/// Everybody lives, some die at the same time, come back, and are removed one by one, all at the same time.
fn check(root: &str, inner: &str, groups: usize, agents: usize, dies: impl Fn(usize) -> bool) {
    let (mut tree, leaves) = tree_of(root, inner, groups, agents);
    let dying = leaves.iter().enumerate().filter(|(at, _)| dies(*at)).map(|(_, leaf)| *leaf);
    dying.for_each(|leaf| tree.ended(leaf, End::Crash, Instant::now(), 0.5));
    all_up(&mut tree);
    leaves.iter().for_each(|leaf| tree.remove(*leaf));
    all_up(&mut tree);
    assert!(tree.is_settled());
    let (looks, most) = (tree.agenda.looks, ENOUGH * leaves.len() as u64);
    assert!(looks <= most, "{root}[ {inner}[ .. ] .. ]: {looks} looks for {} agents", leaves.len());
}

#[test]
fn many_deaths_at_once_cost_each_other_nothing() {
    check("one/1", "one/9999", 1, 3_000, |_| true);
    check("one/9999", "one/0", 1_500, 2, |at| at % 2 == 0);
    check("one/9999", "all/1", 1_000, 3, |at| at % 3 == 1);
    check("one/1", "all/1", 1, 3_000, |at| at == 7);
    check("one/1", "rest/1", 1, 3_000, |at| at == 7);
}
