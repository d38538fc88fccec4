//! What holds at every tap of any model.

use candle_core::{Result, Tensor};
use taper::Model;
use taper_models::bert::Bert;
use taper_models::t5::T5;
use taper_models::whisper::Whisper;
use taper_tests::fixtures::assert_same;
use taper_tests::originals::{self, LLAMAS, NEOXES, Original};
use taper_tests::parity::{Golden, max_error};

/// Putting back at a tap what was there changes no bit of the output, at each tap in turn.
fn put_back<M: Original>(model: &M, golden: &Golden) -> Result<()> {
    let (plain, _) = Model::forward_with_taps(model, M::args(golden))?;
    let (sites, mut reached) = (Model::sites(model), 0);
    for tap in sites.iter() {
        let values = Model::capture(model, M::args(golden), |_| tap.clone())?;
        let edited = Model::run(model).edit(|_| tap.clone(), |value| Ok(value.clone()));
        let replaced = Model::run(model).replace(|_| tap.clone(), &values);
        // What the model has not, no run reaches.
        let (edited, replaced) = match values.is_empty() {
            true => (edited.if_reached(), replaced.if_reached()),
            false => (edited, replaced),
        };
        assert_same(&edited.on(M::args(golden)).forward()?, &plain);
        assert_same(&replaced.on(M::args(golden)).forward()?, &plain);
        reached += values.len();
    }
    assert!(reached > 30, "{reached} taps are no model");
    Ok(())
}

/// An edit of the first row of the batch, at each tap in turn, leaves the other rows of the output as they are, bit for
/// bit; and somewhere it changes the first.
fn rows<M: Original>(model: &M, golden: &Golden) -> Result<()> {
    let batch = golden.tensor("output").dim(0)?;
    let rest = |value: &Tensor| value.narrow(0, 1, batch - 1)?.contiguous();
    let (plain, _) = Model::forward_with_taps(model, M::args(golden))?;
    let mut changed = 0;
    for tap in Model::sites(model).iter() {
        let values = Model::capture(model, M::args(golden), |_| tap.clone())?;
        // Nothing there, or something that has no row for each of the batch.
        if values.first().is_none_or(|value| value.dims()[0] != batch) {
            continue;
        }
        let first_row = |value: &Tensor| {
            let first = (value.narrow(0, 0, 1)? * 1.5)?;
            Tensor::cat(&[&first, &value.narrow(0, 1, batch - 1)?], 0)
        };
        let edited = Model::run(model).edit(|_| tap.clone(), first_row).on(M::args(golden)).forward()?;
        assert_same(&rest(&edited)?, &rest(&plain)?);
        changed += usize::from(max_error(&edited, &plain)? > 1e-3);
    }
    assert!(changed > 25, "{changed} edits had an effect");
    Ok(())
}

fn bits(value: &Tensor) -> Result<Vec<u32>> {
    Ok(value.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}

/// An edit at `edited` leaves every tap that `before` matches as it is, bit for bit, and reaches every one that `after`
/// matches.
fn in_order<M: Original>(model: &M, golden: &Golden, edited: &str, before: &[String], after: &[String]) -> Result<()> {
    let sites = Model::sites(model);
    let site = sites.find(edited)?;
    // No norm takes it back, as it would a factor or a shift.
    let run = Model::run(model).edit(|_| site, Tensor::sin);
    let both = |pattern: &str| -> Result<Vec<(String, Tensor, Tensor)>> {
        let taps = sites.matching_any(pattern)?;
        let plain = Model::capture(model, M::args(golden), |_| taps.clone())?;
        let changed = run.on(M::args(golden)).capture(|_| taps.clone())?;
        // What lies in the downsampling of a block that has none has no value.
        let values = taps.iter().zip(plain.into_iter().zip(changed)).flat_map(|(tap, (plain, changed))| {
            assert_eq!(plain.len(), changed.len(), "{}", tap.name());
            plain.into_iter().zip(changed).map(|(plain, changed)| (tap.name().to_owned(), plain, changed))
        });
        Ok(values.collect())
    };
    for pattern in before {
        for (_, plain, changed) in both(pattern)? {
            assert_same(&changed, &plain);
        }
    }
    for pattern in after {
        for (name, plain, changed) in both(pattern)? {
            assert!(bits(&changed)? != bits(&plain)?, "the edit of `{edited}` did not reach `{name}`");
        }
    }
    Ok(())
}

#[test]
fn what_is_put_back_changes_no_bit() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    put_back(&originals::gpt2(&golden)?, &golden)?;
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        put_back(&originals::llama(&golden)?, &golden)?;
    }
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        put_back(&originals::neox(&golden)?, &golden)?;
    }
    let golden = Golden::open("resnet")?;
    put_back(&originals::resnet(&golden)?, &golden)?;
    let golden = Golden::open("bert_types")?;
    put_back(&originals::pretrained::<Bert>(&golden, |_| ())?, &golden)?;
    let golden = Golden::open("t5_gated")?;
    put_back(&originals::pretrained::<T5>(&golden, |_| ())?, &golden)?;
    let golden = Golden::open("whisper")?;
    put_back(&originals::pretrained::<Whisper>(&golden, |_| ())?, &golden)
}

