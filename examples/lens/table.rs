//! Tables for a terminal.

use std::fmt::Write;

use console::{Style, measure_text_width, pad_str, truncate_str};

use crate::folder::Folder;
use crate::lens::Seen;

/// How many tokens are told after the whole text, where there is room.
pub(crate) const LAST: usize = 5;
/// The widest cell.
const WIDEST: usize = 14;
/// Between cells.
const GAP: usize = 2;

/// A cell: what it says, and how sure the model is of it.
type Cell = (String, Option<f32>);

/// A row a depth, a column a token of the text; in as many parts below each other as the width asks for.
pub(crate) fn by_token(seen: &Seen, labels: &[String], folder: &Folder, top: usize, width: usize) -> String {
    let mut columns = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        let mut column = vec![(label.clone(), None)];
        for row in &seen.rows {
            let next = row.next[at].iter().map(|&(id, p)| (folder.label(id), Some(p)));
            column.extend(next.chain(std::iter::repeat((String::new(), None))).take(top));
        }
        columns.push(column);
    }
    layout(&names(seen, top), &columns, width)
}

/// A row a depth, with the likeliest tokens after the whole text.
pub(crate) fn at_the_end(seen: &Seen, folder: &Folder, width: usize) -> String {
    let last: Vec<_> = seen.rows.iter().filter_map(|row| row.next.last()).collect();
    let places = last.iter().map(|next| next.len()).min().unwrap_or(0).min(LAST);
    let column = |place: usize| {
        let head = (format!("{}.", place + 1), None);
        let cells = last.iter().map(|next| {
            let (id, p) = next[place];
            (format!("{:>3.0}% {}", p * 100.0, folder.label(id)), Some(p))
        });
        [head].into_iter().chain(cells).collect()
    };
    let columns: Vec<Vec<Cell>> = (0..places).map(column).collect();
    let names = names(seen, 1);
    // Those that the width has room for.
    let mut fitting = columns.len();
    while fitting > 1 && full_width(&names, &columns[..fitting]) > width {
        fitting -= 1;
    }
    layout(&names, &columns[..fitting], width)
}

/// The names of the rows, of so many lines each, below an empty one.
fn names(seen: &Seen, lines: usize) -> Vec<String> {
    let rows = seen.rows.iter().flat_map(|row| {
        [row.name.clone()].into_iter().chain(std::iter::repeat_n(String::new(), lines.saturating_sub(1)))
    });
    [String::new()].into_iter().chain(rows).collect()
}

fn widest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| measure_text_width(text)).max().unwrap_or(0)
}

fn column_width(column: &[Cell]) -> usize {
    widest(column.iter().map(|(text, _)| text)).clamp(1, WIDEST)
}

fn full_width(names: &[String], columns: &[Vec<Cell>]) -> usize {
    widest(names.iter()) + columns.iter().map(|column| GAP + column_width(column)).sum::<usize>()
}

/// The columns beside the names of their rows, in parts of at most `width` where a column has room in it.
fn layout(names: &[String], columns: &[Vec<Cell>], width: usize) -> String {
    let side = widest(names.iter());
    let mut out = String::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let mut count = 1;
        while count < rest.len() && full_width(names, &rest[..=count]) <= width {
            count += 1;
        }
        let (part, after) = rest.split_at(count);
        // One column alone may be wider than what is left.
        let room = width.saturating_sub(side + GAP).max(1);
        for (line, name) in names.iter().enumerate() {
            let _ = write!(out, "{}", pad_str(name, side, console::Alignment::Left, None));
            for column in part {
                let (text, p) = &column[line];
                let cell = column_width(column).min(room);
                let text = truncate_str(text, cell, "…");
                let text = pad_str(&text, cell, console::Alignment::Left, None);
                let _ = write!(out, "{:GAP$}{}", "", style(*p).apply_to(text));
            }
            out.push('\n');
        }
        out.push('\n');
        rest = after;
    }
    out
}

/// The surer, the stronger; nothing where the output is no terminal.
fn style(p: Option<f32>) -> Style {
    match p {
        None => Style::new().bold(),
        Some(p) if p >= 0.5 => Style::new().green().bold(),
        Some(p) if p >= 0.1 => Style::new().green(),
        Some(_) => Style::new().dim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Vec<Cell> {
        cells.iter().map(|&cell| (cell.to_owned(), None)).collect()
    }

    #[test]
    fn parts_are_as_wide_as_the_terminal() {
        let names = ["", "block 0"].map(str::to_owned);
        let columns = vec![column(&["·the", "·very·long·tokens·here"]); 9];
        for width in [10, 24, 25, 60, 79, 80, 400] {
            let text = layout(&names, &columns, width);
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines.iter().all(|line| measure_text_width(line) <= width.max(10)), "{width}:\n{text}");
            assert_eq!(text.matches("·the").count().max(text.matches('…').count()), if width > 10 { 9 } else { 18 });
        }
        assert_eq!(layout(&names, &columns, 400).lines().count(), 3);
        assert_eq!(layout(&names, &columns, 25).lines().count(), 27);
    }

    /// A letter of two cells counts as two.
    #[test]
    fn wide_letters() {
        let names = ["", "a"].map(str::to_owned);
        let text = layout(&names, &[column(&["中文", "x"]), column(&["y", "z"])], 80);
        let widths: Vec<usize> = text.lines().take(2).map(measure_text_width).collect();
        assert_eq!(widths, [10, 10], "{text}");
    }
}
