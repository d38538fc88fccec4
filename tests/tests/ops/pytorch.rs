//! Values and gradients against PyTorch's.

use candle_core::{Result, Tensor, Var};
use taper::ops::{self, Conv2dOptions, Mask, Padding};
use taper_tests::parity::{Golden, TOLERANCE};

use super::assert_close;

/// Runs `op` on the inputs of the reference `name`, those of them that are floats being variables, and compares.
fn check(name: &str, inputs: &[&str], op: impl Fn(&[Tensor]) -> Result<Tensor>) -> Result<()> {
    let golden = Golden::open("ops")?;
    let of = |part: &str| golden.tensor(&format!("{name}.{part}")).clone();
    let vars = inputs.iter().map(|input| Var::from_tensor(&of(input))).collect::<Result<Vec<_>>>()?;
    let y = op(&vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>())?;
    assert_close(&y, &of("output"), TOLERANCE, name);
    let grads = (y * of("loss"))?.sum_all()?.backward()?;
    for (input, var) in inputs.iter().zip(&vars).filter(|(_, var)| var.dtype().is_float()) {
        let grad = grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient for `{input}`"));
        assert_close(grad, &of(&format!("grad.{input}")), TOLERANCE, &format!("{name}: gradient of `{input}`"));
    }
    Ok(())
}

#[test]
fn softmax() -> Result<()> {
    check("softmax", &["x"], |t| ops::softmax_last_dim(&t[0]))
}

#[test]
fn elementwise() -> Result<()> {
    check("exp", &["x"], |t| ops::exp(&t[0]))?;
    check("tanh", &["x"], |t| ops::tanh(&t[0]))?;
    check("sigmoid", &["x"], |t| ops::sigmoid(&t[0]))?;
    check("silu", &["x"], |t| ops::silu(&t[0]))?;
    check("gelu", &["x"], |t| ops::gelu(&t[0]))?;
    check("gelu_tanh", &["x"], |t| ops::gelu_tanh(&t[0]))?;
    check("quick_gelu", &["x"], |t| ops::quick_gelu(&t[0]))
}

#[test]
fn norms() -> Result<()> {
    check("layer_norm", &["x", "weight", "bias"], |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5))?;
    check("rms_norm", &["x", "weight"], |t| ops::rms_norm(&t[0], &t[1], 1e-5))
}

#[test]
fn rotary_embeddings() -> Result<()> {
    check("rope", &["x", "cos", "sin"], |t| ops::rope(&t[0], &t[1], &t[2]))?;
    check("rope_i", &["x", "cos", "sin"], |t| ops::rope_i(&t[0], &t[1], &t[2]))
}

fn attention(t: &[Tensor], mask: Mask<'_>) -> Result<Tensor> {
    let read = ops::attention(&t[0], &t[1], &t[2], 0.4, mask)?;
    // The pattern is what the output was made with.
    let scores = ops::attention_scores(&t[0], &t[1], 0.4, mask)?;
    assert_close(&read.pattern, &ops::softmax_last_dim(&scores)?, 0., "the pattern");
    assert_close(&read.output, &ops::attention_output(&read.pattern, &t[2])?, 0., "the output");
    Ok(read.output)
}

#[test]
fn attention_with_every_mask() -> Result<()> {
    let qkv = &["q", "k", "v"];
    let masked = &["q", "k", "v", "attn_mask"];
    check("attention", qkv, |t| attention(t, Mask::None))?;
    check("attention_causal", qkv, |t| attention(t, Mask::Causal))?;
    check("attention_grouped", qkv, |t| attention(t, Mask::Causal))?;
    check("attention_added", masked, |t| attention(t, Mask::Added(&t[3])))?;
    check("attention_allowed", masked, |t| attention(t, Mask::Allowed(&t[3])))
}

#[test]
fn convolutions() -> Result<()> {
    let check = |name: &str, options: Conv2dOptions| {
        check(name, &["x", "kernel", "bias"], |t| ops::conv2d(&t[0], &t[1], Some(&t[2]), options))
    };
    let plain = Conv2dOptions::default();
    let uneven = Padding { left: 0, right: 1, top: 2, bottom: 3 };
    check("conv2d", Conv2dOptions { padding: Padding::all(1), ..plain })?;
    check("conv2d_pointwise", plain)?;
    check("conv2d_strided", Conv2dOptions { stride: 2, dilation: 2, groups: 2, padding: Padding::all(2) })?;
    check("conv2d_depthwise", Conv2dOptions { stride: 2, groups: 4, padding: Padding::all(1), ..plain })?;
    check("conv2d_uneven", Conv2dOptions { groups: 2, padding: uneven, ..plain })
}

/// The value is right and the gradient a thousandth off.
#[test]
#[should_panic(expected = "gradient of `x`")]
fn a_wrong_gradient_is_found() {
    let wrong = |t: &[Tensor]| {
        let value = ops::rms_norm(&t[0], &t[1], 1e-5)?;
        value.detach() + (&value - value.detach())?.affine(1.001, 0.)?
    };
    check("rms_norm", &["x", "weight"], wrong).unwrap();
}
