use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use pulp::{Arch, Simd, WithSimd};

use super::{channels_first, channels_last};
use crate::ops::check::{floats, same_type};
use crate::ops::conv2d::{Conv2dOptions, Depthwise, Shapes};
use crate::ops::graft::{Backward, differentiable};
use crate::ops::vectors::{in_order, math, zeroed};
use crate::ops::{self, threads};

/// Convolution of every channel with kernels of its own, of images whose channels come last.
///
/// `x`: `[batch, height, width, channel]`; `kernel`: `[height, width, channel, times]`, of which each channel has `times`; to
/// `[batch, height, width, channel × times]`, contiguous. The groups of `options` are left alone.
///
/// TensorFlow's `tf.nn.depthwise_conv2d(x, kernel, strides, padding)`; the same as [`conv2d`](ops::conv2d()) in as many
/// groups as channels, within rounding. On the CPU, `f32` with one kernel a channel is summed up in vectors of channels.
/// Gradients flow to both.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// use taper::ops::{Conv2dOptions, channels_last};
///
/// // Two channels, of which the second is doubled.
/// let x = Tensor::new(&[[[[1f32, 10.], [2., 20.]]]], &Device::Cpu)?;
/// let kernel = Tensor::new(&[[[[1f32], [2.]]]], &Device::Cpu)?;
/// let y = channels_last::depthwise_conv2d(&x, &kernel, Conv2dOptions::default())?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [1., 20., 2., 40.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`conv2d`](ops::conv2d()).
pub fn depthwise_conv2d(x: &Tensor, kernel: &Tensor, options: Conv2dOptions) -> Result<Tensor> {
    const OP: &str = "depthwise_conv2d";
    floats(OP, x)?;
    same_type(OP, ("x", x), ("kernel", kernel))?;
    let &[batch, height, width, channels] = x.dims() else {
        bail!("`{OP}`: `x`, {:?}, is not [batch, height, width, channel]", x.shape());
    };
    let &[down, right, own, times] = kernel.dims() else {
        bail!("`{OP}`: `kernel`, {:?}, is not [height, width, channel, times]", kernel.shape());
    };
    if own != channels {
        bail!(
            "`{OP}`: `kernel`, {:?}, is for {own} channels where `x`, {:?}, has {channels}",
            kernel.shape(),
            x.shape()
        );
    }
    let options = Conv2dOptions { groups: channels.max(1), ..options };
    let sizes = ([batch, channels, height, width], [channels * times, 1, down, right]);
    let shapes = Shapes::laid(sizes, (x.shape(), kernel.shape()), options)?;
    if times != 1 || !x.device().is_cpu() || x.dtype() != DType::F32 {
        return channels_last(&ops::conv2d(&channels_first(x)?, &kernels_first(kernel)?, None, options)?);
    }
    let (x, kernel) = (x.contiguous()?, kernel.contiguous()?);
    differentiable([&x, &kernel], OfLast(shapes), || x.apply_op2_no_bwd(&kernel, &OfLast(shapes)))
}

/// `[height, width, channel, times]` as `[channel × times, 1, height, width]`.
fn kernels_first(kernel: &Tensor) -> Result<Tensor> {
    let (height, width, channels, times) = kernel.dims4()?;
    kernel.permute((2, 3, 0, 1))?.contiguous()?.reshape((channels * times, 1, height, width))
}

struct OfLast(Shapes);

impl CustomOp2 for OfLast {
    fn name(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        kernel: &CpuStorage,
        kernel_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Shapes { batch, channels, output: [rows, columns], .. } = self.0;
        let (x, kernel) = (in_order(self.name(), x, x_at)?, in_order(self.name(), kernel, kernel_at)?);
        let (arch, shapes) = (Arch::new(), &self.0);
        // One row of places at a time.
        let y = threads::filled(batch * rows * columns * channels, columns * channels, |start, y| {
            let row = start / (columns * channels);
            let y = zeroed(y);
            arch.dispatch(Row { shapes, x, kernel, row, y });
            y
        });
        Ok((CpuStorage::F32(y), Shape::from((batch, rows, columns, channels))))
    }
}

/// One row of places of an image, all of their channels.
struct Row<'a> {
    shapes: &'a Shapes,
    x: &'a [f32],
    kernel: &'a [f32],
    /// Those of the images before are counted.
    row: usize,
    y: &'a mut [f32],
}

/// So many channels are summed up at a time, in vectors that stay in the processor.
const CHANNELS: usize = 64;

impl WithSimd for Row<'_> {
    type Output = ();

    // Compiled once for every set of instructions: the compiler makes vectors of the loops in it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Where there are vectors there is a multiplication with addition.
        if S::F32_LANES > 1 { self.summed::<true>() } else { self.summed::<false>() }
    }
}

impl Row<'_> {
    #[inline(always)]
    fn summed<const FMA: bool>(self) {
        let Row { shapes, x, kernel, row, y } = self;
        let Shapes { channels, image: [height, width], kernel: [down, right], output: [rows, _], options, .. } =
            *shapes;
        let Conv2dOptions { stride, dilation, padding, .. } = options;
        let (image, line) = (row / rows, row % rows * stride);
        let inside = |at: usize, before: usize, len: usize| at.checked_sub(before).filter(|&at| at < len);
        for (column, y) in y.chunks_exact_mut(channels).enumerate() {
            // Where what each pixel of the kernel reads begins, and its weights.
            let pixels = (0..down).filter_map(|i| Some((i, inside(line + i * dilation, padding.top, height)?)));
            let pixels = pixels.flat_map(|(i, from)| {
                (0..right).filter_map(move |j| {
                    let at = inside(column * stride + j * dilation, padding.left, width)?;
                    Some((((image * height + from) * width + at) * channels, (i * right + j) * channels))
                })
            });
            let (whole, rest) = y.as_chunks_mut::<CHANNELS>();
            let done = whole.len() * CHANNELS;
            for (at, y) in whole.iter_mut().enumerate() {
                let mut sums = [0.; CHANNELS];
                for (from, weights) in pixels.clone() {
                    let read: &[f32; CHANNELS] = x[from + at * CHANNELS..].first_chunk().expect("so many channels");
                    let weights: &[f32; CHANNELS] = kernel[weights + at * CHANNELS..].first_chunk().expect("as many");
                    for ((sum, read), weight) in sums.iter_mut().zip(read).zip(weights) {
                        *sum = math::mul_add::<FMA>(*read, *weight, *sum);
                    }
                }
                *y = sums;
            }
            if !rest.is_empty() {
                for (from, weights) in pixels.clone() {
                    let (read, weights) = (&x[from + done..], &kernel[weights + done..]);
                    for ((sum, read), weight) in rest.iter_mut().zip(read).zip(weights) {
                        *sum = math::mul_add::<FMA>(*read, *weight, *sum);
                    }
                }
            }
        }
    }
}

impl Backward<2> for OfLast {
    const NAME: &'static str = "depthwise_conv2d";

    fn backward(&self, [x, kernel]: [&Tensor; 2], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let grad = channels_first(grad)?;
        let (of_x, of_kernel) = Depthwise(self.0).bwd(&channels_first(x)?, &kernels_first(kernel)?, &grad, &grad)?;
        let (height, width, channels, times) = kernel.dims4()?;
        let turned = |grad: Tensor| grad.reshape((channels, times, height, width))?.permute((2, 3, 0, 1))?.contiguous();
        Ok([of_x.as_ref().map(channels_last).transpose()?, of_kernel.map(turned).transpose()?])
    }
}
