//! What `Decoder` promises of every architecture: the sites that it names are what it says.

use candle_core::{D as Dim, Result, Tensor};
use taper::Model;
use taper_models::Decoder;
use taper_tests::fixtures::assert_same;
use taper_tests::originals::{self, LLAMAS, NEOXES};
use taper_tests::parity::{Golden, max_error};

fn check<M: Decoder<Source = ()>>(model: &M, golden: &Golden) -> Result<()> {
    let ids = golden.tensor("input.input_ids");
    let (batch, tokens) = ids.dims2()?;
    let (embed, streams, patterns, keys_values, logits) = Model::capture(model, M::args(ids, &(), None), |t| {
        (M::embed(&t), M::streams(&t), M::patterns(&t), M::keys_values(&t), M::logits(&t))
    })?;
    assert!(streams.len() > 1);
    assert_eq!((patterns.len(), keys_values.len()), (streams.len(), streams.len()));
    let width = embed.dim(Dim::Minus1)?;
    for stream in [&embed].into_iter().chain(&streams) {
        assert_eq!(stream.dims(), [batch, tokens, width]);
    }
    for (pattern, (keys, values)) in patterns.iter().zip(&keys_values) {
        let (of, heads, queries, read) = pattern.dims4()?;
        assert_eq!((of, queries, read), (batch, tokens, tokens));
        assert!(
            max_error(
                &pattern.sum(Dim::Minus1)?,
                &Tensor::ones((of, heads, queries), pattern.dtype(), pattern.device())?
            )? < 1e-6
        );
        for tensor in [keys, values] {
            assert!(heads.is_multiple_of(tensor.dim(1)?));
            assert_eq!((tensor.dim(0)?, tensor.dim(2)?), (batch, tokens));
        }
    }
    // The lens at the last block is the model itself.
    assert_same(&model.unembed(streams.last().expect("seen above"))?, &logits);
    assert_same(&logits, &Model::run(model).on(M::args(ids, &(), None)).forward()?);
    Ok(())
}

#[test]
fn gpt2() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    check(&originals::gpt2(&golden)?, &golden)
}

#[test]
fn llamas() -> Result<()> {
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        check(&originals::llama(&golden)?, &golden)?;
    }
    Ok(())
}

#[test]
fn neoxes() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        check(&originals::neox(&golden)?, &golden)?;
    }
    Ok(())
}
