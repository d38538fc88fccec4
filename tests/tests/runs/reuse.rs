//! A run can be used again and in several threads, and leaves no trace.

use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::{Result, Tensor};
use taper::{Loss, Recording, Run};
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::models::{Net, calls, net};

/// In every thread.
const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Run<'_, '_, Net>>();
    shared::<Recording<'_, '_, Net>>();
    shared::<Loss<'_, '_, Net>>();
};

#[test]
fn a_run_gives_the_same_each_time() -> Result<()> {
    let (model, ids) = (net(), input());
    let factor = 0.25;
    // It borrows from here.
    let run = model.run().edit(|t| t.blocks[3].mid, |x| x * factor);
    let once = run.forward(&ids)?;
    for _ in 0..3 {
        assert_same(&run.forward(&ids)?, &once);
        assert_same(&run.capture(&ids, |t| t.output)?, &once);
        assert_same(&run.forward_with_taps(&ids)?.0, &once);
    }
    let other = (&ids + 1.)?;
    assert_same(&run.forward(&other)?, &model.run().edit(|t| t.blocks[3].mid, |x| x * factor).forward(&other)?);
    assert_same(&model.forward(&ids)?, &model.run().forward(&ids)?);
    Ok(())
}

#[test]
fn threads_do_not_see_each_other() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let expected: Vec<Tensor> = (0..4u8)
        .map(|i| model.run().edit(|t| t.blocks[usize::from(i)].mid, move |x| x * f64::from(i)).forward(&ids))
        .collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        for (i, expected) in (0..4u8).zip(&expected) {
            let (model, ids, recording) = (&model, &ids, &recording);
            scope.spawn(move || {
                let fresh = model.run().edit(|t| t.blocks[usize::from(i)].mid, move |x| x * f64::from(i));
                let replay = recording.replay().edit(|t| t.blocks[usize::from(i)].mid, move |x| x * f64::from(i));
                for _ in 0..20 {
                    assert_same(&fresh.forward(ids).unwrap(), expected);
                    assert_same(&replay.forward(ids).unwrap(), expected);
                }
            });
        }
    });
    Ok(())
}

#[test]
fn an_edit_that_panics_or_fails_leaves_the_next_run_as_it_was() -> Result<()> {
    let (model, ids) = (net(), input());
    let wrong = std::sync::atomic::AtomicBool::new(false);
    let is_wrong = || wrong.load(std::sync::atomic::Ordering::Relaxed);
    let recording = model.run().record(&ids)?;
    let panicking = model.run().edit(|t| t.blocks[3].mid, |x| if is_wrong() { panic!("on purpose") } else { x * 2. });
    let failing = model.run().edit(|t| t.blocks[3].mid, |x| if is_wrong() { x.reshape((9, 9)) } else { x * 2. });
    let replay =
        recording.replay().edit(|t| t.blocks[3].mid, |x| if is_wrong() { panic!("on purpose") } else { x * 2. });
    let expected = panicking.forward(&ids)?;
    wrong.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| panicking.forward(&ids))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| replay.forward(&ids))).is_err());
    assert_error(failing.forward(&ids), &["`blocks.3.mid`"]);
    assert_error(failing.capture(&ids, |t| t.output), &["`blocks.3.mid`"]);
    wrong.store(false, std::sync::atomic::Ordering::Relaxed);
    for run in [panicking, failing, replay] {
        assert_same(&run.forward(&ids)?, &expected);
    }
    assert_same(&model.run().forward(&ids)?, &model.forward(&ids)?);
    Ok(())
}

#[test]
fn a_capture_with_changes_stops_where_one_without_does() -> Result<()> {
    let (model, ids) = (net(), input());
    let run = model.run().edit(|t| t.blocks[2].mid, |x| x * 2.).edit(|t| t.blocks[9].mid, |x| x * 2.);
    let (mid, made) = calls(|| run.capture(&ids, |t| t.blocks[3].mid));
    // An edit after the stop is no error.
    let expected = model.run().edit(|t| t.blocks[2].mid, |x| x * 2.).capture(&ids, |t| t.blocks[3].mid)?;
    assert_same(&mid?, &expected);
    assert_eq!(made, 1 + 3 * 4 + 2);
    let (_, made) = calls(|| run.capture(&ids, |_| ()));
    assert_eq!(made, 0);
    // The value itself is not computed where it is replaced, and neither is what it was made of.
    let (value, made) =
        calls(|| model.run().replace(|t| t.blocks[3].output, &ids).capture(&ids, |t| t.blocks[3].output));
    assert_same(&value?, &ids);
    assert_eq!(made, 1 + 3 * 4);
    Ok(())
}
