//! Does a question ask the same of several things? Only the plain forms: `What are A and B?`, `How do A, B and C work?`,
//! `Explain A; B; C.`, and a list of names that look like names (`shared_buffers`, `Rc<T>`, `VACUUM`).

use super::{bare, is_auxiliary, is_interrogative, is_request};

/// Words that are one thing together.
const FIXED: [(&str, &str); 25] = [
    ("cause", "effect"),
    ("give", "take"),
    ("push", "pull"),
    ("wear", "tear"),
    ("checks", "balances"),
    ("publish", "subscribe"),
    ("compare", "swap"),
    ("pros", "cons"),
    ("black", "white"),
    ("trial", "error"),
    ("drag", "drop"),
    ("copy", "paste"),
    ("search", "replace"),
    ("find", "replace"),
    ("supply", "demand"),
    ("divide", "conquer"),
    ("terms", "conditions"),
    ("advantages", "disadvantages"),
    ("ups", "downs"),
    ("ins", "outs"),
    ("dos", "don'ts"),
    ("lost", "found"),
    ("back", "forth"),
    ("plug", "play"),
    ("mark", "sweep"),
];

/// Whether `a and b` is one thing.
pub(super) fn is_fixed(a: &str, b: &str) -> bool {
    FIXED.contains(&(a, b))
}

/// Words that ask about things together rather than about each.
const TOGETHER: [&str; 17] = [
    "communicate",
    "cooperate",
    "conflict",
    "mix",
    "between",
    "together",
    "both",
    "combine",
    "combined",
    "interact",
    "relate",
    "related",
    "relationship",
    "each",
    "other",
    "another",
    "same",
];

/// The question once for each item; `None` when there is no such list.
pub(super) fn items(clause: &str) -> Option<Vec<String>> {
    let body = clause.trim_end_matches(['?', '.', '!', ' ']);
    let mark = clause[body.len()..].trim_end();
    let words: Vec<&str> = body.split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let first = low.first()?;
    if low.iter().any(|word| TOGETHER.contains(&word.as_str())) || !(is_interrogative(first) || is_request(first)) {
        return None;
    }
    let (start, items, end) = request(&words, &low)
        .or_else(|| definition(&words, &low))
        .or_else(|| subjects(&words, &low))
        .or_else(|| names(&words, &low))?;
    let ask = |item: &Vec<&str>| {
        let all: Vec<&str> = words[..start].iter().chain(item).chain(&words[end..]).copied().collect();
        format!("{}{mark}", all.join(" "))
    };
    Some(items.iter().map(ask).collect())
}

/// Where a list begins, its items, and where it ends.
type List<'a> = (usize, Vec<Vec<&'a str>>, usize);

/// The items of `words`, between commas, semicolons and `and`: two or more, none empty, no fixed pair.
fn listed<'a>(words: &[&'a str]) -> Option<Vec<Vec<&'a str>>> {
    let mut items: Vec<Vec<&str>> = vec![Vec::new()];
    for word in words {
        let last = items.last_mut()?;
        if bare(word) != "and" {
            last.push(word.trim_end_matches([',', ';']));
        }
        if !last.is_empty() && (bare(word) == "and" || word.ends_with([',', ';'])) {
            items.push(Vec::new());
        }
    }
    let fixed = |pair: &[Vec<&str>]| {
        let (Some(a), Some(b)) = (pair[0].last(), pair[1].first()) else { return false };
        is_fixed(&bare(a), &bare(b))
    };
    let whole = items.len() > 1 && items.iter().all(|item| !item.is_empty()) && !items.windows(2).any(fixed);
    whole.then_some(items)
}

fn is_article(word: &str) -> bool {
    matches!(word, "a" | "an" | "the")
}

/// Whether items are phrases of one shape, short and without a word that binds them to others: the last must not be
/// longer than the first, as in `request and response cycle`, whose last word belongs to both.
fn alike(items: &[Vec<&str>]) -> bool {
    // `A` is a name.
    let article = |item: &Vec<&str>| is_article(item[0]);
    let (Some(first), Some(last)) = (items.first(), items.last()) else { return false };
    let plain = |item: &Vec<&str>| {
        item.len() <= 3 && item.len() > usize::from(article(item)) && !item.iter().any(|word| binds(&bare(word)))
    };
    last.len() <= first.len() && items.iter().all(|item| plain(item) && article(item) == article(first))
}

