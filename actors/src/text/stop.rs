//! Which words say nothing about what a text is about?

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// English function words. Kept here rather than taken from a crate because questions need their own additions, and
/// because what counts as empty decides what counts as evidence.
const FUNCTION: &str = "a about above across actually after again against all almost along already also although always am \
among an and another any anybody anyone anything are aren't around as at away be because been before being below between \
both but by came can can't cannot come could couldn't did didn't do does doesn't doing don't done down during each either \
else enough etc even ever every everything few for from further get gets getting give given gives go goes going gone got \
had has hasn't have haven't having he her here hers herself him himself his how however i i'd i'll i'm i've if in instead into \
is isn't it its it's itself just let let's like likely made make makes making many may maybe me might mine more most much \
must my myself need needed needs neither never no nobody none nor not nothing now of off often on once one only onto or \
other others otherwise ought our ours ourselves out over own per perhaps please put quite rather really same say says see \
seem seems shall she should shouldn't since so some somebody somehow someone something sometimes somewhat still such \
take taken takes taking tell than that that's the their theirs them themselves then there there's therefore these they \
they're thing things this those though through thus to together too toward towards under until up upon us use used uses \
using usually very via want wants was wasn't way ways we well were weren't what what's whatever when whenever where \
wherever whether which whichever while who whoever whom whose why will with within without won't would wouldn't yes yet \
you you'd you'll you're you've your yours yourself";

/// Words that shape a question and never name its subject.
const QUESTION: &str = "what what's which who whom whose when where why how is are was were be been do does did can could \
should would will shall may might must has have had the a an of to in on at for and or i you we it its there explain \
describe tell show me please";

/// Function words of German, French and Spanish, and words with which their questions begin. Some are English words
/// (`die`, `comment`), so they count in questions of another language only.
const FOREIGN: &str = "wie was wer wen wem wessen wo woher wohin wann warum wieso weshalb welche welcher welches welchen wozu \
womit lange lang hoch oft viel viele weit der die das den dem des ein eine einen einem einer eines und oder aber ist sind war \
waren hat haben hatte wird werden wurde kann können muss müssen soll sollen sollte darf dürfen man es er sie wir ich ihr mein \
meine unser unsere sich auch noch nur nicht mit von vom bei beim zu zum zur im in an am auf aus für über unter nach vor bis \
als um dass wenn gibt kommt \
quand vient où qui que quoi quel quelle quels quelles comment pourquoi combien le la les un une des du de au aux et ou est sont \
était a ont fait faut peut doit on il elle ils elles nous vous je tu ce cette ces cet mon ma mes notre nos votre son sa ses \
dans sur sous avec sans pour par en y ne pas plus se si qu'est-ce est-ce \
cuándo cuando dónde donde quién quien quiénes qué cuál cuáles cómo como cuánto cuánta cuántos cuántas el los las una unos \
unas del al y o es son está están fue ha han hay tiene tienen puede debe se su sus mi mis nuestro nuestra lo con sin para por \
no más muy llega viene";

fn set(words: &'static str) -> BTreeSet<&'static str> {
    words.split_whitespace().collect()
}

static FUNCTION_SET: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| set(FUNCTION));
static FOREIGN_SET: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| set(FOREIGN));
static QUESTION_SET: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| set(QUESTION));

/// Whether the lower-case, unstemmed `word` is a function word.
pub fn is_stop_word(word: &str) -> bool {
    FUNCTION_SET.contains(word)
}

/// Whether the lower-case, unstemmed `word` only shapes a question (`what`, `does`, `explain`).
pub fn is_question_word(word: &str) -> bool {
    QUESTION_SET.contains(word)
}

/// Whether the lower-case `word` only shapes a question in German, French or Spanish (`wie`, `combien`, `dónde`).
pub fn is_foreign_stop_word(word: &str) -> bool {
    FOREIGN_SET.contains(word)
}
