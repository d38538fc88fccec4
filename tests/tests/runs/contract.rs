//! The forms in which a changed run is written.

use candle_core::{Result, Tensor};
use taper_tests::fixtures::{assert_same, input};

use crate::models::net;

#[test]
fn a_run_is_written_as_the_docs_say() -> Result<()> {
    let model = net();
    let ids = input();
    let means = model.capture(&ids, |t| t.blocks[4..9].each(|b| b.output))?;
    let known = model.capture(&ids, |t| t.blocks[0].mlp.output)?;
    let zs = model.capture(&ids, |t| t.blocks.each(|b| b.attn.z))?;
    let corrupted = model.capture(&(ids.clone() * 2.)?, |t| t.blocks.each(|b| b.output))?;
    let targets = Tensor::zeros_like(&ids)?;

    let run = model
        .run()
        .edit(|t| t.blocks.each(|b| b.attn.pattern), |p| p.zeros_like())
        .edit_with(|t| t.blocks[4..9].each(|b| b.output), &means, |x, m| x - m)
        .replace(|t| t.blocks[0].mlp.output, &known)
        .replace(|t| t.blocks.each(|b| b.attn.z), &zs);
    let logits = run.forward(&ids)?;
    let (again, late) = run.capture(&ids, |t| (t.output, t.blocks[5].output))?;
    assert_same(&logits, &again);
    assert_eq!(late.dims(), ids.dims());
    let error = run.forward_with_taps(&ids).unwrap_err().to_string();
    assert!(
        error.contains("`blocks.0.mlp.up.inner` is captured, and `blocks.0.mlp`") || error.contains("replaced"),
        "{error}"
    );

    let recording = model.run().record(&ids)?;
    for (layer, corrupted) in corrupted.iter().enumerate() {
        let patched = recording.replay().replace(|t| t.blocks[layer].output, corrupted).forward(&ids)?;
        let afresh = model.run().replace(|t| t.blocks[layer].output, corrupted).forward(&ids)?;
        assert_same(&patched, &afresh);
    }

    let g = model
        .run()
        .loss(|t| t.output, |logits| (logits - &targets)?.sqr()?.sum_all())
        .gradients(&ids, |t| t.blocks.each(|b| b.output))?;
    assert_eq!((g.loss.rank(), g.values.len(), g.gradients.len()), (0, 12, 12));
    Ok(())
}

/// The stream beside what is differentiated is off the graph, and nothing is lost by that.
#[test]
fn a_side_branch_can_be_differentiated_and_an_edit_may_cut_the_graph() -> Result<()> {
    let model = net();
    let ids = (input() * 0.1)?;
    let loss = |t: crate::models::NetSites| t.output;
    let sum = |y: &Tensor| y.sum_all();
    for layer in 0..12 {
        model.run().loss(loss, sum).gradients(&ids, |t| t.blocks[layer].attn.pattern)?;
        model.run().loss(loss, sum).gradients(&ids, |t| t.blocks[layer].mlp.up.inner)?;
    }
    let cut = model.run().edit(|t| t.blocks[3].attn.pattern, |p| p.zeros_like());
    let g = cut.loss(loss, sum).gradients(&ids, |t| t.blocks.each(|b| b.output))?;
    assert_eq!(g.gradients.len(), 12);
    let error = model.run().edit(|t| t.blocks[3].output, |p| p.zeros_like()).loss(loss, sum);
    let error = error.gradients(&ids, |t| t.blocks[1].output).unwrap_err().to_string();
    assert!(error.contains("the loss does not depend on `blocks.1.output`"), "{error}");
    Ok(())
}

#[test]
fn a_replacement_of_another_shape_is_named() {
    let model = net();
    let ids = input();
    let wrong = Tensor::zeros((1, 4), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let leaf = model.run().replace(|t| t.blocks[2].mlp.up.inner, &wrong).forward(&ids).unwrap_err().to_string();
    assert!(leaf.contains("in `blocks.2.mlp.up.inner` (Linear 4→4) on [2, 4]"), "{leaf}");
    assert!(leaf.contains("the value put in is [1, 4], and the layer gives [2, 4]"), "{leaf}");
    let whole = model.run().replace(|t| t.blocks[2].mlp.output, &wrong).forward(&ids).unwrap_err().to_string();
    assert!(whole.contains("in `blocks.2` (Block), after `blocks.2.mlp.output`"), "{whole}");
    assert!(whole.contains("`blocks.2.mlp.output` was replaced by [1, 4] F32"), "{whole}");
    let tap = model.run().replace(|t| t.blocks[2].mid, &wrong).forward(&ids).unwrap_err().to_string();
    assert!(
        tap.contains("at `blocks.2.mid`: the value put in is [1, 4] F32 on Cpu, and the value there is [2, 4] F32"),
        "{tap}"
    );
}
