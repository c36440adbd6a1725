//! Is every format read, stored and found, with its place?

mod corpus_support;

use std::path::PathBuf;

use callboard::corpus::IndexProgress;
use corpus_support::{Bench, fixture, search, sha256};

#[track_caller]
fn finds(bench: &Bench, question: &str, file: &str, sentence: &str, headings: &[&str]) {
    let corpus = bench.open(&[fixture("corpus")]);
    let retrieved = search(&corpus, question);
    let best = retrieved.passages.first().unwrap_or_else(|| panic!("nothing found for `{question}`"));
    assert_eq!(&*best.file, file, "{question}");
    assert!(best.text.contains(sentence), "{question}: {}", best.text);
    assert_eq!(best.headings, headings, "{question}");
}

#[test]
fn each_format_answers_a_question() {
    let bench = Bench::new();
    let check = |question, file, sentence, headings: &[&str]| finds(&bench, question, file, sentence, headings);
    check(
        "How hot is the water for green tea?",
        "guide/brewing.md",
        "Green tea is brewed at 70 degrees, because hotter water makes it bitter. Black tea wants boiling water.",
        &["Brewing tea", "Temperature"],
    );
    check(
        "How many spoons of leaves?",
        "guide/brewing.md",
        "Add one spoon of leaves for each cup.",
        &["Brewing tea", "Steps"],
    );
    check(
        "Does tea take on the smell of spices?",
        "guide/storage.rst",
        "Tea takes on the smell of spices",
        &["Storing tea"],
    );
    check("Which pot shows the colour?", "guide/pots.html", "a glass pot shows the colour of the tea.", &["Pots"]);
    check("Where does Sencha come from?", "prices.csv", "tea: Sencha; price: 12; origin: Japan, Shizuoka", &[]);
    check("Who likes oolong strong?", "NOTES", "They like their oolong strong.", &[]);
    check("Was knistert in der Tasse?", "deutsch.txt", "und der Kandis\nknistert in der Tasse.", &[]);
}

#[test]
fn every_passage_is_bytes_of_a_stored_text() {
    let bench = Bench::new();
    let corpus = bench.open(&[fixture("corpus")]);
    let retrieved = search(&corpus, "tea pot water leaves guests Kandis Assam light");
    assert_eq!(corpus.documents(), 6);
    assert_eq!(retrieved.passages.len(), corpus.passages());
    assert_eq!(retrieved.corpus_passages, corpus.passages() as u64);
    for passage in &retrieved.passages {
        let text = corpus.stored_text(&passage.source).expect("the store can be read").expect("the source is stored");
        assert_eq!(sha256(text.as_bytes()), *passage.source);
        assert_eq!(text.get(passage.start..passage.end), Some(passage.text.as_str()));
        assert_eq!(*passage.corpus, *fixture("corpus").to_string_lossy());
    }
    assert_eq!(corpus.stored_text(&sha256(b"something else")).expect("the store can be read"), None);
}

#[test]
fn titles_come_from_the_document_or_its_name() {
    let bench = Bench::new();
    let corpus = bench.open(&[fixture("corpus")]);
    let mut titles: Vec<(String, String)> = search(&corpus, "tea pot oolong")
        .passages
        .iter()
        .map(|passage| (passage.file.to_string(), passage.title.to_string()))
        .collect();
    titles.sort();
    titles.dedup();
    let expected = [
        ("NOTES", "Notes from the tea house"),
        ("deutsch.txt", "Tee aus Ostfriesland"),
        ("guide/brewing.md", "Brewing tea"),
        ("guide/pots.html", "Pots & cups"),
        ("guide/storage.rst", "Storing tea"),
        ("prices.csv", "prices"),
    ];
    let missing: Vec<_> =
        titles.iter().filter(|(file, title)| !expected.contains(&(file.as_str(), title.as_str()))).collect();
    assert_eq!(missing, Vec::<&(String, String)>::new());
    assert!(titles.len() >= 5);
}

#[test]
fn what_is_not_content_cannot_be_found() {
    let bench = Bench::new();
    let corpus = bench.open(&[fixture("corpus")]);
    for word in ["instructions", "navigation", "footer", "alert", "color"] {
        assert!(search(&corpus, word).passages.is_empty(), "{word}");
    }
}

#[test]
fn documents_that_are_not_english_are_not_stemmed_and_counted() {
    let bench = Bench::new();
    let (corpus, seen) = bench.watch(&[fixture("corpus")]);
    assert!(
        seen.iter().any(|step| matches!(step, IndexProgress::Ready { unstemmed: 1, documents: 6, .. })),
        "{seen:?}"
    );
    // English stemming would make `taste` of no German word, and `tass` of `Tasse`.
    assert_eq!(&*search(&corpus, "Tasse").passages[0].file, "deutsch.txt");
    let terms = search(&corpus, "brewed leaves").terms;
    assert_eq!(
        terms.iter().map(|term| (term.stem.as_str(), term.passages)).collect::<Vec<_>>(),
        [("brew", 1), ("leav", 2)]
    );
}

#[test]
fn several_paths_are_told_apart() {
    let bench = Bench::new();
    let (folder, file) = (fixture("corpus/guide"), fixture("corpus/prices.csv"));
    let corpus = bench.open(&[folder.clone(), file.clone()]);
    let place = |question: &str| {
        let retrieved = search(&corpus, question);
        (PathBuf::from(&*retrieved.passages[0].corpus), retrieved.passages[0].file.to_string())
    };
    assert_eq!(place("boiling"), (folder, "brewing.md".to_owned()));
    assert_eq!(place("Assam"), (file, "prices.csv".to_owned()));
}

#[test]
fn the_whole_question_counts_half() {
    let bench = Bench::new();
    let corpus = bench.open(&[fixture("corpus")]);
    let both = corpus_support::search_whole(&corpus, "oolong", "Sencha");
    let files: Vec<&str> = both.passages.iter().map(|passage| &*passage.file).collect();
    assert_eq!(files, ["NOTES", "prices.csv"]);
    assert_eq!(both.terms.len(), 1);
}
