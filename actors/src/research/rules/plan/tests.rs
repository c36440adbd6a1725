//! Which tasks do questions of every form become? A table for each form, and what holds for any text.

use proptest::prelude::*;

use super::*;

fn check(question: &str, expected: &[&str]) {
    let tasks: Vec<String> = plan(question).tasks.into_iter().map(|task| task.question).collect();
    assert_eq!(tasks, expected, "{question}");
}

#[test]
fn a_plain_question_is_one_task() {
    for question in [
        "How does a supervisor learn that an agent died?",
        "How do threads and channels work together?",
        "What are the advantages and disadvantages of partitioning?",
        "How and when does autovacuum run?",
        "How do I give a user read and write access?",
        "What happens between a crash and the next start?",
        "Which function returns the current date and time?",
        "What is the search and replace command?",
        "How does drag and drop work",
        "Which settings limit memory?",
        "What are the pros and cons of partitioning?",
        "How do pros and cons work?",
        "What is the request and response cycle?",
        "Explain the request and response cycle.",
        "What is black and white?",
        "What are black and white images?",
        "What are hash and btree indexes?",
        "What is a user who can log in and who may create tables?",
        "What is A?",
        "What is cause and effect?",
        "How do I drag and drop a file?",
        "How do I safely and quickly upgrade a server?",
        "Explain how and why agents fail.",
        "What happens when a client connects and when it disconnects?",
        "How do readers and writers interact?",
        "I run version 1. How do I upgrade?",
        "How do I compare text with a pattern?",
        "deadlock",
        "Where are the configuration files, which the server reads, kept?",
        "What is the disk on which the log is kept and on which the data is kept?",
        "When was the mill built, and by whom?",
        "When is the oven, which is hot, cleaned and how?",
        "At which temperature is rye bread baked?",
        "How are loaves, at which the baker is good, baked?",
    ] {
        check(question, &[question]);
    }
}

#[test]
fn several_questions_are_several_tasks() {
    check("What is a mutex? What is a channel?", &["What is a mutex?", "What is a channel?"]);
    check("Explain ownership. Describe borrowing.", &["Explain ownership.", "Describe borrowing."]);
    check(
        "I run version 15.2. How do I upgrade? Where are the logs?",
        &["I run version 15.2. How do I upgrade?", "Where are the logs?"],
    );
}

#[test]
fn clauses_are_parts_that_stand_on_their_own() {
    check(
        "How do I start the server and how do I stop the server?",
        &["How do I start the server?", "How do I stop the server?"],
    );
    check("What is a view and is it updatable?", &["What is a view?", "Is a view updatable?"]);
    check("What are closures, and what do they capture?", &["What are closures?", "What do closures capture?"]);
    check(
        "How do I create an index concurrently, and what happens if it fails?",
        &["How do I create an index concurrently?", "What happens if it fails?"],
    );
    check(
        "Explain what a mutex is and how it is poisoned.",
        &["Explain what a mutex is", "Explain how a mutex is poisoned"],
    );
    check(
        "How do I dump all databases, and how do I load that file again?",
        &["How do I dump all databases?", "How do I load that file again?"],
    );
    check("What is a deadlock? How can I avoid it?", &["What is a deadlock?", "How can I avoid a deadlock?"]);
}

#[test]
fn a_clause_without_a_verb_shares_the_next_one() {
    check("How do threads, and how do channels work?", &["How do threads work?", "How do channels work?"]);
    check(
        "How do threads, how do smart pointers, and how do mutexes work in Rust?",
        &["How do threads work in Rust?", "How do smart pointers work in Rust?", "How do mutexes work in Rust?"],
    );
    check("How do threads work, and how do channels fail?", &["How do threads work?", "How do channels fail?"]);
}

#[test]
fn a_preposition_before_an_interrogative_opens_a_clause() {
    check(
        "How are backups made, and at which temperature is rye bread baked?",
        &["How are backups made?", "At which temperature is rye bread baked?"],
    );
    check(
        "At which temperature is rye bread baked, and at which time is the starter fed?",
        &["At which temperature is rye bread baked?", "At which time is the starter fed?"],
    );
    check(
        "When is the oven cleaned and by whom is rye bread baked?",
        &["When is the oven cleaned?", "By whom is rye bread baked?"],
    );
}

