//! Tables and properties of the researcher's rules.

use proptest::prelude::*;

use super::*;
use crate::research::{Passage, TaskId, Term};
use crate::text::{Language, content_stems, stems};

pub(super) fn passage(file: &str, headings: &[&str], text: &str) -> Passage {
    Passage {
        source: file.into(),
        corpus: "corpus".into(),
        file: file.into(),
        title: "A manual".into(),
        headings: headings.iter().map(ToString::to_string).collect(),
        start: 100,
        end: 100 + text.len(),
        text: text.into(),
        score: 1.0,
    }
}

/// What a retriever over `passages` alone would answer, in a corpus of 1,000 passages.
pub(super) fn retrieved(question: &str, passages: Vec<Passage>) -> Retrieved {
    let holds = |passage: &Passage, stem: &str| stems(&passage.text, Language::English).any(|word| word.stem == stem);
    let terms = content_stems(question, Language::English)
        .into_iter()
        .map(|word| Term { passages: passages.iter().filter(|p| holds(p, &word.stem)).count() as u64, stem: word.stem })
        .collect();
    Retrieved { passages, terms, corpus_passages: 1_000, ..Retrieved::default() }
}

fn ask(question: &str, passages: Vec<Passage>) -> Findings {
    let task = Task { id: TaskId(1), question: question.into() };
    find(&task, &retrieved(question, passages))
}

pub(super) fn quotes(findings: &Findings) -> Vec<&str> {
    findings.claims.iter().map(|claim| claim.text.as_str()).collect()
}

#[test]
fn the_sentence_that_covers_the_question_comes_first() {
    let text = "The server has many settings. The parameter max_connections limits concurrent sessions to 100. \
                Other settings concern the disk and the network of the server.";
    let found = ask("What limits concurrent sessions?", vec![passage("a", &[], text)]);
    assert_eq!(quotes(&found)[0], "The parameter max_connections limits concurrent sessions to 100.");
}

#[test]
fn a_quote_is_the_stored_bytes() {
    let text = "Intro words here.\n\nA deadlock is a cycle\n  of waiting transactions.";
    let found = ask("What is a deadlock?", vec![passage("a", &[], text)]);
    let evidence = &found.claims[0].evidence[0];
    assert_eq!(evidence.quote, "A deadlock is a cycle of waiting transactions.");
    assert_eq!(normalise(&text[evidence.start - 100..evidence.end - 100]), evidence.quote);
}

#[test]
fn a_pointer_hides_no_sentence_behind_its_colon() {
    let fee = "The membership fee is 40 euros a month.";
    for pointer in ["See the handbook:", "For more information, see the handbook:\n", "Refer to the handbook:"] {
        let text = format!("{pointer} {fee} It is paid in advance.");
        let found = ask("How high is the membership fee?", vec![passage("a", &[], &text)]);
        assert!(quotes(&found).iter().any(|quote| quote.contains(fee)), "{pointer}");
    }
    for text in [
        "See the handbook: the membership fee.",
        "See the handbook: see chapter 4 for the membership fee.",
        "For more on the membership fee, see these guides: Paying the membership fee, Lowering it, and Membership.",
    ] {
        let found = ask("How high is the membership fee?", vec![passage("a", &[], text)]);
        assert!(quotes(&found).is_empty(), "{text}");
    }
}

#[test]
fn a_colon_makes_no_pointer_of_a_sentence() {
    for text in [
        "Discount: for more than ten members the membership fee is 30 euros.",
        "Important: refer to the number of your contract when you pay the membership fee.",
        "See the handbook: Warning: consult a member of the board before you pay the membership fee.",
    ] {
        let found = ask("How high is the membership fee?", vec![passage("a", &[], text)]);
        assert_eq!(quotes(&found), [text]);
    }
    let text = "The membership fee is 40 euros. Discount: for more than ten members it is 30 euros.";
    let found = ask("How high is the membership fee?", vec![passage("a", &[], text)]);
    assert_eq!(quotes(&found), [text], "and a quote may end with it");
}

#[test]
fn a_caption_and_a_heading_speak_for_what_stands_under_them() {
    let text = "wal_level (enum)\n\nDetermines how much information is written to the log.\n\n\
                fsync (boolean)\n\nMakes sure that updates are physically written to disk.";
    let found = ask("What does fsync do?", vec![passage("a", &[], text)]);
    assert_eq!(quotes(&found)[0], "Makes sure that updates are physically written to disk.");
    let under = |heading: &str| passage("a", &[heading], "It keeps all of the rows that were sorted on the disk.");
    assert_eq!(ask("What is a tablespace?", vec![under("Tablespace")]).claims.len(), 1);
    assert!(ask("What is a tablespace?", vec![under("Sorting")]).claims.is_empty());
}

