//! Decoders that keep a past: reading a text in parts gives the taps of reading it at once, and a changed run goes on as
//! it would without a past.

use candle_core::{DType, Device, Result, Tensor};
use taper::{Model, NamedSite};
use taper_models::t5::T5;
use taper_models::whisper::Whisper;
use taper_models::{Decoder, Generation, Past, Source};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::{self, LLAMAS, NEOXES};
use taper_tests::parity::{Golden, max_error};

/// How far a tap of a cached step may be from that of the whole pass `r`, times `1 + |r|`.
const CACHED: f64 = 1e-5;

/// The part of `whole` that is of the tokens from `start` to `end`, of `tokens`: every dimension that has as many entries
/// as there are tokens is one of tokens. The model's own sizes must be others.
fn part(whole: &Tensor, tokens: usize, (start, end): (usize, usize), like: &Tensor) -> Result<Tensor> {
    let mut part = whole.clone();
    for (dim, &len) in like.dims().iter().enumerate() {
        if whole.dims()[dim] == tokens && len != tokens {
            // Queries end with the part; keys are all until there.
            let from = if len == end { 0 } else { start };
            part = part.narrow(dim, from, end - from)?;
        }
    }
    Ok(part)
}

/// Reads `ids` in the parts that end at `ends`, and compares every tap with that of the whole.
fn compare_parts<D: Decoder>(model: &D, source: &D::Source, ids: &Tensor, ends: &[usize]) -> Result<()> {
    let run = Model::run(model);
    let sites = Model::sites(model);
    let taps: Vec<NamedSite> = sites.iter().collect();
    let tokens = ids.dim(1)?;
    let whole = run.on(D::args(ids, source, None)).capture(|_| taps.clone())?;
    let (mut past, mut start) = (None, 0);
    for &end in ends {
        let read = ids.narrow(1, start, end - start)?;
        let step = run.on(D::args(&read, source, past.as_ref()));
        let (values, blocks) = step.capture(|t| (taps.clone(), D::keys_values(&t)))?;
        for ((tap, values), whole) in taps.iter().zip(values).zip(&whole) {
            assert_eq!(values.len(), whole.len(), "{}", tap.name());
            for (value, whole) in values.iter().zip(whole) {
                let whole = part(whole, tokens, (start, end), value)?;
                let error = max_error(value, &whole)?;
                assert!(error <= CACHED, "`{}` of tokens {start} to {end}: {error:.1e}", tap.name());
            }
        }
        past = Some(match past {
            None => Past::new(blocks)?,
            Some(past) => past.then(blocks)?,
        });
        start = end;
    }
    assert_eq!(past.unwrap().len(), tokens);
    Ok(())
}

/// A changed run goes on with a past as it does when it reads the whole text for every token.
fn compare_steered<D: Decoder>(model: &D, source: &D::Source, ids: &Tensor, tokens: usize) -> Result<()>
where
    D::Source: Clone,
{
    let width = Model::capture(model, D::args(ids, source, None), |t| D::embed(&t))?.dim(2)?;
    let direction = (Tensor::arange(0f32, width as f32, &Device::Cpu)?.sin()? * 3.0)?;
    let middle = |sites: &D::Sites| {
        let streams = D::streams(sites);
        streams[streams.len() / 2]
    };
    // The keys of every token, those of the past with them.
    let sites = Model::sites(model);
    let keys = sites.find("blocks.0.attn.keys")?;
    let steered =
        Model::run(model).edit(|t| middle(&t), |x| x.broadcast_add(&direction)).edit(|_| keys, |keys| keys * 1.5);
    let mut text = Generation::new(&steered, ids, source.clone());
    text.greedy(tokens)?;

    let again = |run: &taper::Run<'_, '_, D>| -> Result<Tensor> {
        let mut ids = ids.clone();
        for _ in 0..tokens {
            let logits = run.on(D::args(&ids, source, None)).forward()?;
            let next = logits.narrow(1, ids.dim(1)? - 1, 1)?.argmax(2)?;
            ids = Tensor::cat(&[&ids, &next.to_dtype(ids.dtype())?], 1)?;
        }
        Ok(ids)
    };
    let numbers = |ids: &Tensor| ids.to_dtype(DType::U32)?.to_vec2::<u32>();
    assert_eq!(numbers(text.ids())?, numbers(&again(&steered)?)?);
    assert_ne!(numbers(text.ids())?, numbers(&again(&Model::run(model))?)?, "the steering changes nothing");
    assert_eq!(text.past().unwrap().len(), text.ids().dim(1)? - 1);
    Ok(())
}

/// What the original generates.
fn compare_generated<D: Decoder<Source = ()>>(model: &D, golden: &Golden) -> Result<()> {
    compare_generated_from(model, &(), golden.tensor("input.input_ids"), golden)
}

fn compare_generated_from<D: Decoder>(model: &D, source: &D::Source, ids: &Tensor, golden: &Golden) -> Result<()>
where
    D::Source: Clone,
{
    let generated = golden.tensor("generated");
    let run = Model::run(model);
    let mut text = Generation::new(&run, ids, source.clone());
    text.greedy(generated.dim(1)? - ids.dim(1)?)?;
    assert_eq!(text.ids().to_vec2::<i64>()?, generated.to_vec2::<i64>()?);
    Ok(())
}

