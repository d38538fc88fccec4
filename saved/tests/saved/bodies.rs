//! Tensors in branches and loops: found, captured, changed and differentiated as all others are.

use crate::common::{arrays, difference, fed, folder, inputs, json};
use candle_core::{D, Device, Tensor};
use candle_nn::ops::sigmoid;
use taper_saved::{SavedModel, Taps, open};

type Inputs = Vec<(String, Tensor)>;

fn model(name: &str, kind: &str) -> (SavedModel, Inputs) {
    let directory = folder().join(name);
    let model = open(directory.join(kind)).unwrap();
    let inputs = inputs(&model, &directory, &json(directory.join(format!("expected_{kind}.json"))));
    (model, inputs)
}

fn lstm() -> (SavedModel, Inputs) {
    model("lstm", "export")
}

/// Loops within branches within a loop: `h`, `scaled` and `unused`, of `x` and `steps`.
fn nested() -> (SavedModel, Inputs) {
    model("nested", "tfsave")
}

fn number(x: &Tensor) -> f64 {
    x.to_dtype(candle_core::DType::F64).unwrap().sum_all().unwrap().to_scalar().unwrap()
}

const TANH: &str = "StatefulPartitionedCall/net_1/lstm_1/while/body/lstm_cell_1/Tanh";

fn step(name: &str, step: isize) -> String {
    name.replace("/body/", &format!("/body.{step}/"))
}

/// What the head makes of the states of an LSTM, by hand: `Tanh`, the candidate for the cell, goes through `change` in every
/// step. Keras's gates are in the order input, forget, candidate, output.
fn by_hand(model: &SavedModel, x: &Tensor, change: impl Fn(usize, Tensor) -> Tensor) -> Tensor {
    let weight = |end: &str| model.variables().find(|(name, _)| name.ends_with(end)).unwrap().1.clone();
    let (kernel, recurrent, bias) = (weight("lstm_cell/kernel"), weight("recurrent_kernel"), weight("lstm_cell/bias"));
    let (batch, steps, _) = x.dims3().unwrap();
    let mut h = Tensor::zeros((batch, 4), x.dtype(), x.device()).unwrap();
    let mut c = h.clone();
    let mut states = Vec::new();
    for step in 0..steps {
        let x = x.narrow(1, step, 1).unwrap().squeeze(1).unwrap();
        let gates = (x.matmul(&kernel).unwrap() + h.matmul(&recurrent).unwrap()).unwrap();
        let gates = gates.broadcast_add(&bias).unwrap().chunk(4, D::Minus1).unwrap();
        let candidate = change(step, gates[2].tanh().unwrap());
        c = ((sigmoid(&gates[1]).unwrap() * c).unwrap() + (sigmoid(&gates[0]).unwrap() * candidate).unwrap()).unwrap();
        h = (sigmoid(&gates[3]).unwrap() * c.tanh().unwrap()).unwrap();
        states.push(h.clone());
    }
    let states = Tensor::stack(&states, 1).unwrap();
    states.broadcast_matmul(&weight("head/kernel")).unwrap().broadcast_add(&weight("head/bias")).unwrap()
}

