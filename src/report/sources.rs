//! Where does a citation stand, in words? The stored texts of a report, and the place of a quote in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_actors::research::Citation;

/// Extensions of files whose stored text has the lines of the file itself. Of other formats the text is extracted.
const LINE_BY_LINE: [&str; 2] = ["txt", "text"];

/// The stored texts that the citations of one report point into, by their SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<String, Arc<str>>);

impl Sources {
    /// The stored text whose SHA-256 is `source`.
    pub fn get(&self, source: &str) -> Option<&str> {
        self.0.get(source).map(AsRef::as_ref)
    }

    /// Every source with its text, in the order of the hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(source, text)| (source.as_str(), text.as_ref()))
    }

    /// The line of the file on which a quote starts, from 1; `None` for formats whose text is extracted.
    pub fn line(&self, citation: &Citation) -> Option<usize> {
        let name = citation.file.rsplit('/').next().unwrap_or(&citation.file);
        let (_, extension) = name.rsplit_once('.')?;
        if !LINE_BY_LINE.contains(&extension.to_ascii_lowercase().as_str()) {
            return None;
        }
        let before = self.get(&citation.source)?.as_bytes().get(..citation.start)?;
        Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }
}

impl FromIterator<(String, Arc<str>)> for Sources {
    fn from_iter<I: IntoIterator<Item = (String, Arc<str>)>>(texts: I) -> Self {
        Self(texts.into_iter().collect())
    }
}

/// The file as the user can open it: the corpus path as given, and the file in it.
pub(super) fn path(citation: &Citation) -> String {
    let corpus = citation.corpus.trim_end_matches('/');
    if citation.file.is_empty() || corpus == citation.file || corpus.ends_with(&format!("/{}", citation.file)) {
        return citation.corpus.clone();
    }
    format!("{corpus}/{}", citation.file)
}

/// The headings above the quote, outermost first, or the document's title when it has none.
pub(super) fn trail(citation: &Citation) -> String {
    match citation.headings.as_slice() {
        [] => citation.title.clone(),
        headings => headings.join(" › "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn citation(corpus: &str, file: &str, start: usize) -> Citation {
        Citation {
            id: 1,
            corpus: corpus.into(),
            file: file.into(),
            title: "T".into(),
            headings: Vec::new(),
            quote: "q".into(),
            source: "ab".into(),
            start,
            end: start + 1,
        }
    }

    #[test]
    fn a_path_can_be_opened() {
        for (corpus, file, shown) in [
            ("docs", "a/b.md", "docs/a/b.md"),
            ("docs/", "b.md", "docs/b.md"),
            (".", "b.md", "./b.md"),
            ("docs/b.md", "b.md", "docs/b.md"),
            ("b.md", "b.md", "b.md"),
            ("/", "b.md", "/b.md"),
        ] {
            assert_eq!(path(&citation(corpus, file, 0)), shown, "{corpus} {file}");
        }
    }

    #[test]
    fn lines_are_counted_where_the_text_is_the_file() {
        let sources: Sources = [("ab".to_owned(), Arc::from("one\ntwo\nthree"))].into_iter().collect();
        assert_eq!(sources.line(&citation("d", "a.txt", 0)), Some(1));
        assert_eq!(sources.line(&citation("d", "v1.0/a.TXT", 8)), Some(3));
        for extracted in ["a.md", "a.html", "v1.txt/README"] {
            assert_eq!(sources.line(&citation("d", extracted, 8)), None, "{extracted}");
        }
        assert_eq!(sources.line(&citation("d", "a.txt", 99)), None);
    }
}
