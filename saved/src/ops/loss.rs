//! Losses, and the slopes of functions, as models have them that differentiate as they run.

use candle_core::{D, Tensor};

use super::{Build, broadcast, one, several, take, two};
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("L2Loss", |_| one(|x| x.sqr()?.sum_all()? * 0.5)),
    ("SoftmaxCrossEntropyWithLogits", |_| several(cross_entropy)),
    ("SparseSoftmaxCrossEntropyWithLogits", |_| {
        several(|inputs| {
            let [x, classes] = take(inputs)?;
            let hot = Tensor::arange(0, x.dim(D::Minus1)? as i64, x.device())?;
            let hot = classes.unsqueeze(D::Minus1)?.broadcast_eq(&hot)?.to_dtype(x.dtype())?;
            cross_entropy(&[x.clone(), hot])
        })
    }),
    // Of the value of the function, and what comes from behind.
    ("TanhGrad", |_| two(|y, dy| (1. - y.sqr()?)? * dy)),
    ("SigmoidGrad", |_| two(|y, dy| ((1. - y)? * y)? * dy)),
    ("SqrtGrad", |_| two(|y, dy| (dy * 0.5)? / y)),
    ("RsqrtGrad", |_| two(|y, dy| (y.sqr()? * y)? * (dy * -0.5)?)),
    ("ReciprocalGrad", |_| two(|y, dy| (y.sqr()? * dy)?.neg())),
    // Of what comes from behind, and the argument.
    ("ReluGrad", |_| two(|dy, x| x.gt(0.)?.where_cond(dy, &dy.zeros_like()?))),
    ("Relu6Grad", |_| two(|dy, x| (x.gt(0.)? * x.lt(6.)?)?.where_cond(dy, &dy.zeros_like()?))),
    ("SoftplusGrad", |_| two(|dy, x| dy / (x.neg()?.exp()? + 1.)?)),
    ("SoftsignGrad", |_| two(|dy, x| dy / (x.abs()? + 1.)?.sqr()?)),
    // Here the value of the function.
    ("EluGrad", |_| two(|dy, y| y.lt(0.)?.where_cond(&((y + 1.)? * dy)?, dy))),
    ("BiasAddGrad", |_| one(|dy| dy.sum((0..dy.rank().saturating_sub(1)).collect::<Vec<_>>()))),
    ("BroadcastGradientArgs", |_| several(summed_axes)),
];

/// How far the softmax of a row is from what is wanted, and the slope of that.
fn cross_entropy(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [x, wanted] = take(inputs)?;
    let sizes = broadcast(x.dims(), wanted.dims())?;
    if sizes.len() != 2 {
        return Err(Error::Msg(format!("{:?} are no rows", x.dims())));
    }
    let (x, wanted) = (x.broadcast_as(sizes.as_slice())?.contiguous()?, wanted.broadcast_as(sizes.as_slice())?);
    let logs = candle_nn::ops::log_softmax(&x, D::Minus1)?;
    Ok(vec![(&logs * &wanted)?.sum(D::Minus1)?.neg()?, (logs.exp()? - wanted)?])
}

/// The axes along which what was broadcast is summed again, of two shapes.
fn summed_axes(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [a, b] = take(inputs)?;
    let sizes = |x: &Tensor| super::ints(x)?.into_iter().map(super::size).collect::<Result<Vec<_>>>();
    let (a, b) = (sizes(a)?, sizes(b)?);
    let whole = broadcast(&a, &b)?;
    let axes = |own: &[usize]| {
        let before = whole.len() - own.len();
        let both_one = |at: usize| whole[at] == 1;
        let axes =
            (0..whole.len()).filter(|at| *at < before || own[at - before] == 1 && (whole[*at] != 1 || both_one(*at)));
        let axes: Vec<i64> = axes.map(|at| at as i64).collect();
        let len = axes.len();
        Tensor::from_vec(axes, len, &candle_core::Device::Cpu)
    };
    if a == b {
        let none = Tensor::from_vec(Vec::<i64>::new(), 0, &candle_core::Device::Cpu)?;
        return Ok(vec![none.clone(), none]);
    }
    Ok(vec![axes(&a)?, axes(&b)?])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, i, output, outputs, same};
    use candle_core::Var;

    #[test]
    fn losses() {
        same(&output("L2Loss", &[], [f(&[2], &[3., 4.])]), &[], &[12.5]);
        let x = f(&[1, 2], &[0., 1.]);
        let given = outputs("SparseSoftmaxCrossEntropyWithLogits", &[], [x.clone(), i(&[1], &[1])]).unwrap();
        same(&given[0], &[1], &[0.313_261_7]);
        same(&given[1], &[1, 2], &[0.268_941_4, -0.268_941_4]);
        let soft = outputs("SoftmaxCrossEntropyWithLogits", &[], [x, f(&[1, 2], &[0.5, 0.5])]).unwrap();
        same(&soft[0], &[1], &[0.813_261_7]);
    }

    /// Of the operation itself, by candle's own gradient.
    #[test]
    fn slopes_are_those_of_the_functions() {
        for (op, slope, of_value) in [
            ("Tanh", "TanhGrad", true),
            ("Sigmoid", "SigmoidGrad", true),
            ("Sqrt", "SqrtGrad", true),
            ("Rsqrt", "RsqrtGrad", true),
            ("Reciprocal", "ReciprocalGrad", true),
            ("Relu", "ReluGrad", false),
            ("Relu6", "Relu6Grad", false),
            ("Softplus", "SoftplusGrad", false),
            ("Softsign", "SoftsignGrad", false),
        ] {
            let x = Var::from_tensor(&f(&[3], &[0.3, 2., 7.])).unwrap();
            let dy = f(&[3], &[1., -2., 0.5]);
            let y = output(op, &[], [x.as_tensor().clone()]);
            let wanted = (&y * &dy).unwrap().sum_all().unwrap().backward().unwrap();
            let wanted = super::super::testing::flat(wanted.get(&x).unwrap()).1;
            let inputs = if of_value { [y.detach(), dy] } else { [dy, x.as_tensor().detach()] };
            same(&output(slope, &[], inputs), &[3], &wanted);
        }
        let given = outputs("BroadcastGradientArgs", &[], [i(&[2], &[3, 1]), i(&[3], &[2, 3, 4])]).unwrap();
        same(&given[0], &[2], &[0., 2.]);
        same(&given[1], &[0], &[]);
        same(&output("BiasAddGrad", &[], [f(&[2, 2], &[1., 2., 3., 4.])]), &[2], &[4., 6.]);
    }
}
