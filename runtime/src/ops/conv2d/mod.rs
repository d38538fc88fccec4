//! Convolution of images, by the formulation that is fastest on the CPU.

mod depthwise;
mod unfold;
mod windows;

use candle_core::{DType, Result, Shape, Tensor, bail};

use super::check::{floats, same_type};
use depthwise::depthwise;
use windows::convolution;

pub(super) use depthwise::Depthwise;
pub(super) use windows::{Convolution, in_order};

/// How a kernel is laid on images in [`conv2d`].
///
/// ```
/// use taper::ops::{Conv2dOptions, Padding};
///
/// let halved = Conv2dOptions { stride: 2, padding: Padding::all(1), ..Conv2dOptions::default() };
/// assert_eq!(halved.groups, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// From one place of the kernel to the next, in pixels, in both directions.
    pub stride: usize,
    /// From one pixel that the kernel reads to the next, in both directions; 1 if it reads all.
    pub dilation: usize,
    /// Into how many groups the channels are divided, each with kernels of its own that read nothing else.
    pub groups: usize,
    /// The zeros around the image.
    pub padding: Padding,
}

impl Default for Conv2dOptions {
    /// Every place, one group, no zeros around the image.
    fn default() -> Self {
        Conv2dOptions { stride: 1, dilation: 1, groups: 1, padding: Padding::default() }
    }
}

impl From<&candle_nn::Conv2dConfig> for Conv2dOptions {
    fn from(config: &candle_nn::Conv2dConfig) -> Self {
        let candle_nn::Conv2dConfig { padding, stride, dilation, groups, .. } = *config;
        Conv2dOptions { stride, dilation, groups, padding: Padding::all(padding) }
    }
}

/// How many pixels of zeros are on each side of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Above.
    pub top: usize,
    /// Below.
    pub bottom: usize,
    /// Before the first column.
    pub left: usize,
    /// Behind the last.
    pub right: usize,
}

impl Padding {
    /// As many on every side.
    pub fn all(pixels: usize) -> Self {
        Padding { top: pixels, bottom: pixels, left: pixels, right: pixels }
    }
}

/// Convolution of images with kernels, as networks have it: the kernel is not mirrored.
///
/// `x`: `[batch, channel, height, width]`; `kernel`: `[output channel, channel / groups, height, width]`; `bias`:
/// `[output channel]`; to `[batch, output channel, height, width]`. Any layout; the result is contiguous.
///
/// PyTorch's `F.conv2d(x, kernel, bias, stride, padding, dilation, groups)`. candle's [`Tensor::conv2d`], which other devices
/// use, within rounding: on the CPU a kernel of one pixel is a matrix product, a channel that has a kernel of its own
/// (`groups` as many as channels, as in MobileNet) is summed up row by row in vectors, and everything else is a matrix
/// product with the windows side by side. Half precision is computed in single precision there, and rounded once. Gradients
/// flow to all three.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// use taper::ops::{Conv2dOptions, Padding, conv2d};
///
/// // The sum of a pixel and its right neighbour.
/// let x = Tensor::new(&[[[[1f32, 2., 3.], [4., 5., 6.]]]], &Device::Cpu)?;
/// let kernel = Tensor::new(&[[[[1f32, 1.]]]], &Device::Cpu)?;
/// let y = conv2d(&x, &kernel, None, Conv2dOptions::default())?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [3., 5., 9., 11.]);
///
/// let padding = Padding { right: 1, ..Padding::default() };
/// let y = conv2d(&x, &kernel, None, Conv2dOptions { padding, ..Conv2dOptions::default() })?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [3., 5., 3., 9., 11., 6.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit, channels that cannot be divided among the groups, a kernel that is larger than
/// the padded image, images without pixels, a stride, dilation or number of groups of zero.
pub fn conv2d(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, options: Conv2dOptions) -> Result<Tensor> {
    let shapes = Shapes::of(x, kernel, bias, options)?;
    if !x.device().is_cpu() {
        return plus(by_candle(x, kernel, options)?, bias);
    }
    if matches!(x.dtype(), DType::F16 | DType::BF16) {
        let wide = |t: &Tensor| t.to_dtype(DType::F32);
        let y = conv2d(&wide(x)?, &wide(kernel)?, bias.map(wide).transpose()?.as_ref(), options)?;
        return y.to_dtype(x.dtype());
    }
    let (x, kernel) = (x.contiguous()?, kernel.contiguous()?);
    if shapes.is_depthwise() {
        return plus(depthwise(&x, &kernel, shapes)?, bias);
    }
    convolution(&x, &kernel, bias.map(Tensor::contiguous).transpose()?.as_ref(), shapes)
}

