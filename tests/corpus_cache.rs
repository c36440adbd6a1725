//! Is the index kept, brought up to date, shared and repaired?

mod corpus_support;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};

use callboard::corpus::{Corpus, IndexProgress};
use corpus_support::{Bench, read, reused, search};

fn filled() -> Bench {
    let bench = Bench::new();
    bench.write("a.md", "# Anchors\n\nAn anchor holds the ship in a storm.\n");
    bench.write("b.md", "# Boats\n\nA boat is rowed by two people.\n");
    bench.write("c.bin", b"\0binary");
    bench
}

fn rebuilds(seen: &[IndexProgress]) -> usize {
    seen.iter().filter(|step| matches!(step, IndexProgress::Rebuilding { .. })).count()
}

fn generations(bench: &Bench) -> usize {
    let names = bench.cached().into_iter().filter(|path| path.ends_with("seal"));
    names.count()
}

#[test]
fn an_unchanged_corpus_is_not_read_again() {
    let bench = filled();
    let (cold, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen)), (3, 0));
    let (warm, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen)), (0, 2));
    assert_eq!(search(&cold, "anchor storm"), search(&warm, "anchor storm"));
}

#[test]
fn only_what_changed_is_read_and_the_result_is_as_if_new() {
    let bench = filled();
    bench.docs();
    bench.write("b.md", "# Boats\n\nA boat with a sail needs wind.\n");
    bench.write("d.md", "# Docks\n\nThe dock is dry at low tide.\n");
    let (corpus, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen)), (2, 1));
    assert!(search(&corpus, "rowed").passages.is_empty());
    assert_eq!(&*search(&corpus, "wind in the sail").passages[0].file, "b.md");
    fs::remove_file(bench.path().join("a.md")).expect("it was there");
    let (corpus, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen), corpus.documents()), (0, 2, 2));
    assert!(search(&corpus, "anchor").passages.is_empty());
    assert_eq!(generations(&bench), 1, "generations that nobody needs are removed");
    let fresh = Bench { cache: tempfile::TempDir::new().expect("a folder"), ..bench };
    let mut fresh = fresh;
    fresh.options.cache_dir = Some(fresh.cache.path().to_path_buf());
    let (new, _) = fresh.docs();
    assert_eq!(search(&corpus, "boat dock wind tide"), search(&new, "boat dock wind tide"));
}

#[test]
fn a_touched_file_is_read_and_nothing_is_built() {
    let bench = filled();
    bench.docs();
    let before = bench.cached();
    bench.write_aged("a.md", "# Anchors\n\nAn anchor holds the ship in a storm.\n", 60);
    let (_, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen)), (1, 1));
    assert!(!seen.iter().any(|step| matches!(step, IndexProgress::Indexing { .. })));
    assert_eq!(bench.cached(), before);
    assert_eq!(read(&bench.docs().1), 0);
}

#[test]
fn a_file_that_may_still_change_is_read_again() {
    let bench = filled();
    bench.write_aged("fresh.md", "# Fresh\n\nWritten just now.\n", 0);
    bench.docs();
    let (_, seen) = bench.docs();
    assert_eq!((read(&seen), reused(&seen)), (1, 2));
}

#[test]
fn a_watcher_is_still_asked_when_every_passage_is_indexed() {
    let bench = filled();
    for n in 0..40 {
        bench.write(
            &format!("{n}.md"),
            format!("# Ship {n}\n\nShip number {n} carries cargo {} over sea {}.\n", n % 7, n % 5),
        );
    }
    let mut asked = 0;
    let mut watch = |step| {
        asked += i32::from(matches!(step, IndexProgress::Indexing { done, total } if done == total));
        // The first is the last passage; the second comes out of the work that follows.
        if asked == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = bench.try_open(&[bench.path()], &mut watch).expect_err("it was broken off");
    assert_eq!((error.code(), asked), ("interrupted", 2));
    assert_eq!(bench.docs().0.documents(), 42, "nothing is left behind");
}

#[test]
fn a_file_from_the_future_is_remembered() {
    let bench = filled();
    let path = bench.write("future.md", "# Future\n\nThe clock of the camera was wrong.\n");
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(86_400)).expect("a time");
    bench.docs();
    assert_eq!(read(&bench.docs().1), 0);
}

