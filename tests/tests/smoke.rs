//! taps.
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};

#[derive(Model)]
pub struct Block {
    #[load(linear(4, 4))]
    pub a: Linear,
    #[load(linear(4, 4))]
    pub b: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, #[tap] x: &Tensor) -> Result<Tensor> {
        #[tap]
        let h = self.a.forward(x)?.relu()?;
        let y = h.apply(&self.b)?;
        x + y
    }
}

#[derive(Model)]
pub struct Net {
    #[load(each(3))]
    pub blocks: Vec<Block>,
    #[load(maybe(true, linear(4, 4)))]
    pub head: Option<Linear>,
    #[load(linear(4, 4))]
    pub shared: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for b in self.blocks.iter().rev() {
            x = b.forward(&x)?;
        }
        for _ in 0..2 {
            x = self.shared.forward(&x)?;
        }
        if let Some(head) = &self.head {
            x = head.forward(&x)?;
        }
        Ok(x)
    }
}

#[test]
fn it_works() -> Result<()> {
    let vars = VarMap::new();
    let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let x = Tensor::randn(0f32, 1., (2, 4), &Device::Cpu)?;
    let (y, taps) = net.forward_with_taps(&x)?;
    println!("{taps:#?}");
    assert_eq!(y.to_vec2::<f32>()?, net.forward(&x)?.to_vec2::<f32>()?);
    let (h, heads, all) = net.capture(&x, |t| (t.blocks[1].h, t.head.map(|h| h), t.shared.each(|s| s)))?;
    assert_eq!(h.to_vec2::<f32>()?, taps.blocks[1].h.to_vec2::<f32>()?);
    assert!(heads.is_some());
    assert_eq!(all.len(), 2);
    for s in net.sites().iter() {
        println!("{s}");
    }
    Ok(())
}
