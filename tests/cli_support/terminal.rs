//! What does a terminal show of what was written to it? As much of one as our output needs: lines, the cursor, and what clears them.

use std::fmt;

/// What a line of progress begins with.
const MARKS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏✓○✗–";

/// A screen of a fixed width, and of as many lines as were written.
pub(crate) struct Screen {
    lines: Vec<Vec<char>>,
    columns: usize,
    row: usize,
    column: usize,
    /// Lines that were longer than the screen is wide.
    too_long: Vec<String>,
}

impl Screen {
    /// What is seen at the end.
    pub(crate) fn of(written: &[u8], columns: usize) -> Self {
        let text = String::from_utf8_lossy(written).into_owned();
        let mut screen = Self { lines: vec![Vec::new()], columns, row: 0, column: 0, too_long: Vec::new() };
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '\u{1b}' => {
                    assert_eq!(rest.next(), Some('['), "an escape that is not ours: {text:?}");
                    let mut wanted = String::new();
                    let kind = loop {
                        match rest.next() {
                            Some(c) if c.is_ascii_digit() || matches!(c, ';' | '?') => wanted.push(c),
                            Some(kind) => break kind,
                            None => panic!("an escape without an end: {text:?}"),
                        }
                    };
                    screen.escape(&wanted, kind);
                }
                '\r' => screen.column = 0,
                '\n' => screen.down(1),
                c => screen.put(c),
            }
        }
        screen
    }

    /// What the lines hold, without the spaces behind them.
    pub(crate) fn text(&self) -> String {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether these words can be read, wherever a line ends between them.
    pub(crate) fn reads(&self, words: &str) -> bool {
        self.text().split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    }

    /// Whether the next prompt stands in a line of its own, and no line was cut or ran into the next one.
    pub(crate) fn is_in_order(&self) -> bool {
        let is_last = self.lines[self.row..].iter().all(|line| line.iter().all(|c| *c == ' '));
        self.column == 0 && is_last && self.too_long.is_empty()
    }

    fn escape(&mut self, wanted: &str, kind: char) {
        let number = wanted.parse().unwrap_or(1).max(1);
        match kind {
            'A' => self.row = self.row.saturating_sub(number),
            'B' => self.down(number),
            'C' => self.column += number,
            'D' => self.column = self.column.saturating_sub(number),
            'G' => self.column = number - 1,
            'J' => self.lines.truncate(self.row + 1),
            'K' if wanted == "2" => self.lines[self.row].clear(),
            'K' => self.lines[self.row].truncate(self.column),
            // Colours, and whether the cursor is seen.
            'm' | 'h' | 'l' => {}
            kind => panic!("an escape that this screen does not know: {wanted}{kind}"),
        }
    }

    fn down(&mut self, lines: usize) {
        self.row += lines;
        while self.lines.len() <= self.row {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, c: char) {
        if self.column == self.columns {
            // Lines of progress are filled up to the edge, and cut there.
            let line = &self.lines[self.row];
            if line.last() != Some(&' ') && !line.first().is_some_and(|first| MARKS.contains(*first)) {
                self.too_long.push(self.lines[self.row].iter().collect());
            }
            self.column = 0;
            self.down(1);
        }
        let line = &mut self.lines[self.row];
        line.resize(line.len().max(self.column + 1), ' ');
        line[self.column] = c;
        self.column += 1;
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}\nthe cursor: {} {}; too long: {:?}", self.text(), self.row, self.column, self.too_long)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
