//! Tables of documents, as Markdown.

/// A table while it is read.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The cell that is open, and how many columns it takes.
    cell: Option<(String, usize)>,
}

/// No table of a document has more columns.
const MAX_SPAN: usize = 64;

impl Table {
    pub(super) fn open_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn open_cell(&mut self) {
        self.cell = Some((String::new(), 1));
    }

    /// The open cell is as wide as this many columns.
    pub(super) fn span(&mut self, columns: usize) {
        if let Some((_, span)) = &mut self.cell {
            *span = columns.clamp(1, MAX_SPAN);
        }
    }

    /// Puts a paragraph into the open cell.
    pub(super) fn paragraph(&mut self, text: &str) {
        if let Some((cell, _)) = &mut self.cell {
            if !cell.is_empty() && !text.is_empty() {
                cell.push_str("<br>");
            }
            cell.push_str(&text.replace('|', "\\|").replace('\n', "<br>"));
        }
    }

    /// Whether a cell is open.
    pub(super) fn in_cell(&self) -> bool {
        self.cell.is_some()
    }

    pub(super) fn close_cell(&mut self) {
        if let (Some((text, span)), Some(row)) = (self.cell.take(), self.rows.last_mut()) {
            row.push(text);
            row.extend(std::iter::repeat_n(String::new(), span - 1));
        }
    }

    /// The table in Markdown, one row a line; a table of one column is no table but its paragraphs.
    pub(super) fn markdown(mut self) -> Option<String> {
        self.rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        let columns = self.rows.iter().map(Vec::len).max().filter(|columns| *columns >= 2)?;
        let mut text = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            text.push('|');
            for column in 0..columns {
                let cell = row.get(column).map_or("", |cell| cell.trim());
                text.push_str(&format!(" {cell} |"));
            }
            text.push('\n');
            if at == 0 {
                text.push_str(&format!("|{}\n", "---|".repeat(columns)));
            }
        }
        Some(text)
    }

    /// The cells of a table of one column, one after the other.
    pub(super) fn cells(&self) -> Vec<String> {
        self.rows
            .iter()
            .flatten()
            .filter(|cell| !cell.trim().is_empty())
            .map(|cell| cell.replace("<br>", "\n"))
            .collect()
    }

    /// Everything in one line: what a table within a cell becomes.
    pub(super) fn line(&self) -> String {
        let rows = self.rows.iter().map(|row| row.join(" ").trim().to_owned());
        rows.filter(|row| !row.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_to_the_widest_and_bars_are_escaped() {
        let mut table = Table::default();
        for row in [&[("a|b", 2)][..], &[("c", 1), ("d\ne", 1)]] {
            table.open_row();
            for (text, span) in row {
                table.open_cell();
                table.span(*span);
                table.paragraph(text);
                table.close_cell();
            }
        }
        assert_eq!(table.markdown().unwrap(), "| a\\|b |  |\n|---|---|\n| c | d<br>e |\n");
    }
}
