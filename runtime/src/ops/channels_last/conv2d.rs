use std::ops::Range;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

use super::{channels_first, channels_last};
use crate::ops::check::{floats, same_type};
use crate::ops::conv2d::{Conv2dOptions, Convolution, Shapes, in_order};
use crate::ops::graft::{Backward, differentiable};
use crate::ops::product::{Bias, Block, Division, Matrix, Number, Sides, TILE, multiply};
use crate::ops::{self, product};

/// Convolution of images whose channels come last.
///
/// `x`: `[batch, height, width, channel]`; `kernel`: `[height, width, channel / groups, output channel]`; to `[batch, height,
/// width, output channel]`, contiguous.
///
/// TensorFlow's `tf.nn.conv2d(x, kernel, strides, padding)`; the same as [`conv2d`](ops::conv2d()) of both turned around,
/// within rounding. On the CPU, and in one group, it is a product of the windows, one below the other, with the kernel.
/// Gradients flow to both.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// use taper::ops::{Conv2dOptions, channels_last};
///
/// // Two channels; the sum of both.
/// let x = Tensor::new(&[[[[1f32, 10.], [2., 20.]]]], &Device::Cpu)?;
/// let kernel = Tensor::new(&[[[[1f32], [1.]]]], &Device::Cpu)?;
/// let y = channels_last::conv2d(&x, &kernel, Conv2dOptions::default())?;
/// assert_eq!(y.dims(), [1, 1, 2, 1]);
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [11., 22.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`conv2d`](ops::conv2d()).
pub fn conv2d(x: &Tensor, kernel: &Tensor, options: Conv2dOptions) -> Result<Tensor> {
    const OP: &str = "conv2d";
    floats(OP, x)?;
    same_type(OP, ("x", x), ("kernel", kernel))?;
    let &[batch, height, width, channels] = x.dims() else {
        bail!("`{OP}`: `x`, {:?}, is not [batch, height, width, channel]", x.shape());
    };
    let &[down, right, reads, outputs] = kernel.dims() else {
        bail!("`{OP}`: `kernel`, {:?}, is not [height, width, channel / groups, output channel]", kernel.shape());
    };
    let sizes = ([batch, channels, height, width], [outputs, reads, down, right]);
    let shapes = Shapes::laid(sizes, (x.shape(), kernel.shape()), options)?;
    if options.groups != 1 || !x.device().is_cpu() || !matches!(x.dtype(), DType::F32 | DType::F64) {
        let y = ops::conv2d(&channels_first(x)?, &kernel.permute((3, 2, 0, 1))?.contiguous()?, None, options)?;
        return channels_last(&y);
    }
    let (x, kernel) = (x.contiguous()?, kernel.contiguous()?);
    differentiable([&x, &kernel], OfLast(shapes), || x.apply_op2_no_bwd(&kernel, &OfLast(shapes)))
}

struct OfLast(Shapes);

impl CustomOp2 for OfLast {
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
        let Shapes { batch, outputs, output: [rows, columns], .. } = self.0;
        let y = match x {
            CpuStorage::F32(_) => CpuStorage::F32(self.numbers::<f32>((x, x_at), (kernel, kernel_at))?),
            CpuStorage::F64(_) => CpuStorage::F64(self.numbers::<f64>((x, x_at), (kernel, kernel_at))?),
            other => bail!("`conv2d` of {:?}", other.dtype()),
        };
        Ok((y, Shape::from((batch, rows, columns, outputs))))
    }
}

impl OfLast {
    fn numbers<T: Number>(&self, x: (&CpuStorage, &Layout), kernel: (&CpuStorage, &Layout)) -> Result<Vec<T>> {
        let shapes = self.0;
        let shape = product::Shape {
            products: 1,
            rows: shapes.batch * shapes.output[0] * shapes.output[1],
            inner: shapes.channels * shapes.kernel[0] * shapes.kernel[1],
            columns: shapes.outputs,
        };
        let division = shape.divided();
        let mut sides = OfWindows { shapes, shape, x: in_order(x)?, kernel: in_order(kernel)?, read: None };
        let division = if shapes.reads_each_pixel_once() {
            division
        } else if division.columns < shape.columns {
            // Every block reads all of the windows.
            let mut read = Vec::new();
            sides.lay(0..shape.rows, &mut read);
            sides.read = Some(read);
            division
        } else {
            let most = (TILE / shape.inner.max(1)).next_multiple_of(24);
            Division { rows: division.rows.min(most), ..division }
        };
        Ok(multiply(shape, division, Bias::None, &sides))
    }
}

