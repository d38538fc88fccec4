//! What an edit or a replacement can be made at, and in which order changes are made.

use candle_core::{Result, Tensor};
use taper::NamedSite;
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{CALLS, Options, maze};
use crate::models::{calls, net};

fn plus(x: &Tensor) -> Result<Tensor> {
    x + 1.
}

fn twice(x: &Tensor) -> Result<Tensor> {
    x * 2.
}

#[test]
fn a_capture_sees_what_flows_on() -> Result<()> {
    let (model, ids) = (net(), input());
    let plain = model.capture(&ids, |t| t.blocks[3].attn.x)?;
    let run = model.run().edit(|t| t.blocks[3].attn.x, plus);
    assert_same(&run.capture(&ids, |t| t.blocks[3].attn.x)?, &plus(&plain)?);
    // A tapped parameter flows into the layer that is called with it.
    let qkv = run.capture(&ids, |t| t.blocks[3].attn.qkv.output)?;
    assert_same(&qkv, &model.blocks[3].attn.qkv.forward(&plus(&plain)?)?);
    let (output, taps) = run.forward_with_taps(&ids)?;
    assert_same(&output, &run.forward(&ids)?);
    assert_same(&taps.blocks[3].attn.x, &plus(&plain)?);
    assert_same(&taps.output, &output);
    assert_same(&run.capture(&ids, |t| t.output)?, &output);
    Ok(())
}

#[test]
fn edits_are_made_in_their_order_and_a_replacement_first() -> Result<()> {
    let (model, ids) = (net(), input());
    let known = (&ids * 7.)?;
    let at = |run: taper::Run<'_, '_, crate::models::Net>| run.capture(&ids, |t| t.blocks[2].output);
    let plain = model.capture(&ids, |t| t.blocks[2].output)?;
    assert_same(
        &at(model.run().edit(|t| t.blocks[2].output, plus).edit(|t| t.blocks[2].output, twice))?,
        &twice(&plus(&plain)?)?,
    );
    assert_same(
        &at(model.run().edit(|t| t.blocks[2].output, twice).edit(|t| t.blocks[2].output, plus))?,
        &plus(&twice(&plain)?)?,
    );
    let run = model.run().edit(|t| t.blocks[2].output, plus).replace(|t| t.blocks[2].output, &known);
    assert_same(&at(run)?, &plus(&known)?);
    let other = (&ids - 3.)?;
    let run = model.run().replace(|t| t.blocks[2].output, &known).replace(|t| t.blocks[2].output, &other);
    assert_same(&at(run)?, &other);
    let tap = |run: taper::Run<'_, '_, crate::models::Net>| run.capture(&ids, |t| t.blocks[2].mid);
    let run = model.run().replace(|t| t.blocks[2].mid, &known).replace(|t| t.blocks[2].mid, &other);
    assert_same(&tap(run.edit(|t| t.blocks[2].mid, twice))?, &twice(&other)?);
    Ok(())
}

