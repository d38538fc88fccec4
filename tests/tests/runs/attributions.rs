//! Integrated gradients and attribution patching.

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_error, builder};

/// What follows `first` is linear, smooth, or has a corner.
#[derive(Model)]
pub struct Kinds {
    #[load(linear(4, 4))]
    pub first: Linear,
    #[load(linear(4, 3))]
    pub last: Linear,
}

#[forward]
impl Kinds {
    pub fn forward(&self, x: &Tensor, kind: &str) -> Result<Tensor> {
        let h = self.first.forward(x)?;
        let h = match kind {
            "linear" => h,
            "smooth" => h.tanh()?.sqr()?,
            // Rows are not each on its own.
            "mixed" => h.broadcast_mul(&h.sum_keepdim(0)?)?,
            "relu" => h.relu()?,
            other => candle_core::bail!("no kind {other}"),
        };
        self.last.forward(&h)
    }
}

fn kinds() -> Kinds {
    let vars = VarMap::new();
    Kinds::load(builder(&vars)).unwrap();
    let data = vars.data().lock().unwrap();
    let number = |i: usize| (i as f64 * 1.7 + 0.3).sin() * 0.6;
    let weight =
        |shape: &[usize]| Tensor::from_vec((0..shape.iter().product()).map(number).collect(), shape, &Device::Cpu);
    let tensors = data.iter().map(|(k, v)| (k.clone(), weight(v.dims()).unwrap())).collect();
    Kinds::load(VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu)).unwrap()
}

fn x() -> Tensor {
    Tensor::new(&[[0.7f64, -0.4, 1.1, 0.9]], &Device::Cpu).unwrap()
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64], by: f64) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().any(|a| *a != 0.));
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < by, "{a} and {b}"));
}

/// The midpoint rule, step by step.
fn by_hand(
    model: &Kinds,
    kind: &str,
    loss: impl Fn(&Tensor) -> Result<Tensor> + Copy + Send + Sync,
    steps: usize,
) -> Result<Vec<f64>> {
    let value = model.capture(&x(), kind, |t| t.first)?;
    let mut sum = value.zeros_like()?;
    for k in 0..steps {
        let at = (&value * ((k as f64 + 0.5) / steps as f64))?;
        let g = model.run().replace(|t| t.first, &at).loss(|t| t.output, loss).gradients(&x(), kind, |t| t.first)?;
        sum = (sum + g.gradients)?;
    }
    Ok(numbers(&((sum / steps as f64)? * value)?))
}

#[test]
fn it_is_the_midpoint_rule_batched_or_not() -> Result<()> {
    let (model, zero) = (kinds(), x().zeros_like()?);
    let all: fn(&Tensor) -> Result<Tensor> = |y| y.sqr()?.sum_all();
    let mean: fn(&Tensor) -> Result<Tensor> = |y| y.narrow(1, 0, 2)?.sum(1)?.mean_all();
    let first_row: fn(&Tensor) -> Result<Tensor> = |y| y.i((0, 1));
    let one_row: fn(&Tensor) -> Result<Tensor> = |y| y.reshape(3)?.i(1);
    for (kind, loss, together) in [
        ("smooth", all, true),
        ("linear", all, true),
        ("smooth", mean, true),
        ("smooth", first_row, false),
        ("smooth", one_row, false),
        ("mixed", all, false),
    ] {
        for steps in [1, 2, 3, 16, 40] {
            let ig =
                model.run().loss(|t| t.output, loss).integrated_gradients((&x(), kind), |t| t.first, &zero, steps)?;
            assert_close(&numbers(&ig.attributions), &by_hand(&model, kind, loss, steps)?, 1e-9);
            assert_eq!(ig.batch > 1, together && steps > 3, "{kind}, {steps} steps: {}", ig.batch);
            let at = |value: &Tensor| {
                loss(&model.run().replace(|t| t.first, value).forward(&x(), kind)?)?.to_scalar::<f64>()
            };
            assert!((ig.baseline_loss - at(&zero)?).abs() < 1e-12);
            assert!((ig.loss - loss(&model.forward(&x(), kind)?)?.to_scalar::<f64>()?).abs() < 1e-12);
        }
    }
    Ok(())
}

#[test]
fn rows_that_a_loss_leaves_out_are_not_taken_for_zero() -> Result<()> {
    // The gradient vanishes at the last step: that it does in the batch too says nothing about the rows between.
    let model = kinds();
    let value = model.capture(&x(), "relu", |t| t.first)?;
    let baseline = (value.relu()? + 1.)?;
    let loss = |y: &Tensor| y.i((0, 1));
    let negative = (value.abs()?.neg()? - 1.)?;
    let run = || model.run().edit(|t| t.first, |_| Ok(negative.clone()));
    let steps = 9;
    let ig = run().loss(|t| t.output, loss).integrated_gradients((&x(), "relu"), |t| t.first, &baseline, steps)?;
    let mut sum = negative.zeros_like()?;
    for k in 0..steps {
        let at = (&baseline + ((&negative - &baseline)? * ((k as f64 + 0.5) / steps as f64))?)?;
        let g = model.run().replace(|t| t.first, &at).loss(|t| t.output, loss).gradients(&x(), "relu", |t| t.first)?;
        sum = (sum + g.gradients)?;
    }
    let expected = ((sum / steps as f64)? * (&negative - &baseline)?)?;
    assert_close(&numbers(&ig.attributions), &numbers(&expected), 1e-9);
    Ok(())
}