#[test]
fn a_tensor_in_a_loop_has_several_names_and_a_value_every_step() {
    let (model, inputs) = lstm();
    let all = model.capture(fed(&inputs), &[TANH]).unwrap();
    assert_eq!(all.len(), 3);
    let names: Vec<_> = all.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, [step(TANH, 0), step(TANH, 1), step(TANH, 2)]);
    for name in [
        "while/body/lstm_cell/Tanh",
        "lstm/while/body/lstm_cell/Tanh",
        "while/body/*/Tanh",
        "**/body/**/Tanh",
        // As TensorFlow's function has it.
        "net_1/lstm_1/while/lstm_cell_1/Tanh",
        "while/lstm_cell_1/Tanh:0",
    ] {
        let found = model.capture(fed(&inputs), &[name]).unwrap();
        assert_eq!(difference(&found.stacked(TANH).unwrap(), &all.stacked(TANH).unwrap()), 0., "{name}");
    }
    for (name, at) in [
        (step(TANH, 1), 1),
        (step(TANH, -1), 2),
        ("while/body.0/lstm_cell/Tanh".to_owned(), 0),
        ("net/lstm/while/body.2/lstm_cell/Tanh".to_owned(), 2),
        ("**/body.1/*/Tanh".to_owned(), 1),
    ] {
        let found = model.capture(fed(&inputs), &[&name]).unwrap();
        assert_eq!(difference(found.single().unwrap(), all.nth(TANH, at).unwrap()), 0., "{name}");
        assert_eq!(found.iter().next().unwrap().0, step(TANH, at));
    }
    assert_eq!(all.visits(TANH).len(), 3);
    assert_eq!(all.iter_visits().map(|(_, visits, _)| visits.to_vec()).collect::<Vec<_>>(), [[0], [1], [2]]);
    assert_eq!(
        model.find_any("while/body.1/lstm_cell/Tanh").unwrap()[0].short_name_at(&[1]),
        "net/lstm/while/body.1/lstm_cell/Tanh"
    );
    assert_eq!(all.stacked(TANH).unwrap().dims(), [3, 2, 4]);
    assert!(all.nth(TANH, 3).unwrap_err().to_string().contains("visit 3"));
    assert_eq!(difference(&all[2], all.nth(TANH, -1).unwrap()), 0.);
    let error = all.single().unwrap_err().to_string();
    assert!(error.contains("3 values, one for every step") && error.contains("body.0/"), "{error}");
    // A condition is asked once more than there are steps.
    let asked = model.capture(fed(&inputs), &["while/cond/LogicalAnd"]).unwrap();
    let asked: Vec<f64> = asked.iter().map(|(_, value)| number(value)).collect();
    assert_eq!(asked, [1., 1., 1., 0.]);
    let place = model.tensors().iter().position(|tensor| tensor.name() == TANH).unwrap();
    assert_eq!(model.find(&format!("#{place}")).unwrap()[0].name(), TANH);
    assert!(model.tensors()[place].is_repeated() && !model.tensors()[place].is_conditional());
    assert_eq!(model.tensors()[place].short_name(), "net/lstm/while/body/lstm_cell/Tanh");
}

#[test]
fn names_of_steps_that_there_are_not_are_errors() {
    let (lstm, inputs) = lstm();
    let error = |name: &str| lstm.capture(fed(&inputs), &[name]).unwrap_err().to_string();
    for name in [step(TANH, 3), step(TANH, -4)] {
        let error = error(&name);
        assert!(error.contains("has no value in this run") && error.contains("made no step"), "{error}");
        // Told apart from branches that were not taken, where a run may do without.
        let some = lstm.run().allow_absent().capture(fed(&inputs), &[&name, TANH]).unwrap();
        assert_eq!((some.len(), some.absent().len(), some.absent_steps().count()), (3, 1, 1));
    }
    // The cell is called before the loop, too: which is meant must be said.
    let several = error("lstm_cell/Tanh");
    assert!(several.contains("2 tensors") && several.contains(TANH), "{several}");
    let near = error("while/body/lstm_cell/Tahn");
    let whole = "`while/body/lstm_cell/Tanh` (`net/lstm/while/body/lstm_cell/Tanh`)";
    assert!(near.contains(&format!("did you mean {whole}")), "{near}");
    let several = error("body.1/*/Nothing");
    assert!(several.contains("no tensor matches"), "{several}");
    let near = error("while/bodi.1/*/Tanh");
    assert!(near.contains("did you mean `while/body.1/*/Tanh`?"), "{near}");
    let (loops, inputs) = model("loops", "tfsave");
    let several = loops.capture(fed(&inputs), &["body.1/Identity_3"]).unwrap_err().to_string();
    assert!(several.contains("is the name of 4 tensors") && several.contains("/body.1/Identity_3`"), "{several}");
    let (name, tensor) = lstm.output_tensors().next().unwrap();
    let output = error(name);
    assert!(output.contains(&format!("is the tensor `{}`", tensor.unwrap().name)), "{output}");
    // Both functions of the loop have one.
    let several = error("while/Identity");
    assert!(several.contains("2 tensors") && several.contains("/cond/Identity`"), "{several}");
    let list = error("body/TensorArrayV2Write/TensorListSetItem");
    assert!(list.contains("no tensor of numbers"), "{list}");
}

