//! Which files are left out, and does each say why?

mod corpus_support;

use std::fs;
use std::ops::ControlFlow;

use callboard::corpus::{CorpusError, IndexProgress};
use corpus_support::{Bench, search, skipped};

const TEXT: &str = "The kettle sings when the water boils, and everybody in the house knows what that means.\n";

#[test]
fn what_is_left_out_is_named_with_its_reason() {
    let mut bench = Bench::new();
    bench.options.max_file_bytes = 2048;
    bench.write("kettle.txt", TEXT);
    bench.write(".hidden.txt", TEXT);
    bench.write(".secret/notes.txt", TEXT);
    bench.write("program.rs", "fn main() {}");
    bench.write("paper.pdf", "%PDF-1.4");
    bench.write("disguised.txt", "%PDF-1.4 and so on");
    bench.write("image.txt", b"GIF89a\0\0");
    bench.write("latin1.txt", b"gr\xfcn");
    bench.write("wide.txt", b"\xff\xfea\0b\0");
    bench.write("large.txt", "x".repeat(2049));
    bench.write("blank.md", "\n\n");
    bench.write("copy/kettle.txt", TEXT);
    let (corpus, _) = bench.docs();
    assert_eq!(
        skipped(&corpus),
        [
            ".hidden.txt: hidden",
            ".secret: hidden",
            "blank.md: no text",
            "disguised.txt: PDF",
            "image.txt: binary",
            "kettle.txt: the same text as copy/kettle.txt",
            "large.txt: larger than 2 KiB",
            "latin1.txt: not valid UTF-8",
            "paper.pdf: PDF",
            "program.rs: program text or data, not a document (.rs)",
            "wide.txt: UTF-16, not UTF-8",
        ]
    );
    assert_eq!(corpus.documents(), 1);
    assert_eq!(skipped(&bench.docs().0), skipped(&corpus), "the second time nothing is read, and the same is said");
}

#[test]
fn gitignore_is_honoured_without_a_repository() {
    let bench = Bench::new();
    bench.write(".gitignore", "drafts/\n*.tmp\n");
    bench.write("kettle.txt", TEXT);
    bench.write("drafts/unfinished.txt", "An unfinished draft about samovars.");
    bench.write("old.tmp", "A temporary file about samovars.");
    bench.write("sub/.gitignore", "private.md\n");
    bench.write("sub/private.md", "Private words about samovars.");
    let (corpus, _) = bench.docs();
    assert_eq!(corpus.documents(), 1);
    assert!(search(&corpus, "samovars").passages.is_empty());
    assert_eq!(skipped(&corpus), [".gitignore: hidden", "sub/.gitignore: hidden"]);
}

#[test]
fn only_gitignore_files_exclude_something() {
    let bench = Bench::new();
    for list in [".git/info/exclude", ".ignore", ".rgignore"] {
        bench.write(list, "kettle.txt\n");
    }
    bench.write("kettle.txt", TEXT);
    assert_eq!(bench.docs().0.documents(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_told_apart_and_remembered() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    for (name, text) in [
        (b"a\xff.txt".as_slice(), "The first name is a byte."),
        (b"a\xfe.txt", "The second name is another."),
        (b"a\\xFF.txt", "The third name looks like the first."),
        (b"b\\c.txt", "The fourth name has a backslash."),
    ] {
        let path = bench.path().join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, text).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).expect("a time");
    }
    let (corpus, _) = bench.docs();
    let file = |question: &str| search(&corpus, question).passages[0].file.to_string();
    assert_eq!(
        [file("first byte"), file("second"), file("third"), file("fourth backslash")],
        ["a\\xFF.txt", "a\\xFE.txt", "a\\x5CxFF.txt", "b\\c.txt"]
    );
    assert_eq!(corpus_support::read(&bench.docs().1), 0);
}

