//! Norms as leaves: candle's bits in every layout, and gradients for whatever is tracked.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{LayerNorm, LayerNormConfig, RmsNorm, VarBuilder, layer_norm};
use taper::{Layer, Model, forward};

use super::{assert_close, doubles};

#[derive(Model)]
pub struct Net<N: Layer> {
    pub norm: N,
}

#[forward]
impl<N: Layer> Net<N> {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(x)
    }
}

const WIDTH: usize = 6;
const EPS: f64 = 1e-5;

/// Makes a norm of a weight and a bias, which it may leave out.
type Make<N> = fn(&Tensor, &Tensor) -> Result<N>;

/// Every path of `LayerNorm::forward`, and whether it has a bias.
const LAYER_NORMS: [(&str, Make<LayerNorm>, bool); 5] = [
    ("with a bias", |weight, bias| Ok(LayerNorm::new(weight.clone(), bias.clone(), EPS)), true),
    ("without a bias", |weight, _| Ok(LayerNorm::new_no_bias(weight.clone(), EPS)), false),
    ("with its mean", |weight, _| Ok(LayerNorm::rms_norm(weight.clone(), EPS)), false),
    ("with a bias and its mean", with_mean, true),
    ("of another epsilon", |weight, bias| Ok(LayerNorm::new(weight.clone(), bias.clone(), 0.3)), true),
];

const RMS_NORM: (&str, Make<RmsNorm>, bool) = ("RmsNorm", |weight, _| Ok(RmsNorm::new(weight.clone(), EPS)), false);

fn with_mean(weight: &Tensor, bias: &Tensor) -> Result<LayerNorm> {
    let config = LayerNormConfig { eps: EPS, remove_mean: false, affine: true };
    let tensors = [("weight".to_owned(), weight.clone()), ("bias".to_owned(), bias.clone())].into();
    layer_norm(WIDTH, config, VarBuilder::from_tensors(tensors, weight.dtype(), &Device::Cpu))
}

fn numbers(shape: impl Into<candle_core::Shape>, seed: f64) -> Result<Tensor> {
    let shape = shape.into();
    let numbers = (0..shape.elem_count()).map(|i| ((i * i) as f64 * 0.7 + i as f64 * 1.3 + seed * 5.1).sin() * 1.5);
    Tensor::from_vec(numbers.collect(), shape, &Device::Cpu)
}

/// The same numbers in three layouts: in order, transposed, and in order behind others.
fn layouts(x: &Tensor) -> Result<[Tensor; 3]> {
    let behind = Tensor::cat(&[x, x], 0)?.narrow(0, x.dim(0)?, x.dim(0)?)?;
    let turned = x.transpose(0, 1)?.contiguous()?.transpose(0, 1)?;
    assert!(x.is_contiguous() && !turned.is_contiguous() && behind.is_contiguous());
    Ok([x.clone(), turned, behind])
}

/// With all of x, weight and bias as variables, of which those of `tracked` (bits) are used as such.
struct Setting<N: Layer> {
    vars: [Var; 3],
    net: Net<N>,
    x: Tensor,
}

fn setting<N: Layer>(make: Make<N>, dtype: DType, tracked: usize) -> Result<Setting<N>> {
    let of = |x: Result<Tensor>| Var::from_tensor(&x?.to_dtype(dtype)?);
    let vars = [of(numbers((3, 4, WIDTH), 0.))?, of(numbers(WIDTH, 1.))?, of(numbers(WIDTH, 2.))?];
    let used = |at: usize| match tracked & (1 << at) {
        0 => vars[at].as_detached_tensor(),
        _ => vars[at].as_tensor().clone(),
    };
    let (x, weight, bias) = (used(0), used(1), used(2));
    Ok(Setting { vars, net: Net { norm: make(&weight, &bias)? }, x })
}

fn bits(x: &Tensor) -> (Vec<usize>, DType, Vec<u64>) {
    (x.dims().to_vec(), x.dtype(), doubles(x).into_iter().map(f64::to_bits).collect())
}

fn give_candles_bits<N: Layer + Module>((what, make, _): (&str, Make<N>, bool)) -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        for tracked in 0..8 {
            let Setting { net, x, .. } = setting(make, dtype, tracked)?;
            for x in layouts(&x)? {
                let what = format!("{what}, {dtype:?}, {:?}, tracked {tracked:b}", x.stride());
                match net.norm.forward(&x) {
                    Ok(expected) => {
                        assert_eq!(bits(&net.forward_with_taps(&x)?.0), bits(&expected), "{what}");
                        assert_eq!(bits(&net.capture(&x, |t| t.output)?), bits(&expected), "{what}");
                    }
                    // What a production `forward` refuses, a run refuses.
                    Err(_) => assert!(net.forward_with_taps(&x).is_err(), "{what}"),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn norms_give_candles_bits_tracked_or_not_in_every_layout() -> Result<()> {
    LAYER_NORMS.into_iter().try_for_each(give_candles_bits)?;
    give_candles_bits(RMS_NORM)
}

/// A transposed input takes candle's composed path, which has gradients: those in order are to be the same.
fn give_gradients<N: Layer>((what, make, has_bias): (&str, Make<N>, bool)) -> Result<()> {
    let loss = |y: &Tensor| (y * numbers(y.shape(), 9.)?.to_dtype(y.dtype())?)?.sum_all();
    for tracked in 1..8 {
        let Setting { vars, net, x } = setting(make, DType::F32, tracked)?;
        let [_, turned, _] = layouts(&x)?;
        let slow = loss(&net.norm.forward(&turned)?)?.backward()?;
        for x in layouts(&x)? {
            let grads = loss(&net.forward_with_taps(&x)?.0)?.backward()?;
            for (at, var) in vars.iter().enumerate() {
                let what = format!("{what}, {:?}, input {at}, tracked {tracked:b}", x.stride());
                let expected = tracked & (1 << at) != 0 && (at < 2 || has_bias);
                assert_eq!(grads.get(var).is_some(), expected, "{what}");
                if let Some(grad) = grads.get(var) {
                    assert_close(grad, slow.get(var).expect("the composed path has gradients"), 1e-4, &what);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn norms_give_gradients_for_what_is_tracked_in_every_layout() -> Result<()> {
    LAYER_NORMS.into_iter().try_for_each(give_gradients)?;
    give_gradients(RMS_NORM)
}