#[test]
fn what_has_the_wrong_type_is_replaced() {
    let bench = filled();
    bench.docs();
    let base = bench.cache.path().join("corpus");
    let seal = bench.cached().into_iter().find(|path| path.ends_with("seal")).expect("a seal");
    let generation = seal.parent().expect("a folder").to_path_buf();
    let slot = generation.parent().expect("a folder").to_path_buf();
    let lock = base.join("locks").join(format!("{}.lock", slot.file_name().expect("a name").to_string_lossy()));
    assert!(lock.is_file());
    for folder in [slot.join("current"), slot.join("visits"), lock] {
        fs::remove_file(&folder).expect("it was there");
        fs::create_dir_all(folder.join("sub")).expect("a folder");
        assert_eq!(search(&bench.docs().0, "anchor").passages.len(), 1, "{}", folder.display());
        let (_, seen) = bench.docs();
        assert_eq!((rebuilds(&seen), reused(&seen)), (0, 2), "{} is repaired for good", folder.display());
    }
    for file in [generation, slot, base.join("locks"), base] {
        if file.is_dir() {
            fs::remove_dir_all(&file).expect("it was there");
        }
        fs::write(&file, "in the way").expect("a file");
        assert_eq!(search(&bench.docs().0, "anchor").passages.len(), 1, "{}", file.display());
        let (_, seen) = bench.docs();
        assert_eq!((rebuilds(&seen), reused(&seen)), (0, 2), "{} is repaired for good", file.display());
    }
}

#[cfg(unix)]
#[test]
fn what_nobody_used_for_long_is_removed_with_its_lock() {
    let bench = filled();
    bench.docs();
    let (locks, old) = (bench.cache.path().join("corpus/locks"), std::time::Duration::from_secs(61 * 24 * 3600));
    let lock = fs::read_dir(&locks).expect("a folder").next().expect("a lock").expect("an entry").path();
    let file = fs::File::options().write(true).open(&lock).expect("a file");
    file.set_modified(std::time::SystemTime::now() - old).expect("a time");
    bench.open(&[bench.path().join("a.md")]);
    assert!(!lock.exists());
    let seals = bench.cached().into_iter().filter(|path| path.ends_with("seal")).count();
    assert_eq!((seals, fs::read_dir(&locks).expect("a folder").count()), (1, 1));
    // One who has the lock file open and waits for it must not go on with the one that was removed.
    assert_eq!(bench.docs().0.documents(), 2);
}

#[test]
fn an_open_corpus_answers_when_its_cache_and_files_are_gone() {
    let bench = filled();
    let (corpus, _) = bench.docs();
    bench.write("a.md", "# Nothing\n\nAll is different now.\n");
    bench.docs();
    if cfg!(unix) {
        fs::remove_dir_all(bench.cache.path()).expect("the cache can be removed");
    }
    let retrieved = search(&corpus, "anchor storm");
    let best = &retrieved.passages[0];
    assert_eq!(best.text, "An anchor holds the ship in a storm.");
    assert!(corpus.stored_text(&best.source).expect("the text is still open").is_some());
}

#[test]
fn any_damage_is_found_said_once_and_repaired() {
    let bench = filled();
    let (first, _) = bench.docs();
    let expected = search(&first, "anchor boat");
    let count = bench.cached().len();
    assert!(count >= 8, "{:?}", bench.cached());
    for position in 0..count {
        for damage in [truncate, flip, empty, remove] {
            let path = bench.cached()[position].clone();
            if !damage(&path) {
                continue;
            }
            // Without `current` there is no index that could be damaged: it is simply new.
            let is_new = path.ends_with("current") && !path.exists();
            let (corpus, seen) = bench.docs();
            assert_eq!(search(&corpus, "anchor boat"), expected, "{}", path.display());
            assert_eq!(rebuilds(&seen), usize::from(!is_new), "{}: {seen:?}", path.display());
            let (_, seen) = bench.docs();
            assert_eq!((rebuilds(&seen), read(&seen)), (0, 0), "{}", path.display());
        }
    }
}

fn truncate(path: &PathBuf) -> bool {
    let bytes = fs::read(path).expect("a file");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("a file");
    !bytes.is_empty()
}

fn flip(path: &PathBuf) -> bool {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x20;
    }
    fs::write(path, &bytes).expect("a file");
    !bytes.is_empty()
}

fn empty(path: &PathBuf) -> bool {
    let was_empty = fs::read(path).expect("a file").is_empty();
    fs::write(path, b"").expect("a file");
    !was_empty
}

fn remove(path: &PathBuf) -> bool {
    fs::remove_file(path).expect("a file");
    true
}