#[test]
fn a_folder_that_is_named_is_read_although_its_parent_excludes_it() {
    let bench = Bench::new();
    bench.write(".gitignore", "out/\n*.tmp\n");
    bench.write("out/kettle.txt", TEXT);
    bench.write("out/old.tmp", "A temporary file about samovars.");
    let corpus = bench.open(&[bench.path().join("out")]);
    assert_eq!(corpus.documents(), 1);
    assert!(search(&corpus, "samovars").passages.is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (bench, outside) = (Bench::new(), Bench::new());
    bench.write("kettle.txt", TEXT);
    let secret = outside.write("secret.txt", "The combination of the safe is a secret.");
    symlink(&secret, bench.path().join("out.txt")).expect("a link");
    symlink(outside.path(), bench.path().join("folder")).expect("a link");
    symlink("kettle.txt", bench.path().join("inside.txt")).expect("a link");
    symlink(".", bench.path().join("loop")).expect("a link");
    symlink("nowhere", bench.path().join("broken")).expect("a link");
    let socket = std::os::unix::net::UnixListener::bind(bench.path().join("socket")).expect("a socket");
    let (corpus, _) = bench.docs();
    assert_eq!(
        skipped(&corpus),
        [
            "broken: broken link",
            "folder: link out of the corpus",
            "inside.txt: link to another place in the corpus",
            "loop: link to another place in the corpus",
            "out.txt: link out of the corpus",
            "socket: not a regular file",
        ]
    );
    assert!(search(&corpus, "combination of the safe").passages.is_empty());
    drop(socket);
}

#[cfg(unix)]
#[test]
fn a_file_that_becomes_a_link_or_vanishes_is_skipped() {
    let (bench, outside) = (Bench::new(), Bench::new());
    bench.write("kettle.txt", TEXT);
    let (swapped, gone) = (bench.write("swapped.txt", "Plain."), bench.write("vanishing.txt", "Here for now."));
    let secret = outside.write("secret.txt", "The combination of the safe is a secret.");
    let corpus = bench.try_open(&[bench.path()], &mut |step| {
        if matches!(step, IndexProgress::Reading { done: 0, .. }) {
            fs::remove_file(&gone).expect("it was there");
            fs::remove_file(&swapped).expect("it was there");
            std::os::unix::fs::symlink(&secret, &swapped).expect("a link");
        }
        ControlFlow::Continue(())
    });
    let corpus = corpus.expect("the rest is read");
    assert_eq!(
        skipped(&corpus),
        ["swapped.txt: became a link while it was read", "vanishing.txt: vanished while it was read",]
    );
    assert_eq!(&*search(&corpus, "kettle").passages[0].file, "kettle.txt");
    assert!(search(&corpus, "combination").passages.is_empty());
}

#[cfg(unix)]
#[test]
fn a_folder_that_becomes_a_link_is_not_followed() {
    let (bench, outside) = (Bench::new(), Bench::new());
    bench.write("kettle.txt", TEXT);
    bench.write("sub/notes.txt", "Plain notes.");
    outside.write("notes.txt", "The combination of the safe is a secret.");
    let corpus = bench.try_open(&[bench.path()], &mut |step| {
        if matches!(step, IndexProgress::Reading { done: 0, .. }) && !bench.path().join("sub").is_symlink() {
            fs::rename(bench.path().join("sub"), bench.path().join("away")).expect("it was there");
            std::os::unix::fs::symlink(outside.path(), bench.path().join("sub")).expect("a link");
        }
        ControlFlow::Continue(())
    });
    let corpus = corpus.expect("the rest is read");
    assert_eq!(skipped(&corpus), ["sub/notes.txt: became a link while it was read"]);
    assert!(search(&corpus, "combination").passages.is_empty());
    // The folder comes back, and nothing of the file itself has changed.
    fs::remove_file(bench.path().join("sub")).expect("the link");
    fs::rename(bench.path().join("away"), bench.path().join("sub")).expect("the folder");
    assert_eq!(search(&bench.docs().0, "notes").passages.len(), 1);
}

#[test]
fn paths_without_documents_are_errors_that_say_what_to_do() {
    let bench = Bench::new();
    let check = |error: CorpusError, code: &str, words: &[&str]| {
        let text = error.to_string();
        assert_eq!(error.code(), code, "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(!error.hint().is_empty() && !error.is_retryable());
    };
    check(bench.fails(&[]), "corpus_not_given", &[]);
    check(bench.fails(&[bench.path().join("missing")]), "corpus_missing", &["missing"]);
    check(bench.fails(&[bench.path()]), "corpus_empty", &["no document"]);
    bench.write("paper.pdf", "%PDF-1.4");
    bench.write(".hidden", TEXT);
    check(bench.fails(&[bench.path()]), "corpus_empty", &["2 files skipped", "PDF", "hidden"]);
    bench.write("binary", b"\0");
    check(bench.fails(&[bench.path()]), "corpus_empty", &["3 files skipped", "binary"]);
    let full = bench.write("full/kettle.txt", TEXT);
    check(bench.fails(&[full, bench.path().join("paper.pdf")]), "corpus_empty", &["paper.pdf"]);
    assert_eq!(bench.docs().0.documents(), 1);
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_called() {
    let bench = Bench::new();
    let file = bench.write(".notes.conf", TEXT);
    let corpus = bench.open(std::slice::from_ref(&file));
    assert_eq!(&*search(&corpus, "kettle").passages[0].file, ".notes.conf");
    assert_eq!(*search(&corpus, "kettle").passages[0].corpus, *file.to_string_lossy());
}

#[test]
fn a_file_that_is_named_is_read_behind_its_folder_too() {
    let bench = Bench::new();
    let report = "<!-- A report of `callboard research`, which reads it in no later run. -->\n\nWe like samovars.\n";
    let files = [bench.write("notes.conf", TEXT), bench.write("report.md", report)];
    bench.write("tea.txt", "The tea is kept in a tin that nobody may open.");
    assert_eq!(bench.docs().0.documents(), 1);
    for (first, second) in [(0, 1), (1, 0)] {
        let corpus = bench.open(&[bench.path(), files[first].clone(), files[second].clone()]);
        let found = |question: &str| search(&corpus, question).passages[0].file.to_string();
        assert_eq!((found("kettle"), found("samovars")), ("notes.conf".to_owned(), "report.md".to_owned()));
        let shared = |at: usize| format!("{}: already read as part of another corpus path", files[at].display());
        assert_eq!(skipped(&corpus), [shared(first), shared(second)]);
    }
}

#[test]
fn overlapping_paths_read_a_file_once() {
    let bench = Bench::new();
    let file = bench.write("sub/kettle.txt", TEXT);
    let corpus = bench.open(&[bench.path(), file.clone(), bench.path().join("sub")]);
    assert_eq!(corpus.documents(), 1);
    let reason = "already read as part of another corpus path";
    assert_eq!(skipped(&corpus), [format!("{0}: {reason}", file.display()), format!("{0}: {reason}", file.display())]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_listed_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    bench.write("kettle.txt", TEXT);
    bench.write("closed/notes.txt", "Closed notes.");
    let closed = bench.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).expect("permissions");
    let is_root = fs::read_dir(&closed).is_ok();
    let (corpus, _) = bench.docs();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("permissions");
    // Nothing is closed to the superuser.
    let expected: &[&str] = if is_root { &[] } else { &["closed: permission denied"] };
    assert_eq!(skipped(&corpus), expected);
}
