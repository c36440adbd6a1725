//! Which tool call does a piece of a reply belong to? Servers number the pieces of a call, name it in each of them, or do neither, and
//! some number all calls alike. Pure.

use callboard_actors::chat::ToolCall;
use callboard_actors::error::ModelError;

/// The most tool calls that one reply may have.
const MOST: usize = 128;

/// What a server says of a call at a time. Nothing that it says is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Piece<'a> {
    /// Its number, which is a name and no place: some begin at 1, or leave numbers out.
    pub(super) index: Option<u64>,
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

/// The calls of a reply that grows, in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Begun>);

#[derive(Debug, Default)]
struct Begun {
    index: Option<u64>,
    call: ToolCall,
    arguments: Json,
}

impl Calls {
    /// Takes in a piece, or a call that comes at once; gives the place of the call, and whether its arguments are new.
    pub(super) fn take(&mut self, piece: Piece<'_>, is_whole: bool) -> Result<(usize, bool), ModelError> {
        let place = self.known(piece).filter(|_| !is_whole).unwrap_or(self.0.len());
        if place >= MOST {
            return Err(ModelError::Malformed(format!("it calls more than {MOST} tools")));
        }
        if place == self.0.len() {
            self.0.push(Begun { index: piece.index, ..Begun::default() });
        }
        let is_new = !self.0[place].is_named_again(piece);
        if is_new {
            self.0[place].grow(piece);
        }
        Ok((place, is_new))
    }

    /// The call that a piece goes on with, if it begins none: the newest one of its index, or of all. An id chooses among them, and one
    /// that is new begins a call, as a function does that is named when all arguments have come. A piece without either begins none.
    fn known(&self, piece: Piece<'_>) -> Option<usize> {
        let fits = |begun: &Begun| piece.index.is_none_or(|index| begun.index == Some(index));
        let newest = self.0.iter().rposition(fits);
        let place = match piece.id {
            None => newest,
            Some(id) => {
                let named = self.0.iter().rposition(|begun| fits(begun) && begun.call.id == id);
                // Some name a call anew in each piece, and its function in the first one.
                let goes_on =
                    |begun: &Begun| begun.call.id.is_empty() || piece.name.is_none() && !begun.call.name.is_empty();
                named.or(newest.filter(|place| goes_on(&self.0[*place])))
            }
        };
        let begins_none = piece.id.is_none() && piece.name.is_none();
        let last = self.0.len().checked_sub(1).filter(|_| begins_none);
        place.filter(|place| !self.0[*place].is_over_before(piece)).or(last)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ToolCall> {
        self.0.iter().map(|begun| &begun.call)
    }

    pub(super) fn end(self) -> Vec<ToolCall> {
        self.0.into_iter().map(|begun| begun.call).collect()
    }
}

impl Begun {
    /// Whether a piece that might be one of its own begins the next call.
    fn is_over_before(&self, piece: Piece<'_>) -> bool {
        piece.name.is_some() && !self.call.name.is_empty() && self.arguments.is_whole() && !self.is_named_again(piece)
    }

    /// Some servers name a call in its last piece, too, with nothing or once more with all of it.
    fn is_named_again(&self, piece: Piece<'_>) -> bool {
        let brings_nothing = || piece.arguments.trim().is_empty() || piece.arguments == self.call.arguments;
        let is_same =
            piece.id.is_some_and(|id| id == self.call.id) && piece.name.is_none_or(|name| name == self.call.name);
        is_same && self.arguments.is_whole() && brings_nothing()
    }

