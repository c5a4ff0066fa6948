//! Lines of a report: every piece is made safe when it is added, so that nothing can be forgotten.

use console::measure_text_width;

use super::escape::clean;

/// How a piece looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Bold,
    Dim,
    /// What is added, and success.
    Green,
    /// What is changed, and what waits.
    Yellow,
    /// What is removed or destroyed, and failures.
    Red,
    BoldRed,
    Cyan,
}

impl Look {
    fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
            Self::BoldRed => "1;31",
            Self::Cyan => "36",
        }
    }
}

/// Text being written, line by line.
#[derive(Debug)]
pub(super) struct Page {
    out: String,
    color: bool,
    width: usize,
    /// Columns used in the current line.
    column: usize,
    folded: bool,
}

impl Page {
    pub(super) fn new(color: bool, width: usize) -> Self {
        Self { out: String::new(), color, width: width.max(40), column: 0, folded: false }
    }

    /// Columns of the terminal.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Remembers that something is shown shortened.
    pub(super) fn fold(&mut self) {
        self.folded = true;
    }

    /// Whether anything is shown shortened.
    pub(super) fn folded(&self) -> bool {
        self.folded
    }

    /// Adds a piece to the current line.
    pub(super) fn put(&mut self, look: Look, text: &str) -> &mut Self {
        let text = clean(text);
        if text.is_empty() {
            return self;
        }
        self.column += measure_text_width(&text);
        if self.color && look != Look::Plain {
            self.out.push_str("\u{1b}[");
            self.out.push_str(look.codes());
            self.out.push('m');
            self.out.push_str(&text);
            self.out.push_str("\u{1b}[0m");
        } else {
            self.out.push_str(&text);
        }
        self
    }

    /// Adds plain text to the current line.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.put(Look::Plain, text)
    }

    /// Fills the current line with blanks up to a column; at least one blank if anything stands there already.
    pub(super) fn to(&mut self, column: usize) -> &mut Self {
        let blanks = if self.column >= column { usize::from(self.column > 0 && column > 0) } else { column - self.column };
        self.out.extend(std::iter::repeat_n(' ', blanks));
        self.column += blanks;
        self
    }

    /// Adds pieces with a separator, and goes on at column `indent` of a new line where the width ends.
    pub(super) fn flow<S: AsRef<str>>(
        &mut self,
        look: Look,
        pieces: impl IntoIterator<Item = S>,
        separator: &str,
        indent: usize,
    ) -> &mut Self {
        let mut first = true;
        for piece in pieces {
            let piece = clean(piece.as_ref());
            let width = measure_text_width(&piece);
            if !first {
                self.put(look, separator.trim_end());
                let blanks = separator.len() - separator.trim_end().len();
                if self.column + blanks + width > self.width {
                    self.end().to(indent);
                } else {
                    self.to(self.column + blanks);
                }
            } else if self.column + width > self.width && self.column > indent {
                self.end().to(indent);
            }
            self.put(look, &piece);
            first = false;
        }
        self
    }

    /// One blank.
    pub(super) fn space(&mut self) -> &mut Self {
        self.text(" ")
    }

    /// Goes on at column `indent` of a new line if so many columns do not fit in the current one.
    pub(super) fn room(&mut self, columns: usize, indent: usize) -> &mut Self {
        if self.column + columns > self.width && self.column > indent { self.end().to(indent) } else { self }
    }

    /// Adds words, and goes on at column `indent` of a new line where the width ends.
    pub(super) fn words(&mut self, look: Look, text: &str, indent: usize) -> &mut Self {
        let text = clean(text);
        let words: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
        self.flow(look, words, " ", indent)
    }

    /// Adds text as it is, and goes on at column `indent` of a new line where the width ends: at a blank, or within a word that no line has room for.
    pub(super) fn wrapped(&mut self, look: Look, text: &str, indent: usize) -> &mut Self {
        let indent = indent.min(self.width / 2);
        let text = clean(text);
        let mut rest: &str = &text;
        loop {
            let room = self.width.saturating_sub(self.column);
            let (mut used, mut blank, mut end) = (0, None, rest.len());
            for (at, c) in rest.char_indices() {
                used += measure_text_width(c.encode_utf8(&mut [0; 4]));
                if c == ' ' {
                    blank = Some(at);
                }
                if used > room {
                    end = at;
                    break;
                }
            }
            if used <= room {
                return self.put(look, rest);
            }
            match blank.filter(|at| *at > 0) {
                Some(at) => {
                    self.put(look, &rest[..at]);
                    rest = &rest[at + 1..];
                }
                // The word may fit into a line of its own.
                None if self.column > indent => {}
                None => {
                    let at = if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
                    self.put(look, &rest[..at]);
                    rest = &rest[at..];
                }
            }
            self.end().to(indent);
        }
    }

    /// Goes to where so many columns are to stand: to `column`, or right behind what there is, or to `indent` of a new line, whichever has room for them first. Beside
    /// something a blank more is left.
    pub(super) fn beside(&mut self, column: usize, columns: usize, indent: usize) -> &mut Self {
        let behind = self.column + 1;
        let start = [column.max(behind), behind].into_iter().find(|start| start + 1 + columns <= self.width);
        if let Some(start) = start {
            return self.to(start).space();
        }
        let indent = indent.min(self.width / 2);
        self.end().to(indent)
    }

    /// Ends the line.
    pub(super) fn end(&mut self) -> &mut Self {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.column = 0;
        self
    }

    /// An empty line, unless the text starts here or one stands here already.
    pub(super) fn gap(&mut self) -> &mut Self {
        if self.column > 0 {
            self.end();
        }
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
        self
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Page};

    #[test]
    fn pieces_wrap_at_the_width() {
        let mut page = Page::new(false, 40);
        page.text("    ").flow(Look::Plain, ["aaaaaaaaaa", "bbbbbbbbbb", "ccccccccccc", "d"], " → ", 6).end();
        assert_eq!(page.finish(), "    aaaaaaaaaa → bbbbbbbbbb →\n      ccccccccccc → d\n");
    }

    #[test]
    fn values_keep_their_blanks_and_are_broken_at_the_width() {
        let shown = |text: &str| {
            let mut page = Page::new(false, 40);
            page.text("      + path  ").wrapped(Look::Plain, text, 14).end();
            page.finish()
        };
        assert_eq!(shown("a  b"), "      + path  a  b\n");
        assert_eq!(shown("twenty  columns here and"), "      + path  twenty  columns here and\n");
        assert_eq!(shown("twenty  columns here and more"), "      + path  twenty  columns here and\n              more\n");
        let long = "0123456789".repeat(5);
        assert_eq!(shown(&long), format!("      + path  {}\n              {}\n", &long[..26], &long[26..]));
        assert_eq!(shown(&format!("a {}é", &long[..26])), format!("      + path  a\n              {}\n              é\n", &long[..26]));
    }

    #[test]
    fn colours_only_when_asked_and_never_from_the_text() {
        let mut page = Page::new(true, 80);
        page.put(Look::Red, "a\u{1b}[0m\nb").end();
        assert_eq!(page.finish(), "\u{1b}[31ma\\u{1b}[0m\\nb\u{1b}[0m\n");
        let mut page = Page::new(false, 80);
        page.put(Look::Red, "a").gap().gap().text("b").end();
        assert_eq!(page.finish(), "a\n\nb\n");
    }
}
