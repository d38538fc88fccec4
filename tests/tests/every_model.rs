//! Every architecture of `taper-models` checks itself, with the weights that its reference data came with.

use candle_core::Result;
use taper::Check;
use taper::check::{Report, Verdict};
use taper_models::bert::Bert;
use taper_models::clip::Clip;
use taper_models::mobilenet_v2::MobileNetV2;
use taper_models::t5::T5;
use taper_models::vit::VitClassifier;
use taper_models::whisper::Whisper;
use taper_tests::originals::{self, LLAMAS, NEOXES, Original};
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

#[test]
fn bert() -> Result<()> {
    for reference in ["bert_plain", "roberta"] {
        let golden = Golden::open(reference)?;
        sound(taper::check(&originals::pretrained::<Bert>(&golden, |_| ())?, Bert::args(&golden)));
    }
    Ok(())
}

/// The pooler is there to be read.
#[test]
fn bert_with_a_pooler() -> Result<()> {
    let golden = Golden::open("bert")?;
    let model = originals::pretrained::<Bert>(&golden, |_| ())?;
    let check = Check::of(&model).without_effect("pooler.dense").without_effect("pooler.output");
    check.run(Bert::args(&golden)).unwrap_or_else(|report| panic!("{report}"));
    Ok(())
}

#[test]
fn vit() -> Result<()> {
    let golden = Golden::open("vit")?;
    let model = originals::pretrained::<VitClassifier>(&golden, |_| ())?;
    sound(taper::check(&model, golden.tensor("input.pixel_values")));
    Ok(())
}

#[test]
fn clip() -> Result<()> {
    let golden = Golden::open("clip")?;
    let model = originals::pretrained::<Clip>(&golden, |_| ())?;
    sound(taper::check(&model, Clip::args(&golden)));
    Ok(())
}

#[test]
fn mobilenet_v2() -> Result<()> {
    let golden = Golden::open("mobilenet_v2")?;
    let model = originals::pretrained::<MobileNetV2>(&golden, |_| ())?;
    sound(taper::check(&model, golden.tensor("input.x")));
    Ok(())
}

#[test]
fn t5() -> Result<()> {
    let golden = Golden::open("t5_gated")?;
    sound(taper::check(&originals::pretrained::<T5>(&golden, |_| ())?, T5::args(&golden)));
    // Without a gate there is nothing to see of one.
    let golden = Golden::open("t5")?;
    let model = originals::pretrained::<T5>(&golden, |_| ())?;
    taper::check(&model, T5::args(&golden)).unwrap_or_else(|report| panic!("{report}"));
    Ok(())
}

#[test]
fn whisper() -> Result<()> {
    let golden = Golden::open("whisper_odd")?;
    sound(taper::check(&originals::pretrained::<Whisper>(&golden, |_| ())?, Whisper::args(&golden)));
    Ok(())
}
