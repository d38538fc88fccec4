//! Convolution as a product of the kernels with the windows, side by side.

use std::ops::Range;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::Shapes;
use super::unfold::{fold, inside, unfold, unfolded};
use crate::ops::graft::{Backward, differentiable, wanted};
use crate::ops::matmul;
use crate::ops::product::{self, Bias, Block, Division, Matrix, Number, Sides, TILE, multiply};

/// The convolution of [batch, channel, height, width] with [output channel, channel / groups, height, width], plus `bias`,
/// all contiguous and on the CPU.
pub(super) fn convolution(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, shapes: Shapes) -> Result<Tensor> {
    let op = Convolution(shapes);
    match bias {
        Some(bias) => differentiable([x, kernel, bias], Convolution(shapes), || x.apply_op3_no_bwd(kernel, bias, &op)),
        None => differentiable([x, kernel], Convolution(shapes), || x.apply_op2_no_bwd(kernel, &op)),
    }
}

pub(in crate::ops) struct Convolution(pub(in crate::ops) Shapes);

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        kernel: &CpuStorage,
        kernel_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.computed((x, x_at), (kernel, kernel_at), None)
    }
}

impl CustomOp3 for Convolution {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        kernel: &CpuStorage,
        kernel_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.computed((x, x_at), (kernel, kernel_at), Some((bias, bias_at)))
    }
}

type Stored<'a> = (&'a CpuStorage, &'a Layout);

impl Convolution {
    fn computed(&self, x: Stored<'_>, kernel: Stored<'_>, bias: Option<Stored<'_>>) -> Result<(CpuStorage, Shape)> {
        let Shapes { batch, outputs, output: [rows, columns], .. } = self.0;
        let y = match x.0 {
            CpuStorage::F32(_) => CpuStorage::F32(self.numbers::<f32>(x, kernel, bias)?),
            CpuStorage::F64(_) => CpuStorage::F64(self.numbers::<f64>(x, kernel, bias)?),
            other => bail!("`conv2d` of {:?}: convert `x` and `kernel` to F32 with `to_dtype`", other.dtype()),
        };
        Ok((y, Shape::from((batch, outputs, rows, columns))))
    }

    fn numbers<T: Number>(&self, x: Stored<'_>, kernel: Stored<'_>, bias: Option<Stored<'_>>) -> Result<Vec<T>> {
        let (x, kernel) = (in_order(x)?, in_order(kernel)?);
        let bias = bias.map(in_order).transpose()?.map_or(Bias::None, Bias::OfRow);
        let (shapes, shape) = (self.0, self.0.product());
        let division = shape.divided();
        let mut sides = OfWindows { shapes, x, kernel, read: None };
        let division = if shapes.reads_each_pixel_once() {
            division
        } else if division.rows < shape.rows {
            // Every block reads all of the windows.
            sides.read = Some(unfolded(x, &shapes));
            division
        } else {
            let most = (TILE / shape.inner.max(1)).next_multiple_of(48);
            Division { columns: division.columns.min(most), ..division }
        };
        Ok(multiply(shape, division, bias, &sides))
    }
}

/// The numbers of a contiguous tensor.
pub(in crate::ops) fn in_order<'a, T: Number>((storage, layout): Stored<'a>) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("`conv2d`: an input is not contiguous") };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

struct OfWindows<'a, T> {
    shapes: Shapes,
    x: &'a [T],
    kernel: &'a [T],
    /// All windows of all images, where they are laid side by side beforehand.
    read: Option<Vec<T>>,
}