fn check<D: Decoder<Source = ()>>(model: &D, golden: &Golden) -> Result<()> {
    let ids = golden.tensor("input.input_ids");
    compare_parts(model, &(), ids, &[4, 5, 7, 9])?;
    compare_steered(model, &(), ids, 8)
}

/// The same of a decoder that reads what an encoder made, and what it generates; with keys and values of the
/// cross-attention made in every step, and made before.
fn check_reading<D: Decoder<Source = Source>>(
    model: &D,
    source: &Source,
    prepared: &Source,
    golden: &Golden,
) -> Result<()> {
    let ids = golden.tensor("input.decoder_input_ids");
    let start = golden.tensor("generated").narrow(1, 0, 1)?;
    for source in [source, prepared] {
        compare_parts(model, source, ids, &[3, 4, ids.dim(1)?])?;
        compare_steered(model, source, ids, 8)?;
        compare_generated_from(model, source, &start, golden)?;
    }
    // All but the layers that make them.
    let layers = |name: &str| name.ends_with("cross_attn.k_proj") || name.ends_with("cross_attn.v_proj");
    for tap in Model::sites(model).iter() {
        let taps = [source, prepared].map(|source| Model::capture(model, D::args(ids, source, None), |_| tap.clone()));
        let [plain, prepared] = taps;
        let (plain, prepared) = (plain?, prepared?);
        assert_eq!(prepared.is_empty(), plain.is_empty() || layers(tap.name()), "{}", tap.name());
        for (plain, prepared) in plain.iter().zip(&prepared) {
            assert_same(plain, prepared);
        }
    }
    Ok(())
}

#[test]
fn gpt2() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    check(&originals::gpt2(&golden)?, &golden)?;
    for reference in ["gpt2_untied", "gpt2_odd", "gpt2_by_layer"] {
        let golden = Golden::open(reference)?;
        let model = originals::gpt2(&golden)?;
        check(&model, &golden)?;
        compare_generated(&model, &golden)?;
    }
    Ok(())
}

#[test]
fn llamas() -> Result<()> {
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        let model = originals::llama(&golden)?;
        check(&model, &golden)?;
        // The first of them is older than what it would be compared with.
        if reference != "llama" {
            compare_generated(&model, &golden)?;
        }
    }
    Ok(())
}

#[test]
fn neoxes() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        let model = originals::neox(&golden)?;
        check(&model, &golden)?;
        compare_generated(&model, &golden)?;
    }
    Ok(())
}

#[test]
fn t5() -> Result<()> {
    for reference in ["t5", "t5_gated", "mt5"] {
        let golden = Golden::open(reference)?;
        let model = originals::pretrained::<T5>(&golden, |_| ())?;
        let mask = golden.tensor("input.attention_mask");
        let encoded = model.encoder.forward(golden.tensor("input.input_ids"), Some(mask))?;
        let source = Source::new(encoded, Some(mask.clone()));
        check_reading(&model.decoder, &source, &model.decoder.prepare(&source)?, &golden)?;
    }
    Ok(())
}

#[test]
fn whisper() -> Result<()> {
    for reference in ["whisper", "whisper_odd"] {
        let golden = Golden::open(reference)?;
        let model = originals::pretrained::<Whisper>(&golden, |_| ())?;
        let source = Source::new(model.encoder.forward(golden.tensor("input.input_features"))?, None);
        check_reading(&model.decoder, &source, &model.decoder.prepare(&source)?, &golden)?;
    }
    Ok(())
}

#[test]
fn a_text_that_is_read_is_not_read_again() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let model = originals::gpt2(&golden)?;
    let run = model.run();
    let mut text = Generation::new(&run, golden.tensor("input.input_ids"), ());
    text.step(|_| ())?;
    let error = text.step(|_| ()).unwrap_err().to_string();
    assert!(error.contains("`push` the next one"), "{error}");
    Ok(())
}

#[test]
fn generation_ends_where_every_text_has_ended() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let model = originals::gpt2(&golden)?;
    let run = model.run();
    let ids = golden.tensor("input.input_ids");
    let mut scripted = [[1u32, 2], [9, 3], [4, 9], [5, 5]].into_iter();
    let mut text = Generation::new(&run, ids, ());
    text.generate(4, &[9], |_| Tensor::new(&scripted.next().unwrap(), &Device::Cpu))?;
    assert_eq!(text.ids().dim(1)?, ids.dim(1)? + 3);
    Ok(())
}

/// A recording knows its past by its content.
#[test]
fn a_replay_is_of_the_same_past() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let model = originals::gpt2(&golden)?;
    let ids = golden.tensor("input.input_ids");
    let past = |n| Past::new(model.capture(&ids.narrow(1, 0, n)?, None, |t| t.blocks.each(|b| (b.attn.k, b.attn.v)))?);
    let next = ids.narrow(1, 4, 2)?;
    let recording = model.run().record(&next, Some(&past(4)?))?;
    let zeroed = |run: taper::Run<'_, '_, taper_models::gpt2::Gpt2>| {
        run.edit(|t| t.blocks[1].attn.z, |z| z.zeros_like()).forward(&next, Some(&past(4)?))
    };
    assert_eq!(max_error(&zeroed(recording.replay())?, &zeroed(model.run())?)?, 0.0);
    let error = recording.replay().forward(&next, Some(&past(3)?)).unwrap_err().to_string();
    assert!(error.contains("`past`"), "{error}");
    assert!(recording.replay().forward(&next, None).is_err());
    Ok(())
}
