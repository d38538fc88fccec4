use candle_core::{Result, Tensor, bail};
use candle_nn::Conv2dConfig;
use serde::{Deserialize, Deserializer};

/// How images are cut into square patches, each of which becomes a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patches {
    /// Height and width of the images, in pixels.
    pub(crate) image: [usize; 2],
    /// The side of a patch, in pixels.
    pub(crate) side: usize,
}

impl Patches {
    /// The numbers of whole patches in a column and in a row. Pixels that are left at the right and the bottom are not read,
    /// as in the original.
    ///
    /// # Errors
    /// Images that are smaller than a patch.
    pub(crate) fn grid(self) -> Result<[usize; 2]> {
        let Self { image: [height, width], side } = self;
        if side == 0 || height < side || width < side {
            bail!("images of {height} × {width} pixels cannot be cut into patches of {side} × {side}");
        }
        Ok([height / side, width / side])
    }

    /// The number of whole patches.
    ///
    /// # Errors
    /// Those of [`grid`](Self::grid).
    pub(crate) fn count(self) -> Result<usize> {
        let [rows, columns] = self.grid()?;
        Ok(rows * columns)
    }

    /// The positions of a class token and of these patches, [1 + patch, channel], for those of images of another size.
    ///
    /// # Errors
    /// Images that are smaller than a patch.
    pub(crate) fn positions_for(self, positions: &Tensor, image: [usize; 2]) -> Result<Tensor> {
        let (class, patches) = (positions.narrow(0, 0, 1)?, positions.narrow(0, 1, self.count()?)?);
        let to = Self { image, ..self }.grid()?;
        Tensor::cat(&[&class, &interpolated(&patches.contiguous()?, self.grid()?, to)?], 0)
    }

    /// The convolution that takes each patch by itself.
    pub(crate) fn conv(self) -> Conv2dConfig {
        Conv2dConfig { stride: self.side, ..Conv2dConfig::default() }
    }

    /// Refuses images of another size than that of which the positions are.
    pub(crate) fn check(self, images: &Tensor, channels: usize) -> Result<()> {
        let [height, width] = self.image;
        let expected = [channels, height, width];
        match images.dims() {
            [_, image @ ..] if *image == expected => Ok(()),
            dims => {
                bail!(
                    "images are {dims:?}, and the model's are [batch, {channels}, {height}, {width}]; resize them, or make a model of \
                     them by `for_images`"
                )
            }
        }
    }
}

/// What stands at each place of a grid, [place, channel] row by row, for a grid of other sides: PyTorch's
/// `F.interpolate(…, mode="bicubic")`.
pub(crate) fn interpolated(positions: &Tensor, from: [usize; 2], to: [usize; 2]) -> Result<Tensor> {
    let (channels, device) = (positions.dim(1)?, positions.device());
    let weights = |side: usize| -> Result<Tensor> {
        let rows = (0..to[side]).flat_map(|place| bicubic(place, from[side], to[side])).collect();
        Tensor::from_vec(rows, (to[side], from[side]), device)?.to_dtype(positions.dtype())
    };
    let rows = weights(0)?.matmul(&positions.reshape((from[0], from[1] * channels))?)?;
    let columns = rows.reshape((to[0], from[1], channels))?;
    weights(1)?.broadcast_matmul(&columns)?.flatten_to(1)
}

/// How much each of `from` places has part in a place among `to`, by cubic convolution: the four nearest, those beyond the
/// edge being the last.
fn bicubic(place: usize, from: usize, to: usize) -> Vec<f32> {
    // As PyTorch, which has it of Keys (1981).
    const A: f32 = -0.75;
    let at = from as f32 / to as f32 * (place as f32 + 0.5) - 0.5;
    let (first, part) = (at.floor(), at - at.floor());
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let mut weights = vec![0.0; from];
    for (i, weight) in (-1..).zip([far(part + 1.0), near(part), near(1.0 - part), far(2.0 - part)]) {
        weights[(first as isize + i).clamp(0, from as isize - 1) as usize] += weight;
    }
    weights
}

/// [batch, channel, row, column] to [batch, patch, channel], row by row.
pub(crate) fn as_tokens(patches: &Tensor) -> Result<Tensor> {
    patches.flatten_from(2)?.transpose(1, 2)
}

/// A class token, [1, 1, channel], before those of each image: [batch, patch, channel] to [batch, 1 + patch, channel].
pub(crate) fn with_class(class: &Tensor, patches: &Tensor) -> Result<Tensor> {
    let (batch, _, channel) = patches.dims3()?;
    Tensor::cat(&[&class.broadcast_as((batch, 1, channel))?, patches], 1)
}

/// One number for a square, or height and width.
pub(crate) fn height_and_width<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<[usize; 2], D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number, or [height, width]")]
    enum Size {
        Square(usize),
        Sides([usize; 2]),
    }
    Ok(match Size::deserialize(deserializer)? {
        Size::Square(side) => [side, side],
        Size::Sides(sides) => sides,
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn pixels_beyond_the_last_whole_patch_are_not_read() -> Result<()> {
        let patches = Patches { image: [7, 10], side: 3 };
        let Conv2dConfig { padding, stride, .. } = patches.conv();
        let images = Tensor::zeros((1, 1, 7, 10), DType::F32, &Device::Cpu)?;
        let kernel = Tensor::zeros((2, 1, 3, 3), DType::F32, &Device::Cpu)?;
        let tokens = as_tokens(&images.conv2d(&kernel, padding, stride, 1, 1)?)?;
        assert_eq!((patches.count()?, tokens.dims()), (6, &[1, 6, 2][..]));
        let error = Patches { image: [2, 9], side: 3 }.count().unwrap_err().to_string();
        assert!(error.contains("2 × 9 pixels") && error.contains("3 × 3"), "{error}");
        assert!(Patches { image: [9, 9], side: 0 }.count().is_err());
        Ok(())
    }
}