impl<T: Number> Sides<T> for OfWindows<'_, T> {
    fn of<'m>(&'m self, block: &Block, memory: &'m mut Vec<T>) -> [Matrix<'m, T>; 2] {
        let shape = self.shapes.product();
        let groups = self.shapes.options.groups;
        let group = block.product % groups;
        let kernels = &self.kernel[group * shape.rows * shape.inner..][..shape.rows * shape.inner];
        let kernels = Matrix::in_order(kernels, shape.rows, shape.inner).rows(block.rows.clone());
        let columns = block.columns.clone();
        // The images follow each other, and in each the channels of the groups.
        let part = |all: &'m [T], len: usize| &all[block.product * len..][..len];
        let windows = if let Some(read) = &self.read {
            Matrix::in_order(part(read, shape.inner * shape.columns), shape.inner, shape.columns).columns(columns)
        } else {
            let channels = self.shapes.channels / groups;
            let image = part(self.x, channels * self.shapes.image_pixels());
            if self.shapes.reads_each_pixel_once() {
                Matrix::in_order(image, shape.inner, shape.columns).columns(columns)
            } else {
                self.shapes.lay(image, columns.clone(), memory);
                Matrix::in_order(memory, shape.inner, columns.len())
            }
        };
        [kernels, windows]
    }
}

impl Shapes {
    /// Kernels times windows, for each group of each image.
    fn product(&self) -> product::Shape {
        let Shapes { batch, channels, outputs, kernel, output, options, .. } = *self;
        let groups = options.groups;
        product::Shape {
            products: batch * groups,
            rows: outputs / groups,
            inner: channels / groups * kernel[0] * kernel[1],
            columns: output[0] * output[1],
        }
    }

    /// What the kernel reads at `places`, side by side: the rows of [`unfold`] for these channels, of these columns.
    fn lay<T: Number>(&self, image: &[T], places: Range<usize>, to: &mut Vec<T>) {
        let Shapes { image: [height, width], kernel, output: [rows, columns], options, .. } = *self;
        let (stride, padding) = (options.stride, options.padding);
        to.reserve(self.product().inner * places.len());
        for image in image.chunks_exact(self.image_pixels()) {
            for pixel in 0..kernel[0] * kernel[1] {
                let [down, right] = [pixel / kernel[1], pixel % kernel[1]].map(|at| at * options.dilation);
                let (top, bottom) = inside(down, padding.top, height, stride, rows);
                let (first, last) = inside(right, padding.left, width, stride, columns);
                let mut at = places.start;
                while at < places.end {
                    let (row, from) = (at / columns, at % columns);
                    let until = columns.min(from + places.end - at);
                    at += until - from;
                    // Zeros, pixels, zeros.
                    let (first, last) = match (top..bottom).contains(&row) {
                        true => (first.clamp(from, until), last.clamp(from, until)),
                        false => (until, until),
                    };
                    to.extend(std::iter::repeat_n(T::ZERO, first - from));
                    if first < last {
                        let line = &image[(row * stride + down - padding.top) * width..][..width];
                        let line = &line[first * stride + right - padding.left..];
                        if stride == 1 {
                            to.extend_from_slice(&line[..last - first]);
                        } else {
                            to.extend(line.iter().step_by(stride).take(last - first));
                        }
                    }
                    to.extend(std::iter::repeat_n(T::ZERO, until - last));
                }
            }
        }
    }
}

impl Backward<2> for Convolution {
    const NAME: &'static str = "conv2d";

    fn backward(&self, [x, kernel]: [&Tensor; 2], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let shapes = self.0;
        let (batch, groups) = (shapes.batch, shapes.options.groups);
        let product::Shape { rows, inner, columns, .. } = shapes.product();
        let grad = grad.reshape((batch, groups, rows, columns))?;
        let of_x = wanted(x, || {
            let kernel = kernel.reshape((1, groups, rows, inner))?;
            let read = matmul(&kernel.t()?, &grad)?;
            fold(&read.reshape((batch, groups * inner, columns))?, shapes)
        })?;
        let of_kernel = wanted(kernel, || {
            let read = unfold(x, shapes)?.reshape((batch, groups, inner, columns))?;
            matmul(&grad, &read.t()?)?.sum(0)?.reshape(kernel.shape())
        })?;
        Ok([of_x, of_kernel])
    }
}

impl Backward<3> for Convolution {
    const NAME: &'static str = "conv2d";

    fn backward(&self, [x, kernel, bias]: [&Tensor; 3], y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let [of_x, of_kernel] = self.backward([x, kernel], y, grad)?;
        Ok([of_x, of_kernel, wanted(bias, || grad.sum((0, 2, 3)))?])
    }
}
