//! Is it said of every provider whether anybody tried it, and of every reply in the fixtures where it is from?

/// Providers without a line in the table of what was tried live, and lines about providers that are not there.
pub(crate) fn providers_are_told(folders: &[String], path: &str, document: &str) -> Vec<String> {
    let table =
        document.lines().skip_while(|line| !(line.starts_with("| models |") && line.ends_with("| tried live |")));
    let rows: Vec<Vec<&str>> = table.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect();
    let told: Vec<&str> =
        rows.iter().flat_map(|row| quoted(row[0])).filter_map(|name| Some(name.split_once('/')?.0)).collect();
    let mut complaints = Vec::new();
    for folder in folders {
        let name = folder.rsplit('/').next().unwrap_or(folder);
        if !told.contains(&name) {
            complaints.push(format!(
                "{path}: no line for `{name}/` in the table. Say whether it was tried live, and with what"
            ));
        }
    }
    let exists = |name: &str| folders.iter().any(|folder| folder.ends_with(&format!("/{name}")));
    let gone = told.iter().filter(|name| !exists(name));
    complaints
        .extend(gone.map(|name| format!("{path}: there is no provider `{name}/`. Take its line out of the table")));
    let silent = rows.iter().filter(|row| row.last().is_none_or(|live| live.is_empty()));
    complaints.extend(
        silent.map(|row| format!("{path}: the line of {} does not say what was tried. Write it, or `never`", row[0])),
    );
    complaints
}

/// Providers that are not among those of the contract suite, and entries of providers that are not there. A folder in a provider's
/// folder is another of its interfaces: `openai/responses` is `openai by Responses`. A provider may be there once more for another of its
/// ways, such as `anthropic by its own schemas`.
pub(crate) fn providers_have_a_contract(folders: &[String], path: &str, suite: &str) -> Vec<String> {
    let entries: Vec<_> = suite
        .lines()
        .filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","))
        .map(str::to_lowercase)
        .collect();
    let names: Vec<_> =
        folders.iter().map(|folder| folder.trim_start_matches("src/providers/").replace('/', " by ")).collect();
    let missing = names.iter().filter(|name| !entries.contains(name));
    let provider = |entry: &str| entry.split(" by ").next().unwrap_or(entry).to_owned();
    let gone = entries.iter().filter(|entry| !names.contains(entry) && !names.contains(&provider(entry)));
    missing
        .map(|name| format!("{path}: no `{name}` in PROVIDERS. Add it: every provider passes the contract suite"))
        .chain(gone.map(|entry| format!("{path}: there is no provider `{entry}`. Take it out of PROVIDERS")))
        .collect()
}

/// Files of a folder of fixtures that its README does not tell the origin and the date of.
pub(crate) fn fixtures_have_an_origin(folder: &str, files: &[String], readme: &str) -> Vec<String> {
    let rows: Vec<Vec<&str>> = readme.lines().filter(|line| line.starts_with("| ")).skip(1).map(cells).collect();
    let before = readme.split("\n| ").next().unwrap_or_default();
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with(".md")) {
        let name = file.rsplit('/').next().unwrap_or(file);
        let row = rows.iter().find(|row| quoted(row[0]).any(|pattern| fits(name, pattern)));
        let is_tool = (name.ends_with(".sh") || name.ends_with(".py")) && readme.contains(&format!("`{name}`"));
        match row {
            None if is_tool => {}
            None => complaints
                .push(format!("{folder}/README.md: nothing about {name}. Say where it is from, and when it was had")),
            Some(row) if row[1..].iter().any(|cell| cell.is_empty()) => {
                complaints.push(format!(
                    "{folder}/README.md: the line of {name} has an empty cell. Say where it is from and how"
                ));
            }
            // What was recorded is of one month; what was read has an address, and a day of its own.
            Some(_) if before.split("recorded in ").skip(1).any(has_year) => {}
            Some(row) if row.iter().any(|cell| cell.contains("https://")) && row.iter().any(|cell| has_day(cell)) => {}
            Some(_) => complaints
                .push(format!("{folder}/README.md: no address and no date for {name}. Write both, as 2026-01-31")),
        }
    }
    complaints
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// What stands in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A name, or the begin of one with a star behind.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == pattern || name.rsplit_once('.').is_some_and(|(stem, _)| stem == pattern),
    }
}

