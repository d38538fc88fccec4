//! What the network decides by: accuracy without its parts, and maps of the places that count.

use anyhow::Result;
use candle_core::{D, Device, Tensor};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use taper::interventions::zero;
use taper_examples::picture::{Canvas, FADED, INK, LARGE, Palette, SMALL, text_width};

use crate::data::{Digit, SIDE, batch};
use crate::model::{CLASSES, DigitNet};
use crate::train::share_right;

/// Prints the accuracy with the output of one part at a time zeroed.
pub(crate) fn ablation(model: &DigitNet, digits: &[Digit]) -> Result<()> {
    let (images, labels) = batch(digits, &Device::Cpu)?;
    let whole = share_right(&model.forward(&images)?, &labels)?;
    println!("{:<16}{:>8}{:>10}", "zeroed", "accuracy", "change");
    println!("{:<16}{whole:>8.3}", "nothing");
    for name in ["stem", "block1.conv2", "block1.output", "down", "block2.conv2", "block2.output"] {
        let site = model.sites().find(name)?;
        let share = share_right(&model.run().edit(|_| site, zero()).forward(&images)?, &labels)?;
        println!("{name:<16}{share:>8.3}{:>+10.3}", share - whole);
    }
    println!("\nWithout its conv2, a block passes on its input.");
    Ok(())
}

/// Where the last block saw what speaks for the guess, `[n, 1, 4, 4]` of images `[n, 1, 8, 8]`, from 0, in two ways.
///
/// Grad-CAM (Selvaraju et al. 2017) weighs each channel by the mean of its gradient over the places. This head has a weight
/// of its own for each place, whose mean says little: some maps come out empty. HiResCAM (Draelos and Carin 2020) leaves
/// the mean out, so that a map sums up, before the ReLU, to the score without the head's bias.
fn maps(model: &DigitNet, images: &Tensor, guesses: &Tensor) -> candle_core::Result<[Tensor; 2]> {
    // Images do not touch each other, so that the gradient of the sum is that of each.
    let score = |scores: &Tensor| scores.gather(&guesses.unsqueeze(1)?, 1)?.sum_all();
    let found = model.run().loss(|t| t.output, score).gradients(images, |t| t.block2.output)?;
    let channels = found.gradients.mean_keepdim((2, 3))?;
    let grad_cam = found.values.broadcast_mul(&channels)?.sum_keepdim(1)?.relu()?;
    let hires_cam = (&found.values * &found.gradients)?.sum_keepdim(1)?.relu()?;
    Ok([grad_cam, hires_cam])
}

/// Pixels of the picture for one of an image.
const ZOOM: usize = 10;
const EDGE: usize = SIDE * ZOOM;
const GAP: usize = 8;
const MARGIN: usize = 24;
const COLUMNS: usize = 10;
/// Left of the images.
const LABEL: usize = 72;
/// Below each other: the image, and its two maps.
const LABELS: [&str; 3] = ["digit", "Grad-CAM", "HiResCAM"];
/// Above the images of a row, and below them.
const HEADING: usize = 24;
const CAPTION: usize = 24;

/// Draws digits that are read right, one of each class, and such that are read wrong; below each, where that was seen.
pub(crate) fn draw(model: &DigitNet, digits: &[Digit]) -> Result<Canvas> {
    let (images, _) = batch(digits, &Device::Cpu)?;
    let guesses = model.forward(&images)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let read = || digits.iter().zip(guesses.iter().copied());
    let right =
        (0..CLASSES as u32).filter_map(|class| read().find(|&(d, g)| u32::from(d.label) == class && g == class));
    let wrong = read().filter(|&(d, g)| u32::from(d.label) != g).take(COLUMNS);

    let row = HEADING + LABELS.len() * (EDGE + GAP) + CAPTION;
    let top = MARGIN + 68;
    let mut canvas = Canvas::new(2 * MARGIN + LABEL + COLUMNS * (EDGE + GAP) - GAP, top + 2 * row + MARGIN / 2);
    canvas.text(MARGIN, MARGIN, "Where the last block saw what speaks for the guess", LARGE, INK);
    canvas.text(
        MARGIN,
        MARGIN + 22,
        "Each map has a scale of its own, from nothing to the most; an empty one has nothing.",
        SMALL,
        FADED,
    );
    canvas.color_bar(MARGIN, MARGIN + 40, (0.0, 1.0), Palette::Viridis);
    for (i, (title, shown)) in
        [("read right", right.collect()), ("read wrong", wrong.collect::<Vec<_>>())].iter().enumerate()
    {
        let y = top + i * row;
        let title = if shown.is_empty() { format!("{title}: none") } else { (*title).to_owned() };
        canvas.text(MARGIN, y, &title, LARGE, INK);
        if !shown.is_empty() {
            draw_row(&mut canvas, y + HEADING, model, shown)?;
        }
    }
    Ok(canvas)
}

fn draw_row(canvas: &mut Canvas, top: usize, model: &DigitNet, shown: &[(&Digit, u32)]) -> Result<()> {
    let digits: Vec<Digit> = shown.iter().map(|&(digit, _)| digit.clone()).collect();
    let guesses: Vec<u32> = shown.iter().map(|&(_, guess)| guess).collect();
    let (images, _) = batch(&digits, &Device::Cpu)?;
    let maps = maps(model, &images, &Tensor::new(guesses.as_slice(), &Device::Cpu)?)?;
    for (i, label) in LABELS.iter().enumerate() {
        canvas.text(MARGIN, top + i * (EDGE + GAP) + EDGE / 2 - 6, label, SMALL, FADED);
    }
    for (i, (digit, guess)) in shown.iter().enumerate() {
        let x = MARGIN + LABEL + i * (EDGE + GAP);
        draw_over(canvas, (x, top), digit, |_, ink| Palette::Ink.color(ink));
        for (j, maps) in maps.iter().enumerate() {
            let map = maps.get(i)?.unsqueeze(0)?.upsample_bilinear2d(EDGE, EDGE, false)?.flatten_all()?;
            let map = map.to_vec1::<f32>()?;
            let most = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            let at = (x, top + (j + 1) * (EDGE + GAP));
            draw_over(canvas, at, digit, |pixel, ink| darkened(Palette::Viridis.color(map[pixel] / most), ink));
        }
        let caption = format!("{} as {guess}", digit.label);
        let left = x + (EDGE - text_width(&caption, SMALL)) / 2;
        canvas.text(left, top + LABELS.len() * (EDGE + GAP) - GAP / 2, &caption, SMALL, FADED);
    }
    Ok(())
}

/// Draws a square of `EDGE` pixels; `color` gets the pixel's number and the digit's ink there.
fn draw_over(canvas: &mut Canvas, (x, y): (usize, usize), digit: &Digit, color: impl Fn(usize, f32) -> Rgb888) {
    for pixel in 0..EDGE * EDGE {
        let (column, row) = (pixel % EDGE, pixel / EDGE);
        let ink = digit.pixels[row / ZOOM * SIDE + column / ZOOM];
        canvas.rect(x + column, y + row, 1, 1, color(pixel, ink));
    }
}

/// A colour with ink on it: black where there is most, and never so dark that the colour is lost.
fn darkened(color: Rgb888, ink: f32) -> Rgb888 {
    let light = |channel: u8| (f32::from(channel) * (1.0 - 0.75 * ink)).round() as u8;
    Rgb888::new(light(color.r()), light(color.g()), light(color.b()))
}
