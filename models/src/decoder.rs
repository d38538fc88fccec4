//! What decoders have in common, so that a logit lens or a search for heads is written once for all of them.

use candle_core::{Error, Result, Tensor};
use taper::{Model, Site};

use crate::past::Past;

/// A stack of blocks over a stream of tokens, with a head that gives the logits of the token after each.
///
/// ```
/// use candle_core::{Result, Tensor};
/// use taper::Model;
/// use taper_models::Decoder;
///
/// /// The logits that each block's stream would have if it were the last: [block][batch, token, vocabulary].
/// fn logit_lens<D: Decoder<Source = ()>>(model: &D, ids: &Tensor) -> Result<Vec<Tensor>> {
///     let streams = Model::capture(model, D::args(ids, &(), None), |t| D::streams(&t))?;
///     streams.iter().map(|stream| model.unembed(stream)).collect()
/// }
/// ```
pub trait Decoder: Model<Output = Tensor, Error = Error> {
    /// What it reads beside the tokens: `()` for a language model, what an encoder made for a decoder with
    /// cross-attention.
    type Source;

    /// The arguments of its `forward`. `ids`: [batch, token].
    fn args<'a>(ids: &'a Tensor, source: &'a Self::Source, past: Option<&'a Past>) -> Self::Args<'a>;

    /// The stream before the first block: [batch, token, channel].
    fn embed(sites: &Self::Sites) -> Site<Tensor>;

    /// The stream after each block: [batch, token, channel].
    fn streams(sites: &Self::Sites) -> Vec<Site<Tensor>>;

    /// What each block's self-attention reads of each token, after the softmax: [batch, head, query, key].
    fn patterns(sites: &Self::Sites) -> Vec<Site<Tensor>>;

    /// The keys and values that each block's self-attention makes of the tokens that are read, of which the next [`Past`] is
    /// made: each [batch, key head, token, channel of the head].
    fn keys_values(sites: &Self::Sites) -> Vec<(Site<Tensor>, Site<Tensor>)>;

    /// The logits, which `forward` returns: [batch, token, vocabulary].
    fn logits(sites: &Self::Sites) -> Site<Tensor>;

    /// The logits of a stream: the last norm and the head. `stream`: [batch, token, channel], to [batch, token,
    /// vocabulary].
    ///
    /// # Errors
    /// A stream of another width.
    fn unembed(&self, stream: &Tensor) -> Result<Tensor>;
}

/// The trait of a decoder whose fields are named as they are in all of them. `forward`'s arguments are the tokens, what
/// else it reads if that is anything, and the past.
macro_rules! decoder {
    ($model:ident, $sites:ident, $source:ty, |$ids:ident, $read:ident, $past:ident| $args:expr, $($other:ty)?) => {
        impl $crate::Decoder for $model {
            type Source = $source;

            fn args<'a>(
                $ids: &'a Tensor,
                $read: &'a $source,
                $past: Option<&'a $crate::Past>,
            ) -> (&'a Tensor, $(&'a $other,)? Option<&'a $crate::Past>) {
                $args
            }

            fn embed(sites: &$sites) -> taper::Site<Tensor> {
                sites.embed
            }

            fn streams(sites: &$sites) -> Vec<taper::Site<Tensor>> {
                sites.blocks.iter().map(|block| block.output).collect()
            }

            fn patterns(sites: &$sites) -> Vec<taper::Site<Tensor>> {
                sites.blocks.iter().map(|block| block.attn.pattern).collect()
            }

            fn keys_values(sites: &$sites) -> Vec<(taper::Site<Tensor>, taper::Site<Tensor>)> {
                sites.blocks.iter().map(|block| (block.attn.k, block.attn.v)).collect()
            }

            fn logits(sites: &$sites) -> taper::Site<Tensor> {
                sites.output
            }

            fn unembed(&self, stream: &Tensor) -> Result<Tensor> {
                $model::unembed(self, stream)
            }
        }
    };
}

/// [`decoder!`] of a language model, which reads nothing else.
macro_rules! language_model {
    ($model:ident, $sites:ident) => {
        $crate::decoder::decoder! { $model, $sites, (), |ids, _none, past| (ids, past), }
    };
}

/// [`decoder!`] of one that reads what an encoder made, and what prepares that for it.
macro_rules! reading_decoder {
    ($model:ident, $sites:ident) => {
        impl $model {
            /// With the keys and values of every cross-attention, so that they are made once and not again for every token.
            /// The taps `cross_attn.k_proj` and `v_proj` are not reached then; `k` and `v` are.
            ///
            /// # Errors
            /// What the encoder made having another width.
            pub fn prepare(&self, source: &$crate::Source) -> Result<$crate::Source> {
                source.prepared(self.blocks.iter().map(|block| block.cross_attn.prepare(source.encoded())))
            }
        }

        $crate::decoder::decoder! {
            $model, $sites, $crate::Source, |ids, source, past| (ids, source, past), $crate::Source
        }
    };
}
pub(crate) use {decoder, language_model, reading_decoder};