#[test]
fn attributions_add_up_to_what_the_loss_differs_by() -> Result<()> {
    let (model, baseline) = (kinds(), (x() * -0.3)?);
    let sum: fn(&Tensor) -> Result<Tensor> = |y| y.sum_all();
    let run = |kind: &'static str, steps| {
        model.run().loss(|t| t.output, sum).integrated_gradients((&x(), kind), |t| t.first, &baseline, steps)
    };
    assert!(run("linear", 1)?.completeness_gap()? < 1e-12);
    let (coarse, fine) = (run("smooth", 2)?.completeness_gap()?, run("smooth", 64)?.completeness_gap()?);
    assert!(fine < 1e-3 && fine < coarse / 10., "{coarse} {fine}");
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let model = kinds();
    let loss = model.run().loss(|t| t.output, |y| y.sum_all());
    let narrow = x().narrow(1, 0, 2)?;
    assert_error(
        loss.integrated_gradients((&x(), "smooth"), |t| t.first, &narrow, 4),
        &["baseline", "[1, 2]", "[1, 4]"],
    );
    let single = x().to_dtype(DType::F32)?;
    assert_error(loss.integrated_gradients((&x(), "smooth"), |t| t.first, &single, 4), &["baseline", "F32", "F64"]);
    assert_error(loss.integrated_gradients((&x(), "smooth"), |t| t.first, &x(), 0), &["at least one step"]);
    Ok(())
}

#[test]
fn of_a_replay_too() -> Result<()> {
    let (model, zero) = (kinds(), x().zeros_like()?);
    let recording = model.run().record(&x(), "smooth")?;
    let replay = recording.replay().loss(|t| t.output, |y| y.sum_all());
    let a = replay.integrated_gradients((&x(), "smooth"), |t| t.first, &zero, 8)?;
    let fresh = model.run().loss(|t| t.output, |y| y.sum_all());
    let b = fresh.integrated_gradients((&x(), "smooth"), |t| t.first, &zero, 8)?;
    assert_eq!(numbers(&a.attributions), numbers(&b.attributions));
    Ok(())
}

#[test]
fn attribution_patching_is_gradient_times_difference() -> Result<()> {
    let model = kinds();
    let other_x = (x() + 0.3)?;
    let other = model.capture(&other_x, "smooth", |t| (t.first, vec![t.last], [t.output], Some(t.first)))?;
    let g = model
        .run()
        .loss(|t| t.output, |y| y.sqr()?.sum_all())
        .gradients(&x(), "smooth", |t| (t.first, vec![t.last], [t.output], Some(t.first)))?;
    let a = g.attribution(&other)?;
    let expected = |g: &Tensor, other: &Tensor, value: &Tensor| -> Vec<f64> {
        numbers(g).iter().zip(numbers(other)).zip(numbers(value)).map(|((g, o), v)| g * (o - v)).collect()
    };
    assert_eq!(numbers(&a.0), expected(&g.gradients.0, &other.0, &g.values.0));
    assert_eq!(numbers(&a.1[0]), expected(&g.gradients.1[0], &other.1[0], &g.values.1[0]));
    assert_eq!(numbers(&a.2[0]), expected(&g.gradients.2[0], &other.2[0], &g.values.2[0]));
    assert_eq!(numbers(&a.3.unwrap()), numbers(&a.0));
    // To first order, the effect of the patch.
    let loss = |value: &Tensor| -> Result<f64> {
        model.run().replace(|t| t.first, value).forward(&x(), "smooth")?.sqr()?.sum_all()?.to_scalar()
    };
    let g = model.run().loss(|t| t.output, |y| y.sqr()?.sum_all()).gradients(&x(), "smooth", |t| t.first)?;
    for size in [1e-3, 1e-4] {
        let near = (&g.values + ((&other.0 - &g.values)? * size)?)?;
        let effect = loss(&near)? - loss(&g.values)?;
        let told = g.attribution(&near)?.sum_all()?.to_scalar::<f64>()?;
        assert!((effect - told).abs() < 20. * size * effect.abs(), "{effect} and {told}");
    }
    let few = model.capture(&x(), "smooth", |t| vec![t.first])?;
    let g = model.run().loss(|t| t.output, |y| y.sum_all()).gradients(&x(), "smooth", |t| vec![t.first, t.last])?;
    assert_error(g.attribution(&few), &["1 values and 2"]);
    Ok(())
}
