//! The largest or the mean of every window.

use candle_core::{DType, Tensor};

use super::window::Windows;
use super::{Build, Compute, one};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[("MaxPool", max), ("MaxPoolV2", max), ("AvgPool", mean)];

fn max(attrs: &Attrs<'_>) -> Result<Compute> {
    let (windows, size) = (Windows::read(attrs)?, Windows::size(attrs)?);
    one(move |x| {
        let least = Tensor::new(f32::NEG_INFINITY, x.device())?.to_dtype(x.dtype())?;
        let mut found: Option<Tensor> = None;
        windows.each(x, size, Some(&least), |_, part| {
            let part = part.contiguous()?;
            found = Some(match found.take() {
                None => part,
                Some(found) => found.maximum(&part)?,
            });
            Ok(())
        })?;
        found.ok_or_else(nothing)
    })
}

/// Of what lies inside the picture.
fn mean(attrs: &Attrs<'_>) -> Result<Compute> {
    let (windows, size) = (Windows::read(attrs)?, Windows::size(attrs)?);
    one(move |x| {
        let sum = |x: &Tensor| {
            let mut sum: Option<Tensor> = None;
            windows.each(x, size, None, |_, part| {
                let part = part.contiguous()?;
                sum = Some(match sum.take() {
                    None => part,
                    Some(sum) => (sum + part)?,
                });
                Ok(())
            })?;
            sum.ok_or_else(nothing)
        };
        let (_, height, width, _) = x.dims4()?;
        let ones = Tensor::ones((1, height, width, 1), DType::F32, x.device())?.to_dtype(x.dtype())?;
        sum(x)?.broadcast_div(&sum(&ones)?)
    })
}

fn nothing() -> Error {
    Error::Msg("a window without elements".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, output, rising, same};

    #[test]
    fn windows_at_the_edge_are_of_what_is_there() {
        let x = (rising(&[1, 3, 3, 1]) - 10.).unwrap();
        let attrs = |padding| {
            [("ksize", A::Ints(&[1, 2, 2, 1])), ("strides", A::Ints(&[1, 2, 2, 1])), ("padding", A::Str(padding))]
        };
        same(&output("MaxPool", &attrs("SAME"), [x.clone()]), &[1, 2, 2, 1], &[-5., -4., -2., -1.]);
        same(&output("AvgPool", &attrs("SAME"), [x.clone()]), &[1, 2, 2, 1], &[-7., -5.5, -2.5, -1.]);
        same(&output("MaxPool", &attrs("VALID"), &[x]), &[1, 1, 1, 1], &[-5.]);
    }
}
