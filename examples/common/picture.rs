//! Pictures of numbers: a canvas with text and heat maps, and a sheet of feature maps on it.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, iso_8859_1};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};

/// Small text: captions and scales.
pub const SMALL: &MonoFont = &iso_8859_1::FONT_7X13;
/// Large text: titles.
pub const LARGE: &MonoFont = &iso_8859_1::FONT_9X15_BOLD;
/// The colour of titles.
pub const INK: Rgb888 = Rgb888::new(0x22, 0x22, 0x22);
/// The colour of captions.
pub const FADED: Rgb888 = Rgb888::new(0x70, 0x70, 0x70);
const PAPER: Rgb888 = Rgb888::WHITE;

/// A colour for each number from 0 to 1.
#[derive(Clone, Copy)]
pub enum Palette {
    /// From dark violet over green to yellow; equal steps look equal.
    Viridis,
    /// From paper to ink.
    Ink,
}

impl Palette {
    /// Nine points of matplotlib's viridis, evenly spaced.
    const VIRIDIS: [u32; 9] =
        [0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21908c, 0x27ad81, 0x5dc863, 0xaadc32, 0xfde725];

    /// The colour at `t`, which is clamped to 0..=1; a NaN is red.
    pub fn color(self, t: f32) -> Rgb888 {
        if t.is_nan() {
            return Rgb888::RED;
        }
        let stops = match self {
            Self::Viridis => &Self::VIRIDIS[..],
            Self::Ink => &[0xf4f4f4, 0x101010],
        };
        let position = t.clamp(0.0, 1.0) * (stops.len() - 1) as f32;
        let lower = (position as usize).min(stops.len() - 2);
        let share = position - lower as f32;
        let channel = |shift: u32| {
            let of = |stop: u32| (stop >> shift & 0xff) as f32;
            (of(stops[lower]) * (1.0 - share) + of(stops[lower + 1]) * share).round() as u8
        };
        Rgb888::new(channel(16), channel(8), channel(0))
    }
}

/// The least and the greatest of `values`; `0..1` where there are none.
pub fn range(values: &[f32]) -> (f32, f32) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite.map(|value| (value, value)).reduce(|(low, high), (l, h)| (low.min(l), high.max(h))).unwrap_or((0.0, 1.0))
}

/// A matrix to draw as coloured squares, top row first.
pub struct HeatMap<'a> {
    /// `rows * columns` numbers.
    pub values: &'a [f32],
    /// Numbers per row.
    pub columns: usize,
    /// The numbers at the two ends of the palette.
    pub range: (f32, f32),
    /// The colours.
    pub palette: Palette,
    /// Height and width of each square, in pixels.
    pub cell: usize,
}

/// An image to draw on; coordinates count from the top left.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb888>,
}

impl Canvas {
    /// A blank canvas.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![PAPER; width * height] }
    }

    /// Fills a rectangle; what lies outside the canvas is left out.
    pub fn rect(&mut self, x: usize, y: usize, width: usize, height: usize, color: Rgb888) {
        let right = (x + width).min(self.width);
        for row in y..(y + height).min(self.height) {
            let start = row * self.width;
            self.pixels[start + x.min(right)..start + right].fill(color);
        }
    }

    /// Writes one line whose top left corner is at `x`, `y`.
    pub fn text(&mut self, x: usize, y: usize, text: &str, font: &MonoFont, color: Rgb888) {
        let style = MonoTextStyle::new(font, color);
        let at = Point::new(x as i32, y as i32);
        let Ok(_) = Text::with_baseline(text, at, style, Baseline::Top).draw(self);
    }

    /// Calls `f` with every point that is not paper: how far from the left, and how far down.
    pub fn for_each_dark(&self, mut f: impl FnMut(usize, usize)) {
        let dark = self.pixels.iter().enumerate().filter(|(_, pixel)| **pixel != PAPER);
        dark.for_each(|(i, _)| f(i % self.width, i / self.width));
    }

    /// Draws a matrix whose top left corner is at `x`, `y`.
    pub fn heat_map(&mut self, x: usize, y: usize, map: &HeatMap) {
        let (low, high) = map.range;
        // A map of equal numbers has no span: it gets the colour of the low end.
        let span = if high > low { high - low } else { 1.0 };
        for (i, value) in map.values.iter().enumerate() {
            let color = map.palette.color((value - low) / span);
            let (row, column) = (i / map.columns, i % map.columns);
            let (left, top) = (x + column * map.cell, y + row * map.cell);
            self.rect(left, top, map.cell, map.cell, color);
        }
    }

    /// Draws a palette from left to right, between the numbers at its ends; returns the width.
    pub fn color_bar(&mut self, x: usize, y: usize, range: (f32, f32), palette: Palette) -> usize {
        const LENGTH: usize = 96;
        let (low, high) = (format!("{:.2}", range.0), format!("{:.2}", range.1));
        let left = x + text_width(&low, SMALL) + 6;
        for i in 0..LENGTH {
            let color = palette.color(i as f32 / (LENGTH - 1) as f32);
            self.rect(left + i, y + 1, 1, 10, color);
        }
        let right = left + LENGTH + 6;
        self.text(x, y, &low, SMALL, FADED);
        self.text(right, y, &high, SMALL, FADED);
        right + text_width(&high, SMALL) - x
    }

    /// Writes the canvas as a PNG file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut encoder =
            png::Encoder::new(BufWriter::new(file), u32::try_from(self.width)?, u32::try_from(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()]).collect();
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&bytes))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What lets `embedded-graphics` draw its fonts here.
impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, color) in pixels {
            if self.bounding_box().contains(at) {
                self.pixels[at.y as usize * self.width + at.x as usize] = color;
            }
        }
        Ok(())
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

/// How wide a line of text is, in pixels.
pub fn text_width(text: &str, font: &MonoFont) -> usize {
    text.chars().count() * (font.character_size.width + font.character_spacing) as usize
}
