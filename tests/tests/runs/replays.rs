//! A replay computes what the change can reach, and gives bit for bit what the changed run gives from the start.

use candle_core::{Result, Tensor};
use taper::NamedSite;
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{CALLS, Options, maze};
use crate::models::{calls, net};

/// Leaf calls of a block, and of the whole model.
const BLOCK: usize = 4;
const ALL: usize = 12 * BLOCK + 2;

fn shifted(x: &Tensor) -> Result<Tensor> {
    x.affine(1.25, -0.5)
}

/// The values of every site that is a tensor, in order.
fn assert_all_same(a: &[Vec<Tensor>], b: &[Vec<Tensor>], names: &[NamedSite]) {
    assert_eq!((a.len(), b.len()), (names.len(), names.len()));
    for ((a, b), name) in a.iter().zip(b).zip(names) {
        assert_eq!(a.len(), b.len(), "{name}");
        a.iter().zip(b).for_each(|(a, b)| assert_same(a, b));
    }
}

#[test]
fn without_a_change_nothing_is_computed() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let (output, made) = calls(|| recording.replay().forward(&ids));
    assert_same(&output?, &model.forward(&ids)?);
    assert_eq!(made, 0);
    let (taps, made) = calls(|| recording.replay().forward_with_taps(&ids));
    let (taps, plain) = (taps?.1, model.forward_with_taps(&ids)?.1);
    assert_same(&taps.blocks[7].attn.pattern, &plain.blocks[7].attn.pattern);
    assert_eq!(made, 0);
    let (maze, options) = (maze(), Options::default());
    let recording = maze.run().record(&ids, &options)?;
    let (output, made) = calls(|| recording.replay().forward(&ids, &options));
    assert_same(&output?, &maze.forward(&ids, &options)?);
    assert_eq!(made, 0);
    Ok(())
}

#[test]
fn what_comes_after_the_change_is_computed_and_nothing_else() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let known = (&ids * 3.)?;
    for k in 0..12 {
        let after = ALL - 1 - BLOCK * (k + 1);
        let count = |expected: usize, run: &dyn Fn() -> Result<Tensor>| {
            let (output, made) = calls(run);
            assert_eq!(made, expected, "block {k}");
            output
        };
        let fresh = model.run().replace(|t| t.blocks[k].output, &known).forward(&ids)?;
        let run = recording.replay().replace(|t| t.blocks[k].output, &known);
        assert_same(&count(after, &|| run.forward(&ids))?, &fresh);
        // An edit starts from the recorded value: the block is not computed.
        let fresh = model.run().edit(|t| t.blocks[k].output, shifted).forward(&ids)?;
        let run = recording.replay().edit(|t| t.blocks[k].output, shifted);
        assert_same(&count(after, &|| run.forward(&ids))?, &fresh);
        // In the block: its projection, and both layers of its `mlp`.
        let fresh = model.run().edit(|t| t.blocks[k].attn.pattern, shifted).forward(&ids)?;
        let run = recording.replay().edit(|t| t.blocks[k].attn.pattern, shifted);
        assert_same(&count(after + 3, &|| run.forward(&ids))?, &fresh);
        let fresh = model.run().edit(|t| t.blocks[k].mid, shifted).forward(&ids)?;
        let run = recording.replay().edit(|t| t.blocks[k].mid, shifted);
        assert_same(&count(after + 2, &|| run.forward(&ids))?, &fresh);
        let fresh = model.run().edit(|t| t.blocks[k].mlp.act, shifted).forward(&ids)?;
        let run = recording.replay().edit(|t| t.blocks[k].mlp.act, shifted);
        assert_same(&count(after + 1, &|| run.forward(&ids))?, &fresh);
        let fresh = model.run().edit(|t| t.blocks[k].attn.x, shifted).forward(&ids)?;
        let run = recording.replay().edit(|t| t.blocks[k].attn.x, shifted);
        assert_same(&count(after + 4, &|| run.forward(&ids))?, &fresh);
    }
    Ok(())
}