#[test]
fn a_list_of_clauses_is_parted_at_its_commas() {
    let ends = ["When is the oven cleaned?", "How are backups made?"];
    for middle in
        ["Who is the king of Norway?", "At which temperature is rye bread baked?", "Which bread is baked first?"]
    {
        let low = format!("{}{}", middle[..1].to_lowercase(), middle[1..].trim_end_matches('?'));
        let question = format!("When is the oven cleaned, {low}, and how are backups made?");
        check(&question, &[ends[0], middle, ends[1]]);
    }
    let wal = ["What is WAL?", "Who writes WAL?", "Why does WAL grow?"];
    for end in ["it, and why does it grow?", "it, why does it grow?", "it and why does it grow?"] {
        check(&format!("What is WAL, who writes {end}"), &wal);
    }
    check(
        "Why does WAL grow, who writes the segments, and when is the oven cleaned?",
        &["Why does WAL grow?", "Who writes the segments?", ends[0]],
    );
    for question in ["Where is the editor, who writes the news?", "Where is Anna, who writes books, paid?"] {
        check(question, &[question]);
    }
    // What is said of the oven and of Anna is no question.
    check(
        "Where is Anna, who leads the team, and when is she paid?",
        &["Where is Anna, who leads the team?", "When is she paid?"],
    );
    let oven = "Where is the oven, whose door is hot and how is it cleaned?";
    check(oven, &[oven]);
    check(
        "Where is the oven, which is hot, and how are backups made?",
        &["Where is the oven, which is hot?", "How are backups made?"],
    );
}

#[test]
fn every_clause_is_parted() {
    let parts = ["What is VACUUM?", "When should I run VACUUM?", "Who may run VACUUM?"];
    check("What is VACUUM and when should I run it and who may run it?", &parts);
    check("What is VACUUM, when should I run it, and who may run it?", &parts);
    check(
        "How do I reload a view, and can people still query it?",
        &["How do I reload a view?", "Can people still query a view?"],
    );
}

#[test]
fn numbers_bullets_and_ties_go() {
    let parts = ["What is a crate?", "What is a module?"];
    for question in [
        "1. What is a crate? 2. What is a module?",
        "1) What is a crate? 2) What is a module?",
        "(1) What is a crate?\n(2) What is a module?",
        "a) What is a crate? b) What is a module?",
        "I have two questions: 1. What is a crate? 2. What is a module?",
        "- What is a crate?\n- What is a module?",
        "What is a crate? And what is a module?",
        "What is a crate? Also, what is a module?",
        "What is a crate; and also what is a module?",
    ] {
        check(question, &parts);
    }
    check("1. What is a crate?", &["What is a crate?"]);
}

#[test]
fn a_clause_that_says_next_to_nothing_alone_stays_with_the_one_before() {
    for question in [
        "How do I find out which query holds a lock and how do I kill it?",
        "How does a crew restart an agent, and when does it stop?",
        "How do I stop an agent, and how do I restart them?",
        "How do I give a user access, and how do I revoke it?",
        "What is a lock and how does a thread know it?",
        "How big a stack does a thread get, and can I raise it?",
    ] {
        check(question, &[question]);
    }
    check("How do I step through a program in VS Code?", &["How do I step through a program in VS Code?"]);
}

#[test]
fn a_pronoun_gives_way_only_to_a_clear_noun_phrase() {
    for (question, second) in [
        ("Why do the tomatoes get blight and when do I sow them?", "When do I sow the tomatoes?"),
        ("How do I install Rust on Windows and how do I uninstall it?", "How do I uninstall Rust?"),
        ("How do I create an index and drop it?", "How do I drop an index?"),
        ("What does fsync protect me from, and when is it safe to turn it off?", "When is it safe to turn fsync off?"),
        ("What does work_mem limit, and what is its default?", "What is work_mem's default?"),
        ("What is a mutex for, and when is its lock let go?", "When is a mutex's lock let go?"),
        ("How long does a backup take and how do I restore it?", "How do I restore a backup?"),
        ("What is a mailbox and how big is it?", "How big is a mailbox?"),
        ("Why do agents die and who restarts them?", "Who restarts agents?"),
    ] {
        let plan = plan(question);
        assert_eq!(plan.tasks.len(), 2, "{question}");
        assert_eq!(plan.tasks[1].question, second, "{question}");
    }
}

#[test]
fn tasks_of_a_reader_are_parted_at_the_second_verb() {
    check(
        "How do I back up and restore a database?",
        &["How do I back up a database?", "How do I restore a database?"],
    );
    check(
        "How do I plant and water and harvest tomatoes?",
        &["How do I plant tomatoes?", "How do I water tomatoes?", "How do I harvest tomatoes?"],
    );
    let three = ["How do I build a crate?", "How do I install a crate?", "How do I test a crate?"];
    check("How do I build and install and test a crate?", &three);
    check("How do I build, install and test a crate?", &three);
    check("How do I VACUUM and ANALYZE a table?", &["How do I VACUUM a table?", "How do I ANALYZE a table?"]);
    check("How do I create and drop an index?", &["How do I create an index?", "How do I drop an index?"]);
    check(
        "How can I enable logging and rotate the files?",
        &["How can I enable logging?", "How can I rotate the files?"],
    );
}