#[test]
fn containers_tuples_and_lists_are_changed_site_by_site() -> Result<()> {
    let (model, ids) = (net(), input());
    let same = |a: taper::Run<'_, '_, crate::models::Net>, b: taper::Run<'_, '_, crate::models::Net>| -> Result<()> {
        assert_same(&a.forward(&ids)?, &b.forward(&ids)?);
        Ok(())
    };
    let one_by_one = (4..9).fold(model.run(), |run, i| run.edit(move |t| t.blocks[i].mid, plus));
    same(model.run().edit(|t| t.blocks[4..9].each(|b| b.mid), plus), one_by_one)?;
    let both = model.run().edit(|t| t.blocks[1].mid, plus).edit(|t| t.head.output, plus);
    same(model.run().edit(|t| (t.blocks[1].mid, t.head.output), plus), both)?;
    let both = model.run().edit(|t| t.blocks[1].mid, plus).edit(|t| t.head.output, plus);
    same(model.run().edit(|t| [t.blocks[1].mid, t.head.output], plus), both)?;
    let one = model.run().edit(|t| t.head.output, plus);
    same(model.run().edit(|t| (None.or(Some(t.head.output)), Some(t.blocks[0].mid).filter(|_| false)), plus), one)?;
    // Every tap of a submodule.
    let all = model.run().edit(|t| t.blocks[5].mlp.clone(), plus);
    let each = model.run().edit(|t| t.blocks[5].mlp.up.inner, plus).edit(|t| t.blocks[5].mlp.up.output, plus);
    let each = each.edit(|t| (t.blocks[5].mlp.act, t.blocks[5].mlp.down.inner), plus);
    same(all, each.edit(|t| (t.blocks[5].mlp.down.output, t.blocks[5].mlp.output), plus))?;
    // By name, by pattern.
    let sites = model.sites();
    let found = sites.find("blocks.3.attn.pattern")?;
    let named = model.run().edit(|t| t.blocks[3].attn.pattern, twice);
    same(model.run().edit(|_| found, twice), named)?;
    let named = model.run().edit(|t| t.blocks.each(|b| b.attn.pattern), twice);
    same(model.run().edit(|_| sites.matching("blocks.*.attn.pattern"), twice), named)?;
    let named = model.run().edit(|t| t.blocks[3].attn.pattern, twice);
    same(model.run().edit(|_| sites.find_any("blocks.3.attn.pattern"), twice), named)?;
    assert_error(
        model.run().edit(|_| sites.find("blocks.3.attn.patern"), twice).forward(&ids),
        &["did you mean", "pattern"],
    );
    assert_error(model.run().edit(|t| t.blocks.at(99).mid, twice).forward(&ids), &["`blocks.at(..)`", "12 elements"]);
    Ok(())
}

#[test]
fn operands_go_with_their_sites() -> Result<()> {
    let (model, ids) = (net(), input());
    let means: Vec<Tensor> = (0..5u8).map(|i| &ids * f64::from(i)).collect::<Result<_>>()?;
    let run = model.run().edit_with(|t| t.blocks[4..9].each(|b| b.mid), &means, |x, m| x - m);
    let one_by_one = (4..9).fold(model.run(), |run, i| {
        let mean = means[i - 4].clone();
        run.edit(move |t| t.blocks[i].mid, move |x| x - &mean)
    });
    assert_same(&run.forward(&ids)?, &one_by_one.forward(&ids)?);
    let run = model.run().replace(|t| (t.blocks[4].mid, t.blocks[9].mid), &(means[1].clone(), means[2].clone()));
    let (four, nine) = run.capture(&ids, |t| (t.blocks[4].mid, t.blocks[9].mid))?;
    assert_same(&four, &means[1]);
    assert_same(&nine, &means[2]);
    let error =
        model.run().edit_with(|t| t.blocks[4..9].each(|b| b.mid), &means[..3].to_vec(), |x, m| x - m).forward(&ids);
    assert_error(error, &["3 values", "5 sites"]);
    let error = model.run().replace(|t| t.blocks.each(|b| b.mid), &means).forward(&ids);
    assert_error(error, &["5 values", "12 sites"]);
    Ok(())
}

#[test]
fn an_edit_is_told_where_it_is() -> Result<()> {
    let (model, ids) = (net(), input());
    let seen = std::sync::Mutex::new(Vec::new());
    let run = model.run().edit_at(
        |t| (t.head.output, t.blocks[2..4].each(|b| b.mid)).0,
        |at, x| {
            seen.lock().unwrap().push((at.name().to_owned(), at.position()));
            Ok(x.clone())
        },
    );
    let run = run.edit_at(
        |t| t.blocks[2..4].each(|b| b.mid),
        |at, x| {
            seen.lock().unwrap().push((at.name().to_owned(), at.position()));
            Ok(x.clone())
        },
    );
    run.forward(&ids)?;
    drop(run);
    let seen = seen.into_inner().unwrap();
    let expected = [("blocks.2.mid", 0), ("blocks.3.mid", 1), ("head.output", 0)];
    assert_eq!(seen, expected.map(|(name, at)| (name.to_owned(), at)));
    Ok(())
}