#[test]
fn captures_before_and_after_the_change_are_those_of_a_run_from_the_start() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let replay = recording.replay().edit(|t| t.blocks[6].mid, shifted);
    let fresh = model.run().edit(|t| t.blocks[6].mid, shifted);
    let names: Vec<NamedSite> = model.sites().iter().collect();
    assert_all_same(&replay.capture(&ids, |_| names.clone())?, &fresh.capture(&ids, |_| names.clone())?, &names);
    // What comes before the change costs nothing, and the run stops where it is known.
    let (early, made) = calls(|| replay.capture(&ids, |t| (t.blocks[2].attn.pattern, t.blocks[5].output)));
    assert_same(&early?.1, &model.capture(&ids, |t| t.blocks[5].output)?);
    assert_eq!(made, 0);
    let (late, made) = calls(|| replay.capture(&ids, |t| t.blocks[6].output.map(|x| x.sqr())));
    assert_same(&late?, &fresh.capture(&ids, |t| t.blocks[6].output.map(|x| x.sqr()))?);
    assert_eq!(made, 2);
    let (early, made) = calls(|| replay.capture(&ids, |t| t.blocks[2].attn.pattern.map(|x| x.sqr())));
    assert_same(&early?, &model.capture(&ids, |t| t.blocks[2].attn.pattern.map(|x| x.sqr()))?);
    assert_eq!(made, 0);
    Ok(())
}

#[test]
fn every_site_of_the_maze_replays_as_it_reruns() -> Result<()> {
    let (model, x) = (maze(), input());
    for options in [Options::default(), Options { branch: false, skipped: 0 }] {
        let sites = model.sites();
        let names: Vec<NamedSite> = sites.iter().filter(|n| n.type_name() == std::any::type_name::<Tensor>()).collect();
        assert!(names.len() > 25, "{names:?}");
        let recording = model.run().record(&x, &options)?;
        let (mut reached, mut cheaper) = (0, 0);
        for name in &names {
            let replay = recording.replay().edit(|_| name.clone(), shifted);
            let fresh = model.run().edit(|_| name.clone(), shifted);
            let (replayed, made) = calls(|| replay.capture(&x, &options, |_| names.clone()));
            let (rerun, all) = calls(|| fresh.capture(&x, &options, |_| names.clone()));
            match (replayed, rerun) {
                (Ok(a), Ok(b)) => {
                    assert_all_same(&a, &b, &names);
                    reached += 1;
                    cheaper += usize::from(made < all);
                    assert!(made <= all, "{name}: {made} of {all}");
                    let (_, a) = replay.forward_with_taps(&x, &options)?;
                    let (_, b) = fresh.forward_with_taps(&x, &options)?;
                    assert_same(&a.output, &b.output);
                    assert_same(&a.shared[2].step[1], &b.shared[2].step[1]);
                    assert_same(a.lstm.h(), b.lstm.h());
                    assert_eq!(
                        a.experts.iter().map(Option::is_some).collect::<Vec<_>>(),
                        b.experts.iter().map(Option::is_some).collect::<Vec<_>>()
                    );
                }
                (Err(a), Err(b)) => {
                    assert_eq!(a.to_string(), b.to_string());
                    assert!(a.to_string().contains("the run did not reach it"), "{a}");
                }
                (a, b) => panic!("{name}: {a:?} and {b:?}"),
            }
        }
        assert!(reached > 20 && cheaper > 15, "{reached} {cheaper}");
    }
    Ok(())
}

#[test]
fn of_a_layer_that_is_called_several_times_the_visits_before_the_change_are_reused() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let recording = model.run().record(&x, &options)?;
    for visit in 0..3isize {
        let run = recording.replay().edit(|t| t.shared.at(visit).select(|s| s.output), shifted);
        let (output, made) = calls(|| run.forward(&x, &options));
        let fresh = model.run().edit(|t| t.shared.at(visit).select(|s| s.output), shifted);
        assert_same(&output?, &fresh.forward(&x, &options)?);
        assert_eq!(made, CALLS - 3 * (visit as usize + 1), "visit {visit}");
        // The second repetition within the visit: nothing of its layers is left, the tap coming after them.
        let inner = |visit: isize| move |t: crate::maze::MazeSites| t.shared.at(visit).select(|s| s.step.at(1));
        let (output, made) = calls(|| recording.replay().edit(inner(visit), shifted).forward(&x, &options));
        assert_same(&output?, &model.run().edit(inner(visit), shifted).forward(&x, &options)?);
        assert_eq!(made, CALLS - 3 * (visit as usize + 1), "visit {visit}");
        let first = |visit: isize| move |t: crate::maze::MazeSites| t.shared.at(visit).select(|s| s.step.at(0));
        let (output, made) = calls(|| recording.replay().edit(first(visit), shifted).forward(&x, &options));
        assert_same(&output?, &model.run().edit(first(visit), shifted).forward(&x, &options)?);
        assert_eq!(made, CALLS - 3 * (visit as usize + 1) + 1, "visit {visit}");
    }
    // All visits: the first is the first that is changed.
    let (output, made) =
        calls(|| recording.replay().edit(|t| t.shared.each(|s| s.first.output), shifted).forward(&x, &options));
    assert_same(&output?, &model.run().edit(|t| t.shared.each(|s| s.first.output), shifted).forward(&x, &options)?);
    assert_eq!(made, CALLS - 1);
    Ok(())
}

