//! Aligned columns.

use console::measure_text_width;

use super::escape::clean;
use super::paint::{Look, Page};

/// A table: columns as wide as their widest cell, the last one wrapped at the terminal's width.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<(Look, String)>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row of plain cells.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        self.rows.push(cells.into_iter().map(|c| (Look::Plain, c.into())).collect());
        self
    }

    /// Adds a row of cells with looks.
    pub(super) fn looks(&mut self, cells: Vec<(Look, String)>) -> &mut Self {
        self.rows.push(cells);
        self
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text without colours, `width` columns wide.
    pub fn to_text(&self, width: usize) -> String {
        let mut page = Page::new(false, width);
        self.write(&mut page, 0);
        page.finish()
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn write(&self, page: &mut Page, indent: usize) {
        self.write_with_notes(page, indent, &[]);
    }

    /// Writes the table; a note, given with the number of rows up to its own, stands below its row.
    pub(super) fn write_with_notes(&self, page: &mut Page, indent: usize, notes: &[(usize, String)]) {
        let columns = self.rows.iter().map(Vec::len).chain([self.head.len()]).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |r| r.get(column)).map(|(_, c)| c).chain(self.head.get(column));
        // Where each column starts.
        let mut starts = vec![indent];
        for column in 0..columns {
            let widest = cells(column).map(|c| measure_text_width(&clean(c))).max().unwrap_or(0);
            starts.push(starts[column] + widest + 2);
        }
        for (cell, start) in self.head.iter().zip(&starts) {
            page.to(*start).put(Look::Dim, cell);
        }
        if !self.head.is_empty() {
            page.end();
        }
        for (index, row) in self.rows.iter().enumerate() {
            for (column, ((look, cell), start)) in row.iter().zip(&starts).enumerate() {
                page.to(*start);
                if column + 1 == columns {
                    // Deep columns of a narrow terminal are wrapped back to where there is room.
                    page.words(*look, cell, (*start).min(page.width() / 2));
                } else {
                    page.put(*look, cell);
                }
            }
            page.end();
            for (_, note) in notes.iter().filter(|(rows, _)| *rows == index + 1) {
                page.to(indent + 2).put(Look::Cyan, "hint: ").words(Look::Plain, note, indent + 4).end();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let mut table = Table::new(["NODE", "WHY"]);
        table.row(["データ", "a b"]).row(["n\u{1b}", "c"]).row(["größe", ""]);
        assert_eq!(table.to_text(80), "NODE     WHY\nデータ   a b\nn\\u{1b}  c\ngröße\n");
    }

    #[test]
    fn the_last_column_is_wrapped() {
        let mut table = Table::new(Vec::<String>::new());
        table.row(["aaaa", "bbbbbbbbbbbbbbbbb ccccccccccccccccc ddddddddd"]);
        assert_eq!(table.to_text(40), "aaaa  bbbbbbbbbbbbbbbbb\n      ccccccccccccccccc ddddddddd\n");
        assert!(table.to_text(0).starts_with("aaaa"));
        assert!(!table.is_empty() && Table::new(["A"]).is_empty());
    }
}
