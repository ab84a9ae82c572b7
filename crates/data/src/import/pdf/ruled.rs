//! Tables with ruled lines, as Markdown.

use pdf_oxide::document::PdfDocument;
use pdf_oxide::layout::TextSpan;
use pdf_oxide::structure::spatial_table_detector::{TableDetectionConfig, TableStrategy, detect_tables_with_lines};
use pdf_oxide::structure::table_extractor::Table;

use crate::import::pdf::mend::Words;
use crate::import::pdf::page::{Area, Piece, Run, area, pieces};

/// A table has at least this many lines or boxes.
const FEWEST_RULINGS: usize = 3;

/// Takes the runs that stand in ruled tables out of `runs`; answers the tables. Tables told by alignment alone are too
/// often columns of prose.
pub(super) fn take(document: &PdfDocument, index: usize, spans: &[TextSpan], runs: &mut Vec<Run>) -> Vec<Piece> {
    let paths = document.extract_paths(index).unwrap_or_default();
    let rulings: Vec<_> = paths.into_iter().filter(pdf_oxide::elements::PathContent::is_table_primitive).collect();
    if rulings.len() < FEWEST_RULINGS {
        return Vec::new();
    }
    let config = TableDetectionConfig {
        horizontal_strategy: TableStrategy::Lines,
        vertical_strategy: TableStrategy::Both,
        text_fallback: false,
        ..TableDetectionConfig::default()
    };
    let mut found = Vec::new();
    for table in detect_tables_with_lines(spans, &rulings, &config).iter().filter(|table| table.is_real_grid()) {
        let Some(grid) = Grid::of(table) else { continue };
        let (inside, outside): (Vec<Run>, Vec<Run>) =
            std::mem::take(runs).into_iter().partition(|run| grid.area.holds(&run.area));
        *runs = outside;
        if !inside.is_empty() {
            let text = grid.markdown(inside);
            found.push(Piece { text, area: grid.area, size: 0.0, bold: false, is_table: true });
        }
    }
    found
}

/// Where the cells of a table are, row by row.
struct Grid {
    area: Area,
    cells: Vec<Vec<Area>>,
}

impl Grid {
    fn of(table: &Table) -> Option<Self> {
        let cells: Vec<Vec<Area>> = table
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.bbox.as_ref().map(area)).collect::<Option<Vec<_>>>())
            .collect::<Option<_>>()?;
        let columns = cells.iter().map(Vec::len).max()?;
        let area = table.bbox.as_ref().map(area)?;
        (columns >= 2 && cells.len() >= 2).then_some(Self { area, cells })
    }

    /// Each run goes into the cell that it stands in, or else the nearest: none is lost.
    fn markdown(&self, runs: Vec<Run>) -> String {
        let mut contents: Vec<Vec<Vec<Run>>> =
            self.cells.iter().map(|row| row.iter().map(|_| Vec::new()).collect()).collect();
        for run in runs {
            let places = self
                .cells
                .iter()
                .enumerate()
                .flat_map(|(y, row)| row.iter().enumerate().map(move |(x, cell)| (y, x, cell)));
            let nearest = places.min_by(|a, b| a.2.distance(&run.area).total_cmp(&b.2.distance(&run.area)));
            if let Some((y, x, _)) = nearest {
                contents[y][x].push(run);
            }
        }
        let columns = contents.iter().map(Vec::len).max().unwrap_or(0);
        let mut text = String::new();
        for (at, row) in contents.iter_mut().enumerate() {
            text.push('|');
            for column in 0..columns {
                let mut cell = String::new();
                for line in row.get_mut(column).map(pieces).unwrap_or_default() {
                    Words::default().append(&mut cell, &line.text);
                }
                text.push_str(&format!(" {} |", cell.replace('|', "\\|")));
            }
            text.push('\n');
            if at == 0 {
                text.push_str(&format!("|{}\n", "---|".repeat(columns)));
            }
        }
        text
    }
}
