//! Arithmetic of integers, which wraps as in TensorFlow and never panics. They are shapes and indices, and few.
//!
//! They are 64 bits wide here, or bytes; what a type of fewer bits has no room for is cut off after every operation.

use candle_core::{DType, Tensor};

use super::broadcast;
use crate::dtype::Type;
use crate::proto::Attrs;
use crate::{Error, Result};

/// Whether a value is of integers that are computed here.
pub(super) fn is(x: &Tensor) -> bool {
    x.dtype() == DType::I64
}

/// Integers of a type.
#[derive(Clone, Copy)]
pub(super) struct Ints(Type);

impl Ints {
    /// Of the type that is the attribute `T`; of 64 bits, where there is none.
    pub(super) fn read(attrs: &Attrs<'_>) -> Result<Self> {
        Ok(Ints(Type::of(attrs.ty("T")?.unwrap_or(9))))
    }

    pub(super) fn of(ty: Type) -> Self {
        Ints(ty)
    }

    /// Whether a value is of such integers: bytes are truth values, too.
    pub(super) fn are(self, x: &Tensor) -> bool {
        is(x) || x.dtype() == DType::U8 && self.0.name() == "uint8"
    }

    pub(super) fn bits(self) -> u32 {
        self.0.size().map_or(64, |bytes| 8 * bytes as u32)
    }

    /// The lowest and the highest.
    pub(super) fn ends(self) -> (i64, i64) {
        let top = 63 - (64 - self.bits()).min(63);
        match self.0.name().starts_with('u') {
            false => (i64::MIN >> (63 - top), i64::MAX >> (63 - top)),
            true => (0, i64::MAX >> (62 - top.min(62))),
        }
    }

    /// What is left of a number in the type.
    pub(super) fn cut(self, value: i64) -> Result<i64> {
        Ok(match self.0.name() {
            "int32" => i64::from(value as i32),
            "int16" => i64::from(value as i16),
            "int8" => i64::from(value as i8),
            "uint8" => i64::from(value as u8),
            "uint16" => i64::from(value as u16),
            "uint32" => i64::from(value as u32),
            "uint64" if value < 0 => {
                return Err(Error::Msg(format!("{} of type uint64 does not fit in an i64", value.cast_unsigned())));
            }
            _ => value,
        })
    }

    fn made(self, values: Vec<i64>, sizes: &[usize], like: &Tensor) -> Result<Tensor> {
        let values = values.into_iter().map(|value| self.cut(value)).collect::<Result<Vec<_>>>()?;
        Tensor::from_vec(values, sizes, like.device())?.to_dtype(like.dtype())
    }

    /// `f` of every element.
    pub(super) fn map(self, x: &Tensor, f: impl Fn(i64) -> i64) -> Result<Tensor> {
        self.made(all(x)?.into_iter().map(f).collect(), x.dims(), x)
    }

    /// `f` of the elements at the same place, once both are broadcast.
    pub(super) fn zip(self, a: &Tensor, b: &Tensor, f: impl Fn(i64, i64) -> Option<i64>) -> Result<Tensor> {
        let sizes = broadcast(a.dims(), b.dims())?;
        let whole = |x: &Tensor| all(&x.broadcast_as(sizes.as_slice())?);
        let values = whole(a)?.into_iter().zip(whole(b)?).map(|(a, b)| {
            f(a, b).ok_or_else(|| Error::Msg(format!("{a} and {b}: a division by zero, or a power that is negative")))
        });
        self.made(values.collect::<Result<_>>()?, &sizes, a)
    }

    /// `f` of the elements along some axes, one after the other.
    pub(super) fn fold(self, x: &Tensor, axes: &[usize], start: i64, f: impl Fn(i64, i64) -> i64) -> Result<Tensor> {
        let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
        let sizes: Vec<usize> = kept.iter().map(|axis| x.dims()[*axis]).collect();
        let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
        let inner: usize = axes.iter().map(|axis| x.dims()[*axis]).product();
        let values = all(&x.permute(order)?)?;
        let folded = (0..sizes.iter().product()).map(|outer: usize| {
            values[outer * inner..(outer + 1) * inner].iter().fold(start, |all, value| f(all, *value))
        });
        self.made(folded.collect(), &sizes, x)
    }

    /// The product of matrices, or of each pair of them: `[each, rows, inner]` and `[each, inner, columns]`.
    pub(super) fn product(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let ((each, rows, inner), columns) = (a.dims3()?, b.dim(2)?);
        if b.dims() != [each, inner, columns] {
            return Err(Error::Msg(format!("{:?} and {:?} have no product", a.dims(), b.dims())));
        }
        let (left, right) = (all(a)?, all(b)?);
        let mut values = vec![0i64; each * rows * columns];
        for (at, value) in values.iter_mut().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let from = row / rows * inner * columns;
            for i in 0..inner {
                let product = left[row * inner + i].wrapping_mul(right[from + i * columns + column]);
                *value = value.wrapping_add(product);
            }
        }
        self.made(values, &[each, rows, columns], a)
    }
}

/// The elements.
pub(super) fn all(x: &Tensor) -> Result<Vec<i64>> {
    x.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_cut() {
        for (number, ends, over, left) in [
            (3, (-2_147_483_648, 2_147_483_647), 2_147_483_648, -2_147_483_648),
            (4, (0, 255), 257, 1),
            (5, (-32768, 32767), 40000, -25536),
            (6, (-128, 127), -129, 127),
            (17, (0, 65535), -1, 65535),
            (22, (0, 4_294_967_295), 1 << 32, 0),
            (9, (i64::MIN, i64::MAX), -1, -1),
        ] {
            let ints = Ints::of(Type::of(number));
            assert_eq!(ints.ends(), ends, "{number}");
            assert_eq!(ints.cut(over).unwrap(), left, "{number}");
        }
        assert!(Ints::of(Type::of(23)).cut(-1).unwrap_err().to_string().contains("18446744073709551615"));
    }
}