#[test]
fn a_replaced_submodule_is_not_computed() -> Result<()> {
    let (model, ids) = (net(), input());
    for (expected, run) in [
        (50 - 4, model.run().replace(|t| t.blocks[2].output, &ids)),
        (50 - 2, model.run().replace(|t| t.blocks[2].attn.output, &ids)),
        (50 - 1, model.run().replace(|t| t.head.output, &ids)),
        // Not a call: the code that makes it runs, and what it gives is dropped.
        (50, model.run().replace(|t| t.blocks[2].mid, &ids)),
        (0, model.run().replace(|t| t.output, &ids)),
        // The layer inside counts nothing.
        (50, model.run().replace(|t| t.blocks[2].attn.qkv.inner, &ids)),
    ] {
        let (output, made) = calls(|| run.forward(&ids));
        output?;
        assert_eq!(made, expected);
    }
    let replaced = || model.run().replace(|t| t.blocks[2].output, &ids);
    assert_error(
        replaced().capture(&ids, |t| t.blocks[2].attn.pattern),
        &["`blocks.2.attn.pattern`", "`blocks.2.output`"],
    );
    assert_error(replaced().edit(|t| t.blocks[2].mid, plus).forward(&ids), &["`blocks.2.mid`", "`blocks.2.output`"]);
    let pattern = |x: &Tensor| x.mean_all();
    assert_error(replaced().capture(&ids, |t| t.blocks[2].attn.pattern.map(pattern)), &["`blocks.2.attn.pattern`"]);
    replaced().capture(&ids, |t| (t.blocks[1].mid, t.blocks[2].output, t.blocks[3].mid))?;
    Ok(())
}

#[test]
fn a_value_of_another_form_is_an_error_at_its_site() -> Result<()> {
    let (model, ids) = (net(), input());
    let parts = ["`blocks.3.mid`", "[2, 3]", "[2, 4]"];
    assert_error(model.run().edit(|t| t.blocks[3].mid, |x| x.narrow(1, 0, 3)).forward(&ids), &parts);
    assert_error(model.run().replace(|t| t.blocks[3].mid, &ids.narrow(1, 0, 3)?).forward(&ids), &parts);
    let parts = ["`blocks.3.mid`", "F64", "F32"];
    assert_error(model.run().edit(|t| t.blocks[3].mid, |x| x.to_dtype(candle_core::DType::F64)).forward(&ids), &parts);
    let double = ids.to_dtype(candle_core::DType::F64)?;
    assert_error(model.run().replace(|t| t.blocks[3].mid, &double).forward(&ids), &parts);
    // Also where the capture stops at it.
    let run = model.run().edit(|t| t.blocks[3].mid, |x| x.narrow(1, 0, 3));
    assert_error(run.capture(&ids, |t| t.blocks[3].mid), &["`blocks.3.mid`", "[2, 3]", "[2, 4]"]);
    // The same number of elements in another shape.
    assert_error(model.run().edit(|t| t.blocks[3].mid, |x| x.reshape((4, 2))).forward(&ids), &["[4, 2]", "[2, 4]"]);
    Ok(())
}

#[test]
fn a_failing_edit_names_its_site_and_says_what_failed() {
    let (model, ids) = (net(), input());
    let run = model.run().edit(|t| t.blocks[3].mid, |x| x.narrow(1, 0, 99));
    assert_error(run.forward(&ids), &["`blocks.3.mid`", "narrow"]);
}

#[test]
fn a_site_of_another_model_is_refused() -> Result<()> {
    let (model, ids, other) = (net(), input(), maze());
    let foreign = other.sites().find("head.output")?;
    assert_error(model.run().edit(|_| foreign, plus).forward(&ids), &["another model", "`Net`"]);
    assert_error(model.run().replace(|_| foreign, &ids).capture(&ids, |t| t.output), &["another model"]);
    assert_error(model.run().capture(&ids, |_| foreign), &["another model"]);
    let recording = model.run().record(&ids)?;
    assert_error(recording.values(|_| foreign), &["another model"]);
    assert_error(recording.replay().start_at(|_| foreign, &ids).forward(&ids), &["another model"]);
    assert_error(model.run().keeping(|_| foreign).record(&ids), &["another model"]);
    Ok(())
}

