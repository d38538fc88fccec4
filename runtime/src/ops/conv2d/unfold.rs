use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType, bail};

use super::Shapes;
use crate::ops::threads;

/// What the kernel reads at each of its places, side by side, as PyTorch's `F.unfold` has it: `[batch, channel, height,
/// width]` to `[batch, channel × pixel of the kernel, place]`. On the CPU; `x` is contiguous.
pub(super) fn unfold(x: &Tensor, shapes: Shapes) -> Result<Tensor> {
    x.apply_op1(Unfold(shapes))
}

/// The sum, for each pixel, of what is at every place where it was read: the gradient of [`unfold`], which is that of this.
pub(super) fn fold(read: &Tensor, shapes: Shapes) -> Result<Tensor> {
    read.contiguous()?.apply_op1(Fold(shapes))
}

struct Unfold(Shapes);
struct Fold(Shapes);

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Shapes { batch, channels, kernel: [height, width], output: [rows, columns], .. } = self.0;
        let shape = Shape::from((batch, channels * height * width, rows * columns));
        Ok((on_planes(storage, layout, self.0.image_pixels(), self.0.read_pixels(), self)?, shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        fold(grad, self.0).map(Some)
    }
}

impl CustomOp1 for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Shapes { batch, channels, image: [height, width], .. } = self.0;
        let shape = Shape::from((batch, channels, height, width));
        Ok((on_planes(storage, layout, self.0.read_pixels(), self.0.image_pixels(), self)?, shape))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        unfold(&grad.contiguous()?, self.0).map(Some)
    }
}

/// What is done for each channel of each image.
trait OnPlane: Sync {
    /// `to` is zero beforehand.
    fn plane<T: WithDType>(&self, from: &[T], to: &mut [T]);
}

impl OnPlane for Unfold {
    fn plane<T: WithDType>(&self, image: &[T], read: &mut [T]) {
        let stride = self.0.options.stride;
        self.0.each_row(|Row { places, pixels }| {
            let (to, from) = (&mut read[places], &image[pixels]);
            if stride == 1 {
                to.copy_from_slice(from);
            } else {
                to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from);
            }
        });
    }
}

impl OnPlane for Fold {
    fn plane<T: WithDType>(&self, read: &[T], image: &mut [T]) {
        let stride = self.0.options.stride;
        self.0.each_row(|Row { places, pixels }| {
            let (from, to) = (&read[places], &mut image[pixels]);
            to.iter_mut().step_by(stride).zip(from).for_each(|(to, &from)| *to += from);
        });
    }
}

fn on_planes(
    storage: &CpuStorage,
    layout: &Layout,
    from: usize,
    to: usize,
    op: &(impl OnPlane + CustomOp1),
) -> Result<CpuStorage> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("`{}`: its input is not contiguous", op.name()) };
    match storage {
        CpuStorage::F32(numbers) => Ok(CpuStorage::F32(planes(&numbers[start..end], from, to, op))),
        CpuStorage::F64(numbers) => Ok(CpuStorage::F64(planes(&numbers[start..end], from, to, op))),
        _ => bail!("`conv2d` does not compute in this type: convert `x` and `kernel` to F32 with `to_dtype`"),
    }
}

fn planes<T: WithDType>(numbers: &[T], from: usize, to: usize, op: &impl OnPlane) -> Vec<T> {
    let mut made = vec![T::zero(); numbers.len() / from * to];
    if made.is_empty() {
        return made;
    }
    threads::share(made.chunks_mut(to).zip(numbers.chunks(from)), |(to, from)| op.plane(from, to));
    made
}

/// The numbers of [`unfold`], of those of an image.
pub(super) fn unfolded<T: WithDType>(image: &[T], shapes: &Shapes) -> Vec<T> {
    planes(image, shapes.image_pixels(), shapes.read_pixels(), &Unfold(*shapes))
}

/// One row of places, for one pixel of the kernel: where it stands among what was read, and in the image. The pixels are one
/// stride apart.
struct Row {
    places: Range<usize>,
    pixels: Range<usize>,
}

impl Shapes {
    pub(super) fn image_pixels(&self) -> usize {
        self.image[0] * self.image[1]
    }

    /// Of one channel.
    fn read_pixels(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.output[0] * self.output[1]
    }

    /// Every row that is inside the image with at least one place.
    fn each_row(&self, mut f: impl FnMut(Row)) {
        let Shapes {
            image: [height, width],
            kernel: [kernel_height, kernel_width],
            output: [rows, columns],
            options,
            ..
        } = *self;
        for pixel in 0..kernel_height * kernel_width {
            let down = pixel / kernel_width * options.dilation;
            let right = pixel % kernel_width * options.dilation;
            let (top, bottom) = inside(down, options.padding.top, height, options.stride, rows);
            let (first, last) = inside(right, options.padding.left, width, options.stride, columns);
            if first == last {
                continue;
            }
            for row in top..bottom {
                let y = row * options.stride + down - options.padding.top;
                let x = first * options.stride + right - options.padding.left;
                let start = (pixel * rows + row) * columns;
                let pixels = y * width + x;
                f(Row {
                    places: start + first..start + last,
                    pixels: pixels..pixels + (last - first - 1) * options.stride + 1,
                });
            }
        }
    }
}

/// Of `places`, those where what is `ahead` of the place is inside the image: from the first to before the last.
pub(super) fn inside(ahead: usize, padding: usize, image: usize, stride: usize, places: usize) -> (usize, usize) {
    let first = padding.saturating_sub(ahead).div_ceil(stride);
    let last = (image + padding).saturating_sub(ahead).div_ceil(stride).min(places);
    (first.min(last), last)
}
