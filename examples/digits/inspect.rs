//! What the taps of the trained network tell, in numbers.

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

use crate::data::{Digit, batch};
use crate::model::{CLASSES, DigitNet};

/// Prints the name, type and shape of every tap.
pub(crate) fn table(model: &DigitNet, image: &Tensor) -> Result<()> {
    let sites: Vec<_> = model.sites().iter().collect();
    let values = model.capture(image, |_| sites.clone())?;
    println!("{:<16}{:<8}shape", "tap", "type");
    for (site, values) in sites.iter().zip(values) {
        let type_name = site.type_name().rsplit("::").next().unwrap_or_default();
        // A site that is found by its name gives one value a visit: here each is visited once.
        for value in values {
            println!("{:<16}{type_name:<8}{:?}", site.name(), value.dims());
        }
    }
    Ok(())
}

/// Prints how strong each block's input is, how much of what the block looks for is not there, and what it changes.
pub(crate) fn blocks(model: &DigitNet, digits: &[Digit]) -> Result<()> {
    let (images, _) = batch(digits, &Device::Cpu)?;
    // Each value becomes a number where it arises: no maps are kept. The run ends with the last of them.
    let numbers = model.capture(&images, |t| {
        [
            (t.stem_relu.map(size), t.block1.relu.map(zeros), t.block1.conv2.map(size), t.block1.sum.map(size)),
            (t.down_relu.map(size), t.block2.relu.map(zeros), t.block2.conv2.map(size), t.block2.sum.map(size)),
        ]
    })?;
    println!("{:<10}{:>10}{:>16}{:>10}{:>10}", "", "|input|", "zeros in relu", "|conv2|", "|sum|");
    for (name, (input, zeros, conv2, sum)) in ["block1", "block2"].into_iter().zip(numbers) {
        println!("{name:<10}{input:>10.2}{:>14.0} %{conv2:>10.2}{sum:>10.2}", 100.0 * zeros);
    }
    println!("\n|x| is the root of the mean of the squares.");
    Ok(())
}

/// The share of zeros.
fn zeros(x: &Tensor) -> candle_core::Result<f32> {
    x.eq(0.0)?.to_dtype(DType::F32)?.mean_all()?.to_scalar()
}

/// The root of the mean square.
fn size(x: &Tensor) -> candle_core::Result<f32> {
    x.sqr()?.mean_all()?.sqrt()?.to_scalar()
}

/// Prints how well the classes lie apart at the stages of the network: the share of test digits that are nearer to the
/// mean of their own class of training digits than to that of any other.
pub(crate) fn separation(model: &DigitNet, train: &[Digit], test: &[Digit]) -> Result<()> {
    const STAGES: [&str; 6] = ["input", "stem_relu", "block1.output", "down_relu", "block2.output", "head"];
    let (train_images, train_labels) = batch(train, &Device::Cpu)?;
    let (test_images, test_labels) = batch(test, &Device::Cpu)?;
    let sites = model.sites();
    let stages = STAGES.map(|name| sites.find(name)).into_iter().collect::<candle_core::Result<Vec<_>>>()?;
    let known = model.capture(&train_images, |_| stages.clone())?;
    let asked = model.capture(&test_images, |_| stages)?;
    for ((name, known), asked) in STAGES.iter().zip(known).zip(asked) {
        let means = class_means(&known.flatten_from(1)?, &train_labels)?;
        let share = nearest(&asked.flatten_from(1)?, &means)?.eq(&test_labels)?.to_dtype(DType::F32)?.mean_all()?;
        let share = share.to_scalar::<f32>()?;
        println!("{name:<16}{:5.1} %  {}", 100.0 * share, "#".repeat((50.0 * share) as usize));
    }
    Ok(())
}

/// The mean of the rows `[n, d]` of each class: `[CLASSES, d]`.
fn class_means(rows: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor> {
    let classes = Tensor::arange(0, CLASSES as u32, labels.device())?.unsqueeze(1)?;
    let members = classes.broadcast_eq(&labels.unsqueeze(0)?)?.to_dtype(rows.dtype())?;
    members.matmul(rows)?.broadcast_div(&members.sum_keepdim(1)?)
}

/// The number of the mean that each row `[n, d]` is nearest to: `[n]`.
fn nearest(rows: &Tensor, means: &Tensor) -> candle_core::Result<Tensor> {
    // |row - mean|² without |row|², which is the same for all means.
    let products = rows.matmul(&means.t()?)?;
    means.sqr()?.sum(1)?.broadcast_sub(&(products * 2.0)?)?.argmin(1)
}
