//! The digits: reading them, splitting them, and making batches of them.

use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::model::CLASSES;

/// Height and width of an image.
pub(crate) const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const MAX_PIXEL: u8 = 16;
/// The file that `tools/make_digits.py` writes; see the README beside it for its origin.
const CSV: &str = include_str!("../data/digits.csv");

/// One handwritten digit.
#[derive(Clone)]
pub(crate) struct Digit {
    /// What the writer meant, 0 to 9.
    pub(crate) label: u8,
    /// Ink from 0 (none) to 1, top row first.
    pub(crate) pixels: [f32; PIXELS],
}

impl Digit {
    /// Reads `label,pixel,pixel,...` with 64 pixels from 0 to 16.
    fn parse(line: &str) -> Result<Self> {
        let numbers = line
            .split(',')
            .map(|field| field.parse::<u8>().with_context(|| format!("{field:?} is not a number from 0 to 255")))
            .collect::<Result<Vec<u8>>>()?;
        ensure!(numbers.len() == 1 + PIXELS, "expected a label and {PIXELS} pixels, found {} fields", numbers.len());
        let (label, ink) = (numbers[0], &numbers[1..]);
        ensure!(usize::from(label) < CLASSES, "{label} is not a digit");
        ensure!(ink.iter().all(|&value| value <= MAX_PIXEL), "a pixel is above {MAX_PIXEL}");
        let pixels = std::array::from_fn(|i| f32::from(ink[i]) / f32::from(MAX_PIXEL));
        Ok(Self { label, pixels })
    }

    /// The digit moved by whole pixels; what leaves the image is lost, what enters is blank.
    fn shifted(&self, down: isize, right: isize) -> Self {
        let at = |i: usize, by: isize| i.checked_add_signed(-by).filter(|&j| j < SIDE);
        let pixels = std::array::from_fn(|i| match (at(i / SIDE, down), at(i % SIDE, right)) {
            (Some(row), Some(column)) => self.pixels[row * SIDE + column],
            _ => 0.0,
        });
        Self { label: self.label, pixels }
    }

    /// The digit moved by up to one pixel along one axis, or left where it is.
    pub(crate) fn jittered(&self, rng: &mut impl Rng) -> Self {
        let (down, right) = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)][rng.random_range(0..5)];
        self.shifted(down, right)
    }
}

/// The digits to learn from and those held back to judge the result.
pub(crate) struct Split {
    pub(crate) train: Vec<Digit>,
    pub(crate) test: Vec<Digit>,
}

/// All digits, in the order of the file.
pub(crate) fn load() -> Result<Vec<Digit>> {
    CSV.lines()
        .enumerate()
        .map(|(i, line)| Digit::parse(line).with_context(|| format!("digits.csv, line {}", i + 1)))
        .collect()
}

/// Holds back every fifth digit of each class, after a shuffle: a stratified 80/20 split.
pub(crate) fn split(digits: &[Digit], rng: &mut impl Rng) -> Split {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for class in 0..CLASSES {
        let mut members: Vec<Digit> =
            digits.iter().filter(|digit| usize::from(digit.label) == class).cloned().collect();
        members.shuffle(rng);
        let kept_back = members.len().div_ceil(5);
        train.extend(members.split_off(kept_back));
        test.extend(members);
    }
    Split { train, test }
}

/// Images `[n, 1, 8, 8]` and labels `[n]`.
///
/// Blank stays 0, which is also what convolutions pad with: the edge of the image is no edge.
pub(crate) fn batch(digits: &[Digit], device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
    let inks: Vec<f32> = digits.iter().flat_map(|digit| digit.pixels).collect();
    let images = Tensor::from_vec(inks, (digits.len(), 1, SIDE, SIDE), device)?;
    let labels: Vec<u32> = digits.iter().map(|digit| u32::from(digit.label)).collect();
    Ok((images, Tensor::new(labels, device)?))
}
