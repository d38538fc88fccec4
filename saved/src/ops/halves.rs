//! Values of half precision.

use candle_core::{DType, Tensor};

use super::Compute;
use crate::Result;

/// Computes in single precision, and rounds what comes out.
pub(super) fn in_single(compute: Compute) -> Compute {
    let Compute::Tensors(f) = compute else { return compute };
    Compute::Tensors(Box::new(move |inputs| {
        let is_half = |x: &Tensor| matches!(x.dtype(), DType::F16 | DType::BF16);
        let Some(half) = inputs.iter().find(|x| is_half(x)).map(Tensor::dtype) else { return f(inputs) };
        let single = |x: &Tensor| if is_half(x) { x.to_dtype(DType::F32) } else { Ok(x.clone()) };
        let wide = inputs.iter().map(single).collect::<Result<Vec<_>>>()?;
        // A batch norm whose statistics are in single precision gives them out so.
        let mixed = inputs.iter().any(|x| x.dtype() == DType::F32);
        let given = f(&wide)?.into_iter().enumerate();
        given
            .map(|(at, y)| if y.dtype() == DType::F32 && (at == 0 || !mixed) { y.to_dtype(half) } else { Ok(y) })
            .collect()
    }))
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::super::testing::{f, i, outputs};

    /// 2049 is no `float16`; sums of many are not rounded at every step.
    #[test]
    fn what_comes_out_is_rounded_once() {
        let ones = f(&[4096], &[1.; 4096]).to_dtype(DType::F16).unwrap();
        let sum = outputs("Sum", &[], [ones, i(&[1], &[0])]).unwrap().remove(0);
        assert_eq!(sum.dtype(), DType::F16);
        assert_eq!(sum.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap(), 4096.);
    }

    #[test]
    fn statistics_stay_in_single_precision() {
        let x = f(&[1, 1, 2, 1], &[1., 3.]).to_dtype(DType::F16).unwrap();
        let one = || f(&[1], &[1.]);
        let given = outputs("FusedBatchNormV3", &[], [x, one(), one(), one(), one()]).unwrap();
        assert_eq!((given[0].dtype(), given[1].dtype()), (DType::F16, DType::F32));
    }
}
