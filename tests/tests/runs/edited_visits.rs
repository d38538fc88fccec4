//! Changes at what a run may repeat or skip.

use candle_core::{Result, Tensor};
use taper::__private::{Around, Framed, Visited};
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{CALLS, Maze, Options, maze};
use crate::models::calls;

fn twice(x: &Tensor) -> Result<Tensor> {
    x * 2.
}

#[test]
fn visits_are_changed_all_or_one_or_each_with_its_value() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let outputs = |run: &taper::Run<'_, '_, Maze>| run.capture(&x, &options, |t| t.shared.each(|s| s.output));
    let all = outputs(&model.run().edit(|t| t.shared.each(|s| s.output), |x| x.zeros_like()))?;
    assert!(all.iter().all(|v| v.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|v| *v == 0.)));
    let plain = outputs(&model.run())?;
    let second = outputs(&model.run().edit(|t| t.shared.at(1).select(|s| s.output), twice))?;
    assert_same(&second[0], &plain[0]);
    assert_same(&second[1], &twice(&plain[1])?);
    let values = vec![x.clone(), (&x * 2.)?, (&x * 3.)?];
    let run = model.run().replace(|t| t.shared.each(|s| s.output), &values);
    outputs(&run)?.iter().zip(&values).for_each(|(a, b)| assert_same(a, b));
    let (output, made) = calls(|| run.forward(&x, &options));
    output?;
    assert_eq!(made, CALLS - 9);
    let named = model.sites().find_any("shared.output")?;
    outputs(&model.run().replace(|_| named.clone(), &values))?.iter().zip(&values).for_each(|(a, b)| assert_same(a, b));
    // Fewer or more visits than there are.
    let four = vec![x.clone(), x.clone(), x.clone(), x.clone()];
    assert_error(
        model.run().replace(|t| t.shared.each(|s| s.output), &four).forward(&x, &options),
        &["`shared.output`", "visit 3", "if_reached"],
    );
    assert_error(
        model.run().edit(|t| t.shared.at(5).select(|s| s.output), twice).forward(&x, &options),
        &["`shared.output`", "visit 5"],
    );
    assert_error(
        model.run().edit(|t| t.shared.at(-1).select(|s| s.output), twice).forward(&x, &options),
        &["visit -1", "from the start"],
    );
    // Repeated in what is repeated.
    let steps = |run: &taper::Run<'_, '_, Maze>| run.capture(&x, &options, |t| t.shared.each(|s| s.step));
    let run = model.run().edit(|t| t.shared.at(1).select(|s| s.step.at(0)), |x| x.zeros_like());
    let (a, b) = (steps(&run)?, steps(&model.run())?);
    assert_same(&a[0][1], &b[0][1]);
    assert_same(&a[1][0], &b[1][0].zeros_like()?);
    let values = b.iter().map(|v| v.iter().map(|v| v * 0.5).collect::<Result<Vec<_>>>()).collect::<Result<Vec<_>>>()?;
    let run = model.run().edit_with(|t| t.shared.each(|s| s.step), &values, |_, v| Ok(v.clone()));
    steps(&run)?.iter().flatten().zip(values.iter().flatten()).for_each(|(a, b)| assert_same(a, b));
    Ok(())
}

/// What `edit_at` tells its function: the visits of every loop around the site.
#[test]
fn an_edit_is_told_its_visit() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let seen = std::sync::Mutex::new(Vec::new());
    let run = model.run().edit_at(
        |t| (t.shared.clone().each(|s| s.output), t.shared.each(|s| s.step), t.output),
        |site, value| {
            seen.lock().unwrap().push((site.name().to_owned(), site.visits().to_vec()));
            Ok(value.clone())
        },
    );
    let steps = run.capture(&x, &options, |t| t.shared.each(|s| s.step))?;
    run.forward(&x, &options)?;
    drop(run);
    let seen = seen.into_inner().unwrap();
    let of = |name: &str| -> Vec<Vec<u32>> {
        let mut found: Vec<_> = seen.iter().filter(|(n, _)| n == name).map(|(_, visits)| visits.clone()).collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(of("shared.output"), (0..steps.len() as u32).map(|visit| vec![visit]).collect::<Vec<_>>());
    let inner = steps.iter().zip(0..).flat_map(|(inner, outer)| (0..inner.len() as u32).map(move |i| vec![outer, i]));
    assert_eq!(of("shared.step"), inner.collect::<Vec<_>>());
    assert_eq!(of("output"), [Vec::<u32>::new()]);
    Ok(())
}