#[test]
fn rows_that_an_edit_leaves_alone_keep_their_bits() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    rows(&originals::gpt2(&golden)?, &golden)?;
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        rows(&originals::llama(&golden)?, &golden)?;
    }
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        rows(&originals::neox(&golden)?, &golden)?;
    }
    let golden = Golden::open("resnet")?;
    rows(&originals::resnet(&golden)?, &golden)?;
    let golden = Golden::open("bert_types")?;
    rows(&originals::pretrained::<Bert>(&golden, |_| ())?, &golden)?;
    let golden = Golden::open("t5_gated")?;
    rows(&originals::pretrained::<T5>(&golden, |_| ())?, &golden)?;
    let golden = Golden::open("whisper")?;
    rows(&originals::pretrained::<Whisper>(&golden, |_| ())?, &golden)
}

#[test]
fn what_comes_before_an_edit_keeps_its_bits_in_gpt2() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let model = originals::gpt2(&golden)?;
    let blocks = model.blocks.len();
    for k in 0..blocks {
        let mut before = ["wte", "wpe", "embed"].map(str::to_owned).to_vec();
        before.extend((0..k).map(|i| format!("blocks.{i}.**")));
        before.extend(["ln_1", "attn.**", "after_attn", "ln_2", "mlp.**"].map(|part| format!("blocks.{k}.{part}")));
        let mut after: Vec<_> = (k + 1..blocks).map(|i| format!("blocks.{i}.**")).collect();
        after.extend(["ln_f", "lm_head", "output"].map(str::to_owned));
        in_order(&model, &golden, &format!("blocks.{k}.output"), &before, &after)?;
    }
    Ok(())
}

#[test]
fn what_comes_before_an_edit_keeps_its_bits_in_llamas() -> Result<()> {
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        let model = originals::llama(&golden)?;
        let blocks = model.blocks.len();
        for k in 0..blocks {
            let mut before = ["wte", "embed", "cos", "sin"].map(str::to_owned).to_vec();
            before.extend((0..k).map(|i| format!("blocks.{i}.**")));
            before.extend(["ln_1", "attn.**", "after_attn", "ln_2", "mlp.**"].map(|part| format!("blocks.{k}.{part}")));
            let mut after: Vec<_> = (k + 1..blocks).map(|i| format!("blocks.{i}.**")).collect();
            after.extend(["ln_f", "lm_head", "output"].map(str::to_owned));
            in_order(&model, &golden, &format!("blocks.{k}.output"), &before, &after)?;
        }
    }
    Ok(())
}

#[test]
fn what_comes_before_an_edit_keeps_its_bits_in_resnet() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let model = originals::resnet(&golden)?;
    for k in 1..=4 {
        let mut before = ["conv1", "bn1", "relu", "maxpool"].map(str::to_owned).to_vec();
        before.extend((1..k).map(|i| format!("layer{i}.**")));
        before.extend(["conv1", "bn1", "relu1", "conv2"].map(|part| format!("layer{k}.0.{part}")));
        let mut after: Vec<_> = (k + 1..=4).map(|i| format!("layer{i}.**")).collect();
        after.extend(["sum", "output"].map(|part| format!("layer{k}.0.{part}")));
        after.extend(["avgpool", "fc", "output"].map(str::to_owned));
        in_order(&model, &golden, &format!("layer{k}.0.bn2"), &before, &after)?;
    }
    Ok(())
}

#[test]
fn what_comes_before_an_edit_keeps_its_bits_in_t5() -> Result<()> {
    let golden = Golden::open("t5")?;
    let model = originals::pretrained::<T5>(&golden, |_| ())?;
    let block = |stack: &str, parts: &[&str]| -> Vec<String> {
        parts.iter().map(|part| format!("{stack}.blocks.0.{part}")).collect()
    };
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();

    // Of the encoder: the decoder's own tokens read each other before they read what it made.
    let parts = ["ln_1", "attn.**", "after_attn", "ln_2", "mlp.**"];
    let mut before = names(&["encoder.embed", "encoder.relative_bias.**", "decoder.embed", "decoder.relative_bias.**"]);
    before.extend(block("encoder", &parts));
    before.extend(block("decoder", &["ln_1", "attn.**", "after_attn", "ln_cross", "cross_attn.q"]));
    let mut after = names(&["encoder.blocks.1.**", "encoder.ln_f", "decoder.blocks.1.**", "decoder.ln_f", "output"]);
    after.extend(block("decoder", &["cross_attn.k", "cross_attn.v", "cross_attn.pattern", "after_cross", "mlp.**"]));
    in_order(&model, &golden, "encoder.blocks.0.output", &before, &after)?;

    // Of the decoder: what it reads of the encoder does not depend on it.
    let mut before = names(&["encoder.**", "decoder.blocks.1.cross_attn.k", "decoder.blocks.1.cross_attn.v"]);
    before.extend(block("decoder", &["ln_1", "attn.**", "after_attn", "ln_cross", "cross_attn.pattern"]));
    let mut after =
        names(&["decoder.blocks.1.attn.**", "decoder.blocks.1.cross_attn.pattern", "decoder.ln_f", "output"]);
    after.extend(block("decoder", &["after_cross", "ln_2", "mlp.**", "output"]));
    in_order(&model, &golden, "decoder.blocks.0.cross_attn.output", &before, &after)
}
