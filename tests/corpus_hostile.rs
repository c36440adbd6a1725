//! Does a file that was made to hurt cost only itself? No panic, no overflow of the stack, time in proportion.

mod corpus_support;

use corpus_support::{Bench, search, skipped};

const INNOCENT: &str = "# Lighthouse\n\nThe lighthouse keeper trims the lamp at dusk.\n";

/// Reads the files beside an innocent one, which must be found; says which of them became documents.
#[track_caller]
fn survives(bench: &Bench, files: &[(&str, String)]) -> Vec<String> {
    bench.write("innocent.md", INNOCENT);
    for (name, content) in files {
        bench.write(name, content);
    }
    let (corpus, _) = bench.docs();
    assert_eq!(&*search(&corpus, "Who trims the lamp?").passages[0].file, "innocent.md");
    let left = skipped(&corpus);
    assert!(!left.iter().any(|file| file.contains("reader failed")), "{left:?}");
    let given = std::fs::read_dir(bench.docs.path()).expect("a folder").count();
    assert_eq!(corpus.documents() + left.len(), given);
    left
}

#[test]
fn a_line_of_50_mb_is_skipped_or_read_as_the_limit_says() {
    let line = format!("{} foghorn", "x".repeat(50 << 20));
    let mut bench = Bench::new();
    assert_eq!(survives(&bench, &[("line.txt", line)]), ["line.txt: larger than 32 MiB"]);
    bench.options.max_file_bytes = 64 << 20;
    let (corpus, _) = bench.docs();
    assert_eq!(skipped(&corpus), Vec::<String>::new());
    let found = search(&corpus, "foghorn");
    assert!(found.passages[0].text.ends_with("foghorn"));
    assert!(found.passages[0].text.len() <= 1_200);
}

