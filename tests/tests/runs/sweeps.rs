//! Activation patching against the runs that it stands for.

use candle_core::{IndexOp, Result, Tensor};
use taper::Model;
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{Options, maze};
use crate::models::{calls, net};

fn metric(y: &Tensor) -> Result<Tensor> {
    y.i(0)?.sum_all()
}

fn number(y: &Tensor) -> f64 {
    f64::from(metric(y).unwrap().to_scalar::<f32>().unwrap())
}

fn rows(table: &taper::SweepTable) -> Vec<f64> {
    table.values().flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

/// Fails for the numbers of two sweeps that differ in a bit.
#[track_caller]
fn assert_bits(a: &[f64], b: &[f64]) {
    assert_eq!(a.iter().map(|a| a.to_bits()).collect::<Vec<_>>(), b.iter().map(|b| b.to_bits()).collect::<Vec<_>>());
}

#[test]
fn a_run_patched_into_itself_changes_nothing() -> Result<()> {
    let (model, ids) = (net(), input());
    let clean = model.run().record(&ids)?;
    let again = model.run().record(&ids)?;
    let sites = model.sites();
    let table = clean.sweep(&again, |_| sites.matching("**")).along(1).measure(&ids, metric)?;
    assert_eq!(table.names().len(), sites.len());
    assert_eq!(table.values().dims(), [sites.len(), 4]);
    assert!(table.effects()?.flatten_all()?.to_vec1::<f64>()?.iter().all(|effect| *effect == 0.));
    assert_eq!(table.baseline(), number(&model.forward(&ids)?));
    Ok(())
}

#[test]
fn it_equals_the_runs_one_by_one() -> Result<()> {
    let (model, clean_ids, ids) = (net(), input(), (input() * -1.5)?);
    let (clean, corrupted) = (model.run().record(&clean_ids)?, model.run().record(&ids)?);
    let (table, made) = calls(|| corrupted.sweep(&clean, |t| t.blocks.each(|b| b.output)).measure(&ids, metric));
    let table = table?;
    // Only what comes after each block.
    assert_eq!(made, (0..12).map(|k| 4 * (11 - k) + 1).sum::<usize>());
    let values = model.capture(&clean_ids, |t| t.blocks.each(|b| b.output))?;
    let naive = |k: usize, value: &Tensor| model.run().replace(|t| t.blocks[k].output, value).forward(&ids);
    let expected = (0..12).map(|k| Ok(number(&naive(k, &values[k])?))).collect::<Result<Vec<_>>>()?;
    assert_bits(&rows(&table), &expected);
    assert_eq!(table.names()[3], "blocks.3.output");
    assert_eq!(table.values().dims(), [12]);
    assert_bits(&[table.baseline()], &[number(&model.forward(&ids)?)]);
    let effects = table.effects()?.to_vec1::<f64>()?;
    assert_bits(&effects, &expected.iter().map(|v| v - table.baseline()).collect::<Vec<_>>());
    // Along one dimension, from either end, and along both.
    let base = model.capture(&ids, |t| t.blocks.each(|b| b.output))?;
    let patched = |k: usize, at: &[(usize, usize)]| {
        let mask: Vec<f32> = (0..8).map(|i| if at.contains(&(i / 4, i % 4)) { 1. } else { 0. }).collect();
        let mask = Tensor::from_vec(mask, (2, 4), ids.device())?.to_dtype(candle_core::DType::U8)?;
        Ok(number(&naive(k, &mask.where_cond(&values[k], &base[k])?)?))
    };
    let columns: Vec<f64> = [2, 7]
        .iter()
        .flat_map(|&k| (0..4).map(move |j| (k, j)))
        .map(|(k, j)| patched(k, &[(0, j), (1, j)]))
        .collect::<Result<_>>()?;
    for dim in [1, -1] {
        let table =
            corrupted.sweep(&clean, |t| (t.blocks[2].output, t.blocks[7].output)).along(dim).measure(&ids, metric)?;
        assert_eq!(table.values().dims(), [2, 4]);
        assert_bits(&rows(&table), &columns);
    }
    let table = corrupted.sweep(&clean, |t| t.blocks[7].output).along(-1).along(0).measure(&ids, metric)?;
    assert_eq!(table.values().dims(), [1, 4, 2]);
    let each: Vec<f64> =
        (0..4).flat_map(|j| (0..2).map(move |i| (i, j))).map(|at| patched(7, &[at])).collect::<Result<_>>()?;
    assert_bits(&rows(&table), &each);
    Ok(())
}

#[test]
fn the_recorded_run_s_changes_stay() -> Result<()> {
    let (model, clean_ids, ids) = (net(), input(), (input() * -1.5)?);
    let clean = model.run().record(&clean_ids)?;
    let base = || model.run().edit(|t| t.blocks[2].mid, |x| x * 2.).edit(|t| t.blocks[9].output, |x| x + 1.);
    let table = base().record(&ids)?.sweep(&clean, |t| t.blocks.each(|b| b.output)).measure(&ids, metric)?;
    for (k, found) in rows(&table).into_iter().enumerate() {
        let value = clean.values(|t| t.blocks[k].output)?;
        // What is patched in flows on, whatever was done there.
        let run = base().edit(|t| t.blocks[k].output, move |_| Ok(value.clone()));
        assert_bits(&[found], &[number(&run.forward(&ids)?)]);
    }
    Ok(())
}

#[test]
fn visits_are_patched_one_by_one() -> Result<()> {
    let (model, clean_x, x, options) = (maze(), input(), (input() * 0.5)?, Options::default());
    let (clean, corrupted) = (model.run().record(&clean_x, &options)?, model.run().record(&x, &options)?);
    let table = corrupted.sweep(&clean, |t| t.shared.each(|s| s.output)).measure((&x, &options), metric)?;
    assert_eq!(table.names(), ["shared.output#0", "shared.output#1", "shared.output#2"]);
    let values = clean.values(|t| t.shared.each(|s| s.output))?;
    for (visit, found) in rows(&table).into_iter().enumerate() {
        let run = model.run().edit(|t| t.shared.at(visit as isize).select(|s| s.output), |_| Ok(values[visit].clone()));
        assert_bits(&[found], &[number(&run.forward(&x, &options)?)]);
    }
    let table = corrupted.sweep(&clean, |t| t.shared.at(1).select(|s| s.step)).measure((&x, &options), metric)?;
    assert_eq!(table.names(), ["shared.step#0", "shared.step#1"]);
    for (step, found) in rows(&table).into_iter().enumerate() {
        let value = clean.values(|t| t.shared.at(1).select(|s| s.step.at(step as isize)))?;
        let site = |t: crate::maze::MazeSites| t.shared.at(1).select(|s| s.step.at(step as isize));
        assert_bits(&[found], &[number(&model.run().edit(site, |_| Ok(value.clone())).forward(&x, &options)?)]);
    }
    let left = model.run().record(&x, &Options { branch: false, skipped: 1 })?;
    assert_error(
        left.sweep(&clean, |t| t.branch.map(|b| b.output))
            .measure((&x, &Options { branch: false, skipped: 1 }), metric),
        &["`branch.output`"],
    );
    assert_error(
        corrupted.sweep(&left, |t| t.branch.map(|b| b.output)).measure((&x, &options), metric),
        &["`branch.output`"],
    );
    Ok(())
}

#[test]
fn progress_is_told_and_other_inputs_are_refused() -> Result<()> {
    let (model, ids, other) = (net(), input(), (input() * 2.)?);
    let (clean, corrupted) = (model.run().record(&other)?, model.run().record(&ids)?);
    let mut told = Vec::new();
    let sweep = corrupted.sweep(&clean, |t| (t.blocks[10].mid, t.head.output)).along(1);
    sweep.on_progress(|done, all| told.push((done, all))).measure(&ids, metric)?;
    assert_eq!(told, (0..=8).map(|done| (done, 8)).collect::<Vec<_>>());
    let sites = |t: crate::models::NetSites| t.blocks[10].mid;
    assert_error(corrupted.sweep(&clean, sites).measure(&other, metric), &["`ids`"]);
    assert_error(corrupted.sweep(&clean, sites).along(2).measure(&ids, metric), &["`blocks.10.mid`", "dimension 2"]);
    assert_error(corrupted.sweep(&clean, sites).along(-3).measure(&ids, metric), &["dimension -3"]);
    assert_error(corrupted.sweep(&clean, sites).along(1).along(-1).measure(&ids, metric), &["twice"]);
    assert_error(corrupted.sweep(&clean, sites).measure(&ids, |y: &Tensor| Ok(y.clone())), &["one number"]);
    let narrow = model.run().record(&ids.narrow(0, 0, 1)?)?;
    assert_error(corrupted.sweep(&narrow, sites).measure(&ids, metric), &["`blocks.10.mid`", "[2, 4]", "[1, 4]"]);
    let foreign = maze().sites().find("head.output")?;
    assert_error(corrupted.sweep(&clean, |_| foreign).measure(&ids, metric), &["another model"]);
    Ok(())
}

#[test]
fn a_table_is_written_as_it_is() -> Result<()> {
    let (model, ids, other) = (net(), input(), (input() * 2.)?);
    let (clean, corrupted) = (model.run().record(&other)?, model.run().record(&ids)?);
    let table = corrupted.sweep(&clean, |t| (t.blocks[10].mid, t.output)).along(-1).measure(&ids, metric)?;
    let file = |name: &str| std::env::temp_dir().join(format!("taper-sweep-{}-{name}", std::process::id()));
    let (csv, tensors) = (file("table.csv"), file("table.safetensors"));
    table.save_csv(&csv)?;
    table.save(&tensors)?;
    let lines: Vec<String> = std::fs::read_to_string(&csv)?.lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "site,index along -1,value,effect");
    assert_eq!(lines.len(), 1 + 8);
    for (line, (at, value)) in lines[1..].iter().zip(rows(&table).into_iter().enumerate()) {
        let parts: Vec<&str> = line.split(',').collect();
        assert_eq!(parts[0], ["blocks.10.mid", "output"][at / 4]);
        assert_eq!(parts[1], (at % 4).to_string());
        assert_bits(&[parts[2].parse().unwrap(), parts[3].parse().unwrap()], &[value, value - table.baseline()]);
    }
    let read = candle_core::safetensors::load(&tensors, ids.device())?;
    assert_bits(&read["values"].flatten_all()?.to_vec1::<f64>()?, &rows(&table));
    assert_bits(&read["effects"].flatten_all()?.to_vec1::<f64>()?, &table.effects()?.flatten_all()?.to_vec1::<f64>()?);
    assert_eq!(read["baseline"].to_scalar::<f64>()?, table.baseline());
    std::fs::remove_file(csv)?;
    std::fs::remove_file(tensors)?;
    assert_same(&model.run().on(&ids).forward()?, &Model::run(&model).forward(&ids)?);
    Ok(())
}