#[test]
fn many_may_open_it_at_once() {
    let bench = Arc::new(filled());
    let barrier = Arc::new(Barrier::new(8));
    let open = |number: usize| {
        let (bench, barrier) = (Arc::clone(&bench), Arc::clone(&barrier));
        std::thread::spawn(move || {
            barrier.wait();
            if number == 0 {
                bench.write("z.md", "# Zinc\n\nZinc protects the hull.\n");
            }
            let (corpus, _) = bench.docs();
            search(&corpus, "anchor storm").passages.len()
        })
    };
    let threads: Vec<_> = (0..8).map(open).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no thread panics"), 1);
    }
    assert_eq!(generations(&bench), 1);
    assert_eq!(&*search(&bench.docs().0, "zinc hull").passages[0].file, "z.md");
}

#[test]
fn breaking_off_leaves_nothing_behind() {
    let bench = filled();
    let stops: [fn(&IndexProgress) -> bool; 3] = [
        |step| matches!(step, IndexProgress::Scanning { .. }),
        |step| matches!(step, IndexProgress::Reading { done: 1, .. }),
        |step| matches!(step, IndexProgress::Indexing { .. }),
    ];
    for stop in stops {
        let result = bench.try_open(&[bench.path()], &mut |step| {
            if stop(&step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let error = result.expect_err("it was broken off");
        assert_eq!((error.code(), error.is_retryable()), ("interrupted", true));
        assert_eq!(bench.cached(), Vec::<PathBuf>::new());
    }
    assert_eq!(bench.docs().0.documents(), 2);
}

#[test]
fn waiting_for_another_process_ends() {
    let mut bench = filled();
    bench.docs();
    let locks = bench.cache.path().join("corpus/locks");
    let lock = fs::read_dir(locks).expect("locks").next().expect("one lock").expect("an entry").path();
    let held = fs::File::open(lock).expect("the lock can be opened");
    held.lock().expect("nobody else holds it");
    bench.options.lock_wait = std::time::Duration::ZERO;
    let error = bench.fails(&[bench.path()]);
    assert_eq!((error.code(), error.is_retryable()), ("index_busy", true));
    bench.options.lock_wait = std::time::Duration::from_secs(60);
    let broken = bench.try_open(&[bench.path()], &mut |step| match step {
        IndexProgress::Waiting => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(broken.expect_err("it was broken off").code(), "interrupted");
    held.unlock().expect("it is held");
    assert_eq!(reused(&bench.docs().1), 2);
}

#[cfg(unix)]
#[test]
fn the_cache_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut bench = filled();
    bench.options.cache_dir = Some(bench.cache.path().join("new"));
    bench.docs();
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for path in bench.cached() {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let folders = path.ancestors().skip(1).take_while(|folder| *folder != bench.cache.path());
        folders.for_each(|folder| assert_eq!(mode(folder), 0o700, "{}", folder.display()));
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_with_advice() {
    let mut bench = filled();
    bench.options.cache_dir = Some(bench.write("file", "not a folder"));
    let error = bench.fails(&[bench.path()]);
    assert_eq!(error.code(), "cache_unusable");
    assert!(error.hint().contains("CALLBOARD_CACHE_DIR"));
}

#[test]
fn options_out_of_range_are_refused() {
    let mut bench = filled();
    bench.options.max_file_bytes = 0;
    assert_eq!(bench.fails(&[bench.path()]).code(), "corpus_options");
}

#[test]
fn a_search_needs_no_runtime() {
    use callboard::actors::ports::{Retriever, SourceStore};
    use callboard::actors::research::Query;
    let bench = filled();
    let (corpus, _): (Corpus, _) = bench.docs();
    let query = Query { text: "anchor".into(), whole: "anchor".into(), limit: 1 };
    let found =
        futures_util::FutureExt::now_or_never(corpus.search(query)).expect("it does not wait").expect("it works");
    let text = futures_util::FutureExt::now_or_never(corpus.text(&found.passages[0].source)).expect("it does not wait");
    assert!(text.expect("it works").expect("it is stored").contains("anchor"));
}

#[test]
fn a_stored_text_that_changed_under_an_open_corpus_is_not_handed_out() {
    let bench = filled();
    let (corpus, _) = bench.docs();
    let source = search(&corpus, "anchor").passages[0].source.clone();
    let texts = bench.cached().into_iter().find(|path| path.ends_with("texts")).expect("the stored texts");
    let changed = fs::read_to_string(&texts).expect("text").replace("storm", "calms");
    fs::write(&texts, changed).expect("a file");
    let error = corpus.stored_text(&source).expect_err("it is not the text that was read");
    assert_eq!((error.code(), error.is_retryable()), ("index_damaged", false));
}
