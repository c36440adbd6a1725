//! Is a text English? Decides only whether English stemming is applied; a wrong guess costs recall, never correctness.

use std::collections::BTreeSet;
use std::sync::LazyLock;

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
const OTHER: &str = "der das und ist nicht ein eine einen einem einer mit von auf für wird werden wurde als mehr bis zum zur sich \
auch oder sind bei dem wie nur noch aus nach über kann muss haben dass wenn aber vom im ich wir sie wer wann warum welche \
wo les des est une dans pour que qui avec sont sur aux du cette nous vous elle mais pas par ou quand où quel quelle \
combien pourquoi el los las una para por con del como su más pero está también entre qué cuándo cómo dónde quién cuál \
il gli che di della è nel alla sono anche più não uma os em het een van niet voor zijn ook maar naar och att det som är \
inte på av ett för nie jest się na ze oraz dla jak le la";

static OTHER_SET: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| OTHER.split_whitespace().collect());

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
        other += usize::from(OTHER_SET.contains(word.as_str()));
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
            ("Kaffee enthält mehr Koffein als Tee. Tee zieht drei bis fünf Minuten.", Language::Other),
            ("Die Wohnung hat auch Strom oder Gas.", Language::Other),
            ("Quand vient le technicien ?", Language::Other),
            ("Dune costs 12 euros. Anna read more as we ran past two old bus stops.", Language::English),
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
