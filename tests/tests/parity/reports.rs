//! What a report says of values that can't agree, and how far apart others are.

use std::collections::HashMap;

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::Linear;
use taper::parity::{Parity, Reference, Report};
use taper::{Model, forward};
use taper_tests::fixtures::assert_error;

use crate::models::{row, times};

#[derive(Model)]
pub struct Chain {
    pub up: Linear,
    pub down: Linear,
}

#[forward]
impl Chain {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.up.forward(x)?)
    }
}

fn chain() -> Chain {
    Chain { up: times(2.), down: times(0.5) }
}

/// `[1, -2]` doubled and halved, against what the original is said to give.
fn against(up: Tensor, down: Tensor) -> Result<Report> {
    let tensors = [("module.up", up), ("module.down", down)].map(|(name, t)| (name.to_owned(), t));
    let reference = Reference::from_tensors(HashMap::from(tensors));
    Parity::of(&chain(), &reference).same_names().run(&row(&[1., -2.]))
}

#[test]
fn differences_are_measured() -> Result<()> {
    let report = against(row(&[2., -4.5]), row(&[1., -2.]))?;
    let first = report.first_divergence().unwrap();
    assert_eq!((first.tap.as_str(), &first.shape[..], &first.expected[..]), ("up", &[1, 2][..], &[1, 2][..]));
    let difference = first.difference.as_ref().unwrap();
    assert_eq!((difference.absolute, difference.at.as_slice()), (0.5, &[0, 1][..]));
    assert_eq!((difference.value, difference.reference), (-4., -4.5));
    assert!((difference.relative - 0.5 / 5.5).abs() < 1e-12);

    let expected = "\
Chain: `up` is the first of 2 taps to diverge (1 does): 9.1e-2 apart where 2e-5 is allowed
at [0, 1] it is -4.000000, and `module.up` is -4.500000; nothing was compared before it

tap   shape   max|a-b|  /(1+|b|)      reference
up    [1, 2]    5.0e-1    9.1e-2  NO  module.up  <- first divergence
down  [1, 2]         0         0  ok  module.down

taps without a reference: `output`";
    assert_eq!(report.to_string(), expected);
    let error = report.into_result().unwrap_err();
    assert!(error.to_string().starts_with("Chain: `up` is the first of 2 taps"), "{error}");
    Ok(())
}

#[test]
fn what_agrees_says_so() -> Result<()> {
    let text = against(row(&[2., -4.]), row(&[1., -2.]))?.into_result()?.to_string();
    assert!(text.starts_with("Chain: all 2 taps agree within 2e-5\n"), "{text}");
    Ok(())
}

#[test]
fn the_tolerance_is_the_users() -> Result<()> {
    let reference = Reference::from_tensors(HashMap::from([("module.up".to_owned(), row(&[2.01, -4.]))]));
    let chain = chain();
    let parity = || Parity::of(&chain, &reference).same_names();
    let x = row(&[1., -2.]);
    assert!(!parity().run(&x)?.agrees());
    assert!(!parity().tolerance(0.003).run(&x)?.agrees());
    assert!(parity().tolerance(0.004).run(&x)?.agrees());
    // A tolerance that nothing is within.
    assert!(!parity().tolerance(f64::NAN).run(&x)?.agrees());
    Ok(())
}

#[test]
fn not_a_number_diverges() -> Result<()> {
    let report = against(row(&[2., -4.]), row(&[1., f32::NAN]))?;
    assert_eq!(report.first_divergence().unwrap().tap, "down");
    assert!(report.to_string().contains("NaN"), "{report}");

    // On both sides: nothing can be said for it.
    let x = row(&[f32::NAN, 1.]);
    let nan = Reference::from_tensors(HashMap::from([("module.up".to_owned(), row(&[f32::NAN, f32::NAN]))]));
    let report = Parity::of(&chain(), &nan).same_names().tolerance(1e9).run(&x)?;
    assert!(!report.agrees(), "{report}");
    Ok(())
}

