//! Runs with effects are never cut short.

use candle_core::{Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::{BatchNorm, Linear, Module, ModuleT, linear};
use taper::{Model, forward};

use super::{Count, assert_same, random, vb, zero};

#[derive(Model)]
pub struct Block {
    #[load(linear(4, 4))]
    pub proj: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor, cache: &mut KvCache) -> Result<Tensor> {
        let kv = self.proj.forward(x)?;
        let (k, v) = cache.append(&kv, &kv)?;
        let past = (k.sum_keepdim(1)? + v.sum_keepdim(1)?)?;
        x.broadcast_add(&past)
    }
}

#[derive(Model)]
pub struct Net {
    #[load(each(3))]
    pub blocks: Vec<Block>,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor, caches: &mut [KvCache]) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, (block, cache)) in self.blocks.iter().zip(caches.iter_mut()).enumerate().rev() {
            x = block.forward(&x, cache)?;
            let _ = i;
        }
        Ok(x)
    }
}

fn caches() -> Vec<KvCache> {
    (0..3).map(|_| KvCache::new(1, 16)).collect()
}

fn lengths(caches: &[KvCache]) -> Vec<usize> {
    caches.iter().map(KvCache::current_seq_len).collect()
}

#[test]
fn caches_stay_of_one_length() -> Result<()> {
    let net = Net::load(vb())?;
    let (mut plain, mut captured, mut with_taps) = (caches(), caches(), caches());
    for step in 1..4 {
        let x = random((1, 1, 4));
        let output = net.forward(&x, &mut plain)?;
        // The last block is the first to run.
        let early = net.capture(&x, &mut captured, |t| t.blocks[2].proj)?;
        let (same, taps) = net.forward_with_taps(&x, &mut with_taps)?;
        assert_eq!(lengths(&captured), [step; 3]);
        assert_same(&same, &output);
        assert_same(&early, &taps.blocks[2].proj);
    }
    let x = random((1, 1, 4));
    assert_same(&net.forward(&x, &mut captured)?, &net.forward(&x, &mut plain)?);
    Ok(())
}

/// Both layers have to have seen the same runs.
#[derive(Model, Default)]
#[model(stateful)]
pub struct Noisy {
    #[model(leaf)]
    pub a: Count,
    #[model(leaf)]
    pub b: Count,
}

#[forward]
impl Noisy {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.b.forward(&self.a.forward(x)?)
    }
}

#[derive(Model, Default)]
pub struct HoldsNoisy {
    #[model(leaf)]
    pub before: Count,
    pub noisy: Vec<Noisy>,
    #[model(leaf)]
    pub after: Count,
}

#[forward]
impl HoldsNoisy {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.before.forward(x)?;
        for noisy in &self.noisy {
            x = noisy.forward(&x)?;
        }
        self.after.forward(&x)
    }
}

#[test]
fn a_stateful_model_runs_to_its_end() -> Result<()> {
    let noisy = Noisy::default();
    noisy.capture(&zero(), |t| t.a)?;
    assert_eq!((noisy.a.calls(), noisy.b.calls()), (1, 1));
    let outer = HoldsNoisy { noisy: vec![Noisy::default(), Noisy::default()], ..HoldsNoisy::default() };
    outer.capture(&zero(), |t| t.before)?;
    assert_eq!([outer.before.calls(), outer.noisy[1].b.calls(), outer.after.calls()], [1, 1, 1]);
    Ok(())
}

#[derive(Model)]
pub struct Normed {
    pub first: BatchNorm,
    pub second: BatchNorm,
    #[model(leaf)]
    pub last: Count,
}

#[forward]
impl Normed {
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.first.forward_t(x, train)?;
        let x = x.apply_t(&self.second, train)?;
        self.last.forward(&x)
    }
}

#[test]
fn batch_statistics_move_together() -> Result<()> {
    let norm = || {
        let (ones, zeros) = (random(4).ones_like()?, random(4).zeros_like()?);
        BatchNorm::new(4, zeros.clone(), ones.clone(), ones, zeros, 1e-5)
    };
    let model = Normed { first: norm()?, second: norm()?, last: Count::default() };
    let x = random((8, 4));
    let before = model.second.running_mean().copy()?;
    model.capture(&x, false, |t| t.first)?;
    assert_same(model.second.running_mean(), &before);
    assert_eq!(model.last.calls(), 0);
    assert_same(&model.capture(&x, false, |t| t.output)?, &model.forward_t(&x, false)?);
    model.capture(&x, true, |t| t.first)?;
    let moved = (model.second.running_var() - 1.)?.abs()?.sum_all()?.to_scalar::<f32>()?;
    assert!(moved > 0., "the second layer did not run");
    Ok(())
}
