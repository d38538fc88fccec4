//! Space that becomes batch or depth, and back: how TensorFlow writes a convolution with gaps, and pixel shuffles.

use candle_core::Tensor;

use super::{Build, Compute, ints, one, room, size, three};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("SpaceToBatchND", |_| three(space_to_batch)),
    ("BatchToSpaceND", |_| three(batch_to_space)),
    ("SpaceToDepth", |attrs| depth(attrs, true)),
    ("DepthToSpace", |attrs| depth(attrs, false)),
];

/// The sizes of blocks, and two numbers for each axis of space.
fn blocks(x: &Tensor, block: &Tensor, pairs: &Tensor) -> Result<(Vec<usize>, Vec<[usize; 2]>)> {
    let block = ints(block)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
    let pairs = ints(pairs)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
    let pairs = pairs.as_chunks::<2>().0.to_vec();
    if block.len() >= x.rank() || pairs.len() != block.len() || block.contains(&0) {
        return Err(Error::Msg(format!("blocks of {block:?} do not fit {:?}", x.dims())));
    }
    Ok((block, pairs))
}

fn space_to_batch(x: &Tensor, block: &Tensor, around: &Tensor) -> Result<Tensor> {
    let (block, around) = blocks(x, block, around)?;
    let mut padded = x.clone();
    for (axis, [before, behind]) in around.iter().enumerate() {
        padded = super::window::pad(&padded, axis + 1, *before, *behind, None)?;
    }
    let n = block.len();
    let (batch, rest) = (padded.dims()[0], &padded.dims()[n + 1..]);
    let mut split = vec![batch];
    for (axis, block) in block.iter().enumerate() {
        let len = padded.dims()[axis + 1];
        if !len.is_multiple_of(*block) {
            return Err(Error::Msg(format!("{len} elements are no whole number of blocks of {block}")));
        }
        split.extend([len / block, *block]);
    }
    let sizes: Vec<usize> = (0..n).map(|axis| split[2 * axis + 1]).collect();
    split.extend(rest);
    // Blocks first, then the batch, then space.
    let order =
        (0..n).map(|axis| 2 * axis + 2).chain([0]).chain((0..n).map(|axis| 2 * axis + 1)).chain(2 * n + 1..split.len());
    let order: Vec<usize> = order.collect();
    room(&split)?;
    let whole = [&[batch * block.iter().product::<usize>()], &sizes[..], rest].concat();
    padded.contiguous()?.reshape(split)?.permute(order)?.contiguous()?.reshape(whole)
}

fn batch_to_space(x: &Tensor, block: &Tensor, crops: &Tensor) -> Result<Tensor> {
    let (block, crops) = blocks(x, block, crops)?;
    let n = block.len();
    let count = block.iter().try_fold(1usize, |count, block| count.checked_mul(*block));
    let count = count.filter(|count| x.dims()[0].is_multiple_of(*count));
    let count =
        count.ok_or_else(|| Error::Msg(format!("a batch of {} is no whole number of {block:?}", x.dims()[0])))?;
    let batch = x.dims()[0] / count;
    let split = [&block[..], &[batch], &x.dims()[1..]].concat();
    let order = [n].into_iter().chain((0..n).flat_map(|axis| [n + 1 + axis, axis])).chain(2 * n + 1..split.len());
    let order: Vec<usize> = order.collect();
    let space: Vec<usize> = (0..n).map(|axis| x.dims()[axis + 1].saturating_mul(block[axis])).collect();
    let whole = [&[batch], &space[..], &x.dims()[n + 1..]].concat();
    room(&split)?;
    room(&whole)?;
    let mut y = x.contiguous()?.reshape(split)?.permute(order)?.contiguous()?.reshape(whole)?;
    for (axis, [before, behind]) in crops.into_iter().enumerate() {
        let left = space[axis].checked_sub(before).and_then(|left| left.checked_sub(behind));
        let left = left.ok_or_else(|| Error::Msg(format!("{before} and {behind} are more than {}", space[axis])))?;
        y = y.narrow(axis + 1, before, left)?;
    }
    Ok(y)
}

/// Squares of pixels that become channels, or channels that become squares of pixels.
fn depth(attrs: &Attrs<'_>, to_depth: bool) -> Result<Compute> {
    let block = size(attrs.int("block_size")?.unwrap_or(0))?;
    if attrs.str("data_format")?.is_some_and(|format| format != "NHWC") || block == 0 || block > 1 << 16 {
        return Err(Error::Msg(format!("blocks of {block} in that layout are not supported")));
    }
    one(move |x| {
        let (batch, height, width, channels) = x.dims4()?;
        let x = x.contiguous()?;
        if to_depth {
            if height % block != 0 || width % block != 0 {
                return Err(Error::Msg(format!("{height} by {width} pixels are no whole number of blocks of {block}")));
            }
            let split = vec![batch, height / block, block, width / block, block, channels];
            let y = x.reshape(split)?.permute(vec![0, 1, 3, 2, 4, 5])?.contiguous()?;
            return y.reshape((batch, height / block, width / block, channels * block * block));
        }
        if channels % (block * block) != 0 {
            return Err(Error::Msg(format!("{channels} channels are no whole number of blocks of {block}")));
        }
        let rest = channels / (block * block);
        let split = vec![batch, height, width, block, block, rest];
        let y = x.reshape(split)?.permute(vec![0, 1, 3, 2, 4, 5])?.contiguous()?;
        y.reshape((batch, height * block, width * block, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, i, output, outputs, rising, same};

    #[test]
    fn space_becomes_batch_and_back() {
        let x = rising(&[1, 4, 1]);
        let there = output("SpaceToBatchND", &[], &[x.clone(), i(&[1], &[2]), i(&[1, 2], &[0, 0])]);
        same(&there, &[2, 2, 1], &[1., 3., 2., 4.]);
        let back = output("BatchToSpaceND", &[], &[there, i(&[1], &[2]), i(&[1, 2], &[1, 0])]);
        same(&back, &[1, 3, 1], &[2., 3., 4.]);
        let padded = output("SpaceToBatchND", &[], &[x.clone(), i(&[1], &[3]), i(&[1, 2], &[1, 1])]);
        same(&padded, &[3, 2, 1], &[0., 3., 1., 4., 2., 0.]);
        assert!(outputs("SpaceToBatchND", &[], &[x.clone(), i(&[1], &[3]), i(&[1, 2], &[0, 0])]).is_err());
        assert!(outputs("BatchToSpaceND", &[], &[x, i(&[1], &[2]), i(&[1, 2], &[0, 0])]).is_err());
    }

    #[test]
    fn space_becomes_depth_and_back() {
        let x = rising(&[1, 2, 2, 2]);
        let block = [("block_size", A::Int(2))];
        let there = output("SpaceToDepth", &block, [x.clone()]);
        same(&there, &[1, 1, 1, 8], &(1..=8).map(f64::from).collect::<Vec<_>>());
        same(&output("DepthToSpace", &block, [there]), &[1, 2, 2, 2], &(1..=8).map(f64::from).collect::<Vec<_>>());
        assert!(outputs("DepthToSpace", &block, [x]).is_err());
    }
}
