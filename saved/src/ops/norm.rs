//! Softmax and normalization.

use candle_core::{D, Tensor};
use taper::ops::channels_last;

use super::{Build, Compute, one};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Softmax", |_| one(softmax)),
    ("LogSoftmax", |_| one(|x| candle_nn::ops::log_softmax(x, D::Minus1))),
    ("FusedBatchNorm", batch_norm),
    ("FusedBatchNormV2", batch_norm),
    ("FusedBatchNormV3", batch_norm),
];

fn softmax(x: &Tensor) -> Result<Tensor> {
    taper::ops::softmax_last_dim(&x.contiguous()?)
}

/// `(x − mean) / √(variance + ε) · scale + offset` of every channel: of the statistics that are given, or of the batch's.
/// What comes after the first output is what training uses.
fn batch_norm(attrs: &Attrs<'_>) -> Result<Compute> {
    let epsilon = f64::from(attrs.float_or("epsilon", 1e-4)?);
    // It is left out of the file where it is true.
    let training = attrs.get("is_training")?.is_none_or(|attr| attr == crate::proto::Attr::Bool(true));
    let last = attrs.str("data_format")?.is_none_or(|format| format == "NHWC");
    super::several(move |inputs| {
        let [x, scale, offset, mean, variance] = super::take(inputs)?;
        if x.rank() != 4 {
            return Err(Error::Msg(format!("{:?} is no batch of pictures", x.dims())));
        }
        let channel = if last { 3 } else { 1 };
        let mut sizes = vec![1; 4];
        sizes[channel] = x.dims()[channel];
        let along = |x: &Tensor| x.reshape(sizes.as_slice());
        let (mean, variance) = match training {
            false => (mean.clone(), variance.clone()),
            true => {
                let axes: Vec<usize> = (0..4).filter(|axis| *axis != channel).collect();
                let mean = x.mean(axes.as_slice())?;
                let variance = x.broadcast_sub(&along(&mean)?)?.sqr()?.mean(axes.as_slice())?;
                (mean, variance)
            }
        };
        if last && !training {
            let y = channels_last::batch_norm(x, &mean, &variance, scale, offset, epsilon)?;
            return Ok(vec![y, mean.clone(), variance.clone(), mean, variance.clone(), variance.zeros_like()?]);
        }
        let factor = (scale / (&variance + epsilon)?.sqrt()?)?;
        let shift = (offset - (&mean * &factor)?)?;
        let y = x.broadcast_mul(&along(&factor)?)?.broadcast_add(&along(&shift)?)?;
        // The batch's variance is given out as that of a sample.
        let count = (x.elem_count() / x.dims()[channel].max(1)) as f64;
        let given = if training { (&variance * (count / (count - 1.).max(1.)))? } else { variance.clone() };
        Ok(vec![y, mean.clone(), given, mean, variance.clone(), variance.zeros_like()?])
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, output, outputs, rising, same};

    #[test]
    fn softmax_is_along_the_last_axis() {
        same(&output("Softmax", &[], &[f(&[1, 2], &[0., 1.])]), &[1, 2], &[0.268_941_4, 0.731_058_6]);
        same(&output("LogSoftmax", &[], &[f(&[1, 2], &[0., 1.])]), &[1, 2], &[-1.313_261_7, -0.313_261_7]);
    }

    #[test]
    fn batch_norm_of_given_statistics_and_of_the_batchs() {
        let statistics = [f(&[2], &[2., 1.]), f(&[2], &[0.5, 0.]), f(&[2], &[1., 2.]), f(&[2], &[4., 1.])];
        let inputs: Vec<_> = std::iter::once(rising(&[1, 1, 2, 2])).chain(statistics).collect();
        let given = [("is_training", A::Bool(false)), ("epsilon", A::Float(0.))];
        let y = outputs("FusedBatchNormV3", &given, &inputs).unwrap();
        same(&y[0], &[1, 1, 2, 2], &[0.5, 0., 2.5, 2.]);
        let y = outputs("FusedBatchNormV3", &[("epsilon", A::Float(0.))], &inputs).unwrap();
        same(&y[0], &[1, 1, 2, 2], &[-1.5, -1., 2.5, 1.]);
        same(&y[1], &[2], &[2., 3.]);
        same(&y[2], &[2], &[2., 2.]);
    }
}
