//! The sheet of feature maps: what each part of the network makes of one digit.

use anyhow::{Context, Result, ensure};
use candle_core::Tensor;

use taper_examples::picture::{Canvas, FADED, HeatMap, INK, LARGE, Palette, SMALL, range, text_width};

const MARGIN: usize = 24;
/// Between two maps.
const GAP: usize = 4;
/// A map's height on the sheet, which small maps are enlarged to as far as `MAX_CELL` allows.
const MAP_HEIGHT: usize = 80;
const MAX_CELL: usize = 20;
/// A title with the scale below it.
const HEADING: usize = 42;
/// The number below each map.
const CAPTION: usize = 18;
/// Below the last row of a panel.
const SPACE: usize = 20;
const MAX_WIDTH: usize = 1400;

/// Feature maps `[channels, height, width]` under one title and on one colour scale.
pub(crate) struct Panel {
    title: String,
    values: Vec<f32>,
    dims: [usize; 3],
    palette: Palette,
}

impl Panel {
    /// A panel of the maps `[1, channels, height, width]`.
    pub(crate) fn new(title: &str, maps: &Tensor, palette: Palette) -> Result<Self> {
        let (images, channels, height, width) =
            maps.dims4().with_context(|| format!("`{title}` cannot be drawn as maps"))?;
        ensure!(images == 1 && maps.elem_count() > 0, "`{title}`: {:?} are not the maps of one image", maps.dims());
        let values = maps.flatten_all()?.to_vec1()?;
        Ok(Self { title: title.to_owned(), values, dims: [channels, height, width], palette })
    }

    fn cell(&self) -> usize {
        let [_, height, width] = self.dims;
        (MAP_HEIGHT / height.max(width)).clamp(1, MAX_CELL)
    }

    /// Maps per row: as many as fit, spread evenly over the rows that takes.
    fn columns(&self) -> usize {
        let [channels, _, width] = self.dims;
        let fitting = (MAX_WIDTH - 2 * MARGIN + GAP) / (width * self.cell() + GAP);
        channels.div_ceil(channels.div_ceil(fitting.max(1)))
    }

    /// Width and height on the sheet.
    fn size(&self) -> (usize, usize) {
        let [channels, height, width] = self.dims;
        let rows = channels.div_ceil(self.columns());
        (self.columns() * (width * self.cell() + GAP) - GAP, HEADING + rows * (height * self.cell() + CAPTION) + SPACE)
    }

    fn draw(&self, canvas: &mut Canvas, top: usize) {
        let [channels, height, width] = self.dims;
        let title = format!("{}  {:?}", self.title, self.dims);
        canvas.text(MARGIN, top, &title, LARGE, INK);
        let range = range(&self.values);
        canvas.color_bar(MARGIN, top + 20, range, self.palette);
        let cell = self.cell();
        for channel in 0..channels {
            let (row, column) = (channel / self.columns(), channel % self.columns());
            let x = MARGIN + column * (width * cell + GAP);
            let y = top + HEADING + row * (height * cell + CAPTION);
            let size = height * width;
            let map = HeatMap {
                values: &self.values[channel * size..][..size],
                columns: width,
                range,
                palette: self.palette,
                cell,
            };
            canvas.heat_map(x, y, &map);
            if channels > 1 {
                let caption = channel.to_string();
                let middle = x + (width * cell).saturating_sub(text_width(&caption, SMALL)) / 2;
                canvas.text(middle, y + height * cell + 1, &caption, SMALL, FADED);
            }
        }
    }
}

/// Draws the panels below each other, under a title and a line of explanation.
pub(crate) fn sheet(title: &str, explanation: &str, panels: &[Panel]) -> Canvas {
    const TOP: usize = MARGIN + 56;
    let widths = panels.iter().map(|panel| panel.size().0);
    let texts = [text_width(title, LARGE), text_width(explanation, SMALL)];
    let width = widths.chain(texts).max().unwrap_or(0);
    let height: usize = panels.iter().map(|panel| panel.size().1).sum();
    let mut canvas = Canvas::new(width + 2 * MARGIN, TOP + height);
    canvas.text(MARGIN, MARGIN, title, LARGE, INK);
    canvas.text(MARGIN, MARGIN + 20, explanation, SMALL, FADED);
    let mut top = TOP;
    for panel in panels {
        panel.draw(&mut canvas, top);
        top += panel.size().1;
    }
    canvas
}
