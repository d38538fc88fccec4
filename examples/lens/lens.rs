//! The logit lens, and where heads look: one run of any decoder.

use anyhow::{Result, ensure};
use candle_core::{DType, Tensor};
use candle_nn::ops::softmax_last_dim;
use taper::Model;
use taper::tensors::top_k;
use taper_models::Decoder;
use taper_models::any::WithDecoder;

/// What is looked at.
pub(crate) struct Lens<'a> {
    /// [1, token].
    pub(crate) ids: &'a Tensor,
    /// How many tokens are told at each place.
    pub(crate) top: usize,
    /// Which blocks; all of them without.
    pub(crate) layers: Option<Vec<usize>>,
}

/// What was seen.
pub(crate) struct Seen {
    /// The likeliest next tokens by the stream before the first block, after each block, and by the model itself.
    pub(crate) rows: Vec<Row>,
    /// Blocks by their numbers, and what each head reads of each token: [head, query, key].
    pub(crate) patterns: Vec<(usize, Tensor)>,
}

/// The lens at one depth.
pub(crate) struct Row {
    pub(crate) name: String,
    /// After each token: tokens and their probabilities, the likeliest first.
    pub(crate) next: Vec<Vec<(u32, f32)>>,
}

impl WithDecoder for Lens<'_> {
    type Output = Result<Seen>;

    fn run<D: Decoder<Source = ()>>(self, model: &D) -> Result<Seen> {
        let sites = Model::sites(model);
        let blocks = D::streams(&sites).len();
        let layers = self.layers.unwrap_or_else(|| (0..blocks).collect());
        if let Some(layer) = layers.iter().find(|&&layer| layer >= blocks) {
            ensure!(false, "`--layers`: there is no block {layer}; the model has {blocks}, from 0 to {}", blocks - 1);
        }
        let (embed, streams, patterns, logits) = Model::capture(model, D::args(self.ids, &(), None), |t| {
            let of = |all: Vec<taper::Site<Tensor>>| layers.iter().map(|&layer| all[layer]).collect::<Vec<_>>();
            (D::embed(&t), of(D::streams(&t)), of(D::patterns(&t)), D::logits(&t))
        })?;
        let mut rows = vec![row("embedding", &model.unembed(&embed)?, self.top)?];
        for (layer, stream) in layers.iter().zip(&streams) {
            rows.push(row(&format!("block {layer}"), &model.unembed(stream)?, self.top)?);
        }
        rows.push(row("output", &logits, self.top)?);
        let patterns = patterns.iter().map(|pattern| pattern.get(0)?.to_dtype(DType::F32));
        let patterns: Vec<Tensor> = patterns.collect::<candle_core::Result<_>>()?;
        Ok(Seen { rows, patterns: layers.into_iter().zip(patterns).collect() })
    }
}

/// The likeliest tokens by logits, [1, token, vocabulary].
fn row(name: &str, logits: &Tensor, top: usize) -> Result<Row> {
    let probabilities = softmax_last_dim(&logits.get(0)?.to_dtype(DType::F32)?.contiguous()?)?;
    let (values, ids) = top_k(&probabilities, top.min(probabilities.dim(1)?))?;
    let (values, ids) = (values.to_vec2::<f32>()?, ids.to_vec2::<u32>()?);
    let next = ids.into_iter().zip(values).map(|(ids, values)| ids.into_iter().zip(values).collect());
    Ok(Row { name: name.to_owned(), next: next.collect() })
}
