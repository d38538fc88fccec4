//! Gradients with respect to what flows through a model, against finite differences and autograd on composed forms.

use candle_core::{DType, Device, Module, Result, Tensor, Var};
use candle_nn::{Linear, VarBuilder, VarMap, linear};
use taper::{Model, Selection, forward};
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::maze::{Options, maze};
use crate::models::{calls, net};

/// Smooth, and in double precision.
#[derive(Model)]
pub struct Step {
    #[load(linear(4, 4))]
    pub lin: Linear,
}

#[forward]
impl Step {
    pub fn forward(&self, #[tap] x: &Tensor) -> Result<Tensor> {
        #[tap]
        let (double, square): (Tensor, Tensor) = ((x * 2.)?, x.sqr()?);
        #[tap]
        let pair: (Tensor, Tensor) = (double.tanh()?, square.sin()?);
        self.lin.forward(&(pair.0 + pair.1)?)
    }
}

#[derive(Model)]
pub struct Smooth {
    pub first: Step,
    /// Called three times.
    pub again: Step,
    #[load(linear(4, 4))]
    pub branch: Linear,
    #[load(linear(4, 2))]
    pub head: Linear,
}

#[forward]
impl Smooth {
    pub fn forward(&self, x: &Tensor, taken: bool) -> Result<Tensor> {
        let mut x = self.first.forward(x)?;
        for _ in 0..3 {
            x = (&x + self.again.forward(&x)?)?;
        }
        if taken {
            x = self.branch.forward(&x)?.tanh()?;
        }
        self.head.forward(&x)
    }
}

fn smooth() -> Smooth {
    let vars = VarMap::new();
    Smooth::load(VarBuilder::from_varmap(&vars, DType::F64, &Device::Cpu)).unwrap();
    let data = vars.data().lock().unwrap();
    // Every number another, whatever is drawn.
    let weight = |(name, var): (&String, &Var)| {
        let count = var.elem_count();
        let values = (0..count).map(|i| 0.4 * ((i + name.len() * count) as f64 * 1.3).sin()).collect();
        (name.clone(), Tensor::from_vec(values, var.dims(), &Device::Cpu).unwrap())
    };
    let tensors = data.iter().map(weight).collect();
    Smooth::load(VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu)).unwrap()
}

fn x64() -> Tensor {
    input().to_dtype(DType::F64).unwrap()
}

fn loss(y: &Tensor) -> Result<Tensor> {
    y.sqr()?.sum_all()
}

fn numbers(t: &Tensor) -> Vec<f64> {
    t.flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

/// The gradient by differences: `at` is the loss with the value moved by a tensor.
fn differences(value: &Tensor, at: impl Fn(&Tensor) -> Result<f64>) -> Result<Vec<f64>> {
    const H: f64 = 2e-6;
    (0..value.elem_count())
        .map(|i| {
            let mut step = vec![0.; value.elem_count()];
            step[i] = H;
            let step = Tensor::from_vec(step, value.dims(), &Device::Cpu)?;
            Ok((at(&step)? - at(&step.neg()?)?) / (2. * H))
        })
        .collect()
}

#[track_caller]
fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().any(|a| a.abs() > 1e-4), "all of {a:?} is 0");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-6 * (1. + a.abs()), "{a} and {b}");
    }
}

/// Compares the gradient at one site with differences.
macro_rules! check {
    ($model:expr, $select:expr) => {{
        let (model, x) = (&$model, x64());
        let g = model.run().loss(|t| t.output, loss).gradients(&x, true, $select)?;
        assert_eq!(numbers(&g.loss), numbers(&loss(&model.forward(&x, true)?)?));
        let at = |step: &Tensor| {
            let step = step.clone();
            let moved = model.run().edit($select, move |v| v + &step).forward(&x, true)?;
            loss(&moved)?.to_scalar::<f64>()
        };
        assert_close(&numbers(&g.gradients), &differences(&g.values, at)?);
    }};
}

#[test]
fn taps_inputs_and_outputs() -> Result<()> {
    let model = smooth();
    check!(model, |t| t.first.x);
    check!(model, |t| t.first.double);
    check!(model, |t| t.first.square);
    check!(model, |t| t.first.lin);
    check!(model, |t| t.first.output);
    check!(model, |t| t.head);
    check!(model, |t| t.output);
    check!(model, |t| t.again.at(0).select(|s| s.x));
    check!(model, |t| t.again.at(1).select(|s| s.square));
    check!(model, |t| t.again.at(2).select(|s| s.output));
    Ok(())
}

