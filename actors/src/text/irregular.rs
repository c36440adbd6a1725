//! Which irregular form of a verb belongs to which verb? A stemmer cuts endings and knows none of them.
//!
//! Forms that are more often another word are left out: `found` stands for `find`, but `left`, `bit` and `bound` are not here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Each form with the verb it belongs to.
const FORMS: &str = "chose choose chosen choose bought buy kept keep ran run wrote write written write rewrote rewrite \
rewritten rewrite overwrote overwrite overwritten overwrite began begin begun begin took take gave give \
sent send held hold withheld withhold lost lose paid pay said say told tell built build rebuilt rebuild \
found find brought bring thought think taught teach caught catch sold sell spoke speak spoken speak \
broke break broken break woke wake woken wake stole steal stolen steal froze freeze frozen freeze knew know \
known know grew grow grown grow threw throw thrown throw drew draw drawn draw withdrew withdraw \
withdrawn withdraw flew fly flown fly became become forgot forget forgotten forget hid hide hidden hide \
drove drive driven drive ate eat eaten eat drank drink drunk drink sang sing sung sing swam swim swum swim \
rang ring sank sink sunk sink shrank shrink shrunk shrink slept sleep met meet fed feed spent spend lent lend \
led lead won win wore wear worn wear tore tear torn tear understood understand stood stand fought fight \
sought seek dealt deal meant mean hung hang laid lay overrode override overridden override learnt learn \
burnt burn shot shoot struck strike stuck stick went go fell fall fallen fall risen rise rode ride ridden ride \
swept sweep crept creep dug dig spun spin sworn swear shook shake shaken shake blew blow blown blow";

static VERBS: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let words: Vec<&str> = FORMS.split_whitespace().collect();
    words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
});

/// The verb that the lower-case English `word` is a form of, or the word itself.
pub(super) fn verb(word: &str) -> &str {
    VERBS.get(word).copied().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_lead_to_verbs_and_verbs_to_themselves() {
        assert_eq!(["chose", "bought", "kept", "ran", "written"].map(verb), ["choose", "buy", "keep", "run", "write"]);
        assert_eq!(["choose", "bound", "server"].map(verb), ["choose", "bound", "server"]);
        assert_eq!(FORMS.split_whitespace().count(), 2 * VERBS.len(), "a form stands twice");
        assert!(VERBS.values().all(|base| verb(base) == *base));
    }
}