/// In a small corpus a word that is nowhere is by far the rarest.
#[test]
fn what_how_asks_by_need_not_be_in_the_answer() {
    let table = [
        ("How long are backups kept?", "Backups are kept for thirty days."),
        ("How long are new staff trained?", "New staff are trained for five days."),
        ("How often is the key changed?", "The key is changed every month."),
    ];
    for (question, text) in table {
        let task = Task { id: TaskId(1), question: question.into() };
        let small = Retrieved { corpus_passages: 1, ..retrieved(question, vec![passage("a", &[], text)]) };
        assert_eq!(quotes(&find(&task, &small)), [text], "{question}");
    }
}

#[test]
fn an_introduction_is_quoted_with_what_it_introduces() {
    let text =
        "To create a new project, run this command:\n\n    cargo new hello\n\nNothing else is needed for it at all.";
    let found = ask("How do I create a new project?", vec![passage("a", &[], text)]);
    assert_eq!(quotes(&found)[0], "To create a new project, run this command: cargo new hello");
}

#[test]
fn what_says_nothing_is_not_quoted() {
    for text in [
        "What is a deadlock, and how is a deadlock avoided by the server?",
        "# Deadlock handling in the server",
        "See Section 13.3 for more about how a deadlock is handled.",
        "let deadlock = lock(deadlock, &other);",
        "Prev Up Deadlock handling Home Next",
        "Deadlock ← Home → Index.",
        "deadlock[0] deadlock::find lock.",
        "| deadlock | a cycle of waiting | yes |",
    ] {
        assert!(quotes(&ask("What is a deadlock?", vec![passage("a", &[], text)])).is_empty(), "{text}");
    }
}

#[test]
fn an_example_of_how_to_ask_is_no_answer() {
    let text = "Type \"How is a deadlock found\" at the prompt and press the return key.";
    assert!(quotes(&ask("How is a deadlock found?", vec![passage("a", &[], text)])).is_empty());
}

#[test]
fn a_bare_phrase_is_answered_by_the_sentence_that_begins_with_it() {
    let text = "The default value of work_mem is four megabytes.";
    let found = ask("The default value of work_mem", vec![passage("a", &[], text)]);
    assert_eq!(quotes(&found), [text]);
}

#[test]
fn a_marked_list_ends_before_the_next_title() {
    let text = "For the trip you need:\n- bread\n- milk\n\nOpening hours\n\nWe open at nine in the morning.";
    let found = ask("What do I need for the trip?", vec![passage("a", &[], text)]);
    assert!(quotes(&found).iter().all(|quote| !quote.contains("Opening")), "{:?}", quotes(&found));
}

#[test]
fn a_question_whose_rare_words_stand_nowhere_together_is_refused() {
    let passages = || {
        vec![
            passage("a", &[], "The server can be configured by editing the file that lists its settings."),
            passage("b", &[], "A cluster of servers shares the load of the queries that arrive."),
        ]
    };
    let found = ask("How do I configure Kubernetes ingress for the server?", passages());
    assert!(found.claims.is_empty(), "{:?}", quotes(&found));
    assert!(found.coverage < MIN_COVERAGE_OF_UNKNOWN);
    assert!(!ask("How is the server configured?", passages()).claims.is_empty());
}

#[test]
fn nothing_is_said_twice() {
    let text = "A deadlock is a cycle of transactions that wait for each other.";
    let again = "A deadlock is a cycle of transactions which wait for each other!";
    let found = ask("What is a deadlock?", vec![passage("a", &[], text), passage("b", &[], again)]);
    assert_eq!(found.claims.len(), 1);
}

#[test]
fn nothing_in_nothing_out() {
    assert!(ask("What is a deadlock?", Vec::new()).claims.is_empty());
    assert!(ask("???", vec![passage("a", &[], "Some words stand here, and that is all of it.")]).claims.is_empty());
}

