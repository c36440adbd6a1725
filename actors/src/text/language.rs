//! Is a text English? Decides only whether English stemming is applied; a wrong guess costs recall, never correctness.

/// What the stemmer has to know about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Words are reduced to their English stems.
    #[default]
    English,
    /// Words are lower-cased and otherwise left as they are.
    Other,
}

/// How much of a text is looked at, in words.
const SAMPLE: usize = 2_000;

/// Function words of English that none of the languages below shares.
const ENGLISH: [&str; 24] = [
    "the", "of", "and", "to", "is", "that", "for", "with", "are", "this", "be", "by", "from", "which", "can", "not",
    "it", "you", "have", "if", "when", "your", "how", "what",
];

/// Function words of German, French, Spanish, Italian, Portuguese, Dutch, Swedish and Polish that are no English words.
const OTHER: [&str; 60] = [
    "der", "das", "und", "ist", "nicht", "ein", "eine", "mit", "von", "auf", "für", "wird", "les", "des", "est", "une",
    "dans", "pour", "que", "qui", "avec", "sont", "sur", "el", "los", "las", "una", "para", "por", "con", "del",
    "como", "il", "gli", "che", "di", "della", "sono", "não", "uma", "os", "em", "het", "een", "van", "niet", "voor",
    "zijn", "och", "att", "det", "som", "är", "nie", "jest", "się", "na", "ze", "le", "la",
];

/// English unless the text says otherwise: most of its letters are not Latin, or the function words of its European
/// neighbours outnumber those of English. A text without function words (a table, code) counts as English.
pub fn language(text: &str) -> Language {
    let (mut english, mut other, mut latin, mut foreign) = (0_usize, 0_usize, 0_usize, 0_usize);
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).take(SAMPLE) {
        for c in word.chars().take(64) {
            if c < '\u{250}' {
                latin += 1;
            } else {
                foreign += 1;
            }
        }
        if word.len() > 12 {
            continue;
        }
        let word = word.to_lowercase();
        english += usize::from(ENGLISH.contains(&word.as_str()));
        other += usize::from(OTHER.contains(&word.as_str()));
    }
    if foreign > latin || other > english { Language::Other } else { Language::English }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_by_function_words_and_script() {
        let table = [
            ("The index lives under the cache directory.", Language::English),
            ("Der Index liegt im Verzeichnis und wird nicht gelöscht.", Language::Other),
            ("Les fichiers sont dans le répertoire des données.", Language::Other),
            ("El índice se guarda en la carpeta de los datos.", Language::Other),
            ("インデックスはキャッシュにあります", Language::Other),
            ("Индекс хранится в каталоге", Language::Other),
            ("max_connections = 100", Language::English),
            ("", Language::English),
        ];
        for (text, expected) in table {
            assert_eq!(language(text), expected, "{text}");
        }
    }
}