#[test]
fn other_shapes_diverge() -> Result<()> {
    // What would broadcast, and what has as many numbers.
    for up in [row(&[2., -4.]).squeeze(0)?, row(&[2., -4.]).t()?, row(&[2.])] {
        let dims = format!("[1, 2], not {:?}", up.dims());
        let report = against(up, row(&[1., -2.]))?;
        let first = report.first_divergence().unwrap();
        assert_eq!((first.tap.as_str(), first.difference.as_ref()), ("up", None));
        let text = report.to_string();
        assert!(
            text.contains(&dims) && text.contains("`up` is the first of 2 taps to diverge (1 does): it is [1, 2]"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn layouts_can_be_told() -> Result<()> {
    let reference = Reference::from_tensors(HashMap::from([
        ("transposed".to_owned(), row(&[2., -4.]).t()?),
        ("wide".to_owned(), row(&[9., 2., -4.])),
        ("part".to_owned(), row(&[-2.])),
    ]));
    let chain = chain();
    let report = Parity::of(&chain, &reference)
        .map("up", "transposed")
        .reference_as(|t| t.t())
        .map("up", "wide")
        .reference_as(|t| t.narrow(1, 1, 2))
        .map("down", "part")
        .tap_as(|t| t.narrow(1, 1, 1))
        .run(&row(&[1., -2.]))?;
    assert_eq!(report.clone().into_result()?.rows().len(), 3);
    assert_eq!(report.rows()[2].shape, [1, 1]);
    assert!(report.left_over().is_empty());
    Ok(())
}

/// f16 and whole numbers are compared as the numbers that they are.
#[test]
fn dtypes_do_not_matter() -> Result<()> {
    let up = row(&[2., -4.]).to_dtype(DType::F16)?;
    against(up, row(&[1., -2.]).to_dtype(DType::I64)?)?.into_result()?;
    Ok(())
}

#[test]
fn gradients_of_every_visit() -> Result<()> {
    #[derive(Model)]
    pub struct Shared {
        pub fc: Linear,
    }

    #[forward]
    impl Shared {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            let mut x = x.clone();
            for _ in 0..2 {
                x = self.fc.forward(&x)?;
            }
            Ok(x)
        }
    }

    // y = 3·3·x, of which the loss is the sum of squares: 2y for the second visit, 3·2y for the first.
    let model = Shared { fc: times(3.) };
    let x = row(&[1., -2.]);
    let with = |first: f64| -> Result<Report> {
        let (one, two) = ((&x * 3.)?, (&x * 9.)?);
        let tensors = [
            ("module.fc", one),
            ("module.fc#2", two.clone()),
            ("grad.fc", (&two * first)?),
            ("grad.fc#2", (&two * 2.)?),
            ("grad.other", two),
        ];
        let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor));
        let reference = Reference::from_tensors(HashMap::from(tensors));
        let parity = Parity::of(&model, &reference).map("fc.{i}", "module.fc#{i+1}");
        parity.gradients(&x, |t| t.output, |y| y.sqr()?.sum_all())
    };
    let report = with(6.)?.into_result()?;
    let rows: Vec<_> = report.rows().iter().map(|row| (row.tap.as_str(), row.reference.as_str())).collect();
    assert_eq!(rows, [("fc.1", "grad.fc#2"), ("fc.0", "grad.fc")]);
    assert_eq!(report.left_over(), ["grad.other"]);
    assert!(report.to_string().starts_with("Shared: all 2 gradients agree within 1e-4"), "{report}");
    assert_eq!(with(6.01)?.first_divergence().unwrap().tap, "fc.0");

    let reference = Reference::from_tensors(HashMap::from([("module.fc".to_owned(), row(&[3., -6.]))]));
    let parity = Parity::of(&model, &reference).map("fc.0", "module.fc");
    assert_error(
        parity.gradients(&x, |t| t.output, |y| y.sqr()?.sum_all()),
        &["no gradient was compared", "grad.PATH"],
    );
    Ok(())
}

/// A model with effects, whose runs can't be recorded, is compared all the same.
#[test]
fn models_with_effects() -> Result<()> {
    #[derive(Model)]
    pub struct Cached {
        pub fc: Linear,
    }

    #[forward]
    impl Cached {
        pub fn forward(&self, x: &Tensor, cache: &mut Vec<Tensor>) -> Result<Tensor> {
            cache.push(self.fc.forward(x)?);
            Tensor::stack(cache, 0)?.sum(0)
        }
    }

    let model = Cached { fc: times(2.) };
    let reference = Reference::from_tensors(HashMap::from([
        ("module.fc".to_owned(), row(&[2., 4.])),
        ("output".to_owned(), row(&[3., 5.])),
    ]));
    let mut cache = vec![row(&[1., 1.])];
    let report = Parity::of(&model, &reference).same_names().run((&row(&[1., 2.]), &mut cache))?.into_result()?;
    assert_eq!((report.rows().len(), cache.len()), (2, 2));
    Ok(())
}

#[test]
fn references_are_read_as_they_are() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("taper-parity-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("reference.safetensors");
    let ids = Tensor::new(&[[0i64, 96]], &Device::Cpu)?;
    let negative = Tensor::new(&[-1i64], &Device::Cpu)?;
    let tensors = [("input.ids", ids), ("bad", negative), ("x", row(&[1., 2.]))];
    candle_core::safetensors::save(&HashMap::from(tensors), &path)?;

    let reference = Reference::open(&path)?;
    assert_eq!(reference.names().collect::<Vec<_>>(), ["bad", "input.ids", "x"]);
    assert_eq!(reference.ids("input.ids")?.to_vec2::<u32>()?, [[0, 96]]);
    assert!(reference.contains("x#1") && !reference.contains("x#2"));
    assert_eq!(reference.tensor("x#1")?.dims(), [1, 2]);
    assert_error(reference.ids("x"), &["`x` is made of F32"]);
    assert_error(reference.ids("bad"), &["`bad` has -1 in it"]);
    assert_error(
        reference.tensor("input.id"),
        &["no `input.id` in", "did you mean `input.ids`", "reference.safetensors"],
    );

    let whole = std::fs::read(&path)?;
    std::fs::write(folder.join("short.safetensors"), &whole[..whole.len() - 3])?;
    assert_error(Reference::open(folder.join("short.safetensors")), &["short.safetensors"]);
    assert_error(Reference::open(folder.join("none.safetensors")), &["none.safetensors"]);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
