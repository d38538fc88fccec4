//! Differentiating changes no bit of a run, whatever the layout of the value: which kernel comes next depends on it.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Linear, Module, RmsNorm, VarBuilder, VarMap, layer_norm, linear, rms_norm};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder};

const WIDTH: usize = 24;

#[derive(Model)]
pub struct Layouts {
    #[load(layer_norm(WIDTH, 1e-5))]
    pub norm: LayerNorm,
    #[load(rms_norm(WIDTH, 1e-5))]
    pub rms: RmsNorm,
    #[load(linear(WIDTH, WIDTH))]
    pub lin: Linear,
}

#[forward]
impl Layouts {
    pub fn forward(&self, x: &Tensor, layout: &str) -> Result<Tensor> {
        #[tap]
        let view = match layout {
            "plain" => x.clone(),
            "transposed" => x.transpose(0, 1)?.contiguous()?.transpose(0, 1)?,
            "last" => x.transpose(1, 2)?.contiguous()?.transpose(1, 2)?,
            "permuted" => x.permute((2, 0, 1))?.contiguous()?.permute((1, 2, 0))?,
            "narrowed" => Tensor::cat(&[x, x], 2)?.narrow(2, 5, WIDTH)?,
            "rows" => Tensor::cat(&[x, x], 1)?.narrow(1, 3, x.dim(1)?)?,
            "narrow and transposed" => {
                Tensor::cat(&[x, x], 2)?.narrow(2, 5, WIDTH)?.transpose(0, 1)?.contiguous()?.transpose(0, 1)?
            }
            "transposed and narrow" => {
                Tensor::cat(&[x, x], 1)?.transpose(1, 2)?.contiguous()?.transpose(1, 2)?.narrow(1, 2, x.dim(1)?)?
            }
            "broadcast" => x.narrow(1, 0, 1)?.broadcast_as(x.dims())?,
            "broadcast last" => x.narrow(2, 0, 1)?.broadcast_as(x.dims())?,
            "broadcast all" => x.narrow(0, 0, 1)?.broadcast_as(x.dims())?,
            other => candle_core::bail!("no layout {other}"),
        };
        let attention = view.matmul(&view.transpose(1, 2)?.contiguous()?)?;
        let y = (self.norm.forward(&view)? + self.rms.forward(&view)?)?;
        // candle 0.11's `Linear` gives wrong numbers for a batch whose rows are transposed.
        let y = (y + self.lin.forward(&view.contiguous()?)?)?;
        let y = y.broadcast_mul(&attention.sum_keepdim(2)?)?;
        // −0.0 stays −0.0.
        y + view.neg()?
    }
}

const ALL: [&str; 11] = [
    "plain",
    "transposed",
    "last",
    "permuted",
    "narrowed",
    "rows",
    "narrow and transposed",
    "transposed and narrow",
    "broadcast",
    "broadcast last",
    "broadcast all",
];

#[test]
fn the_loss_and_the_values_are_those_of_the_plain_run() -> Result<()> {
    let vars = VarMap::new();
    Layouts::load(builder(&vars))?;
    let data = vars.data().lock().unwrap();
    let frozen = data.iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
    let frozen = Layouts::load(VarBuilder::from_tensors(frozen, DType::F32, &Device::Cpu))?;
    let trained = {
        let tensors = data.iter().map(|(k, v)| (k.clone(), v.as_tensor().clone())).collect();
        Layouts::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))?
    };
    let x = Tensor::randn(0f32, 1., (2, 6, WIDTH), &Device::Cpu)?;
    let x = (x.relu()? * -1.)?;
    for layout in ALL {
        // Weights on the autograd graph, so that the plain run takes the kernels that can be differentiated too.
        for (model, name) in [(&trained, "trained"), (&frozen, "frozen")] {
            let run = model.run().loss(|t| t.output, |y| y.sum_all());
            let g = run.gradients(&x, layout, |t| (t.view, t.output))?;
            let plain = model.forward(&x, layout)?;
            let (tap, value) = (model.capture(&x, layout, |t| t.view)?, &g.values.0);
            assert_same(value, &tap);
            assert_eq!(value.is_contiguous(), tap.is_contiguous(), "{layout}");
            if name == "trained" {
                assert_same(&g.values.1, &plain);
                assert_same(&g.loss, &plain.sum_all()?);
            } else {
                let apart = (&g.values.1 - &plain)?.abs()?.max_all()?.to_scalar::<f32>()?;
                assert!(apart == 0., "{layout} {name}: {apart}");
            }
            assert_eq!(g.gradients.0.dims(), [2, 6, WIDTH]);
            // The gradient is that of a run whose value is a variable of its own.
            let var = candle_core::Var::from_tensor(&tap.contiguous()?)?;
            let y = model.run().replace(|t| t.view, var.as_tensor()).forward(&x, layout)?;
            let expected = y.sum_all()?.backward()?.remove(var.as_tensor()).unwrap();
            let apart = (&g.gradients.0 - &expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
            let size = expected.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(apart <= 1e-4 * size, "{layout} {name}: {apart} of {size}");
        }
    }
    Ok(())
}