#[test]
fn nested_markup_of_any_depth_is_read() {
    let deep = 100_000;
    let left = survives(
        &Bench::new(),
        &[
            ("tags.html", format!("{}deep words{}", "<div>".repeat(deep), "</div>".repeat(deep))),
            ("open.html", format!("{}other deep words", "<b><p><i><table><tr><td>".repeat(deep))),
            ("lists.html", format!("{}listed words", "<ul><li>".repeat(deep))),
            ("skipped.html", format!("{}{}<p>after the menu", "<nav>".repeat(deep), "</nav>".repeat(deep))),
            ("quotes.md", format!("{} quoted words", ">".repeat(deep))),
            ("items.md", format!("{}item words", "- ".repeat(deep))),
            ("brackets.md", "[".repeat(deep)),
            ("images.md", "![a](".repeat(deep)),
            ("directives.rst", (1..3_000).map(|depth| format!("{}.. note:: n\n\n", " ".repeat(depth))).collect()),
        ],
    );
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn markup_without_end_is_read_in_one_pass() {
    let many = 200_000;
    let left = survives(
        &Bench::new(),
        &[
            ("attributes.html", format!("<p {}>words</p>", (0..many).map(|n| format!("a{n}=1 ")).collect::<String>())),
            ("tags.html", format!("tagged {}", "<a ".repeat(many))),
            ("ends.html", format!("ended {}", "</a ".repeat(many))),
            ("less.html", "< ".repeat(many)),
            ("comments.html", format!("commented {}", "<!--".repeat(many))),
            ("script.html", format!("scripted <script>{}", "</scrip".repeat(many))),
            ("entities.html", "&nosuch; &".repeat(many / 10)),
            ("cells.html", format!("<table><tr><td>x{}", "<td> </td>".repeat(many))),
            ("breaks.html", format!("broken{}", "<br>".repeat(many))),
            ("marks.md", "*a **b `c ".repeat(many / 4)),
            ("html.md", format!("words\n\n{}", "<a <? <!-- ".repeat(many / 4))),
            ("table.md", format!("|{0}\n|{1}\n{2}", "a|".repeat(2_000), "-|".repeat(2_000), "|x\n".repeat(200))),
            ("marks.rst", "`a *b ``c :d:".repeat(many / 4)),
            ("rules.rst", format!("words\n\n{}", "=\n".repeat(many))),
            ("literal.rst", "x::\n\n".repeat(many / 4)),
            ("quotes.csv", "\"".repeat(many)),
            ("columns.csv", format!("{}\n{}", "a,".repeat(many), "1,".repeat(many))),
        ],
    );
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn bytes_that_are_no_text_are_skipped() {
    let bench = Bench::new();
    bench.write("nul.html", b"<p>a\0b</p>");
    bench.write("nul.md", b"# a\0");
    bench.write("utf8.csv", b"a,b\n\xff,\xfe\n");
    bench.write("half.txt", b"caf\xc3");
    bench.write("surrogate.txt", b"\xed\xa0\x80");
    assert_eq!(survives(&bench, &[]).len(), 5);
}

#[test]
fn a_document_cannot_speak_to_the_terminal() {
    let bench = Bench::new();
    bench.write("escape.txt", "Beacon \u{1b}[31mred\u{1b}[0m and \u{9b}2J and \u{7}bell.\n");
    bench.write("escape.html", "<title>T&#27;[2J</title><h1>B&#x1b;]0;x&#7;</h1><p>Signal &#27;[31m here.</p>");
    bench.write("escape.md", "# H\u{1b}[1m\n\nFlare \u{1b}]8;;http://x\u{7}link.\n");
    let (corpus, _) = bench.docs();
    for question in ["beacon", "signal", "flare"] {
        let passage = &search(&corpus, question).passages[0];
        let shown = format!("{}{}{}", passage.text, passage.title, passage.headings.join(""));
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains('\u{FFFD}'), "the place of an escape stays visible: {shown:?}");
    }
}

/// Bytes of all files of the cache.
fn cache_bytes(bench: &Bench) -> u64 {
    bench.cached().iter().map(|path| std::fs::metadata(path).expect("a file").len()).sum()
}

#[test]
fn a_table_with_a_large_header_does_not_grow_many_times_over() {
    let bench = Bench::new();
    let (header, rows) = ("h".repeat(20_000), 5_000);
    let table = format!("{header},b\n{}", (0..rows).map(|row| format!("{row},\n")).collect::<String>());
    let many = format!("{}\n{}", "heading, ".repeat(2_000), format!("{}\n", "1,".repeat(2_000)).repeat(40));
    let given = table.len() + many.len();
    bench.write("table.csv", &table);
    bench.write("wide.csv", &many);
    assert_eq!(survives(&bench, &[]), Vec::<String>::new());
    let (corpus, _) = bench.docs();
    let texts = bench.cached().into_iter().find(|path| path.ends_with("texts")).expect("the stored texts");
    let stored = std::fs::metadata(texts).expect("a file").len();
    assert!(stored <= 4 * given as u64 + 3 * (64 << 10), "{stored} bytes stored for {given}");
    let best = &search(&corpus, "4999").passages[0];
    assert_eq!((&*best.file, best.text.contains("4999")), ("table.csv", true));
}

#[test]
fn long_headings_are_kept_once_and_not_for_each_passage() {
    let bench = Bench::new();
    let above: String = (1..6).map(|level| format!("{} {}\n\n", "#".repeat(level), "long ".repeat(40))).collect();
    let book = format!("{above}{}", (0..2_000).map(|n| format!("###### x{n}\n\ny{n}\n\n")).collect::<String>());
    bench.write("book.md", &book);
    assert_eq!(survives(&bench, &[]), Vec::<String>::new());
    let manifest = bench.cached().into_iter().find(|path| path.ends_with("manifest")).expect("a manifest");
    let bytes = std::fs::metadata(manifest).expect("a file").len();
    assert!(bytes < 200_000, "a manifest of {bytes} bytes for {}", book.len());
    assert!(cache_bytes(&bench) < 60 * book.len() as u64, "{} for {}", cache_bytes(&bench), book.len());
    let (corpus, _) = bench.docs();
    let best = &search(&corpus, "y1234").passages[0];
    assert_eq!((best.headings.len(), best.headings.last().map(String::as_str)), (6, Some("x1234")));
    assert!(best.headings.iter().all(|heading| heading.chars().count() <= 100), "{:?}", best.headings);
}

#[test]
fn a_corpus_is_read_up_to_its_limit_and_the_rest_is_named() {
    let mut bench = Bench::new();
    bench.options.max_corpus_bytes = 2_000;
    for name in ["a", "b", "c", "d"] {
        bench.write(&format!("{name}.txt"), format!("The {name}light. {}", format!("{name}word ").repeat(130)));
    }
    let over = |name: &str| format!("{name}.txt: the text of the corpus would be larger than 1 KiB");
    let (corpus, _) = bench.docs();
    assert_eq!(skipped(&corpus), [over("c"), over("d")]);
    let (corpus, seen) = bench.docs();
    assert_eq!((skipped(&corpus), corpus_support::read(&seen)), (vec![over("c"), over("d")], 0), "it is remembered");
    std::fs::remove_file(bench.path().join("a.txt")).expect("it was there");
    let (corpus, _) = bench.docs();
    assert_eq!(skipped(&corpus), [over("d")], "another has room now");
    bench.write("a.txt", format!("The alight. {}", "aword ".repeat(130)));
    let (corpus, _) = bench.docs();
    assert_eq!(skipped(&corpus), [over("c"), over("d")], "it depends on the files, not on the past");
}