#[test]
fn a_comparison_is_one_task_a_side() {
    check("What is the difference between VACUUM and VACUUM FULL?", &["VACUUM", "VACUUM FULL"]);
    check("How does String differ from &str?", &["String", "&str"]);
    check("What is the difference between A, B and C?", &["A", "B", "C"]);
    check("What is the difference between A and AA?", &["A", "AA"]);
    check("What is the difference between A records and MX records?", &["A records", "MX records"]);
    check("How do hash joins and merge joins differ?", &["hash joins", "merge joins"]);
    check("Rc<T> versus Arc<T>", &["Rc<T>", "Arc<T>"]);
    check("char vs. varchar in indexes?", &["char in indexes", "varchar in indexes"]);
    check("Compare physical with logical replication.", &["physical replication", "logical replication"]);
    check("How is a trait different from a struct?", &["trait", "struct"]);
    check("Should I use a Vec or an array?", &["Vec", "array"]);
    check(
        "What is a dead letter and how does it differ from a mailbox?",
        &["What is a dead letter?", "How does a dead letter differ from a mailbox?"],
    );
    check(
        "1. What is a crate? 2. What is a module? 3. How does it differ from a crate?",
        &["What is a crate?", "What is a module?", "How does a module differ from a crate?"],
    );
    check("json or jsonb: which type should I take?", &["json", "jsonb"]);
    check("Should it panic or return an error?", &["it panic", "return an error"]);
    check(
        "RefCell<T> compared with Box<T>: when are the rules checked?",
        &["RefCell<T>: when are the rules checked", "Box<T>: when are the rules checked"],
    );
    check("What is the difference between a smart and a fast shutdown?", &["smart shutdown", "fast shutdown"]);
    check("What is the difference between a view and a materialized view?", &["view", "materialized view"]);
    check("Which is faster, COPY or INSERT?", &["COPY", "INSERT"]);
    check("What is the difference between hash and btree indexes?", &["hash indexes", "btree indexes"]);
    check("What are the differences between Box, Rc, and RefCell?", &["Box", "Rc", "RefCell"]);
}

#[test]
fn a_list_that_is_asked_about_is_one_task_an_item() {
    check("What are structs and enums?", &["What are structs?", "What are enums?"]);
    check(
        "What do max_connections and shared_buffers control?",
        &["What do max_connections control?", "What do shared_buffers control?"],
    );
    check("What is ownership and borrowing?", &["What is ownership?", "What is borrowing?"]);
    check("What is the stack and the heap?", &["What is the stack?", "What is the heap?"]);
    check("How do beans and peas grow?", &["How do beans grow?", "How do peas grow?"]);
    check("What is A and B?", &["What is A?", "What is B?"]);
    check(
        "How do threads, channels and mutexes work?",
        &["How do threads work?", "How do channels work?", "How do mutexes work?"],
    );
    let told = ["Tell me about ownership.", "Tell me about borrowing.", "Tell me about lifetimes."];
    check("Tell me about ownership; borrowing; lifetimes.", &told);
    check("Tell me about ownership, borrowing, and lifetimes.", &told);
    check(
        "What is the use of HAVING and WHERE in a query?",
        &["What is the use of HAVING in a query?", "What is the use of WHERE in a query?"],
    );
    check("Explain Box<T> and Rc<T>", &["Explain Box<T>", "Explain Rc<T>"]);
}

#[test]
fn many_parts_stay_within_the_bound() {
    let question: String = (0..40).map(|n| format!("What is item{n}? ")).collect();
    let plan = plan(&question);
    assert_eq!(plan.tasks.len(), MAX_TASKS);
    assert!(plan.tasks.last().is_some_and(|task| task.question.contains("item39")));
}

proptest! {
    #[test]
    fn there_is_always_a_task_and_never_too_many(
        question in "\\PC{0,120}|((what|how|is|the|and|or|vs|between|difference|compare|with|it|a|Rc<T>|from|,|\\?|\\.|use|differ|create|in|do|I|it|its|them|A|1\\.|2\\)|;|who|explain|threads|work|build|of)( )?){0,30}"
    ) {
        let plan = plan(&question);
        prop_assert!(!plan.tasks.is_empty() && plan.tasks.len() <= MAX_TASKS);
        for (n, task) in (1..).zip(&plan.tasks) {
            prop_assert_eq!(task.id, TaskId(n));
            prop_assert!(task.question.len() <= question.len() * 2 + 16);
        }
        prop_assert_eq!(plan.question, question);
    }
}