fn has_year(text: &str) -> bool {
    let digits = text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
    digits.is_some_and(|digits| digits.len() == 4)
}

fn has_day(text: &str) -> bool {
    text.split([' ', ',']).any(|word| {
        let parts: Vec<_> =
            word.split('-').map(|part| (part.len(), part.chars().all(|c| c.is_ascii_digit()))).collect();
        parts == [(4, true), (2, true), (2, true)]
    })
}

#[test]
fn a_provider_of_which_nobody_knows_whether_it_was_tried_is_noticed() {
    let told = |rows: &str| {
        let table =
            format!("# A\n\n| models | are called by | tried live |\n|---|---|---|\n{rows}\n\n| `c/` | x | |\n");
        providers_are_told(&["src/providers/a".into(), "src/providers/b".into()], "README.md", &table)
    };
    assert_eq!(told("| `a/`, `b/NAME` | x | never |"), Vec::<String>::new());
    for rows in ["| `a/` | x | never |", "| `a/`, `b/`, `c/` | x | never |", "| `a/`, `b/` | x | |"] {
        assert_eq!(told(rows).len(), 1, "{rows}");
    }
    assert_eq!(told("").len(), 2, "both are missing");
}

#[test]
fn a_provider_without_a_contract_is_noticed() {
    let folders = ["src/providers/a", "src/providers/a/fast", "src/providers/b"].map(String::from);
    let told = |names: &[&str]| {
        let entries: String =
            names.iter().map(|name| format!("    Provider {{\n        name: \"{name}\",\n")).collect();
        providers_have_a_contract(&folders, "mod.rs", &entries)
    };
    assert_eq!(told(&["a", "a by Fast", "b"]), Vec::<String>::new());
    for names in [&["a", "b"][..], &["a", "a by Fast"], &["a", "a by Fast", "b", "c"]] {
        assert_eq!(told(names).len(), 1, "{names:?}");
    }
    assert_eq!(told(&[]).len(), 3, "all are missing");
}

#[test]
fn a_fixture_of_nobody_knows_where_is_noticed() {
    let told = |before: &str, row: &str| {
        let readme =
            format!("# A\n\n{before}\n\n| files | address | date |\n|---|---|---|\n{row}\n\nMade by `make.sh`.\n");
        let files =
            ["tests/a/README.md", "tests/a/one.json", "tests/a/one-more.http", "tests/a/make.sh"].map(String::from);
        fixtures_have_an_origin("tests/a", &files, &readme)
    };
    let address = "https://example.org";
    assert_eq!(told("Copied.", &format!("| `one*` | {address} | read on 2026-11-27 |")), Vec::<String>::new());
    assert_eq!(told("All recorded in November 2026.", "| `one*` | a server | by hand |"), Vec::<String>::new());
    for (before, row) in [
        ("Copied.", "| `one*` | a page | read on 2026-11-27 |".to_owned()),
        ("Copied.", format!("| `one*` | {address} | lately |")),
        ("All recorded in November.", "| `one*` | a server | by hand |".to_owned()),
        ("All recorded in 2026.", "| `two*` | a server | by hand |".to_owned()),
        ("All recorded in 2026.", "| `one*` | a server | |".to_owned()),
    ] {
        assert_eq!(told(before, &row).len(), 2, "{before} {row}");
    }
    assert_eq!(told("All recorded in 2026.", "| `one` | a server | by hand |").len(), 1, "a name is no begin");
}
