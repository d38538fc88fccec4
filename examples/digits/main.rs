//! Trains a small network to read handwritten digits, then looks at what happens inside it.
//!
//! `cargo run --release --example digits [SEED]` prints the test accuracy and what the taps tell, and writes three
//! files: `out/digits.png`, the feature maps of every convolution for one digit, `out/digits.safetensors`, all that the
//! network computed for it, and `out/digits-grad-cam.png`, where it looks in digits read right and wrong. The seed (0 without the argument) decides the split, the initial weights and the order of
//! training.

mod data;
mod explain;
mod inspect;
mod model;
mod sheet;
mod train;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::softmax;
use candle_nn::{VarBuilder, VarMap};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use data::{Digit, batch};
use model::{CLASSES, DigitNet};
use sheet::Panel;
use taper_examples::picture::{Canvas, Palette};

/// Where the files go, from where the program is started.
const OUT: &str = "out";

fn main() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(taper_examples::seed()?);
    let split = data::split(&data::load()?, &mut rng);
    println!("{} digits to train on, {} to test on", split.train.len(), split.test.len());

    let variables = VarMap::new();
    let model = DigitNet::load(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    // Kaiming-uniform: a ReLU halves the variance.
    taper_examples::initialize(&variables, 2.0, &mut rng)?;
    train::train(&model, &variables, &split.train, &train::Config::default(), &mut rng)?;
    println!("test accuracy {:.3}", train::accuracy(&model, &split.test)?);

    let digit = split.test.iter().find(|digit| digit.label == 3).context("no 3 among the test digits")?;
    let (image, _) = batch(std::slice::from_ref(digit), &Device::Cpu)?;

    println!("\nEverything that the network computes for one digit:\n");
    inspect::table(&model, &image)?;
    println!("\nWhat the residual blocks make of the test digits:\n");
    inspect::blocks(&model, &split.test)?;
    println!("\nTest digits that are nearer to the mean of their own class than to any other, stage by stage:\n");
    inspect::separation(&model, &split.train, &split.test)?;

    println!("\nAccuracy on the test digits with the output of one part zeroed:\n");
    explain::ablation(&model, &split.test)?;

    write(&model, digit, &split.test)
}

/// Writes the files: a picture of what the convolutions make of `digit`, all taps, and where it looks in `test`.
fn write(model: &DigitNet, digit: &Digit, test: &[Digit]) -> Result<()> {
    let folder = Path::new(OUT);
    fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {OUT}"))?;
    let (image, _) = batch(std::slice::from_ref(digit), &Device::Cpu)?;

    let picture = folder.join("digits.png");
    draw(model, digit, &image)?.save(&picture)?;

    let tensors = folder.join("digits.safetensors");
    let (_, taps) = model.forward_with_taps(&image)?;
    taps.save(&tensors)?;

    let maps = folder.join("digits-grad-cam.png");
    explain::draw(model, test)?.save(&maps)?;

    println!("\nwrote {}, {} and {}", picture.display(), tensors.display(), maps.display());
    Ok(())
}

/// Draws the output of every convolution.
fn draw(model: &DigitNet, digit: &Digit, image: &Tensor) -> Result<Canvas> {
    let mut convolutions = Vec::new();
    for pattern in ["stem", "block1.conv?", "down", "block2.conv?"] {
        convolutions.extend(model.sites().matching_any(pattern)?);
    }
    let sites = convolutions.iter().map(|named| named.site()).collect::<candle_core::Result<Vec<_>>>()?;
    let (scores, outputs) = model.capture(image, |t| (t.output, sites))?;

    let shares = softmax(&scores, D::Minus1)?;
    let guess = shares.squeeze(0)?.argmax(0)?.to_scalar::<u32>()?;
    let share = shares.squeeze(0)?.to_vec1::<f32>()?[guess as usize];

    let mut panels = vec![Panel::new("input", image, Palette::Ink)?];
    for (named, output) in convolutions.iter().zip(&outputs) {
        panels.push(Panel::new(named.name(), output, Palette::Viridis)?);
    }
    let shares = shares.reshape((1, CLASSES, 1, 1))?;
    panels.push(Panel::new("probability of each digit", &shares, Palette::Viridis)?);

    let title = format!("A {} read as a {guess} with probability {share:.3}", digit.label);
    let explanation = "Each square is one channel, its number below. \
        Each group has a colour scale of its own: the least and the greatest value are beside it.";
    Ok(sheet::sheet(&title, explanation, &panels))
}