#[test]
fn visits_branches_and_tuples() -> Result<()> {
    let (model, x) = (smooth(), x64());
    let run = model.run().loss(|t| t.output, loss);
    let g = run.gradients(&x, true, |t| (t.again.each(|s| s.output), t.branch, t.first.pair))?;
    assert_eq!((g.values.0.len(), g.gradients.0.len()), (3, 3));
    let moved = |run: taper::Run<'_, '_, Smooth>| loss(&run.forward(&x, true)?)?.to_scalar::<f64>();
    for visit in 0..3 {
        let at = |step: &Tensor| {
            let step = step.clone();
            moved(model.run().edit(|t| t.again.at(visit as isize).select(|s| s.output), move |v| v + &step))
        };
        assert_close(&numbers(&g.gradients.0[visit]), &differences(&g.values.0[visit], at)?);
    }
    let at = |step: &Tensor| {
        let step = step.clone();
        moved(model.run().edit(|t| t.branch, move |v| v + &step))
    };
    assert_close(&numbers(&g.gradients.1.unwrap()), &differences(&g.values.1.unwrap(), at)?);
    let (a, b) = (&g.values.2.0, &g.values.2.1);
    let at = |step: &Tensor| {
        let step = step.clone();
        moved(model.run().edit(|t| t.first.pair, move |(a, b)| Ok(((a + &step)?, b.clone()))))
    };
    assert_close(&numbers(&g.gradients.2.0), &differences(a, at)?);
    let at = |step: &Tensor| {
        let step = step.clone();
        moved(model.run().edit(|t| t.first.pair, move |(a, b)| Ok((a.clone(), (b + &step)?))))
    };
    assert_close(&numbers(&g.gradients.2.1), &differences(b, at)?);
    // Not taken: there is none.
    let g = run.gradients(&x, false, |t| (t.branch, t.first.output))?;
    assert!(g.values.0.is_none() && g.gradients.0.is_none());
    Ok(())
}

#[test]
fn sites_in_series_each_get_the_whole_gradient() -> Result<()> {
    let (model, ids) = (net(), input());
    let run = model.run().loss(|t| t.output, loss);
    let all = run.gradients(&ids, |t| t.blocks.each(|b| (b.mid, b.attn.pattern, b.output)))?;
    for k in 0..12 {
        let one = run.gradients(&ids, |t| (t.blocks[k].mid, t.blocks[k].attn.pattern, t.blocks[k].output))?;
        assert_same(&all.gradients[k].0, &one.gradients.0);
        assert_same(&all.gradients[k].1, &one.gradients.1);
        assert_same(&all.gradients[k].2, &one.gradients.2);
    }
    // Twice in one selection, and reduced.
    let g = run.gradients(&ids, |t| {
        (
            t.blocks[4].mid,
            t.blocks[4].mid.map(|x| x.sum(1)),
            t.blocks[4].mid,
            (t.blocks[4].mid, t.head.output).map(|(a, _)| a.sqr()),
        )
    })?;
    assert_same(&g.gradients.0, &all.gradients[4].0);
    assert_same(&g.gradients.2, &all.gradients[4].0);
    assert_same(&g.gradients.1, &g.gradients.0.sum(1)?);
    assert_same(&g.gradients.3, &g.gradients.0.sqr()?);
    assert_same(&g.values.1, &g.values.0.sum(1)?);
    assert_same(&g.values.0, &model.capture(&ids, |t| t.blocks[4].mid)?);
    // `.map` of the site alone keeps nothing else.
    let only = run.gradients(&ids, |t| t.blocks[4].mid.map(|x| x.sum(1)))?;
    assert_same(&only.gradients, &g.gradients.1);
    Ok(())
}

#[test]
fn the_pass_stops_where_the_loss_is_known() -> Result<()> {
    let (model, ids) = (net(), input());
    let run = model.run().loss(|t| t.blocks[3].output, loss);
    let (g, made) = calls(|| run.gradients(&ids, |t| t.blocks[1].mid));
    let g = g?;
    assert_eq!(made, 1 + 4 * 4);
    assert_same(&g.loss, &loss(&model.capture(&ids, |t| t.blocks[3].output)?)?);
    assert_error(run.gradients(&ids, |t| t.blocks[4].mid), &["`blocks.4.mid`", "before the loss"]);
    assert_error(run.gradients(&ids, |t| (t.blocks[1].mid, t.output)), &["`output`"]);
    // Of several values.
    let run = model.run().loss(|t| (t.blocks[3].mid, t.blocks[1].mid), |(a, b)| (a * b)?.sum_all());
    let (g, made) = calls(|| run.gradients(&ids, |t| (t.blocks[1].mid, t.blocks[3].mid)));
    let g = g?;
    assert_eq!(made, 1 + 3 * 4 + 2);
    assert_same(&g.gradients.1, &g.values.0);
    Ok(())
}

#[test]
fn what_a_run_may_repeat_after_the_loss_has_no_gradient() -> Result<()> {
    let (model, x) = (smooth(), x64());
    let run = model.run().loss(|t| t.first.output, loss);
    assert_error(run.gradients(&x, true, |t| t.again.each(|s| s.output)), &["`again.output`"]);
    assert_error(run.gradients(&x, true, |t| (t.first.lin, t.branch)), &["`branch`"]);
    Ok(())
}