#[test]
fn the_order_is_that_of_the_run_and_not_of_the_fields() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let recording = model.run().record(&x, &options)?;
    // `back` runs from the last to the first.
    for (at, left) in [(2, 2), (1, 1), (0, 0)] {
        let run = recording.replay().edit(|t| t.back[at].output, shifted);
        let (output, made) = calls(|| run.forward(&x, &options));
        assert_same(&output?, &model.run().edit(|t| t.back[at].output, shifted).forward(&x, &options)?);
        assert_eq!(made, left + 4 + 3, "`back.{at}`");
    }
    // `left` and `right` take turns.
    for (at, left) in [(0, 1 + 2), (1, 1)] {
        let run = recording.replay().edit(|t| t.left[at].output, shifted);
        let (output, made) = calls(|| run.forward(&x, &options));
        assert_same(&output?, &model.run().edit(|t| t.left[at].output, shifted).forward(&x, &options)?);
        assert_eq!(made, left + 3, "`left.{at}`");
    }
    Ok(())
}

#[test]
fn a_state_can_be_replaced_and_replayed() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let recording = model.run().record(&x, &options)?;
    let state = recording.values(|t| t.lstm)?;
    let other = candle_nn::rnn::LSTMState::new((state.h() * 2.)?, state.c().clone());
    let run = recording.replay().replace(|t| t.lstm, &other);
    let (output, made) = calls(|| run.forward(&x, &options));
    assert_same(&output?, &model.run().replace(|t| t.lstm, &other).forward(&x, &options)?);
    assert_eq!(made, 2);
    let wrong = candle_nn::rnn::LSTMState::new(state.h().narrow(1, 0, 2)?, state.c().clone());
    assert_error(
        recording.replay().edit(|t| t.lstm, move |_| Ok(wrong.clone())).forward(&x, &options),
        &["`lstm`", "[2, 2]", "[2, 4]"],
    );
    Ok(())
}

#[test]
fn a_recording_keeps_the_changes_of_its_run() -> Result<()> {
    let (model, ids) = (net(), input());
    let base = || model.run().edit(|t| t.blocks[2].attn.pattern, shifted).edit(|t| t.blocks[8].mid, |x| x * 2.);
    let recording = base().record(&ids)?;
    let (output, made) = calls(|| recording.replay().forward(&ids));
    assert_same(&output?, &base().forward(&ids)?);
    assert_eq!(made, 0);
    // A change after the first inherited one, and before the second.
    let (output, made) = calls(|| recording.replay().edit(|t| t.blocks[5].output, shifted).forward(&ids));
    assert_same(&output?, &base().edit(|t| t.blocks[5].output, shifted).forward(&ids)?);
    assert_eq!(made, 6 * BLOCK + 1);
    // At the very site of an inherited one: the recorded value has it already.
    let run = recording.replay().edit(|t| t.blocks[2].attn.pattern, |x| x.sqr());
    assert_same(&run.forward(&ids)?, &base().edit(|t| t.blocks[2].attn.pattern, |x| x.sqr()).forward(&ids)?);
    let run = recording.replay().edit(|t| t.blocks[8].mid, |x| x.sqr());
    assert_same(&run.forward(&ids)?, &base().edit(|t| t.blocks[8].mid, |x| x.sqr()).forward(&ids)?);
    // Before both.
    let run = recording.replay().edit(|t| t.embed.output, shifted);
    assert_same(&run.forward(&ids)?, &base().edit(|t| t.embed.output, shifted).forward(&ids)?);
    // A capture that stops between them.
    let run = recording.replay().edit(|t| t.blocks[5].output, shifted);
    let fresh = base().edit(|t| t.blocks[5].output, shifted);
    assert_same(&run.capture(&ids, |t| t.blocks[6].mid)?, &fresh.capture(&ids, |t| t.blocks[6].mid)?);
    Ok(())
}

