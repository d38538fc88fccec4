//! Runs that start in the middle.

use candle_core::Result;
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{CALLS, Options, maze};
use crate::models::{calls, net};

#[test]
fn nothing_before_the_start_is_computed() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let value = (&ids * 2.)?;
    for k in 0..12 {
        let run = recording.replay().start_at(|t| t.blocks[k].output, &value);
        let (output, made) = calls(|| run.forward(&ids));
        assert_same(&output?, &model.run().replace(|t| t.blocks[k].output, &value).forward(&ids)?);
        assert_eq!(made, 4 * (11 - k) + 1);
        let run = recording.replay().start_at(|t| t.blocks[k].mid, &value);
        let (output, made) = calls(|| run.forward(&ids));
        assert_same(&output?, &model.run().replace(|t| t.blocks[k].mid, &value).forward(&ids)?);
        assert_eq!(made, 2 + 4 * (11 - k) + 1);
    }
    // Changes after the start, and at it.
    let run = recording.replay().start_at(|t| t.blocks[5].output, &value);
    let run = run.edit(|t| t.blocks[5].output, |x| x + 1.).edit(|t| t.blocks[9].mid, |x| x * 0.5);
    let fresh = model.run().replace(|t| t.blocks[5].output, &value);
    let fresh = fresh.edit(|t| t.blocks[5].output, |x| x + 1.).edit(|t| t.blocks[9].mid, |x| x * 0.5);
    assert_same(&run.forward(&ids)?, &fresh.forward(&ids)?);
    assert_same(&run.capture(&ids, |t| t.blocks[7].mid)?, &fresh.capture(&ids, |t| t.blocks[7].mid)?);
    // What comes before is what was recorded.
    assert_same(&run.capture(&ids, |t| t.blocks[4].mid)?, &model.capture(&ids, |t| t.blocks[4].mid)?);
    Ok(())
}

#[test]
fn what_is_kept_is_enough_or_what_lacks_is_listed() -> Result<()> {
    let (model, ids) = (net(), input());
    let value = (&ids * 2.)?;
    let kept = model.run().keeping(|t| (t.embed.output, t.blocks[..6].each(|b| b.output))).record(&ids)?;
    let run = kept.replay().start_at(|t| t.blocks[5].output, &value);
    let (output, made) = calls(|| run.forward(&ids));
    assert_same(&output?, &model.run().replace(|t| t.blocks[5].output, &value).forward(&ids)?);
    assert_eq!(made, 6 * 4 + 1);
    let lacking = model.run().keeping(|t| t.blocks[5].output).record(&ids)?;
    let run = lacking.replay().start_at(|t| t.blocks[5].output, &value);
    let (result, made) = calls(|| run.forward(&ids));
    assert_error(
        result,
        &["`blocks.5.output`", "has not kept", "`embed.output`", "`blocks.0.output`", "`blocks.4.output`"],
    );
    assert_eq!(made, 0);
    // In a block: what is called before it in the block.
    let lacking = model.run().keeping(|t| (t.embed.output, t.blocks[..6].each(|b| b.output))).record(&ids)?;
    let run = lacking.replay().start_at(|t| t.blocks[5].mlp.output, &value);
    let (result, made) = calls(|| run.forward(&ids));
    assert_error(result, &["`blocks.5.mlp.output`", "`blocks.5.attn.output`"]);
    assert_eq!(made, 0);
    Ok(())
}

#[test]
fn a_start_needs_a_recording_one_site_and_nothing_changed_before_it() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    assert_error(model.run().start_at(|t| t.blocks[5].output, &ids).forward(&ids), &["recording"]);
    let before = recording.replay().edit(|t| t.blocks[2].mid, |x| x * 2.).start_at(|t| t.blocks[5].output, &ids);
    assert_error(before.forward(&ids), &["`blocks.5.output`", "before it is changed"]);
    let before = recording.replay().start_at(|t| t.blocks[5].output, &ids).edit(|t| t.blocks[5].mid, |x| x * 2.);
    assert_error(before.forward(&ids), &["`blocks.5.output`", "before it is changed"]);
    let none = recording.replay().start_at(|t| t.blocks[0..0].each(|b| b.output), &vec![]);
    assert_error(none.forward(&ids), &["one site", "0 were selected"]);
    let two = recording.replay().start_at(|t| (t.blocks[5].output, t.blocks[6].output), &(ids.clone(), ids.clone()));
    assert_error(two.forward(&ids), &["one site", "2 were selected"]);
    let inherited = model.run().edit(|t| t.blocks[2].mid, |x| x * 2.).record(&ids)?;
    let none = inherited.replay().start_at(|t| t.blocks[0..0].each(|b| b.output), &vec![]);
    assert_error(none.forward(&ids), &["one site"]);
    let wrong = recording.replay().start_at(|t| t.blocks[5].output, &ids.narrow(1, 0, 2)?);
    assert_error(wrong.forward(&ids), &["`blocks.5.output`", "[2, 2]", "[2, 4]"]);
    Ok(())
}

#[test]
fn a_visit_can_be_the_start() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let recording = model.run().record(&x, &options)?;
    let value = (&x * 0.5)?;
    for visit in 0..3isize {
        let run = recording.replay().start_at(|t| t.shared.at(visit).select(|s| s.output), &value);
        let (output, made) = calls(|| run.forward(&x, &options));
        let fresh = model.run().edit(|t| t.shared.at(visit).select(|s| s.output), |_| Ok(value.clone()));
        assert_same(&output?, &fresh.forward(&x, &options)?);
        assert_eq!(made, CALLS - 3 * (visit as usize + 1));
    }
    let (left, not) = (Options { branch: false, skipped: 1 }, &value);
    let recording = model.run().record(&x, &left)?;
    let run = recording.replay().start_at(|t| t.branch.map(|b| b.output), &Some(not.clone()));
    assert_error(run.forward(&x, &left), &["`branch.output`", "did not reach it"]);
    Ok(())
}