#[test]
fn helpers_foreign_leaves_and_states() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let (sum, difference) = model.capture(&x, &options, |t| (t.sum, t.difference))?;
    let run = model.run().edit(|t| t.sum, twice);
    assert_same(&run.capture(&x, &options, |t| t.product)?, &(twice(&sum)? * difference)?);
    let run = model.run().replace(|t| t.foreign, &x);
    let (output, made) = calls(|| run.forward(&x, &options));
    assert_same(&output?, &model.head.forward(&x)?);
    assert_eq!(made, CALLS - 1);
    let run = model.run().edit(|t| t.foreign, twice);
    let plain = model.capture(&x, &options, |t| t.foreign)?;
    assert_same(&run.capture(&x, &options, |t| t.foreign)?, &twice(&plain)?);
    let zero = |s: &candle_nn::rnn::LSTMState| Ok(candle_nn::rnn::LSTMState::new(s.h().zeros_like()?, s.c().clone()));
    let run = model.run().edit(|t| t.lstm, zero);
    let (state, sum, there) = run.capture(&x, &options, |t| (t.lstm, t.sum, t.there.map(|s| s.output)))?;
    assert_same(state.h(), &state.h().zeros_like()?);
    assert_same(&sum, &there.unwrap());
    let named: NamedSite = model.sites().find_any("lstm")?;
    assert_error(model.run().edit(|_| named.clone(), twice).forward(&x, &options), &["`lstm`", "LSTMState"]);
    Ok(())
}

#[test]
fn putting_back_what_flows_changes_no_bit() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let plain = model.forward(&x, &options)?;
    let tensors = |name: &NamedSite| name.type_name() == std::any::type_name::<Tensor>();
    for name in model.sites().iter().filter(tensors) {
        let run = model.run().edit(|_| name.clone(), |x| Ok(x.clone())).if_reached();
        assert_same(&run.forward(&x, &options)?, &plain);
        let values = model.capture(&x, &options, |_| name.clone())?;
        if name.name().matches("shared.step").next().is_none()
            && !name.name().contains("late")
            && !name.name().contains("again")
        {
            let run = model.run().replace(|_| name.clone(), &values);
            assert_same(&run.forward(&x, &options)?, &plain);
        }
    }
    Ok(())
}

#[test]
fn what_comes_before_and_rows_beside_an_edit_stay_as_they_are() -> Result<()> {
    let (model, ids) = (net(), input());
    let names: Vec<NamedSite> = model.sites().iter().collect();
    let plain = model.capture(&ids, |_| names.clone())?;
    let second_row = |x: &Tensor| Tensor::cat(&[x.narrow(0, 0, 1)?, x.narrow(0, 1, 1)?.zeros_like()?], 0);
    for k in 0..12 {
        let changed = model.run().edit(|t| t.blocks[k].mid, second_row).capture(&ids, |_| names.clone())?;
        let at = names.iter().position(|n| n.name() == format!("blocks.{k}.mid")).unwrap();
        let mut differ = 0;
        for ((name, a), b) in names.iter().zip(&plain).zip(&changed) {
            assert_same(&a[0].narrow(0, 0, 1)?, &b[0].narrow(0, 0, 1)?);
            let place = names.iter().position(|n| n.name() == name.name()).unwrap();
            let before = name.name().starts_with("embed")
                || (place < at && !name.name().starts_with(&format!("blocks.{k}.mlp")));
            if before {
                assert_same(&a[0], &b[0]);
            } else {
                let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                differ += usize::from(bits(&a[0]) != bits(&b[0]));
            }
        }
        assert!(differ > 0);
    }
    Ok(())
}

#[test]
fn of_a_whole_model_the_tensors_are_changed() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let run = model.run().edit(|t| t, |x| x * 1.).if_reached();
    assert_same(&run.forward(&x, &options)?, &model.forward(&x, &options)?);
    let run = model.run().edit(|t| t, |x| x.zeros_like()).if_reached();
    let (_, taps) = run.forward_with_taps(&x, &options)?;
    for zero in [&taps.output, &taps.head.inner, &taps.shared[2].step[1], &taps.branch.unwrap().output] {
        assert_same(zero, &x.zeros_like()?);
    }
    // Not all of it is reached.
    assert_error(model.run().edit(|t| t, |x| x * 1.).forward(&x, &options), &["did not reach"]);
    Ok(())
}
