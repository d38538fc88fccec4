//! Products of matrices.

use candle_core::{D, Tensor};

use super::integer::Ints;
use super::{Build, Compute, broadcast, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("MatMul", |attrs| matmul(attrs, "transpose_a", "transpose_b")),
    ("BatchMatMul", |attrs| matmul(attrs, "adj_x", "adj_y")),
    ("BatchMatMulV2", |attrs| matmul(attrs, "adj_x", "adj_y")),
    ("BatchMatMulV3", |attrs| matmul(attrs, "adj_x", "adj_y")),
];

fn matmul(attrs: &Attrs<'_>, of_a: &str, of_b: &str) -> Result<Compute> {
    let (ints, of_a, of_b) = (Ints::read(attrs)?, attrs.bool(of_a)?, attrs.bool(of_b)?);
    two(move |a, b| {
        let turned = |x: &Tensor, turn| if turn { x.transpose(D::Minus1, D::Minus2) } else { Ok(x.clone()) };
        if a.rank() < 2 || b.rank() < 2 {
            return Err(Error::Msg(format!("{:?} and {:?} are no matrices", a.dims(), b.dims())));
        }
        product(ints, &turned(a, of_a)?, &turned(b, of_b)?)
    })
}

/// The product of matrices, or of each pair of them, the axes before the last two being broadcast.
pub(super) fn product(ints: Ints, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let ((a_outer, _), (b_outer, _)) = (a.dims().split_at(a.rank() - 2), b.dims().split_at(b.rank() - 2));
    let mut sizes = broadcast(a_outer, b_outer)?;
    sizes.extend([a.dim(D::Minus2)?, b.dim(D::Minus1)?]);
    super::room(&sizes)?;
    if ints.are(a) {
        let each = sizes[..sizes.len() - 2].to_vec();
        let count = each.iter().product::<usize>();
        let whole = |x: &Tensor| {
            let (rows, columns) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
            x.broadcast_as([&each[..], &[rows, columns]].concat())?.contiguous()?.reshape((count, rows, columns))
        };
        return ints.product(&whole(a)?, &whole(b)?)?.reshape(sizes);
    }
    taper::ops::matmul(a, b)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, output, outputs, rising, same};

    #[test]
    fn matrices_are_turned_and_broadcast() {
        let (a, b) = (rising(&[2, 3]), rising(&[3, 2]));
        same(&output("MatMul", &[], &[a.clone(), b.clone()]), &[2, 2], &[22., 28., 49., 64.]);
        let both = [("transpose_a", A::Bool(true)), ("transpose_b", A::Bool(true))];
        same(&output("MatMul", &both, &[b.clone(), a.clone()]), &[2, 2], &[22., 49., 28., 64.]);
        let many = output("BatchMatMulV2", &[], &[rising(&[2, 1, 3]), b.clone()]);
        same(&many, &[2, 1, 2], &[22., 28., 49., 64.]);
        let turned = output("BatchMatMulV2", &[("adj_y", A::Bool(true))], &[rising(&[2, 1, 3]), a]);
        same(&turned, &[2, 1, 2], &[14., 32., 32., 77.]);
        assert!(outputs("MatMul", &[], &[b.clone(), b]).is_err());
    }
}