struct OfWindows<'a, T> {
    shapes: Shapes,
    shape: product::Shape,
    x: &'a [T],
    kernel: &'a [T],
    /// All windows, where they are laid one below the other beforehand.
    read: Option<Vec<T>>,
}

impl<T: Number> Sides<T> for OfWindows<'_, T> {
    fn of<'m>(&'m self, block: &Block, memory: &'m mut Vec<T>) -> [Matrix<'m, T>; 2] {
        let product::Shape { rows, inner, columns, .. } = self.shape;
        let kernel = Matrix::in_order(self.kernel, inner, columns).columns(block.columns.clone());
        let windows = if self.shapes.reads_each_pixel_once() {
            Matrix::in_order(self.x, rows, inner).rows(block.rows.clone())
        } else if let Some(read) = &self.read {
            Matrix::in_order(read, rows, inner).rows(block.rows.clone())
        } else {
            self.lay(block.rows.clone(), memory);
            Matrix::in_order(memory, block.rows.len(), inner)
        };
        [windows, kernel]
    }
}

impl<T: Number> OfWindows<'_, T> {
    /// What the kernel reads at each of `places`, which go on from image to image.
    fn lay(&self, places: Range<usize>, to: &mut Vec<T>) {
        let Shapes { channels, image: [height, width], kernel, output: [rows, columns], options, .. } = self.shapes;
        let Conv2dOptions { stride, dilation, padding, .. } = options;
        to.reserve(places.len() * self.shape.inner);
        let zeros = |to: &mut Vec<T>, pixels: usize| to.extend(std::iter::repeat_n(T::ZERO, pixels * channels));
        for place in places {
            let image = place / (rows * columns);
            let (y, x) = (place / columns % rows * stride, place % columns * stride);
            // The pixels of the kernel that are inside the image, from the first to before the last.
            let inside = |at: usize, before: usize, len: usize, kernel: usize| {
                let first = before.saturating_sub(at).div_ceil(dilation).min(kernel);
                let last = (len + before).saturating_sub(at).div_ceil(dilation).min(kernel);
                (first, last.max(first))
            };
            let (top, bottom) = inside(y, padding.top, height, kernel[0]);
            let (first, last) = inside(x, padding.left, width, kernel[1]);
            zeros(to, top * kernel[1]);
            for down in top..bottom {
                let line = (image * height + y + down * dilation - padding.top) * width;
                let pixel = |right: usize| (line + x + right * dilation - padding.left) * channels;
                zeros(to, first);
                if dilation == 1 && first < last {
                    to.extend_from_slice(&self.x[pixel(first)..][..(last - first) * channels]);
                } else {
                    for right in first..last {
                        to.extend_from_slice(&self.x[pixel(right)..][..channels]);
                    }
                }
                zeros(to, kernel[1] - last);
            }
            zeros(to, (kernel[0] - bottom) * kernel[1]);
        }
    }
}

impl Backward<2> for OfLast {
    const NAME: &'static str = "conv2d";

    fn backward(&self, [x, kernel]: [&Tensor; 2], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let (x, kernel) = (channels_first(x)?, kernel.permute((3, 2, 0, 1))?.contiguous()?);
        let grad = channels_first(grad)?;
        let [of_x, of_kernel] = Backward::<2>::backward(&Convolution(self.0), [&x, &kernel], &grad, &grad)?;
        let of_kernel = of_kernel.map(|grad| grad.permute((2, 3, 1, 0))?.contiguous()).transpose()?;
        Ok([of_x.as_ref().map(channels_last).transpose()?, of_kernel])
    }
}