proptest! {
    #[test]
    fn every_quote_is_contiguous_and_within_the_bounds(
        question in "[a-d ]{1,20}|what is (a|lock|the) (lock|index)\\?",
        texts in proptest::collection::vec("([a-d]{1,3}[ .\n:]|the lock is |ü|\n\n|- |# ){0,40}", 0..5),
    ) {
        let passages: Vec<Passage> = texts.iter().enumerate().map(|(n, text)| passage(&n.to_string(), &["lock"], text)).collect();
        let found = ask(&question, passages);
        prop_assert!(found.claims.len() <= MAX_CLAIMS);
        prop_assert!((0.0..=1.0001).contains(&found.coverage));
        for claim in &found.claims {
            let evidence = &claim.evidence[0];
            let text = &texts[evidence.file.parse::<usize>().expect("a number")];
            prop_assert_eq!(&normalise(&text[evidence.start - 100..evidence.end - 100]), &evidence.quote);
            prop_assert_eq!(&claim.text, &evidence.quote);
            for wider in &claim.wider {
                prop_assert_eq!(&normalise(&text[wider.start - 100..wider.end - 100]), &wider.quote);
                prop_assert!(wider.start <= evidence.start && wider.end >= evidence.end);
            }
            prop_assert!(claim.score.is_finite());
        }
    }
}

#[test]
fn short_sentences_rows_and_other_languages_can_be_quoted() {
    let table = [
        ("Who owns the rollback plan?", "Bob owns the rollback plan."),
        ("What reduces fever?", "Aspirin reduces fever."),
        ("Why did we choose Postgres?", "We chose Postgres over MySQL because of JSON support."),
        ("How much does Bob charge?", "Bob charges forty euros."),
        ("What is the port?", "The port is 8443."),
        ("What is the author of Dune?", "title: Dune; author: Frank Herbert; year: 1965"),
        ("Wasserdruck", "Der Wasserdruck soll zwischen 1,5 und 2 bar liegen."),
        ("Wann kommt der Schornsteinfeger?", "Der Schornsteinfeger kommt jedes Jahr im November."),
        ("Wie lange muss der Apfelkuchen backen?", "Den Apfelkuchen 45 Minuten backen."),
        ("Wie hoch ist die Miete?", "Die Miete beträgt 800 Euro."),
        ("Quand vient le technicien ?", "Le technicien passe mardi matin."),
        ("¿Cuándo llega el técnico?", "El técnico viene el martes."),
        ("presión del agua", "La presión del agua es de dos bares."),
    ];
    for (question, text) in table {
        assert_eq!(quotes(&ask(question, vec![passage("a", &[], text)])), [text], "{question}");
    }
}

#[test]
fn a_sentence_that_names_the_thing_defines_it() {
    let text = "The borrow method counts how often something was borrowed from the value so far. \
                We call the action of creating a reference borrowing, whatever is done with it later. \
                Errors about borrowing may be frustrating for those who are new to the language.";
    let found = ask("What is borrowing?", vec![passage("a", &[], text)]);
    assert!(quotes(&found)[0].starts_with("We call the action"), "{:?}", quotes(&found));
}

#[test]
fn a_name_that_the_corpus_never_writes_makes_the_rule_stricter() {
    let text = "A server keeps its settings in one file, and a cluster is started again after each failure of it.";
    let plain = "Which settings belong in the file for failover of a lonely wobbly server?";
    let named = "Which settings belong in the Patroni file for failover of a lonely server?";
    assert!(!ask(plain, vec![passage("a", &[], text)]).claims.is_empty());
    assert!(ask(named, vec![passage("a", &[], text)]).claims.is_empty());
}

#[test]
fn lines_without_an_end_mark_can_be_quoted() {
    let table = [
        ("What is the parking code?", "The parking code is 4711", "The parking code is 4711"),
        ("Who owns the login page?", "- Anna owns the login page\n- Bob owns the search", "Anna owns the login page"),
        ("What is the budget?", "Budget: 3000 euros\n\nRent: 800 euros", "Budget: 3000 euros"),
    ];
    for (question, text, quote) in table {
        assert_eq!(quotes(&ask(question, vec![passage("a", &[], text)])).first(), Some(&quote), "{question}");
    }
}

#[test]
fn an_introduction_is_quoted_with_the_items_that_fit() {
    let of = |text: &str| {
        let found = ask("What do you need for the setup?", vec![passage("a", &[], text)]);
        quotes(&found).first().map(ToString::to_string).unwrap_or_default()
    };
    let quote =
        of("For the setup you need:\n\na USB cable\n\na charger\n\na phone\n\nThe rest comes later, with the post.");
    assert_eq!(quote, "For the setup you need: a USB cable a charger a phone");
    let quote = of("For the setup you need:\n- a USB cable.\n- a charger.\n\nThe rest comes later, with the post.");
    assert_eq!(quote, "For the setup you need: - a USB cable. - a charger.");
    let quote = of(&format!("For the setup you need:\n{}", "- a long cable of the other kind\n".repeat(30)));
    assert!((300..=420).contains(&quote.len()) && quote.ends_with("kind"), "{quote}");
}
