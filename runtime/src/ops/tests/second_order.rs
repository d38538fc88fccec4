use std::env;
use std::process::Command;

use super::*;

const KEEP: &str = "CANDLE_GRAD_DO_NOT_DETACH";

/// candle reads the variable once for each thread, so this needs a process of its own.
#[test]
fn gradients_of_gradients_are_right_where_candle_keeps_them() -> Result<()> {
    if env::var_os(KEEP).is_none() {
        let test = "ops::tests::second_order::gradients_of_gradients_are_right_where_candle_keeps_them";
        let status = Command::new(env::current_exe()?).args([test, "--exact"]).env(KEEP, "1").status()?;
        assert!(status.success(), "in a process with {KEEP}=1");
        return Ok(());
    }
    for case in cases() {
        // Of the slope along all inputs.
        let slope = |t: &[Tensor]| {
            let vars = if t.iter().all(Tensor::track_op) { t.to_vec() } else { tensors(&vars(t)?) };
            let grads = loss(&(case.double)(&vars)?.sqr()?)?.backward()?;
            let of = |var: &Tensor| loss(grads.get(var).expect("a gradient for every input"));
            vars.iter().map(of).reduce(|a, b| a? + b?).expect("an input")
        };
        let actual = gradients(slope, &case.inputs)?;
        let expected = differences(slope, &case.inputs)?;
        for (actual, expected) in actual.iter().zip(&expected) {
            assert_close(actual, expected, 1e-5, case.name);
        }
    }
    Ok(())
}