/// `while/body.2/lstm_cell` is what Keras's cell gives in the third step. Before the loop it is called once more.
#[test]
fn a_layer_in_a_loop_has_a_name_for_every_step() {
    let (model, inputs) = lstm();
    let keras = arrays(folder().join("lstm/expected_keras_layers.npz"));
    for step in 0..3 {
        // `h` and `c`; Keras gives the first of them twice.
        let [h, c] = [0, 2].map(|out| &keras[&format!("lstm/lstm_cell/node{}/out{out}", step + 1)]);
        let from_end = step - 3;
        for name in [
            format!("while/body.{step}/lstm_cell"),
            format!("net/lstm/while/body.{from_end}/lstm_cell"),
            format!("StatefulPartitionedCall/net_1/lstm_1/while/body.{step}/lstm_cell_1"),
        ] {
            let found = model.capture(fed(&inputs), &[&name]).unwrap();
            assert_eq!(found.len(), 2, "{name}");
            let is = |expected: &Tensor| found.iter().any(|(_, value)| difference(value, expected) <= 1e-5);
            assert!(is(h) && is(c), "{name}");
            assert!(found.iter().all(|(name, _)| name.contains(&format!("/body.{step}/"))), "{found:?}");
        }
    }
    let pattern = model.capture(fed(&inputs), &["while/body.1/lstm_*"]).unwrap();
    let named = model.capture(fed(&inputs), &["while/body.1/lstm_cell"]).unwrap();
    assert!(pattern.iter().map(|(name, _)| name).eq(named.iter().map(|(name, _)| name)));
    let every = model.capture(fed(&inputs), &["while/body/lstm_cell"]).unwrap();
    assert_eq!((every.len(), every.visits("lstm_cell/mul_2").len()), (6, 3));
    let layer = model.layer("lstm_cell").unwrap();
    assert_eq!(layer.call_names().collect::<Vec<_>>(), ["net/lstm/lstm_cell", "net/lstm/while/body/lstm_cell"]);
    // It is changed by the same names.
    let off = |name: &str| model.run().edit(name, |t| t.zeros_like()).unwrap().forward(fed(&inputs)).unwrap();
    let (cell, values) = (off("while/body.1/lstm_cell"), ["add_1", "mul_2"]);
    let run = values.iter().fold(model.run(), |run, value| {
        run.edit(&format!("while/body.1/lstm_cell/{value}"), |t| t.zeros_like()).unwrap()
    });
    assert_eq!(difference(cell.single().unwrap(), run.forward(fed(&inputs)).unwrap().single().unwrap()), 0.);
    assert!(difference(cell.single().unwrap(), off("while/body.0/lstm_cell").single().unwrap()) > 1e-3);
    // An inner layer of a cell, and names that mean nothing or too much.
    let (own, given) = self::model("own_cell", "export");
    let keras = arrays(folder().join("own_cell/expected_keras_layers.npz"));
    let mix = own.capture(fed(&given), &["body.2/leaky/mix"]).unwrap();
    assert!(difference(mix.single().unwrap(), &keras["memory/leaky/mix/node3/out0"]) <= 1e-5);
    let error = |name: &str| model.capture(fed(&inputs), &[name]).unwrap_err().to_string();
    assert!(error("while/body.9/lstm_cell").contains("made no step 9"), "{}", error("while/body.9/lstm_cell"));
    let near = error("while/body.2/lstm_cel");
    assert!(near.contains("did you mean `while/body/lstm_cell` (`net/lstm/while/body/lstm_cell`)"), "{near}");
    let (both, given) = self::model("bidirectional", "export");
    let several = both.capture(fed(&given), &["while/body.1/lstm_cell"]).unwrap_err().to_string();
    assert!(several.contains("the name of 2 layers"), "{several}");
    // What is listed can be given, and means the step that was meant.
    let listed: Vec<_> = several.split('`').filter(|name| name.ends_with("_lstm/while/body.1/lstm_cell")).collect();
    assert_eq!(listed.len(), 2, "{several}");
    assert!(listed.iter().all(|name| both.capture(fed(&given), &[name]).unwrap().len() == 2));
}

