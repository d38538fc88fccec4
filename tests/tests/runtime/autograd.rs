//! Which values stay on the autograd graph, and runs at the same time.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};

use super::{assert_same, random};

#[derive(Model)]
pub struct Net {
    #[load(each(4, |_| linear(4, 4)))]
    pub layers: Vec<Linear>,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward(&x)?.tanh()?;
        }
        Ok(x)
    }
}

fn net() -> Result<(Net, VarMap)> {
    let vars = VarMap::new();
    Ok((Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?, vars))
}

fn has_gradient(value: &Tensor, of: &Tensor) -> Result<bool> {
    Ok(value.sum_all()?.backward()?.get(of).is_some())
}

#[test]
fn forward_with_taps_keeps_the_graph_and_capture_does_not() -> Result<()> {
    let (net, _vars) = net()?;
    let weight = net.layers[0].weight();
    let x = random((2, 4));
    let (output, taps) = net.forward_with_taps(&x)?;
    assert!(has_gradient(&output, weight)? && has_gradient(&taps.layers[3], weight)?);
    let gradient = |value: &Tensor| value.sum_all()?.backward()?.get(weight).cloned().ok_or_else(|| unreachable!());
    let plain: Result<Tensor> = gradient(&net.forward(&x)?);
    assert_same(&gradient(&output)?, &plain?);

    let captured = net.capture(&x, |t| t.layers[3])?;
    assert!(!has_gradient(&captured, weight)?);
    assert!(!has_gradient(&net.capture(&x, |t| t.layers[3].map(|x| x.sqr()))?, weight)?);
    let attached = net.capture_attached(&x, |t| (t.layers[3], t.layers[3].map(|x| x.sqr())))?;
    assert!(has_gradient(&attached.0, weight)? && has_gradient(&attached.1, weight)?);
    assert_same(&captured, &attached.0);
    Ok(())
}

#[test]
fn gradients_reach_an_input() -> Result<()> {
    let (net, _vars) = net()?;
    let x = Var::from_tensor(&random((2, 4)))?;
    let (_, taps) = net.forward_with_taps(&x)?;
    assert!(has_gradient(&taps.layers[2], &x)?);
    Ok(())
}

#[test]
fn two_threads_capture_different_things_of_one_model() -> Result<()> {
    let (net, _vars) = net()?;
    let x = random((2, 4));
    let (_, taps) = net.forward_with_taps(&x)?;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            for layer in 0..4 {
                let (net, x, taps) = (&net, &x, &taps);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let (value, all) = net.capture(x, |t| (t.layers[layer], t.layers.each(|l| l))).unwrap();
                        assert_same(&value, &taps.layers[layer]);
                        assert_same(&all[3 - layer], &taps.layers[3 - layer]);
                        assert_same(&net.capture(x, |t| t.layers[layer]).unwrap(), &value);
                    }
                });
            }
        }
    });
    Ok(())
}