/// Every output channel's `bias` added.
fn plus(y: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?),
        None => Ok(y),
    }
}

/// candle's own, which pads the same on all sides.
fn by_candle(x: &Tensor, kernel: &Tensor, options: Conv2dOptions) -> Result<Tensor> {
    let Conv2dOptions { stride, dilation, groups, padding } = options;
    if padding == Padding::all(padding.top) {
        return x.conv2d(kernel, padding.top, stride, dilation, groups);
    }
    let padded = x.pad_with_zeros(2, padding.top, padding.bottom)?.pad_with_zeros(3, padding.left, padding.right)?;
    padded.conv2d(kernel, 0, stride, dilation, groups)
}

const OP: &str = "conv2d";

/// What is laid on what. Where there are two numbers, they are height and width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shapes {
    pub(super) batch: usize,
    /// Of the image.
    pub(super) channels: usize,
    pub(super) image: [usize; 2],
    pub(super) kernel: [usize; 2],
    /// The output's channels.
    pub(super) outputs: usize,
    pub(super) output: [usize; 2],
    pub(super) options: Conv2dOptions,
}

impl Shapes {
    fn of(x: &Tensor, kernel: &Tensor, bias: Option<&Tensor>, options: Conv2dOptions) -> Result<Self> {
        floats(OP, x)?;
        same_type(OP, ("x", x), ("kernel", kernel))?;
        let (x_shape, kernel_shape) = (x.shape(), kernel.shape());
        let &[batch, channels, height, width] = x.dims() else {
            bail!("`{OP}`: `x`, {x_shape:?}, is not [batch, channel, height, width]");
        };
        let &[outputs, reads, down, right] = kernel.dims() else {
            bail!("`{OP}`: `kernel`, {kernel_shape:?}, is not [output channel, channel / groups, height, width]");
        };
        if let Some(bias) = bias {
            same_type(OP, ("x", x), ("bias", bias))?;
            if bias.dims() != [outputs] {
                bail!("`{OP}`: `bias` is {:?} where `kernel`, {kernel_shape:?}, asks for [{outputs}]", bias.shape());
            }
        }
        let sizes = ([batch, channels, height, width], [outputs, reads, down, right]);
        Shapes::laid(sizes, (x_shape, kernel_shape), options)
    }

    /// Of the sizes in this order, whatever order those of the shapes are in, which errors show.
    pub(super) fn laid(
        ([batch, channels, height, width], [outputs, reads, kernel_height, kernel_width]): ([usize; 4], [usize; 4]),
        (x_shape, kernel_shape): (&Shape, &Shape),
        options: Conv2dOptions,
    ) -> Result<Self> {
        let Conv2dOptions { stride, dilation, groups, padding } = options;
        if channels == 0 || height == 0 || width == 0 {
            bail!("`{OP}`: `x`, {x_shape:?}, has no pixels: leave it out");
        }
        for (name, value) in [("stride", stride), ("dilation", dilation), ("groups", groups)] {
            if value == 0 {
                bail!("`{OP}`: `{name}` is 0: it is 1 at least");
            }
        }
        if reads * groups != channels || !outputs.is_multiple_of(groups) {
            bail!(
                "`{OP}`: `kernel`, {kernel_shape:?}, does not fit `x`, {x_shape:?}, in {groups} groups: each reads \
                 {channels} / {groups} channels, and gives as many as the others"
            );
        }
        let places = |image: usize, before: usize, after: usize, kernel: usize| {
            let covers = dilation * kernel.checked_sub(1)? + 1;
            Some((image + before + after).checked_sub(covers)? / stride + 1)
        };
        let output = (
            places(height, padding.top, padding.bottom, kernel_height),
            places(width, padding.left, padding.right, kernel_width),
        );
        let (Some(out_height), Some(out_width)) = output else {
            bail!("`{OP}`: `kernel`, {kernel_shape:?}, is empty, or larger than `x`, {x_shape:?}, with its padding");
        };
        let (image, kernel) = ([height, width], [kernel_height, kernel_width]);
        Ok(Shapes { batch, channels, image, kernel, outputs, output: [out_height, out_width], options })
    }

    /// Every channel has kernels of its own.
    fn is_depthwise(&self) -> bool {
        self.options.groups == self.channels && self.channels > 1
    }

    /// The windows side by side would be the image itself.
    pub(super) fn reads_each_pixel_once(&self) -> bool {
        self.kernel == [1, 1] && self.options.stride == 1 && self.options.padding == Padding::default()
    }
}