#[test]
fn an_inherited_change_in_what_a_replay_replaces_goes_with_it() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().edit(|t| t.blocks[2].attn.pattern, shifted).record(&ids)?;
    let known = (&ids * 0.5)?;
    let output = recording.replay().replace(|t| t.blocks[2].output, &known).forward(&ids)?;
    assert_same(&output, &model.run().replace(|t| t.blocks[2].output, &known).forward(&ids)?);
    Ok(())
}

#[test]
fn an_inherited_edit_that_is_never_the_same_is_not_made_anew() -> Result<()> {
    let (model, ids) = (net(), input());
    let noise = |x: &Tensor| x + x.randn_like(0., 1.)?;
    let recording = model.run().edit(|t| t.blocks[2].mid, noise).record(&ids)?;
    let mid = recording.values(|t| t.blocks[2].mid)?;
    // A body tap of the block in which the new change is.
    let run = recording.replay().edit(|t| t.blocks[2].mlp.act, shifted);
    let fresh = model.run().edit(|t| t.blocks[2].mid, |_| Ok(mid.clone())).edit(|t| t.blocks[2].mlp.act, shifted);
    assert_same(&run.forward(&ids)?, &fresh.forward(&ids)?);
    assert_same(&run.capture(&ids, |t| t.blocks[2].mid)?, &mid);
    Ok(())
}

#[test]
fn a_replay_can_be_recorded() -> Result<()> {
    let (model, ids) = (net(), input());
    let first = model.run().record(&ids)?;
    let second = first.replay().edit(|t| t.blocks[6].mid, shifted).record(&ids)?;
    let fresh = || model.run().edit(|t| t.blocks[6].mid, shifted);
    let names: Vec<NamedSite> = model.sites().iter().collect();
    assert_all_same(&second.values(|_| names.clone())?, &fresh().capture(&ids, |_| names.clone())?, &names);
    for name in &names {
        let (replayed, made) = calls(|| second.replay().edit(|_| name.clone(), |x| x * 1.5).forward(&ids));
        assert_same(&replayed?, &fresh().edit(|_| name.clone(), |x| x * 1.5).forward(&ids)?);
        let (_, once) = calls(|| first.replay().edit(|_| name.clone(), |x| x * 1.5).forward(&ids));
        assert_eq!(made, once, "{name}");
    }
    let (maze, options) = (maze(), Options::default());
    let first = maze.run().record(&ids, &options)?;
    let second = first.replay().edit(|t| t.back[1].output, shifted).record(&ids, &options)?;
    let fresh = || maze.run().edit(|t| t.back[1].output, shifted);
    let tensors = |name: &NamedSite| name.type_name() == std::any::type_name::<Tensor>();
    for name in maze.sites().iter().filter(tensors) {
        let replayed = second.replay().edit(|_| name.clone(), |x| x * 1.5).forward(&ids, &options);
        let rerun = fresh().edit(|_| name.clone(), |x| x * 1.5).forward(&ids, &options);
        match (replayed, rerun) {
            (Ok(a), Ok(b)) => assert_same(&a, &b),
            (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
            (a, b) => panic!("{name}: {a:?} and {b:?}"),
        }
    }
    Ok(())
}

#[test]
fn what_was_not_kept_is_computed_again() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().keeping(|t| t.blocks.each(|b| b.output)).record(&ids)?;
    let (output, made) = calls(|| recording.replay().edit(|t| t.blocks[5].output, shifted).forward(&ids));
    assert_same(&output?, &model.run().edit(|t| t.blocks[5].output, shifted).forward(&ids)?);
    // `embed`, which is called before the blocks, was not kept.
    assert_eq!(made, 1 + 6 * BLOCK + 1);
    let (pattern, made) = calls(|| recording.replay().capture(&ids, |t| t.blocks[3].attn.pattern));
    assert_same(&pattern?, &model.capture(&ids, |t| t.blocks[3].attn.pattern)?);
    assert_eq!(made, 1 + 1);
    assert_error(recording.values(|t| t.blocks[3].attn.pattern), &["`blocks.3.attn.pattern`"]);
    Ok(())
}
