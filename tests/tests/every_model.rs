//! Every architecture of `taper-models` checks itself, with the weights that its reference data came with.

use candle_core::Result;
use taper::check::{Report, Verdict};
use taper_tests::originals::{self, LLAMAS, NEOXES};
use taper_tests::parity::Golden;

/// Nothing is wrong, and hardly anything could not be told.
#[track_caller]
fn sound(report: Result<Report>) {
    let report = report.unwrap_or_else(|report| panic!("{report}"));
    let told = |verdict: fn(&taper::check::Finding) -> &Verdict| {
        report.findings().iter().filter(|finding| *verdict(finding) == Verdict::Holds).count()
    };
    let taps = report.findings().len();
    assert_eq!((told(|f| &f.kept), told(|f| &f.stop), told(|f| &f.back)), (taps, taps, taps), "{report}");
    assert_eq!((told(|f| &f.effect), told(|f| &f.before), told(|f| &f.replay)), (taps, taps, taps), "{report}");
    assert!(told(|f| &f.gradient) * 10 >= taps * 8, "{report}");
}

#[test]
fn gpt2() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    sound(taper::check(&originals::gpt2(&golden)?, (golden.tensor("input.input_ids"), None)));
    Ok(())
}

#[test]
fn llamas() -> Result<()> {
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        sound(taper::check(&originals::llama(&golden)?, (golden.tensor("input.input_ids"), None)));
    }
    Ok(())
}

#[test]
fn neoxes() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        sound(taper::check(&originals::neox(&golden)?, (golden.tensor("input.input_ids"), None)));
    }
    Ok(())
}

#[test]
fn resnet() -> Result<()> {
    let golden = Golden::open("resnet")?;
    sound(taper::check(&originals::resnet(&golden)?, golden.tensor("input.x")));
    Ok(())
}