/// The same sites one by one, with what is around them: as models have them whose sites are no types.
#[test]
fn a_site_with_what_is_around_it_is_selected_and_changed() -> Result<()> {
    let (model, x, options) = (maze(), input(), Options::default());
    let framed = |t: &taper::Sites<Maze>, visit| {
        let mut site = None;
        t.shared.clone().each(|s| *site.insert(s.output));
        Framed::new(site.unwrap(), vec![Around::visits(&t.shared, visit)])
    };
    let typed = model.run().capture(&x, &options, |t| t.shared.each(|s| s.output))?;
    let all = model.run().capture(&x, &options, |t| framed(&t, None))?;
    assert_eq!(all.iter().map(|visited| visited.visits.clone()).collect::<Vec<_>>(), [[0], [1], [2]]);
    all.iter().zip(&typed).for_each(|(a, b)| assert_same(&a.value, b));
    for (visit, place) in [(1, Some(1)), (-1, Some(2)), (3, None), (-4, None)] {
        let one = model.run().capture(&x, &options, |t| framed(&t, Some(visit)))?;
        assert_eq!(one.iter().map(|visited| visited.visits[0]).next(), place, "{visit}");
        assert_eq!(one.len(), usize::from(place.is_some()));
    }
    let outputs = |run: &taper::Run<'_, '_, Maze>| run.capture(&x, &options, |t| t.shared.each(|s| s.output));
    let by_type = outputs(&model.run().edit(|t| t.shared.at(1).select(|s| s.output), twice))?;
    let by_site = outputs(&model.run().edit(|t| framed(&t, Some(1)), twice))?;
    by_type.iter().zip(&by_site).for_each(|(a, b)| assert_same(a, b));
    // A value for one visit, and one for all.
    for (visits, changed) in [(vec![1], 1..2), (vec![], 0..3)] {
        let values = vec![Visited { visits, value: x.clone() }];
        let found = outputs(&model.run().replace(|t| framed(&t, None), &values))?;
        found[changed].iter().for_each(|value| assert_same(value, &x));
    }
    Ok(())
}

#[test]
fn conditional_sites_and_absent_ones() -> Result<()> {
    let (model, x) = (maze(), input());
    let (taken, left) = (Options::default(), Options { branch: false, skipped: 1 });
    let run = model.run().edit(|t| t.branch.map(|b| b.output), twice);
    let plain = model.capture(&x, &taken, |t| t.branch.map(|b| b.output))?.unwrap();
    assert_same(&run.capture(&x, &taken, |t| t.branch.map(|b| b.output))?.unwrap(), &twice(&plain)?);
    assert_error(run.forward(&x, &left), &["`branch.output`", "did not reach", "if_reached"]);
    let run = run.if_reached();
    assert_same(&run.forward(&x, &left)?, &model.forward(&x, &left)?);
    assert_same(&run.capture(&x, &taken, |t| t.branch.map(|b| b.output))?.unwrap(), &twice(&plain)?);
    // Only the change before it.
    let run = model
        .run()
        .edit(|t| t.experts.at(1).map(|e| e.output), twice)
        .edit(|t| t.branch.map(|b| b.output), twice)
        .if_reached();
    assert_error(run.forward(&x, &left), &["`experts.1.output`"]);
    let run = model.run().edit(|t| t.experts.each(|e| e.map(|e| e.output)), twice).if_reached();
    run.forward(&x, &left)?;
    // Option fields: one that is there, and one that is not.
    let run = model.run().edit(|t| t.there.map(|s| s.output), twice);
    let plain = model.capture(&x, &taken, |t| t.there.map(|s| s.output))?.unwrap();
    assert_same(&run.capture(&x, &taken, |t| t.there.map(|s| s.output))?.unwrap(), &twice(&plain)?);
    assert_error(
        model.run().edit(|t| t.absent.map(|s| s.output), twice).forward(&x, &taken),
        &["`absent`", "did not reach"],
    );
    model.run().edit(|t| t.absent.map(|s| s.output), twice).if_reached().forward(&x, &taken)?;
    model.run().replace(|t| t.absent.map(|s| s.output), &None).forward(&x, &taken)?;
    assert_error(
        model.run().replace(|t| t.absent.map(|s| s.output), &Some(x.clone())).forward(&x, &taken),
        &["`absent`"],
    );
    // With values: none for what is left out.
    let known = (&x * 3.)?;
    let run = model.run().replace(|t| t.branch.map(|b| b.output), &Some(known.clone()));
    assert_same(&run.capture(&x, &taken, |t| t.branch.map(|b| b.output))?.unwrap(), &known);
    model.run().replace(|t| t.branch.map(|b| b.output), &None).forward(&x, &left)?;
    Ok(())
}

#[test]
fn a_change_that_the_run_has_passed_by_is_an_error_where_it_stops() -> Result<()> {
    let (model, x) = (maze(), input());
    let left = Options { branch: false, skipped: 1 };
    let run = model.run().edit(|t| t.branch.map(|b| b.output), twice);
    assert_error(run.capture(&x, &left, |t| t.output), &["`branch.output`", "did not reach"]);
    assert_error(run.capture(&x, &left, |t| (t.head.output, t.output)), &["`branch.output`"]);
    assert_error(run.forward_with_taps(&x, &left), &["`branch.output`"]);
    // In a submodule that is over: `late` is in a branch that the third visit does not take.
    let run = model.run().edit(|t| t.shared.at(2).select(|s| s.late.map(|l| l)), twice);
    assert_error(run.capture(&x, &left, |t| t.output), &["`shared.late`"]);
    Ok(())
}