fn binds(word: &str) -> bool {
    is_interrogative(word)
        || is_auxiliary(word)
        || is_request(word)
        || matches!(
            word,
            "" | "of"
                | "for"
                | "in"
                | "to"
                | "on"
                | "with"
                | "by"
                | "from"
                | "at"
                | "as"
                | "or"
                | "but"
                | "not"
                | "it"
                | "its"
                | "this"
                | "that"
                | "these"
                | "those"
                | "they"
                | "their"
                | "me"
                | "my"
                | "used"
                | "called"
                | "if"
        )
}

/// `Explain A, B and C`, `Tell me about A; B`.
fn request<'a>(words: &[&'a str], low: &[String]) -> Option<List<'a>> {
    let lead = match low.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tell", "me" | "us", "about", ..] => 3,
        ["tell", "about", ..] | ["explain" | "describe", "to", "me" | "us", ..] => 2 + usize::from(low[0] != "tell"),
        ["explain" | "describe", ..] => 1,
        _ => return None,
    };
    let items = listed(&words[lead..])?;
    alike(&items).then_some((lead, items, words.len()))
}

/// `What is A and B`, `What are A and B`.
fn definition<'a>(words: &[&'a str], low: &[String]) -> Option<List<'a>> {
    let plural = match low.get(1)?.as_str() {
        "are" => true,
        "is" => false,
        _ => return None,
    };
    if low[0] != "what" {
        return None;
    }
    let items = listed(&words[2..])?;
    // `the A and B` are mostly of something; `What are hash and btree indexes` asks about no hash.
    let several = |item: &Vec<&str>| item.last().is_some_and(|word| is_name(word) || is_plural(word));
    let fits = if plural {
        items.iter().all(|item| {
            several(item) && item.len() <= 3 && !item.iter().any(|word| binds(&bare(word)) || is_article(word))
        })
    } else {
        alike(&items)
    };
    fits.then_some((2, items, words.len()))
}

/// `How do A, B and C work`: what each of several can do alone.
fn subjects<'a>(words: &[&'a str], low: &[String]) -> Option<List<'a>> {
    if !matches!(low[0].as_str(), "how" | "when" | "where" | "why")
        || !matches!(low.get(1)?.as_str(), "do" | "can" | "should")
    {
        return None;
    }
    let alone = |word: &String| {
        matches!(
            word.as_str(),
            "work"
                | "behave"
                | "function"
                | "operate"
                | "start"
                | "stop"
                | "run"
                | "end"
                | "fail"
                | "exist"
                | "matter"
                | "help"
        )
    };
    // The last word of such a question is what they do, whatever it is.
    let verb = (3..low.len()).find(|at| alone(&low[*at]) || at + 1 == low.len())?;
    let items = listed(&words[2..verb])?;
    let several = |item: &Vec<&str>| item.last().is_some_and(|word| is_name(word) || is_plural(word));
    (alike(&items) && items.iter().all(several)).then_some((2, items, verb))
}

fn is_plural(word: &str) -> bool {
    let word = bare(word);
    word.len() > 2 && word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end))
}

/// A run of names around `and`.
fn names<'a>(words: &[&'a str], low: &[String]) -> Option<List<'a>> {
    let and = (1..low.len().checked_sub(1)?).find(|at| low[*at] == "and")?;
    let end = and + 2;
    if !is_name(words[and - 1]) || !is_name(words[and + 1]) {
        return None;
    }
    let mut start = and - 1;
    while start > 1 && words[start - 1].ends_with(',') && is_name(words[start - 1]) {
        start -= 1;
    }
    Some((start, listed(&words[start..end])?, end))
}

/// A word that is a name by its looks: symbols or digits inside, several capitals, a code span.
fn is_name(word: &str) -> bool {
    let word = word.trim_end_matches(',');
    let symbols = word.contains(['_', '<', '`', '&', '\\', '!']) || word.contains("::") || word.starts_with("--");
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    symbols || (capitals > 1 && word.len() > 1)
}