#[test]
fn a_branch_that_is_not_taken_has_no_values_and_says_so() {
    let (model, inputs) = model("conditions", "tfsave");
    let error = model.capture(fed(&inputs), &["cond/then_branch/Tanh"]).unwrap_err().to_string();
    let why = "did not take the branch `StatefulPartitionedCall/cond/then_branch`";
    assert!(error.contains("has no value in this run") && error.contains(why), "{error}");
    let taken = model.capture(fed(&inputs), &["cond/else_branch/Relu", "cond_1/*_branch/*"]).unwrap();
    assert!(taken.iter().all(|(name, _)| name.contains("/cond/else") || name.contains("/cond_1/then")), "{taken:?}");
    // Unless it may do without.
    let names = ["cond/then_branch/Tanh", "cond/else_branch/Relu"];
    let some = model.run().allow_absent().capture(fed(&inputs), &names).unwrap();
    assert_eq!((some.len(), some.absent().len(), some.absent_steps().count()), (1, 1, 0));
    assert!(some.absent().all(|reason| reason.contains(why)), "{:?}", some.absent().next());
    let (name, visits, value) = some.iter_visits().next().unwrap();
    assert_eq!((name, visits), ("StatefulPartitionedCall/cond/else_branch/cond/else_branch/Relu", &[][..]));
    assert_eq!(difference(value, &taken[0]), 0.);
    let tensor = model.find("cond/then_branch/Tanh").unwrap()[0];
    assert!(tensor.is_conditional() && !tensor.is_repeated());
    let changed = || model.run().edit("cond/then_branch/Tanh", |t| t.neg()).unwrap();
    for error in [
        changed().forward(fed(&inputs)).unwrap_err(),
        changed().capture(fed(&inputs), &["StatefulPartitionedCall/cond"]).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("then_branch/Tanh` was not made") && error.contains(".if_reached()"), "{error}");
    }
    // What is asked for does not come by.
    changed().capture(fed(&inputs), &["add"]).unwrap();
    let (plain, free) = (model.forward(fed(&inputs)).unwrap(), changed().if_reached().forward(fed(&inputs)).unwrap());
    assert_eq!(difference(&free["y"], &plain["y"]), 0.);
}

