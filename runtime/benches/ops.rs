//! What an operation of `taper::ops` costs where nothing is on the autograd graph, against candle's own; and with its
//! gradients, against the same composed of candle's simpler operations, which have them. Side by side in one run, on one
//! thread.
//!
//! `cargo bench -p taper --bench ops` prints lines `ratio NAME VALUE`.

#[path = "timing/mod.rs"]
mod timing;

use std::env;
use std::hint::black_box;
use std::time::Duration;

use taper::candle_core::{D, Device, Result, Shape, Tensor, Var};
use taper::candle_nn::{BatchNorm, ModuleT, ops as fused, rotary_emb};
use taper::ops::{self, Conv2dOptions, Padding};

use timing::{THREADS, again, clock, keep_memory, median};

const ROUNDS: usize = 101;

/// Prints what `ours` takes against `theirs`, whose numbers are the same within rounding.
fn same(name: &str, times: u32, ours: impl Fn() -> Result<Tensor>, theirs: impl Fn() -> Result<Tensor>) -> Result<()> {
    let off = (ours()? - theirs()?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(off < 1e-4, "{name}: {off} off from candle's numbers");
    compare(name, times, ours, theirs)
}

/// Prints what `ours` takes against `composed`, both from the input to its gradient.
fn gradients(
    name: &str,
    times: u32,
    x: &Var,
    ours: impl Fn() -> Result<Tensor>,
    composed: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let of = |y: Tensor| Ok(y.sqr()?.backward()?.remove(x).expect("a gradient"));
    let off = (of(ours()?)? - of(composed()?)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(off < 1e-4, "{name}: not the same gradients");
    compare(&format!("{name}-gradient/composed"), times, || of(ours()?), || of(composed()?))
}

/// The median over the rounds, in each of which both have their turn, `times` times.
fn compare(
    name: &str,
    times: u32,
    ours: impl Fn() -> Result<Tensor>,
    theirs: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let time = |op: &dyn Fn() -> Result<Tensor>| {
        let start = clock();
        for _ in 0..times {
            black_box(op()?);
        }
        Result::Ok((clock() - start) / times)
    };
    let round = |round: usize| {
        // Neither always follows the other.
        if round.is_multiple_of(2) {
            let ours = time(&ours)?;
            return Ok((ours, time(&theirs)?));
        }
        let theirs = time(&theirs)?;
        Ok((time(&ours)?, theirs))
    };
    let taken: Vec<(Duration, Duration)> = (0..ROUNDS).map(round).collect::<Result<_>>()?;
    let micros = |of: fn(&(Duration, Duration)) -> Duration| median(taken.iter().map(|t| of(t).as_secs_f64() * 1e6));
    println!("# {name}: {:.1} µs, the other {:.1} µs", micros(|t| t.0), micros(|t| t.1));
    println!(
        "ratio {name} {:.4}",
        median(taken.iter().map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64()))
    );
    Ok(())
}

/// Ordinary numbers: how long an exponential takes depends on them.
fn numbers(shape: impl Into<Shape>) -> Result<Tensor> {
    let shape = shape.into();
    let numbers = (0..shape.elem_count()).map(|i| (i as f32 * 1.3).sin()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

fn measure() -> Result<()> {
    keep_memory();
    let scores = numbers((4, 8, 128, 128))?;
    same("softmax", 2, || ops::softmax_last_dim(&scores), || fused::softmax_last_dim(&scores))?;
    let (x, w, b) = (numbers((128, 768))?, numbers(768)?, numbers(768)?);
    same("layer_norm", 40, || ops::layer_norm(&x, &w, &b, 1e-5), || fused::layer_norm(&x, &w, &b, 1e-5))?;
    same("rms_norm", 40, || ops::rms_norm(&x, &w, 1e-5), || fused::rms_norm(&x, &w, 1e-5))?;
    let (q, angles) = (numbers((1, 12, 128, 64))?, numbers((128, 32))?);
    let (cos, sin) = (angles.cos()?, angles.sin()?);
    same("rope", 40, || ops::rope(&q, &cos, &sin), || rotary_emb::rope(&q, &cos, &sin))?;
    same("rope_i", 40, || ops::rope_i(&q, &cos, &sin), || rotary_emb::rope_i(&q, &cos, &sin))?;

    let hidden = numbers((128, 3072))?;
    same("gelu", 2, || ops::gelu(&hidden), || hidden.gelu_erf())?;
    same("gelu_tanh", 2, || ops::gelu_tanh(&hidden), || hidden.gelu())?;
    same("quick_gelu", 2, || ops::quick_gelu(&hidden), || &hidden * fused::sigmoid(&(&hidden * 1.702)?)?)?;
    same("silu", 2, || ops::silu(&hidden), || hidden.silu())?;
    same("sigmoid", 2, || ops::sigmoid(&hidden), || fused::sigmoid(&hidden))?;
    same("exp", 2, || ops::exp(&hidden), || hidden.exp())?;
    same("tanh", 2, || ops::tanh(&hidden), || hidden.tanh())?;
    let (image, dense, each) = (numbers((1, 64, 56, 56))?, numbers((64, 64, 3, 3))?, numbers((64, 1, 3, 3))?);
    let (dense, each) = ((dense * 0.05)?, (each * 0.3)?);
    let padded = Conv2dOptions { padding: Padding::all(1), ..Conv2dOptions::default() };
    let depthwise = Conv2dOptions { groups: 64, ..padded };
    same("conv2d", 1, || ops::conv2d(&image, &dense, None, padded), || image.conv2d(&dense, 1, 1, 1, 1))?;
    same("conv2d-depthwise", 1, || ops::conv2d(&image, &each, None, depthwise), || image.conv2d(&each, 1, 1, 1, 64))?;
    let of = |number: f64| Tensor::full(number as f32, 64, &Device::Cpu);
    let (mean, var, weight, bias) = (of(0.1)?, of(0.5)?, of(2.)?, of(0.3)?);
    let norm = BatchNorm::new(64, mean.clone(), var.clone(), weight.clone(), bias.clone(), 1e-5)?;
    let ours = || ops::batch_norm(&image, &mean, &var, &weight, &bias, 1e-5);
    same("batch_norm", 4, ours, || norm.forward_t(&image, false))?;

    let (scores, x, q) = (Var::from_tensor(&scores)?, Var::from_tensor(&x)?, Var::from_tensor(&q)?);
    gradients("softmax", 1, &scores, || ops::softmax_last_dim(&scores), || fused::softmax(&scores, D::Minus1))?;
    let slow = || fused::layer_norm_slow(&x, &w, &b, 1e-5);
    gradients("layer_norm", 4, &x, || ops::layer_norm(&x, &w, &b, 1e-5), slow)?;
    gradients("rms_norm", 4, &x, || ops::rms_norm(&x, &w, 1e-5), || fused::rms_norm_slow(&x, &w, 1e-5))?;
    gradients("rope", 4, &q, || ops::rope(&q, &cos, &sin), || rotary_emb::rope_slow(&q, &cos, &sin))?;
    gradients("rope_i", 4, &q, || ops::rope_i(&q, &cos, &sin), || rotary_emb::rope_i_slow(&q, &cos, &sin))
}

fn main() -> Result<()> {
    if env::var_os(THREADS).is_none_or(|threads| threads != "1") {
        return again(&env::args().skip(1).collect::<Vec<_>>(), &[]);
    }
    // On the pool's one thread, where candle's parallel loops run at once.
    rayon::scope(|_| measure())
}
