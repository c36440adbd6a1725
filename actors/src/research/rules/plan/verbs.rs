//! Does an instruction have several verbs (`How do I build and install it`), and which words are verbs at all?

use super::bare;
use super::clauses::finish;
use super::lists::is_fixed;
use crate::text::is_stop_word;

/// Verbs of instructions. A word is looked up here only where a verb can stand.
const VERBS: &str = "access add allow alter analyze append assign attach avoid back backup borrow build bundle call cancel \
catch change check choose clean clear clone close combine commit compile compress compute concatenate configure connect \
convert copy count create debug declare define delete deploy deserialize detach detect disable disconnect document drop \
dump edit enable encrypt enforce exclude execute exit export extract fetch filter find fix force format generate get \
grant group handle implement import improve include increase index initialize insert inspect install invoke iterate join \
kill limit list load lock log loop make measure merge migrate modify monitor mount move mutate open optimize organize \
override parse partition pass pause print promote protect publish read rebuild receive recover reduce refer reload remove \
rename repair replace replicate reset resize resolve restart restore restrict resume return reuse revoke rotate run save \
schedule search secure select send serialize set share shut sort specify split start stop store stream switch test \
terminate throw track transfer trigger troubleshoot truncate tune turn uninstall unlock unwrap update upgrade use vacuum \
validate verify view wait wrap write";

/// Verbs that need no object, or that manuals use of things rather than of readers.
const PREDICATES: &str = "act apply arise become begin behave belong break bring calculate cause come consist contain continue \
contribute cost depend deliver die do drain end enter exist expire fail fall fill finish fit flow follow function give go \
grow guarantee happen have help hold interact keep know lead learn leave live look lose match matter mean need occur operate \
own perform persist prevent process produce propagate protect provide put raise reach react rely represent require respond \
say schedule scale see serve share show sit spread stay survive take talk tell trap treat turn work yield";

pub(super) fn is_verb(word: &str) -> bool {
    VERBS.split_whitespace().any(|verb| verb == word)
}

/// Whether `word` can be what a thing does, too (`work`, `hold`).
pub(super) fn is_predicate(word: &str) -> bool {
    is_verb(word) || PREDICATES.split_whitespace().any(|verb| verb == word)
}

/// Whether `word` belongs to the verb before it (`back up`, `find out`).
pub(super) fn is_particle(word: &str) -> bool {
    matches!(word, "up" | "down" | "out" | "off" | "on" | "away" | "back")
}

/// `How do I VERB .. and VERB ..`: one clause for each verb. A verb without an object gets that of the next one.
pub(super) fn verbs(words: &[&str]) -> Option<Vec<String>> {
    // `VACUUM` is a verb here, too.
    let low: Vec<String> = words.iter().map(|word| bare(word).to_lowercase()).collect();
    let lead = match low.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["how", "to", ..] => 2,
        ["how", "do" | "can" | "should" | "could" | "would" | "does", "i" | "you" | "we" | "one", ..] => 3,
        _ => return None,
    };
    let segments = segments(words, &low, lead)?;
    let mut object: Option<&[&str]> = None;
    let mut out = Vec::new();
    for &(start, end) in segments.iter().rev() {
        let verb = head(&low, start, end);
        let own = &words[verb..end];
        if !own.is_empty() {
            object = Some(own);
        }
        // The last verb has no object, so the verbs are one thing that is done (`search and replace`).
        let verb = words[start..verb].iter().map(|word| word.trim_end_matches(','));
        let all: Vec<&str> = words[..lead].iter().copied().chain(verb).chain(object?.iter().copied()).collect();
        out.push(finish(&all.join(" ")));
    }
    out.reverse();
    Some(out)
}

/// One past the verb at `start` and its particle.
fn head(low: &[String], start: usize, end: usize) -> usize {
    let particle = start + 1 < end && is_particle(&low[start + 1]);
    start + 1 + usize::from(particle)
}

/// Whether a word after `I` can be a verb: no adverb (`safely and quickly`), nothing that only joins.
fn is_base(word: &str) -> bool {
    is_predicate(word) || !(word.ends_with("ly") || is_stop_word(word) || word == "and" || word.is_empty())
}

/// The ranges that begin with a verb, at least two; `None` when the words after `and` are no verbs of this kind.
fn segments(words: &[&str], low: &[String], lead: usize) -> Option<Vec<(usize, usize)>> {
    let mut found = Vec::new();
    let (mut start, mut joined) = (lead, false);
    for at in lead + 1..words.len() {
        let and = low[at - 1] == "and";
        let comma = words[at - 1].ends_with(',');
        let end = at - usize::from(and);
        if !(and || comma) || end <= start {
            continue;
        }
        let alone = head(low, start, end) == end;
        // `read and write access` is a list of nouns behind another verb.
        let noun = end > start + 1 && matches!(low[end - 2].as_str(), "a" | "an" | "the" | "my");
        // What follows a verb without an object is a verb, too, known or not (`plant and water the beans`).
        let verbs =
            if alone { is_base(&low[start]) && is_base(&low[at]) } else { is_verb(&low[start]) && is_verb(&low[at]) };
        if !verbs || is_fixed(&low[end - 1], &low[at]) || (!alone && !noun && is_verb(&low[end - 1])) {
            continue;
        }
        found.push((start, end));
        (start, joined) = (at, joined || and);
    }
    found.push((start, words.len()));
    joined.then_some(found)
}
