//! What the two rotary embeddings share: their inputs, and their gradients.

use candle_core::{D, Result, Tensor, bail};

use super::check::{contiguous, same_type};
use super::graft::{wanted, widened};

/// `x`: [batch, head, token, channel]; `cos` and `sin`: [token, channel / 2] or [batch, token, channel / 2].
pub(super) fn check(op: &str, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<()> {
    let Ok((batch, _, tokens, channels)) = x.dims4() else {
        bail!("`{op}`: `x`, {:?}, is not [batch, head, token, channel]: `reshape` it", x.shape());
    };
    if tokens == 0 || channels == 0 {
        bail!("`{op}`: `x`, {:?}, has no tokens or no channels: leave such a tensor out", x.shape());
    }
    if channels % 2 != 0 {
        bail!("`{op}`: `x`, {:?}, has {channels} channels, which are no pairs", x.shape());
    }
    for (name, table) in [("cos", cos), ("sin", sin)] {
        check_table(op, name, table, x.shape().dims())?;
        same_type(op, ("x", x), (name, table))?;
        contiguous(op, name, table)?;
    }
    // candle takes the tables for those of a batch if both are, and finds the next sequence's after `tokens` rows.
    if cos.rank() != sin.rank() {
        bail!("`{op}`: `cos`, {:?}, and `sin`, {:?}, are to have the same shape", cos.shape(), sin.shape());
    }
    let rows = [cos, sin].map(|table| table.dims()[table.rank() - 2]);
    if cos.rank() == 3 && batch > 1 && rows != [tokens; 2] {
        bail!("`{op}`: `cos` and `sin` of a batch have {rows:?} rows for {tokens} tokens: `narrow` them to the tokens");
    }
    contiguous(op, "x", x)
}

fn check_table(op: &str, name: &str, table: &Tensor, x: &[usize]) -> Result<()> {
    let fits = match (table.dims(), x) {
        ([rows, width], [_, _, tokens, channels]) => rows >= tokens && 2 * width == *channels,
        ([sequences, rows, width], [batch, _, tokens, channels]) => {
            sequences == batch && rows >= tokens && 2 * width == *channels
        }
        _ => false,
    };
    if !fits {
        let shape = table.shape();
        bail!(
            "`{op}`: `{name}` is {shape:?} where `x`, {x:?}, asks for [{}, {}] or, one for each of the batch, [{}, {}, {}]",
            x[2],
            x[3] / 2,
            x[0],
            x[2],
            x[3] / 2
        );
    }
    Ok(())
}

/// The gradients of a rotation of pairs: `halves` gives the first and the second of all pairs, and `rotate` rotates.
pub(super) fn backward(
    [x, cos, sin]: [&Tensor; 3],
    grad: &Tensor,
    halves: impl Fn(&Tensor) -> Result<(Tensor, Tensor)>,
    rotate: impl FnOnce(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<[Option<Tensor>; 3]> {
    let pairs = |of: &Tensor| halves(&widened(of)?);
    Ok([
        // Back by the same angles.
        wanted(x, || rotate(&grad.contiguous()?, cos, &sin.neg()?))?,
        wanted(cos, || {
            let ((x1, x2), (grad1, grad2)) = (pairs(x)?, pairs(grad)?);
            of_table(&((grad1 * x1)? + (grad2 * x2)?)?, cos)
        })?,
        wanted(sin, || {
            let ((x1, x2), (grad1, grad2)) = (pairs(x)?, pairs(grad)?);
            of_table(&((grad2 * x1)? - (grad1 * x2)?)?, sin)
        })?,
    ])
}

/// From a gradient for each of [batch, head, token, pair] to that of the table that they all used; its other rows were not.
fn of_table(grad: &Tensor, table: &Tensor) -> Result<Tensor> {
    let grad = if table.rank() == 3 { grad.sum(1)? } else { grad.sum((0, 1))? };
    let unused = table.dim(D::Minus2)? - grad.dim(D::Minus2)?;
    grad.pad_with_zeros(D::Minus2, 0, unused)?.to_dtype(table.dtype())
}
