//! What `tools/dump_reference.py` writes of a module in which much is easily dumped wrongly, against the same in taper.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::rnn::{GRU, GRUConfig, RNN, gru};
use candle_nn::{Embedding, Linear, embedding, linear};
use taper::parity::Parity;
use taper::{Model, Weights, forward};
use taper_tests::parity::Golden;

#[derive(Model)]
pub struct Net {
    #[load(embedding(7, 4))]
    pub embed: Embedding,
    #[load(linear(4, 4))]
    pub fc: Linear,
    #[load(gru(4, 4, GRUConfig::default()))]
    pub gru: GRU,
    #[load(expr = Linear::new(embed.embeddings().clone(), None))]
    pub head: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, ids: &Tensor, scale: &Tensor) -> Result<Tensor> {
        let x = self.embed.forward(ids)?.broadcast_mul(scale)?;
        #[tap]
        let first = self.fc.forward(&x)?.relu()?;
        #[tap]
        let second = (self.fc.forward(&(first + 0.5)?)? - 0.25)?.relu()?;
        let states = self.gru.seq(&second)?;
        let hidden: Vec<&Tensor> = states.iter().map(|state| &state.h).collect();
        self.head.forward(&Tensor::stack(&hidden, 1)?)
    }
}

#[test]
fn every_value_and_gradient_is_the_originals() -> Result<()> {
    let golden = Golden::open("dumped")?;
    let weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    // The tied weights, which the file has twice.
    let tied = |name: &str| name.starts_with("same.") || name == "head.weight";
    let net = weights.allow_unused(tied).load(|vb| Net::load(vb))?;
    let reference = golden.reference()?;
    let (ids, scale) = (reference.ids("input.ids")?, reference.tensor("input.scale")?);
    let parity = Parity::of(&net, &reference)
        .same_names()
        .map("fc.{i}", "module.fc#{i+1}")
        .map("fc.{i}", "module.same#{i+1}")
        .map("first", "module.relu")
        .map("second", "module.relu#2")
        .map("gru.0.h", "module.gru")
        .reference_as(|h| h.get_on_dim(1, 0))
        .map("gru.2.h", "module.gru[1]")
        .reference_as(|h| h.get(0));
    let report = parity.run((&ids, &scale))?.into_result()?;
    assert!(report.left_over().is_empty(), "{report}");
    assert_eq!(report.rows().len(), 11, "{report}");
    parity.gradients((&ids, &scale), |t| t.output, |y| y.powf(3.)?.sum_all())?.into_result()?;
    Ok(())
}