#[test]
fn edits_and_gradients_together() -> Result<()> {
    let (model, ids) = (net(), input());
    let run = |model| taper_run(model);
    fn taper_run(model: &crate::models::Net) -> taper::Run<'_, '_, crate::models::Net> {
        model.run().edit(|t| t.blocks[3].mid, |x| x * 3.).edit(|t| t.blocks[8].mid, |x| x.sqr())
    }
    let g = run(&model).loss(|t| t.output, loss).gradients(&ids, |t| (t.blocks[3].attn.output, t.blocks[3].mid))?;
    assert_same(&g.loss, &loss(&run(&model).forward(&ids)?)?);
    assert_same(&g.values.1, &run(&model).capture(&ids, |t| t.blocks[3].mid)?);
    // The edit lies between them: it triples the gradient, and the residual goes round it.
    let close = |a: &Tensor, b: &Tensor| (a - b)?.abs()?.max_all()?.to_scalar::<f32>();
    assert!(close(&g.gradients.0, &(&g.gradients.1 * 3.)?)? < 1e-4);
    Ok(())
}

#[test]
fn a_gradient_flows_into_the_variable_of_an_edit() -> Result<()> {
    let (model, ids) = (smooth(), x64());
    let steering = Var::from_tensor(&Tensor::new(&[0.1f64, -0.2, 0.3, 0.4], &Device::Cpu)?)?;
    let run = model.run().edit(|t| t.again.each(|s| s.output), |x| x.broadcast_add(&steering));
    let grads = loss(&run.forward(&ids, true)?)?.backward()?;
    let gradient = numbers(grads.get(&steering).unwrap());
    let at = |step: &Tensor| {
        let moved = (steering.as_tensor() + step)?;
        loss(&model.run().edit(|t| t.again.each(|s| s.output), |x| x.broadcast_add(&moved)).forward(&ids, true)?)?
            .to_scalar()
    };
    assert_close(&gradient, &differences(steering.as_tensor(), at)?);
    // The same in a replay, into an operand, and into a replacement.
    let recording = model.run().record(&ids, true)?;
    let replay = recording.replay().edit(|t| t.again.each(|s| s.output), |x| x.broadcast_add(&steering));
    let grads = loss(&replay.forward(&ids, true)?)?.backward()?;
    assert_eq!(numbers(grads.get(&steering).unwrap()), gradient);
    let known = Var::from_tensor(&x64())?;
    let output = model.run().replace(|t| t.first.output, known.as_tensor()).forward(&ids, true)?;
    let grads = loss(&output)?.backward()?;
    let g = model
        .run()
        .replace(|t| t.first.output, &x64())
        .loss(|t| t.output, loss)
        .gradients(&ids, true, |t| t.first.output)?;
    assert_eq!(numbers(grads.get(&known).unwrap()), numbers(&g.gradients));
    // `capture` lets go of the graph, `capture_attached` does not.
    let (y, attached) = (run.capture(&ids, true, |t| t.output)?, run.capture_attached(&ids, true, |t| t.output)?);
    assert!(!y.track_op());
    assert_eq!(numbers(loss(&attached)?.backward()?.get(&steering).unwrap()), gradient);
    Ok(())
}

#[test]
fn in_a_replay_gradients_are_those_of_a_run_from_the_start() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().edit(|t| t.blocks[2].mid, |x| x * 0.5).record(&ids)?;
    let fresh = model.run().edit(|t| t.blocks[2].mid, |x| x * 0.5).loss(|t| t.output, loss);
    let replay = recording.replay().loss(|t| t.output, loss);
    for k in [0, 2, 7, 11] {
        let (a, made) = calls(|| replay.gradients(&ids, |t| (t.blocks[k].mid, t.blocks[k].output)));
        let (a, b) = (a?, fresh.gradients(&ids, |t| (t.blocks[k].mid, t.blocks[k].output))?);
        assert_same(&a.loss, &b.loss);
        assert_same(&a.gradients.0, &b.gradients.0);
        assert_same(&a.gradients.1, &b.gradients.1);
        assert_same(&a.values.1, &b.values.1);
        assert_eq!(made, 2 + 4 * (11 - k) + 1);
    }
    let (maze, options) = (maze(), Options::default());
    let recording = maze.run().record(&ids, &options)?;
    let a = recording.replay().loss(|t| t.output, loss).gradients(&ids, &options, |t| t.shared.each(|s| s.step))?;
    let b = maze.run().loss(|t| t.output, loss).gradients(&ids, &options, |t| t.shared.each(|s| s.step))?;
    assert_same(&a.loss, &b.loss);
    a.gradients.iter().flatten().zip(b.gradients.iter().flatten()).for_each(|(a, b)| assert_same(a, b));
    assert_eq!(a.gradients.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
    Ok(())
}

#[test]
fn a_loss_can_be_used_again_and_in_threads() -> Result<()> {
    let (model, ids) = (net(), input());
    let run = model.run().loss(|t| t.output, loss);
    let once = run.gradients(&ids, |t| t.blocks[5].mid)?;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let g = run.gradients(&ids, |t| t.blocks[5].mid).unwrap();
                assert_same(&g.gradients, &once.gradients);
            });
        }
    });
    Ok(())
}