    fn grow(&mut self, piece: Piece<'_>) {
        if let Some(id) = piece.id {
            id.clone_into(&mut self.call.id);
        }
        if let Some(name) = piece.name {
            name.clone_into(&mut self.call.name);
        }
        self.call.arguments.push_str(piece.arguments);
        self.arguments.take(piece.arguments);
    }
}

/// How far the JSON of arguments has come, so that it is not read anew with each piece.
#[derive(Debug, Default)]
struct Json {
    has_begun: bool,
    /// Brackets that are open.
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl Json {
    fn take(&mut self, more: &str) {
        for sign in more.bytes() {
            match sign {
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'\\' => self.is_escaped = self.is_in_text,
                b'"' => self.is_in_text = !self.is_in_text,
                _ if self.is_in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => continue,
            }
            self.has_begun = true;
        }
    }

    fn is_whole(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.is_in_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index, an id, a name and arguments. What is empty is not said.
    type Row = (Option<u64>, &'static str, &'static str, &'static str);
    /// An id, a name and arguments.
    type Call = (&'static str, &'static str, &'static str);

    fn read(rows: &[Row], is_whole: bool) -> (Vec<(usize, bool)>, Calls) {
        let mut calls = Calls::default();
        let said = |text: &'static str| Some(text).filter(|text| !text.is_empty());
        let piece =
            |(index, id, name, arguments): &Row| Piece { index: *index, id: said(id), name: said(name), arguments };
        let places = rows.iter().map(|row| calls.take(piece(row), is_whole).unwrap()).collect();
        (places, calls)
    }

    const OSLO: &str = r#"{"city":"Oslo"}"#;
    const ROME: &str = r#"{"city":"}\""}"#;
    const ONE: &[Call] = &[("a", "look", OSLO)];
    const BOTH: &[Call] = &[("a", "look", OSLO), ("b", "look", ROME)];
    const UNNAMED: &[Call] = &[("", "look", OSLO), ("", "look", ROME)];

    #[test]
    fn every_way_to_cut_calls_into_pieces_is_read_as_the_calls_that_were_meant() {
        const I: Option<u64> = Some(0);
        const II: Option<u64> = Some(1);
        let half = (r#"{"city":"#, r#""Oslo"}"#, r#""}\""}"#);
        let table: [(&str, Vec<Row>, &[Call]); 28] = [
            (
                "a new id in each piece",
                vec![(I, "a", "look", ""), (I, "x", "", half.0), (I, "x", "", half.1)],
                &[("x", "look", OSLO)],
            ),
            (
                "another function with the same id",
                vec![(I, "a", "look", "{}"), (I, "a", "see", "{}")],
                &[("a", "look", "{}"), ("a", "see", "{}")],
            ),
            ("once more at the end", vec![(I, "a", "look", half.0), (I, "", "", half.1), (I, "a", "look", OSLO)], ONE),
            ("whole", vec![(I, "a", "look", OSLO), (II, "b", "look", ROME)], BOTH),
            ("in pieces", vec![(I, "a", "look", half.0), (I, "", "", half.1)], ONE),
            (
                "interleaved",
                vec![
                    (I, "a", "look", ""),
                    (II, "b", "look", half.0),
                    (I, "", "", half.0),
                    (II, "", "", half.2),
                    (I, "", "", half.1),
                ],
                BOTH,
            ),
            ("all with one index", vec![(I, "a", "look", OSLO), (I, "b", "look", ROME)], BOTH),
            (
                "all with one index, in pieces",
                vec![(I, "a", "look", half.0), (I, "", "", half.1), (I, "b", "look", half.0), (I, "", "", half.2)],
                BOTH,
            ),
            (
                "all with one index, interleaved by their ids",
                vec![(I, "a", "look", half.0), (I, "b", "look", half.0), (I, "a", "", half.1), (I, "b", "", half.2)],
                BOTH,
            ),
            ("all with one index and no id", vec![(I, "", "look", OSLO), (I, "", "look", ROME)], UNNAMED),
            (
                "all with one index and no id, in pieces",
                vec![(I, "", "look", half.0), (I, "", "", half.1), (I, "", "look", ""), (I, "", "", ROME)],
                UNNAMED,
            ),
            (
                "all with one index and one id",
                vec![(I, "a", "look", OSLO), (I, "a", "look", ROME)],
                &[ONE[0], ("a", "look", ROME)],
            ),
            ("from 1", vec![(II, "a", "look", OSLO)], ONE),
            ("with gaps", vec![(Some(3), "a", "look", OSLO), (Some(u64::MAX), "b", "look", ROME)], BOTH),
            ("backwards", vec![(II, "a", "look", OSLO), (I, "b", "look", ROME)], BOTH),
            ("unnumbered", vec![(None, "a", "look", OSLO), (None, "b", "look", ROME)], BOTH),
            (
                "unnumbered, in pieces",
                vec![
                    (None, "a", "look", half.0),
                    (None, "", "", half.1),
                    (None, "b", "look", half.0),
                    (None, "", "", half.2),
                ],
                BOTH,
            ),
            (
                "unnumbered, with the id in each piece, interleaved",
                vec![(None, "a", "look", half.0), (None, "b", "look", ROME), (None, "a", "look", half.1)],
                BOTH,
            ),
            ("unnumbered, without ids", vec![(None, "", "look", OSLO), (None, "", "look", ROME)], UNNAMED),
            (
                "unnumbered, without ids, in pieces",
                vec![(None, "", "look", half.0), (None, "", "", half.1), (None, "", "look", ROME)],
                UNNAMED,
            ),
            (
                "an id in each piece",
                vec![(I, "a", "look", half.0), (I, "a", "look", half.1), (I, "a", "look", "")],
                ONE,
            ),
            ("an id that comes late", vec![(I, "", "look", ""), (I, "a", "", OSLO)], ONE),
            ("a name that comes late", vec![(I, "a", "", OSLO), (I, "", "look", "")], ONE),
            (
                "one id for two indexes",
                vec![(I, "a", "look", OSLO), (II, "a", "look", ROME)],
                &[ONE[0], ("a", "look", ROME)],
            ),
            ("a piece of nothing", vec![(I, "a", "look", OSLO), (II, "", "", "")], ONE),
            ("numbered by piece", vec![(I, "a", "look", half.0), (II, "", "", half.1)], ONE),
            (
                "arguments within a text",
                vec![(I, "", "look", r#""{\"city\":"#), (I, "", "look", r#"1}""#), (I, "", "look", ROME)],
                &[("", "look", r#""{\"city\":1}""#), UNNAMED[1]],
            ),
            ("no name at all", vec![(None, "", "", half.0), (None, "", "", half.1)], &[("", "", OSLO)]),
        ];
        for (case, rows, expected) in table {
            let (places, calls) = read(&rows, false);
            let found: Vec<_> = calls.iter().map(|call| (&*call.id, &*call.name, &*call.arguments)).collect();
            assert_eq!(found, expected, "{case}");
            let mut seen = vec![String::new(); expected.len()];
            let new = places.iter().zip(&rows).filter(|((_, is_new), _)| *is_new);
            new.for_each(|((place, _), row)| seen[*place].push_str(row.3));
            assert!(seen.iter().zip(expected).all(|(seen, call)| seen == call.2), "{case}: {places:?}");
        }
    }

    #[test]
    fn what_stands_in_the_list_of_a_whole_reply_is_a_call_each() {
        let rows =
            [(Some(0), "", "look", ""), (Some(0), "", "look", OSLO), (None, "a", "see", ""), (None, "a", "", "{}")];
        assert_eq!(read(&rows, true).0, [0, 1, 2, 3].map(|place| (place, true)));
    }

    #[test]
    fn a_reply_calls_so_many_tools_and_no_more() {
        let mut calls = Calls::default();
        let ids: Vec<_> = (0..=MOST).map(|number| number.to_string()).collect();
        let take = |calls: &mut Calls, id: &String| calls.take(Piece { id: Some(id), ..Piece::default() }, false);
        assert!(ids[..MOST].iter().all(|id| take(&mut calls, id).is_ok()));
        assert!(matches!(take(&mut calls, &ids[MOST]), Err(ModelError::Malformed(_))));
        assert_eq!(take(&mut calls, &ids[0]), Ok((0, true)), "a piece of one of them");
    }
}
