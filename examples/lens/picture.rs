//! Where the heads of a block look: a map a head, tokens on both axes.

use anyhow::Result;
use candle_core::Tensor;
use taper_examples::picture::{Canvas, FADED, INK, LARGE, Palette, SMALL, range, text_width};

const MARGIN: usize = 24;
/// Between maps.
const GAP: usize = 20;
/// Height of a line of small text, and of its letters.
const LINE: usize = 15;
const LETTER: usize = 13;
/// What all maps beside each other are to measure, if their cells can be made for it.
const WIDE: usize = 2400;
/// The smallest and the largest cell.
const CELL: (usize, usize) = (3, 28);
/// The longest label, in letters.
const LABEL: usize = 14;

/// A picture of `pattern`, [head, query, key].
pub(crate) fn heads(title: &str, pattern: &Tensor, labels: &[String]) -> Result<Canvas> {
    let (heads, queries, keys) = pattern.dims3()?;
    let values = pattern.flatten_all()?.to_vec1::<f32>()?;
    let (_, high) = range(&values);
    let labels: Vec<String> = labels.iter().map(|label| printable(label)).collect();
    let widest = labels.iter().map(|label| text_width(label, SMALL)).max().unwrap_or(0);
    let side = widest + 10;
    let across = (1..).find(|across| across * across >= heads).unwrap_or(1);
    let cell = ((WIDE / across.max(1)).saturating_sub(side + GAP) / keys.max(1)).clamp(CELL.0, CELL.1);
    // Small cells have room for every second or third label only.
    let step = LETTER.div_ceil(cell);
    let (width, height) = (keys * cell, queries * cell);
    let top = MARGIN + 58;
    let row = LINE + height + side + GAP;
    let canvas_width = (across * (side + width + GAP) + MARGIN).max(text_width(title, LARGE) + MARGIN);
    let mut canvas = Canvas::new(canvas_width + MARGIN, top + heads.div_ceil(across) * row);
    canvas.text(MARGIN, MARGIN, title, LARGE, INK);
    let explanation = "a row reads from its columns; each row sums to 1; white: not read, since it comes later";
    canvas.text(MARGIN, MARGIN + 18, explanation, SMALL, FADED);
    canvas.color_bar(MARGIN, MARGIN + 36, (0.0, high), Palette::Viridis);

    for (head, map) in values.chunks((queries * keys).max(1)).enumerate() {
        let x = MARGIN + head % across * (side + width + GAP) + side;
        let y = top + head / across * row + LINE;
        canvas.text(x, y - LINE, &format!("head {head}"), SMALL, INK);
        for (at, &value) in map.iter().enumerate() {
            let (query, key) = (at / keys, at % keys);
            // What a head may not read is paper.
            if key <= query || value != 0.0 {
                let gap = usize::from(cell > 6);
                let color = Palette::Viridis.color(if high > 0.0 { value / high } else { 0.0 });
                canvas.rect(x + key * cell, y + query * cell, cell - gap, cell - gap, color);
            }
        }
        for (at, label) in labels.iter().enumerate().step_by(step) {
            let middle = at * cell + cell / 2;
            if at < queries {
                canvas.rect(x - 4, y + middle, 3, 1, FADED);
                let left = x - 6 - text_width(label, SMALL);
                canvas.text(left, (y + middle).saturating_sub(6), label, SMALL, FADED);
            }
            if at < keys {
                canvas.rect(x + middle, y + height + 1, 1, 3, FADED);
                upwards(&mut canvas, (x + middle).saturating_sub(6), y + height + 6, label);
            }
        }
    }
    Ok(canvas)
}

/// Writes a label turned by a quarter, so that it is read from below and ends at the axis above it.
fn upwards(canvas: &mut Canvas, x: usize, top: usize, label: &str) {
    let length = text_width(label, SMALL);
    let mut flat = Canvas::new(length, LETTER);
    flat.text(0, 0, label, SMALL, FADED);
    flat.for_each_dark(|along, down| canvas.rect(x + down, top + length - 1 - along, 1, 1, FADED));
}

/// A label in the letters that the font has, and not too long.
fn printable(label: &str) -> String {
    let mut text = String::new();
    for c in label.chars() {
        match u32::from(c) {
            0x20..=0x7e | 0xa1..=0xff => text.push(c),
            code => text.push_str(&format!("\\u{code:x}")),
        }
    }
    if text.chars().count() > LABEL { text.chars().take(LABEL - 2).chain("..".chars()).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use embedded_graphics::prelude::*;

    use super::*;

    #[test]
    fn labels_are_in_letters_that_the_font_has() {
        assert_eq!(printable("·the"), "·the");
        assert_eq!(printable("中"), "\\u4e2d");
        assert_eq!(printable("…"), "\\u2026");
        assert_eq!(printable("abcdefghijklmnop"), "abcdefghijkl..");
    }

    /// One token, and more than there are pixels for.
    #[test]
    fn any_length_and_any_number_of_heads() {
        for (heads, tokens) in [(1, 1), (3, 7), (12, 40), (5, 200)] {
            let pattern = Tensor::tril2(tokens, DType::F32, &Device::Cpu).unwrap();
            let pattern = pattern.broadcast_as((heads, tokens, tokens)).unwrap().contiguous().unwrap();
            let labels: Vec<String> = (0..tokens).map(|i| format!("·token{i}")).collect();
            let canvas = super::heads("gpt2, block 0", &pattern, &labels).unwrap();
            assert!(canvas.size().width >= 3 * tokens as u32 && canvas.size().height > 100, "{:?}", canvas.size());
        }
        let empty = Tensor::zeros((2, 0, 0), DType::F32, &Device::Cpu).unwrap();
        heads("none", &empty, &[]).unwrap();
    }
}
