//! Against candle's own, in every layout and type.

use super::*;
use crate::ops::contiguous;
use crate::ops::threads::as_on;

/// As many elements as are shared among threads.
fn x(dtype: DType) -> Result<Tensor> {
    (numbers((2, 40, 12, 64), 1.) * 50.)?.abs()?.to_dtype(dtype)
}

#[test]
fn is_candles_for_every_layout_type_and_number_of_threads() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::U32, DType::I64] {
        let x = x(dtype)?;
        let views = [
            ("heads", x.transpose(1, 2)?),
            ("heads of a part", x.narrow(1, 3, 30)?.transpose(1, 2)?),
            ("batch last but one", x.permute((1, 2, 0, 3))?),
            ("a part of the last dimension", x.narrow(3, 8, 40)?),
            ("broadcast", x.narrow(0, 1, 1)?.broadcast_as((3, 40, 12, 64))?),
            ("broadcast within", x.narrow(2, 5, 1)?.broadcast_as((2, 40, 24, 64))?),
            ("turned", x.transpose(2, 3)?),
            ("a dimension of one", x.transpose(1, 2)?.unsqueeze(1)?),
            ("as it was", x.clone()),
        ];
        for (name, view) in views {
            for threads in [1, 5] {
                let y = as_on(threads, || contiguous(&view))?;
                assert!(y.is_contiguous() && y.dtype() == dtype, "{name}");
                let same = y.eq(&view.contiguous()?)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?;
                assert_eq!(same as usize, view.elem_count(), "{name} of {dtype:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn has_candles_gradient() -> Result<()> {
    let x = Var::from_tensor(&x(DType::F32)?)?;
    let y = contiguous(&x.transpose(1, 2)?)?;
    let grad = y.sqr()?.sum_all()?.backward()?.remove(&x).expect("a gradient");
    assert_same(&grad, &(x.as_tensor() * 2.)?, "gradient");
    Ok(())
}
