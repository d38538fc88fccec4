//! Labelled heat maps: a number for each pair of a row and a column.

use anyhow::{Result, ensure};
use candle_core::{DType, Tensor};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;

use crate::picture::{Canvas, FADED, INK, LARGE, Palette, SMALL, range, text_width};

const MARGIN: usize = 24;
/// Height of a line of small text.
const LINE: usize = 15;
/// Title and colour bar.
const HEADING: usize = 48;
/// Below each grid.
const SPACE: usize = 28;

/// A matrix under a title, its rows and columns labelled, with a colour bar of its own.
pub struct Grid {
    title: String,
    rows: Vec<String>,
    columns: Vec<String>,
    values: Vec<f32>,
    palette: Palette,
    /// Width and height of a cell, in pixels.
    cell: (usize, usize),
    /// Decimal places of the number in each cell, if there is one.
    decimals: Option<usize>,
}

impl Grid {
    /// A grid of `[rows, columns]` numbers, written into their cells.
    ///
    /// # Errors
    /// Values of another shape.
    pub fn new(title: &str, rows: &[String], columns: &[String], values: &Tensor) -> Result<Self> {
        let dims = values.dims();
        ensure!(
            dims == [rows.len(), columns.len()],
            "`{title}` has {} rows and {} columns of labels, and values {dims:?}",
            rows.len(),
            columns.len()
        );
        Ok(Self {
            title: title.to_owned(),
            rows: rows.to_vec(),
            columns: columns.to_vec(),
            values: values.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?,
            palette: Palette::Viridis,
            cell: (72, 36),
            decimals: Some(2),
        })
    }

    /// Small cells without numbers: for many rows and columns.
    pub fn compact(mut self) -> Self {
        self.cell = (18, 14);
        self.decimals = None;
        self
    }

    /// The width of the labels of rows, with the gap beside them.
    fn label_width(&self) -> usize {
        self.rows.iter().map(|label| text_width(label, SMALL)).max().unwrap_or(0) + 8
    }

    /// Width and height on the picture.
    fn size(&self) -> (usize, usize) {
        let (width, height) = self.cell;
        let cells = self.label_width() + self.columns.len() * width;
        (cells.max(text_width(&self.title, LARGE)), HEADING + LINE + self.rows.len() * height + SPACE)
    }

    fn draw(&self, canvas: &mut Canvas, top: usize) {
        let (width, height) = self.cell;
        let (low, high) = range(&self.values);
        canvas.text(MARGIN, top, &self.title, LARGE, INK);
        canvas.color_bar(MARGIN, top + 22, (low, high), self.palette);
        let (left, cells) = (MARGIN + self.label_width(), top + HEADING + LINE);
        for (i, label) in self.columns.iter().enumerate() {
            centred(canvas, (left + i * width, top + HEADING), (width, LINE), label, FADED);
        }
        for (i, label) in self.rows.iter().enumerate() {
            let x = left - 8 - text_width(label, SMALL);
            canvas.text(x, cells + i * height + (height - 13) / 2, label, SMALL, FADED);
        }
        let span = if high > low { high - low } else { 1.0 };
        for (i, &value) in self.values.iter().enumerate() {
            let at = (left + i % self.columns.len() * width, cells + i / self.columns.len() * height);
            let color = self.palette.color((value - low) / span);
            canvas.rect(at.0, at.1, width - 1, height - 1, color);
            if let Some(decimals) = self.decimals {
                centred(canvas, at, (width - 1, height - 1), &format!("{value:.decimals$}"), on(color));
            }
        }
    }
}

/// Writes a line in the middle of a box.
fn centred(canvas: &mut Canvas, at: (usize, usize), size: (usize, usize), text: &str, color: Rgb888) {
    let x = at.0 + size.0.saturating_sub(text_width(text, SMALL)) / 2;
    canvas.text(x, at.1 + size.1.saturating_sub(13) / 2, text, SMALL, color);
}

/// Black or white, whichever is legible on a colour.
fn on(color: Rgb888) -> Rgb888 {
    // The weights of the channels in luminance, of a thousand.
    let luminance = 299 * u32::from(color.r()) + 587 * u32::from(color.g()) + 114 * u32::from(color.b());
    if luminance > 140_000 { Rgb888::BLACK } else { Rgb888::WHITE }
}

/// Draws grids below each other, under a title and lines of explanation.
pub fn sheet(title: &str, explanation: &[&str], grids: &[Grid]) -> Canvas {
    let top = MARGIN + 24 + explanation.len() * LINE + 16;
    let texts = explanation.iter().map(|line| text_width(line, SMALL)).chain([text_width(title, LARGE)]);
    let width = grids.iter().map(|grid| grid.size().0).chain(texts).max().unwrap_or(0);
    let height: usize = grids.iter().map(|grid| grid.size().1).sum();
    let mut canvas = Canvas::new(width + 2 * MARGIN, top + height);
    canvas.text(MARGIN, MARGIN, title, LARGE, INK);
    for (i, line) in explanation.iter().enumerate() {
        canvas.text(MARGIN, MARGIN + 22 + i * LINE, line, SMALL, FADED);
    }
    let mut y = top;
    for grid in grids {
        grid.draw(&mut canvas, y);
        y += grid.size().1;
    }
    canvas
}