#[test]
fn an_edit_in_a_loop_is_made_in_every_step_or_in_one() {
    let (model, inputs) = lstm();
    let x = &inputs[0].1;
    let head = |run: taper_saved::Run<'_, '_>| run.forward(fed(&inputs)).unwrap().single().unwrap().clone();
    let twice = |value: Tensor| (value * 2.).unwrap();
    assert!(difference(&head(model.run()), &by_hand(&model, x, |_, t| t)) < 1e-5);
    let all = head(model.run().edit(TANH, |t| t * 2.).unwrap());
    assert!(difference(&all, &by_hand(&model, x, |_, t| twice(t))) < 1e-5);
    let one = head(model.run().edit(&step(TANH, 1), |t| t * 2.).unwrap());
    let expected = by_hand(&model, x, |step, t| if step == 1 { twice(t) } else { t });
    assert!(difference(&one, &expected) < 1e-5);
    assert!(difference(&one, &all) > 1e-3 && difference(&one, &head(model.run())) > 1e-3);
    let scaled = |step: usize, t: &Tensor| t * (1. + step as f64);
    let by_step = model.run().edit_at(TANH, move |site, t| scaled(site.visits()[0] as usize, t)).unwrap();
    let expected = by_hand(&model, x, |step, t| scaled(step, &t).unwrap());
    assert!(difference(&head(by_step), &expected) < 1e-5);
    let value = Tensor::new(&[[0.5f32, -0.5, 0.25, 0.], [1., 0., -1., 0.5]], &Device::Cpu).unwrap();
    let replaced = head(model.run().replace(TANH, &value).unwrap());
    assert!(difference(&replaced, &by_hand(&model, x, |_, _| value.clone())) < 1e-5);
    let replaced = model.run().replace(&step(TANH, 2), &value).unwrap();
    let expected = by_hand(&model, x, |step, t| if step == 2 { value.clone() } else { t });
    assert!(difference(&head(replaced), &expected) < 1e-5);
    let late = model.run().edit(&step(TANH, 3), |t| t * 2.).unwrap().forward(fed(&inputs)).unwrap_err().to_string();
    assert!(late.contains("was not made") && late.contains("in visit 3"), "{late}");
    let end = model.run().edit(&step(TANH, -1), |t| t * 2.).unwrap().forward(fed(&inputs)).unwrap_err().to_string();
    assert!(end.contains("count from the start"), "{end}");
    let wide = Tensor::zeros((2, 5), candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = model.run().replace(TANH, &wide).unwrap().forward(fed(&inputs)).unwrap_err().to_string();
    assert!(error.contains("while/body/lstm_cell_1/mul_1` (Mul)"), "{error}");
}

/// A loop goes on to the last step that is asked for, and no further.
#[test]
fn steps_after_the_last_that_is_asked_for_are_not_made() {
    let (model, mut inputs) = model("loops", "tfsave");
    let few = model.capture(fed(&inputs), &["while/body.2/Identity_3", "while/cond.1/Max"]).unwrap();
    // To its end it would take hours.
    let steps = inputs.iter_mut().find(|(name, _)| name == "steps").unwrap();
    steps.1 = Tensor::new(i64::from(i32::MAX), &Device::Cpu).unwrap();
    let many = model.capture(fed(&inputs), &["while/body.2/Identity_3", "while/cond.1/Max"]).unwrap();
    for ((name, a), (other, b)) in few.iter().zip(many.iter()) {
        assert_eq!((name, difference(a, b)), (other, 0.));
    }
    let all = model.capture(fed(&inputs), &["StatefulPartitionedCall/while/**"]).unwrap_err().to_string();
    assert!(all.contains("more values than a run keeps"), "{all}");
    let counted = model.capture(fed(&inputs), &["while/body.99/add"]).unwrap();
    assert_eq!(number(counted.single().unwrap()), 100.);
    let cond = model.capture(fed(&inputs), &["while/cond.7/Less"]).unwrap();
    assert_eq!(number(cond.single().unwrap()), 1.);
}

/// What is replaced in every step needs nothing before it, in any step and before the loop.
#[test]
fn only_what_is_asked_for_is_computed_in_and_through_loops() {
    let (model, inputs) = nested();
    let fails = |_: &Tensor| Err(candle_core::Error::Msg("it is computed".to_owned()));
    // `scaled` comes after the loop, and what it carries beside `h` is needed by nothing in it.
    let carried = model.run().edit("while/body/mul", fails).unwrap();
    let error = carried.forward(fed(&inputs)).unwrap_err().to_string();
    assert!(error.contains("it is computed"), "{error}");
    let scaled = carried.capture(fed(&inputs), &["mul"]).unwrap();
    let (plain, all) =
        (model.forward(fed(&inputs)).unwrap(), carried.capture(fed(&inputs), &["while/body/add"]).unwrap());
    assert_eq!(difference(scaled.single().unwrap(), &plain["scaled"]), 0.);
    assert_eq!(all.len(), 4);
    let after = model.run().edit("mul", fails).unwrap();
    assert!(after.forward(fed(&inputs)).is_err());
    after.capture(fed(&inputs), &["while/body/switch_case/indexed_case", "while/body/add"]).unwrap();
    // The counter goes on without what the branches compute.
    let branches = model.run().edit("**/branch_1/sub", fails).unwrap();
    assert!(branches.capture(fed(&inputs), &["while/body/switch_case/indexed_case"]).is_err());
    assert_eq!(branches.capture(fed(&inputs), &["while/body/add"]).unwrap().len(), 4);
    let (model, inputs) = lstm();
    let zeros = Tensor::zeros((2, 16), candle_core::DType::F32, &Device::Cpu).unwrap();
    let run = model.run().replace("body/lstm_cell/BiasAdd", &zeros).unwrap();
    let run = run.edit("body/lstm_cell/MatMul", fails).unwrap().edit("lstm/transpose", fails).unwrap();
    let gates = run.capture(fed(&inputs), &["body/lstm_cell/Sigmoid"]).unwrap();
    assert!(gates.iter().all(|(_, gate)| difference(gate, &(gate.ones_like().unwrap() * 0.5).unwrap()) < 1e-6));
}

#[test]
fn a_replay_takes_the_steps_before_the_change_from_the_recording() {
    let (model, inputs) = lstm();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = count.clone();
    let run = model.run().edit("body/lstm_cell/mul_1", move |t| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        t * 1.5
    });
    let run = run.unwrap();
    let recording = run.record(fed(&inputs)).unwrap();
    let calls = || count.swap(0, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(calls(), 3);
    let recorded = recording.values(&[TANH, "while/body.1/lstm_cell/mul_2"]).unwrap();
    let captured = run.capture(fed(&inputs), &[TANH, "while/body.1/lstm_cell/mul_2"]).unwrap();
    assert_eq!(recorded.len(), 4);
    for ((name, a), (other, b)) in recorded.iter().zip(captured.iter()) {
        assert_eq!((name, difference(a, b)), (other, 0.));
    }
    assert_eq!(calls(), 3);
    let whole = run.edit(&step(TANH, 2), |t| t.neg()).unwrap().forward(fed(&inputs)).unwrap();
    assert_eq!(calls(), 3);
    let replay = recording.replay().edit(&step(TANH, 2), |t| t.neg()).unwrap();
    let replayed = replay.forward().unwrap();
    assert_eq!(difference(replayed.single().unwrap(), whole.single().unwrap()), 0.);
    // The edits of the recorded run are made again in the last step alone.
    assert_eq!(calls(), 1);
    let steps = replay.capture(&[TANH]).unwrap();
    assert_eq!(difference(steps.nth(TANH, 0).unwrap(), recorded.nth(TANH, 0).unwrap()), 0.);
    assert_eq!(difference(steps.nth(TANH, 2).unwrap(), &recorded.nth(TANH, 2).unwrap().neg().unwrap()), 0.);
    calls();
    // Nothing in the loop is computed for a change behind it.
    let behind = recording.replay().edit("head/BiasAdd", |t| t.neg()).unwrap();
    assert_eq!(behind.capture(&[TANH, "head/BiasAdd"]).unwrap().len(), 4);
    behind.forward().unwrap();
    assert_eq!(calls(), 0);
}

#[test]
fn gradients_go_through_loops_and_are_those_of_finite_differences() {
    let (model, inputs) = lstm();
    let loss = |run: &taper_saved::Run<'_, '_>| {
        let y = run.forward(fed(&inputs)).unwrap().single().unwrap().clone();
        number(&y.to_dtype(candle_core::DType::F64).unwrap().sqr().unwrap())
    };
    let found = model.run().loss("head/BiasAdd", |y| y.sqr()?.sum_all()).unwrap();
    let found = found.gradients(fed(&inputs), &[TANH, "x"]).unwrap();
    assert_eq!(found.gradients.len(), 4);
    for at in 0..3 {
        let (name, value) = (step(TANH, at), found.values.nth(TANH, at).unwrap());
        let gradient = found.gradients.nth(TANH, at).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let values = value.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for place in 0..values.len() {
            let moved = |by: f32| {
                let mut values = values.clone();
                values[place] += by;
                let value = Tensor::from_vec(values, value.dims(), &Device::Cpu).unwrap();
                loss(&model.run().replace(&name, &value).unwrap())
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let gradient = f64::from(gradient[place]);
            assert!((slope - gradient).abs() < 1e-3 * (1. + slope.abs()), "{name} {place}: {slope} {gradient}");
        }
    }
    // A loss of a tensor in the loop is of one step.
    let several = model.run().loss(TANH, |t| t.sum_all()).unwrap_err().to_string();
    assert!(several.contains("name the step") && several.contains("body.0/"), "{several}");
    let of_step = model.run().loss("while/body.1/lstm_cell/mul_2", |h| h.sum_all()).unwrap();
    let found = of_step.gradients(fed(&inputs), &["x"]).unwrap();
    let gradient = found.gradients.single().unwrap();
    // Of the loop's own tensors, the steps that have a part in it.
    let own = of_step.gradients(fed(&inputs), &[&step(TANH, 0), &step(TANH, 1)]).unwrap();
    assert_eq!(own.gradients.len(), 2);
    let none = of_step.gradients(fed(&inputs), &[TANH]).unwrap_err().to_string();
    assert!(none.contains("the loss does not depend on"), "{none}");
    // What comes later has no part in it.
    assert_eq!(number(&gradient.narrow(1, 2, 1).unwrap().abs().unwrap()), 0.);
    assert!(number(&gradient.narrow(1, 0, 2).unwrap().abs().unwrap()) > 0.);
}

#[test]
fn gradients_go_through_branches() {
    let (model, inputs) = model("conditions", "tfsave");
    let loss = model.run().loss("StatefulPartitionedCall/cond", |y| y.sqr()?.sum_all()).unwrap();
    let found = loss.gradients(fed(&inputs), &["cond/else_branch/Relu"]).unwrap();
    // `y` is this less something else.
    let y = model.forward(fed(&inputs)).unwrap()["y"].clone();
    assert!(difference(found.gradients.single().unwrap(), &(y * 2.).unwrap()) < 1e-5);
}

#[test]
fn taps_of_loops_and_branches_go_to_a_file_and_back() {
    for (model, inputs) in [lstm(), nested(), model("conditions", "tfsave")] {
        let (_, taps) = model.forward_with_taps(fed(&inputs)).unwrap();
        let path = std::env::temp_dir().join(format!("taper-saved-bodies-{}.safetensors", std::process::id()));
        taps.save(&path).unwrap();
        let back = Taps::load(&model, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(taps.iter().len(), back.iter().len());
        for ((name, value), (other, same)) in taps.iter().zip(back.iter()) {
            assert_eq!((name, difference(value, same)), (other, 0.));
        }
    }
}

#[test]
fn what_is_nested_is_numbered_at_every_depth() {
    let (model, inputs) = nested();
    let deep = "StatefulPartitionedCall/while/body/switch_case/indexed_case/branch_0/while/body/cond/else_branch/mul";
    let found = model.find(deep).unwrap()[0];
    assert!(found.is_repeated() && found.is_conditional());
    // The first branch is that of the steps 0 and 3, in which its own loop makes one step and four.
    let counts = model.capture(fed(&inputs), &["branch_0/while/body/add"]).unwrap();
    let steps: Vec<_> = counts.iter().map(|(name, value)| (name.to_owned(), number(value))).collect();
    let name = |outer: usize, inner: usize| {
        format!("StatefulPartitionedCall/while/body.{outer}/switch_case/indexed_case/branch_0/while/body.{inner}/add")
    };
    let expected = [(name(0, 0), 1.), (name(3, 0), 1.), (name(3, 1), 2.), (name(3, 2), 3.), (name(3, 3), 4.)];
    assert_eq!(steps, expected);
    for (asked, several) in [
        ("while/body.3/switch_case/indexed_case/branch_0/while/body/add", 4),
        ("branch_0/while/body.0/add", 2),
        (&name(3, 2), 1),
    ] {
        assert_eq!(model.capture(fed(&inputs), &[asked]).unwrap().len(), several, "{asked}");
    }
    // An edit in the inner loop, in one step of each.
    let value = |run: &taper_saved::Run<'_, '_>| run.forward(fed(&inputs)).unwrap()["h"].clone();
    let all: Vec<String> = model
        .tensors()
        .iter()
        .filter(|t| t.name().starts_with(&deep[..deep.len() - 3]))
        .map(|t| t.name().to_owned())
        .collect();
    assert!(all.contains(&deep.to_owned()), "{all:?}");
    let changed = |name: &str| model.run().edit(name, |t| t * 3.).unwrap().if_reached();
    assert!(difference(&value(&changed("**/while/body/cond/*/*")), &value(&model.run())) > 1e-3);
}

/// The cell's own layers are found by their owners' names.
#[test]
fn layers_that_a_loop_calls_are_found_by_owner() {
    let (model, inputs) = model("own_cell", "export");
    let names: Vec<_> = model.layers().map(|layer| layer.name().to_owned()).collect();
    for name in ["net/memory/leaky", "net/memory/leaky/mix", "net/memory/leaky/recall"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("while") || name.contains("body")), "{names:?}");
    let mix = model.layer("leaky/mix").unwrap();
    let weights: Vec<_> = mix.variables().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
    assert_eq!(weights.len(), 2, "{weights:?}");
    let outputs = arrays(folder().join("own_cell/outputs.npz"));
    let run = model.forward(fed(&inputs)).unwrap();
    for (name, value) in run.iter() {
        assert!(difference(value, &outputs[name]) < 1e-5);
    }
}

/// By whole names, by those of layers, and by the end of these, where that is one tensor's.
#[test]
fn what_was_captured_has_the_names_that_it_is_asked_for_by() {
    let (model, inputs) = lstm();
    let both = ["while/body/lstm_cell/Tanh", "while/body/lstm_cell/Tanh_1"];
    let captured = model.capture(fed(&inputs), &both).unwrap();
    let steps = captured.visits(TANH);
    assert_eq!(steps.len(), 3);
    for (at, step_value) in steps.iter().enumerate() {
        for name in [
            step(TANH, at as isize),
            format!("net/lstm/while/body.{at}/lstm_cell/Tanh"),
            format!("body.{at}/lstm_cell/Tanh"),
        ] {
            assert_eq!(difference(captured.get(&name).unwrap(), step_value), 0., "{name}");
        }
    }
    for name in ["net/lstm/while/body/lstm_cell/Tanh", "while/body/lstm_cell/Tanh"] {
        assert_eq!(captured.visits(name).len(), 3, "{name}");
        assert_eq!(captured.stacked(name).unwrap().dims()[0], 3);
        assert_eq!(difference(captured.nth(name, -1).unwrap(), steps[2]), 0.);
    }
    assert!(captured.get("Tanh").is_none() && captured.visits("anh").is_empty());
    let one = model.capture(fed(&inputs), &["while/body.1/lstm_cell/Tanh"]).unwrap().into_single().unwrap();
    assert_eq!(difference(&one, steps[1]), 0.);
}
