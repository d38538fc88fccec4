//! Loaders: every form of `#[load]`, prefixes, configurations, other builders, strict loading of a derived model.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Embedding, Linear, Module, VarBuilder, VarMap, embedding, linear, linear_no_bias};
use taper::{Model, Weights, forward};

pub struct Config {
    pub width: usize,
    pub layers: usize,
    pub tied: bool,
    pub head: HeadConfig,
}

pub struct HeadConfig {
    pub classes: usize,
}

const CONFIG: Config = Config { width: 4, layers: 2, tied: true, head: HeadConfig { classes: 3 } };

#[derive(Model)]
#[model(config = Config)]
pub struct Block {
    #[load(linear(cfg.width, cfg.width))]
    #[prefix("mlp.fc")]
    pub fc: Linear,
    #[load(tensor(cfg.width))]
    pub scale: Tensor,
    #[load(tensor((1, cfg.width)))]
    #[prefix("stats.shift")]
    pub shift: Tensor,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.fc.forward(x)?.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)
    }
}

#[derive(Model)]
#[model(config = HeadConfig)]
pub struct Head {
    #[load(linear(4, cfg.classes))]
    #[prefix("")]
    pub out: Linear,
}

#[forward]
impl Head {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.out.forward(x)
    }
}

#[derive(Model)]
#[model(config = Config)]
pub struct Net {
    #[load(embedding(7, cfg.width))]
    pub wte: Embedding,
    #[load(each(cfg.layers))]
    #[prefix("h")]
    pub blocks: Vec<Block>,
    #[load(each(2, |i| linear(cfg.width, cfg.width + i - i)))]
    pub array: [Linear; 2],
    #[load(maybe(!cfg.tied, linear_no_bias(cfg.width, 7)))]
    pub untied: Option<Linear>,
    #[load(maybe(cfg.tied))]
    pub extra: Option<Box<Block>>,
    #[load(each(2, |i| maybe(i == 1, linear(4, 4))))]
    pub some: Vec<Option<Linear>>,
    pub shared: Arc<Block>,
    #[load(config = &cfg.head)]
    pub head: Head,
    #[load(expr = Linear::new(wte.embeddings().clone(), None))]
    pub lm_head: Linear,
    #[load(expr = vb.pp("late").get(cfg.width, "bias")?)]
    #[model(untapped)]
    pub late: Tensor,
    #[load(value = cfg.layers * 2)]
    pub twice: usize,
}

#[forward]
impl Net {
    pub fn forward(&self, ids: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut x = self.wte.forward(ids)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        for layer in &self.array {
            x = layer.forward(&x)?;
        }
        if let Some(untied) = &self.untied {
            x = untied.forward(&x)?;
        }
        if let Some(extra) = &self.extra {
            x = extra.forward(&x)?;
        }
        for layer in self.some.iter().flatten() {
            x = layer.forward(&x)?;
        }
        x = self.shared.forward(&x)?.broadcast_add(&self.late)?;
        Ok((self.head.forward(&x)?, self.lm_head.forward(&x)?))
    }
}

fn names(vars: &VarMap) -> Vec<String> {
    let mut names: Vec<String> = vars.data().lock().unwrap().keys().cloned().collect();
    names.sort();
    names
}

#[test]
fn every_form_loads_from_its_place() -> Result<()> {
    let vars = VarMap::new();
    let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &CONFIG)?;
    let block = |at: &str| ["mlp.fc.bias", "mlp.fc.weight", "scale", "stats.shift"].map(|n| format!("{at}.{n}"));
    let mut expected: Vec<String> = [block("extra"), block("h.0"), block("h.1"), block("shared")].concat();
    let linears = ["array.0", "array.1", "head", "some.1"];
    expected.extend(linears.iter().flat_map(|at| [format!("{at}.bias"), format!("{at}.weight")]));
    expected.extend(["wte.weight", "late.bias"].map(str::to_owned));
    expected.sort();
    assert_eq!(names(&vars), expected);
    assert_eq!(net.lm_head.weight().id(), net.wte.embeddings().id());
    assert_eq!((net.twice, net.untied.is_none(), net.some[0].is_none()), (4, true, true));
    let ids = Tensor::new(&[[1u32, 2]], &Device::Cpu)?;
    let (_, taps) = net.forward_with_taps(&ids)?;
    assert_eq!(taps.some.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    assert!(taps.untied.is_none() && taps.extra.is_some());
    assert_eq!(taps.output.0.dims(), [1, 2, 3]);
    Ok(())
}

#[test]
fn strict_loading_tells_all_faults_of_a_model() -> Result<()> {
    let vars = VarMap::new();
    Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &CONFIG)?;
    let mut tensors: HashMap<String, Tensor> =
        vars.data().lock().unwrap().iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let weights = Weights::from_tensors(tensors.clone(), DType::F32, &Device::Cpu);
    weights.load(|vb| Net::load(vb, &CONFIG))?;
    let moved = tensors.remove("h.1.scale").unwrap();
    tensors.insert("h.1.scales".to_owned(), moved);
    tensors.insert("late.bias".to_owned(), Tensor::zeros(5, DType::F32, &Device::Cpu)?);
    let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    let error = weights.load(|vb| Net::load(vb, &CONFIG)).err().unwrap().to_string();
    for part in ["h.1.scale", "h.1.scales", "late.bias", "[4]", "[5]"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    Ok(())
}

/// Builders of another type, as those of quantized weights are.
mod other_builder {
    use super::*;

    #[derive(Clone)]
    pub struct Constant {
        path: String,
        value: f32,
    }

    impl Constant {
        pub fn pp(&self, name: impl ToString) -> Self {
            Constant { path: format!("{}/{}", self.path, name.to_string()), value: self.value }
        }
    }

    pub fn constant(n: usize, vb: Constant) -> Result<Linear> {
        assert_eq!(vb.path, "/inner/fc");
        Ok(Linear::new(Tensor::full(vb.value, (n, n), &Device::Cpu)?, None))
    }

    #[derive(Model)]
    #[model(vb = Constant)]
    pub struct Inner {
        #[load(constant(2))]
        pub fc: Linear,
    }

    #[forward]
    impl Inner {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            self.fc.forward(x)
        }
    }

    #[derive(Model)]
    #[model(vb = Constant)]
    pub struct Outer {
        pub inner: Inner,
    }

    #[forward]
    impl Outer {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            self.inner.forward(x)
        }
    }

    #[test]
    fn it_loads() -> Result<()> {
        let net = Outer::load(Constant { path: String::new(), value: 3. })?;
        let y = net.forward(&Tensor::ones((1, 2), DType::F32, &Device::Cpu)?)?;
        assert_eq!(y.to_vec2::<f32>()?, [[6., 6.]]);
        Ok(())
    }
}
