//! Names that lead nowhere are errors with near ones, and what is not compared is listed.

use candle_core::Result;
use taper::parity::Parity;
use taper_tests::fixtures::assert_error;

use crate::models::{Net, net, reference, row};

fn with(map: impl for<'a> FnOnce(Parity<'a, Net>) -> Parity<'a, Net>) -> Result<taper::parity::Report> {
    let x = row(&[1., -2.]);
    let reference = reference(&x, |_| ())?;
    map(Parity::of(&net(), &reference)).run((&x, false))
}

#[test]
fn names_that_lead_nowhere() {
    assert_error(
        with(|p| p.map("blocks.{i}.fc", "module.h.{i}.fcc")),
        &["`blocks.0.fc` is mapped to `module.h.0.fcc`", "did you mean `module.h.0.fc`", "`blocks.1.fc`"],
    );
    assert_error(with(|p| p.map("fist", "module.first")), &["no tap is called `fist`", "did you mean `first`"]);
    assert_error(with(|p| p.map("blocks.{i}.fd", "module.h.{i}")), &["`blocks.{i}.fd`", "`blocks.0.fc`"]);
    assert_error(with(|p| p.map("blocks.{p*}", "nodule.h.{p*}")), &["mapped to `nodule.h.{p*}`", "`module.h.0`"]);
    assert_error(with(|p| p.map_names(|_| None)), &["maps no tap"]);
    assert_error(with(|p| p.map_names(|tap| Some(tap.to_owned()))), &["`first` is mapped to `first`"]);
    assert_error(with(|p| p), &["nothing was compared", "`map`", "`same_names`"]);
}

#[test]
fn what_is_written_wrong() {
    assert_error(with(|p| p.map("a.{i", "b")), &["`a.{i`", "without a `}`"]);
    assert_error(with(|p| p.map("a.{i}", "b.{j}")), &["`{j}` in `b.{j}` stands for nothing"]);
    assert_error(with(|p| p.tap_as(|x| x.t())), &["`tap_as` is about the `map` before it"]);
    assert_error(with(|p| p.reference_as(|x| x.t())), &["`reference_as` is about the `map` before it"]);
    assert_error(
        with(|p| p.map("first", "module.first").reference_as(|x| x.reshape((3, 3)))),
        &["in `reference_as` of `module.first` [1, 2]"],
    );
}

/// A tap in a branch that these inputs do not take may be mapped.
#[test]
fn taps_that_are_not_reached_may_be_mapped() -> Result<()> {
    let report = with(|p| p.map("first", "module.first").map("large", "module.large"))?;
    assert_eq!(report.rows().len(), 1);
    Ok(())
}

#[test]
fn what_is_not_compared_is_listed() -> Result<()> {
    let report = with(|p| p.map("blocks.{i}.fc", "module.h.{i}.fc").leaving("module.shared*").leaving("**.gate"))?;
    assert_eq!(report.without_reference()[0], "first");
    assert_eq!(report.without_reference().len(), 10);
    let left = ["module.first", "module.h.0", "module.h.1", "module.h.1.gate.relu", "output.0", "output.1"];
    assert_eq!(report.left_over(), left);
    let text = report.to_string();
    assert!(text.contains("taps without a reference: `first`, `blocks.1.gate`"), "{text}");
    assert!(text.contains("`blocks.*.output` (2)") && text.contains("`shared.*` (3)"), "{text}");
    assert!(text.contains("references left over: `module.first`, `module.h.*` (2)"), "{text}");
    Ok(())
}

/// A pattern for whatever there is gives way to one that names a tap, and takes what exists only.
#[test]
fn open_patterns_are_for_the_rest() -> Result<()> {
    let report = with(|p| p.map("blocks.{p*}", "module.h.{p*}").map("blocks.{i}.output", "module.h.{i}"))?;
    let rows: Vec<_> = report.rows().iter().map(|row| (row.tap.as_str(), row.reference.as_str())).collect();
    let expected = [
        ("blocks.1.fc", "module.h.1.fc"),
        ("blocks.1.gate", "module.h.1.gate"),
        ("blocks.1.output", "module.h.1"),
        ("blocks.0.fc", "module.h.0.fc"),
        ("blocks.0.output", "module.h.0"),
    ];
    assert_eq!(rows, expected);
    Ok(())
}

#[test]
fn the_same_names_need_no_mapping() -> Result<()> {
    let report = with(|p| p.same_names().map("blocks.{i}.fc", "module.h.{i}.fc"))?;
    let rows: Vec<_> = report.rows().iter().map(|row| row.tap.as_str()).collect();
    assert_eq!(rows, ["first", "blocks.1.fc", "blocks.0.fc"]);
    Ok(())
}
