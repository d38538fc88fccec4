//! Rows go from the first value that the run produced to the last, and a mistake is found at the first of them.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use taper::parity::{Parity, Reference, Report};

use crate::models::{Net, net, reference, row, times};

fn parity<'a>(model: &'a Net, reference: &'a Reference) -> Parity<'a, Net> {
    Parity::of(model, reference)
        .map("output.{i}", "output.{i}")
        .map("shared.{i}", "module.shared#{i+1}")
        .map("blocks.{i}.output", "module.h.{i}")
        .map("blocks.{i}.gated", "module.h.{i}.gate.relu")
        .map("blocks.{i}.gate", "module.h.{i}.gate")
        .map("blocks.{i}.fc", "module.h.{i}.fc")
        .map("first", "module.first")
}

fn compare(model: &Net, change: impl FnOnce(&mut HashMap<String, Tensor>)) -> Result<Report> {
    let x = row(&[1., -2.]);
    let reference = reference(&x, change)?;
    parity(model, &reference).run((&x, false))
}

fn taps(report: &Report) -> Vec<&str> {
    report.rows().iter().map(|row| row.tap.as_str()).collect()
}

#[test]
fn rows_are_in_the_order_of_production() -> Result<()> {
    let report = compare(&net(), |_| ())?.into_result()?;
    let expected = [
        "first",
        "blocks.1.fc",
        "blocks.1.gate",
        "blocks.1.gated",
        "blocks.1.output",
        "blocks.0.fc",
        "blocks.0.output",
        "shared.0",
        "shared.1",
        "shared.2",
        "output.0",
        "output.1",
    ];
    assert_eq!(taps(&report), expected);
    assert!(report.left_over().is_empty() && report.without_reference().is_empty(), "{report}");
    Ok(())
}

#[test]
fn mistakes_are_found_where_they_are() -> Result<()> {
    type Mistake = fn(&mut Net);
    let mistakes: [(Mistake, &str); 6] = [
        (|net| net.first = times(2.), "first"),
        (|net| net.blocks[1].fc = times(0.5), "blocks.1.fc"),
        (|net| net.blocks[1].gate = Some(times(2.)), "blocks.1.gate"),
        (|net| net.blocks[1].gate = None, "blocks.1.output"),
        (|net| net.blocks[0].fc = times(0.501), "blocks.0.fc"),
        (|net| net.shared = times(0.4999), "shared.0"),
    ];
    for (mistake, place) in mistakes {
        let mut net = net();
        mistake(&mut net);
        let x = row(&[1., -2.]);
        let reference = reference(&x, |_| ())?;
        // What the gate gives has no rows where there is no gate.
        let report = match net.blocks[1].gate {
            Some(_) => parity(&net, &reference).run((&x, false))?,
            None => Parity::of(&net, &reference)
                .map("blocks.{i}.fc", "module.h.{i}.fc")
                .map("blocks.{i}.output", "module.h.{i}")
                .run((&x, false))?,
        };
        assert_eq!(report.first_divergence().map(|row| row.tap.as_str()), Some(place), "{report}");
        let headline = report.to_string().lines().next().unwrap().to_owned();
        assert!(headline.contains(&format!("`{place}` is the first of")), "{headline}");
        assert!(report.into_result().is_err());
    }
    Ok(())
}

/// A difference in one visit is in the row of that visit.
#[test]
fn visits_are_rows_of_their_own() -> Result<()> {
    for visit in 1..=3 {
        let name = if visit == 1 { "module.shared".to_owned() } else { format!("module.shared#{visit}") };
        let report = compare(&net(), |tensors| {
            let wrong = (&tensors[&name] + 0.25).unwrap();
            tensors.insert(name.clone(), wrong);
        })?;
        let wrong: Vec<&str> = report.rows().iter().filter(|row| !row.agrees).map(|row| row.tap.as_str()).collect();
        assert_eq!(wrong, [format!("shared.{}", visit - 1)]);
    }
    Ok(())
}

#[test]
fn elements_of_a_tuple_are_rows_of_their_own() -> Result<()> {
    let report = compare(&net(), |tensors| drop(tensors.insert("output.1".to_owned(), row(&[7., 7.]))))?;
    let row = report.first_divergence().unwrap();
    assert_eq!((row.tap.as_str(), row.reference.as_str()), ("output.1", "output.1"));
    assert_eq!(row.difference.as_ref().unwrap().reference, 7.);
    Ok(())
}

#[test]
fn what_is_not_reached_and_what_is_no_tensor_is_told() -> Result<()> {
    let report = compare(&net(), |_| ())?.to_string();
    assert!(report.contains("note: `large` was not reached by these inputs"), "{report}");
    assert!(report.contains("note: `count` is a `usize`, which is not compared"), "{report}");
    Ok(())
}

/// What runs with changes is compared with an original that was changed likewise.
#[test]
fn changed_runs() -> Result<()> {
    let x = row(&[1., -2.]);
    let mut other = net();
    other.first = times(6.);
    let (_, taps) = other.forward_with_taps(&x, false)?;
    let reference = Reference::from_tensors(HashMap::from([
        ("module.first".to_owned(), taps.first),
        ("module.h.0".to_owned(), taps.blocks[0].output.clone()),
    ]));
    let net = net();
    let run = net.run().edit(|t| t.first, |x| x * 2.);
    let map = |parity: Parity<'_, Net>, x: &Tensor| {
        parity.map("first", "module.first").map("blocks.{i}.output", "module.h.0").run((x, false))
    };
    // The second block is another one: only the row of the first agrees.
    let report = map(Parity::of_run(&run, &reference), &x)?;
    let agree = |report: &Report| report.rows().iter().filter(|row| row.agrees).count();
    assert_eq!((agree(&report), report.rows().len()), (2, 3), "{report}");
    assert_eq!(agree(&map(Parity::of(&net, &reference), &x)?), 0);

    // A replaced submodule does not run, so that there is nothing of it to compare.
    let known = row(&[0., 0.]);
    let run = net.run().replace(|t| t.blocks[1].output, &known);
    let report = Parity::of_run(&run, &reference).map("blocks.{i}.output", "module.h.0").run((&x, false))?;
    assert!(!report.without_reference().iter().any(|tap| tap == "blocks.1.fc"), "{report}");
    Ok(())
}
