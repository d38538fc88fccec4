//! The page that maps taps to Hugging Face's modules: both sides of every row are there, and have the same value.

use candle_core::Result;
use taper::Model;
use taper_models::bert::Bert;
use taper_models::clip::Clip;
use taper_models::mobilenet_v2::MobileNetV2;
use taper_models::resnet::{Bottleneck, ResNet};
use taper_models::t5::T5;
use taper_models::vit::VitClassifier;
use taper_models::whisper::Whisper;
use taper_tests::originals::{self, LLAMAS, NEOXES, Original};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

const PAGE: &str = include_str!("../../models/docs/names.md");

/// The rows of a section, as (tap, module), `N` standing for a number.
fn rows(section: &str) -> Vec<(&'static str, &'static str)> {
    let (_, text) = PAGE.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section `{section}`"));
    let text = text.split("\n#").next().unwrap_or(text);
    let cells = |line: &'static str| {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        Some((cells.next()?, cells.next()?))
    };
    // The head of the table and the line below it are no rows.
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).skip(2).filter_map(cells).collect();
    assert!(!rows.is_empty(), "no rows in `{section}`");
    rows
}

/// The name with the number for its `N`.
fn numbered(name: &str, n: usize) -> String {
    let parts = name.split('.').map(|part| if part == "N" { n.to_string() } else { part.to_owned() });
    parts.collect::<Vec<_>>().join(".")
}

/// Compares every row with the references, for each number that the model has.
fn compare<M: Original>(section: &str, model: &M, golden: &Golden) -> Result<()> {
    let sites = Model::sites(model);
    for (tap, module) in rows(section) {
        let module = match module {
            "attentions[N]" => "attention.N".to_owned(),
            module => format!("module.{module}"),
        };
        let of = |n: usize| (numbered(tap, n), numbered(&module, n));
        let pairs: Vec<_> = match tap.contains(".N.") {
            true => (0..).map(of).take_while(|(tap, _)| sites.find_any(tap).is_ok()).collect(),
            false => vec![of(0)],
        };
        assert!(!pairs.is_empty(), "the model has no `{tap}`");
        for (tap, module) in pairs {
            let site = sites.find_any(&tap)?;
            let values = Model::capture(model, M::args(golden), |_| site)?;
            assert_eq!(values.len(), 1, "the model has no `{tap}`");
            let error = max_error(&values[0], golden.tensor(&module))?;
            assert!(error <= TOLERANCE, "`{tap}` is not `{module}`: {error:.1e}");
        }
    }
    Ok(())
}

#[test]
fn gpt2() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    compare("GPT-2", &originals::gpt2(&golden)?, &golden)
}

#[test]
fn llamas() -> Result<()> {
    for reference in LLAMAS.into_iter().filter(|&reference| reference != "gemma2") {
        let golden = Golden::open(reference)?;
        compare("Llama, Mistral, Qwen2, Qwen3, Gemma", &originals::llama(&golden)?, &golden)?;
    }
    for (section, reference) in [("Qwen3", "qwen3"), ("Gemma 2", "gemma2")] {
        let golden = Golden::open(reference)?;
        compare(section, &originals::llama(&golden)?, &golden)?;
    }
    Ok(())
}

#[test]
fn neoxes() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        compare("GPT-NeoX", &originals::neox(&golden)?, &golden)?;
    }
    Ok(())
}

#[test]
fn bert() -> Result<()> {
    for reference in ["bert", "roberta"] {
        let golden = Golden::open(reference)?;
        compare("BERT and RoBERTa", &originals::pretrained::<Bert>(&golden, |_| ())?, &golden)?;
    }
    Ok(())
}

#[test]
fn t5() -> Result<()> {
    let golden = Golden::open("t5_gated")?;
    compare("T5", &originals::pretrained::<T5>(&golden, |_| ())?, &golden)
}

#[test]
fn whisper() -> Result<()> {
    let golden = Golden::open("whisper")?;
    compare("Whisper", &originals::pretrained::<Whisper>(&golden, |_| ())?, &golden)
}

#[test]
fn vit() -> Result<()> {
    let golden = Golden::open("vit")?;
    compare("ViT", &originals::pretrained::<VitClassifier>(&golden, |_| ())?, &golden)
}

#[test]
fn clip() -> Result<()> {
    let golden = Golden::open("clip")?;
    compare("CLIP", &originals::pretrained::<Clip>(&golden, |_| ())?, &golden)
}

#[test]
fn resnet() -> Result<()> {
    let golden = Golden::open("resnet")?;
    compare("ResNet", &originals::resnet(&golden)?, &golden)?;
    let golden = Golden::open("resnet_hugging_face")?;
    compare("ResNet of Hugging Face's", &originals::pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?, &golden)
}

#[test]
fn mobilenet_v2() -> Result<()> {
    let golden = Golden::open("mobilenet_v2")?;
    compare("MobileNetV2", &originals::pretrained::<MobileNetV2>(&golden, |_| ())?, &golden)?;
    let golden = Golden::open("mobilenet_v2_same")?;
    compare("MobileNetV2 of Hugging Face's", &originals::pretrained::<MobileNetV2>(&golden, |_| ())?, &golden)
}
