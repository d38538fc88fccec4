use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};

use super::Shapes;
use super::unfold::{fold, unfold};
use crate::ops::graft::wanted;
use crate::ops::threads;
use crate::ops::vectors::in_order;

/// The convolution of every channel with kernels of its own: `[batch, channel, height, width]` and `[output channel, 1,
/// height, width]`, both contiguous and on the CPU.
pub(super) fn depthwise(x: &Tensor, kernel: &Tensor, shapes: Shapes) -> Result<Tensor> {
    if x.dtype() == DType::F32 {
        return x.apply_op2(kernel, Depthwise(shapes));
    }
    let Shapes { batch, outputs, output: [height, width], .. } = shapes;
    let y = shapes.read(x)?.broadcast_mul(&shapes.weights(kernel)?)?.sum(3)?;
    y.reshape((batch, outputs, height, width))
}

pub(in crate::ops) struct Depthwise(pub(in crate::ops) Shapes);

impl Shapes {
    /// How many kernels each channel has.
    fn multiple(&self) -> usize {
        self.outputs / self.channels
    }

    /// [batch, channel, 1, pixel of the kernel, place]
    fn read(&self, x: &Tensor) -> Result<Tensor> {
        let ([height, width], [rows, columns]) = (self.kernel, self.output);
        unfold(x, *self)?.reshape((self.batch, self.channels, 1, height * width, rows * columns))
    }

    /// [1, channel, kernel, pixel of the kernel, 1]
    fn weights(&self, kernel: &Tensor) -> Result<Tensor> {
        let [height, width] = self.kernel;
        kernel.reshape((1, self.channels, self.multiple(), height * width, 1))
    }
}

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        at: &Layout,
        kernel: &CpuStorage,
        kernel_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Shapes { batch, outputs, image, kernel: sizes, output: [rows, columns], .. } = self.0;
        let (x, kernel) = (in_order(self.name(), x, at)?, in_order(self.name(), kernel, kernel_at)?);
        let mut y = vec![0.; batch * outputs * rows * columns];
        if !y.is_empty() {
            let (arch, geometry) = (Arch::new(), Phases::of(&self.0));
            let (pixels, weights) = (image[0] * image[1], sizes[0] * sizes[1]);
            let one = |(at, y): (usize, &mut [f32])| {
                // The images follow each other, and in each the output's channels, some of which read the same one.
                let channel = at / outputs * self.0.channels + at % outputs / self.0.multiple();
                let x = &x[channel * pixels..][..pixels];
                let kernel = &kernel[at % outputs * weights..][..weights];
                arch.dispatch(Plane { geometry: &geometry, x, kernel, y });
            };
            threads::share(y.chunks_mut(rows * columns).enumerate(), one);
        }
        Ok((CpuStorage::F32(y), Shape::from((batch, outputs, rows, columns))))
    }

    fn bwd(&self, x: &Tensor, kernel: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let shapes = self.0;
        let Shapes { batch, channels, output: [rows, columns], .. } = shapes;
        let grad = grad.contiguous()?.reshape((batch, channels, shapes.multiple(), 1, rows * columns))?;
        let of_x = wanted(x, || {
            let read = grad.broadcast_mul(&shapes.weights(kernel)?)?.sum(2)?;
            fold(&read.flatten(1, 2)?, shapes)
        })?;
        let of_kernel = wanted(kernel, || {
            let along = shapes.read(x)?.broadcast_mul(&grad)?.sum(D::Minus1)?.sum(0)?;
            along.reshape(kernel.shape())
        })?;
        Ok((of_x, of_kernel))
    }
}

/// An image apart by stride: a padded image of which `stride` × `stride` smaller ones are made, one of every `stride`th pixel
/// of every `stride`th row from each start. In those the kernel goes from pixel to pixel, so that one weight times one
/// stretch of memory is its part of all places, a row's last pixels and the next one's first ones included. What is
/// computed for places across the edge is left out in the end.
struct Phases {
    shapes: Shapes,
    /// Height and width of each.
    size: [usize; 2],
    /// For each pixel of the kernel, where the stretch begins.
    starts: Vec<usize>,
    /// Its length: of all rows of places but for what the last does not need.
    stretch: usize,
}

impl Phases {
    fn of(shapes: &Shapes) -> Self {
        let Shapes { kernel: [height, width], output: [rows, columns], options, .. } = *shapes;
        let stride = options.stride;
        // Beyond the places themselves reaches what the kernel reads from the last.
        let reach = |places: usize, kernel: usize| places + (kernel - 1) * options.dilation / stride;
        let size = [reach(rows, height), reach(columns, width)];
        let start = |pixel: usize| {
            let [down, right] = [pixel / width, pixel % width].map(|at| at * options.dilation);
            let phase = down % stride * stride + right % stride;
            (phase * size[0] + down / stride) * size[1] + right / stride
        };
        let starts = (0..height * width).map(start).collect();
        Phases { shapes: *shapes, size, starts, stretch: (rows - 1) * size[1] + columns }
    }

    /// Apart, and zeros where the padding is.
    #[inline(always)]
    fn apart(&self, x: &[f32]) -> Vec<f32> {
        let Shapes { image: [height, width], options, .. } = self.shapes;
        let stride = options.stride;
        let [rows, columns] = self.size;
        let mut apart = vec![0.; stride * stride * rows * columns];
        for (y, line) in x.chunks_exact(width).enumerate().take(height) {
            let y = y + options.padding.top;
            if y / stride >= rows {
                break;
            }
            for phase in 0..stride {
                // The first pixel whose column, padding included, is of this phase.
                let first = (phase + stride - options.padding.left % stride) % stride;
                let row = ((y % stride * stride + phase) * rows + y / stride) * columns;
                let from = (first + options.padding.left) / stride;
                if first >= width || from >= columns {
                    continue;
                }
                let to = &mut apart[row + from..row + columns];
                if stride == 1 {
                    let len = to.len().min(width);
                    to[..len].copy_from_slice(&line[..len]);
                } else {
                    to.iter_mut().zip(line[first..].iter().step_by(stride)).for_each(|(to, &from)| *to = from);
                }
            }
        }
        apart
    }
}

/// One channel of the output.
struct Plane<'a> {
    geometry: &'a Phases,
    x: &'a [f32],
    kernel: &'a [f32],
    y: &'a mut [f32],
}

/// So many places are summed up at a time, so that the sums stay in the nearest cache.
const STRETCH: usize = 2048;

impl WithSimd for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Plane { geometry, x, kernel, y } = self;
        let Phases { shapes, size, starts, stretch } = geometry;
        let [_, columns] = shapes.output;
        let apart = geometry.apart(x);
        let mut sums = vec![0.; *stretch];
        for (at, sums) in sums.chunks_mut(STRETCH).enumerate() {
            for (start, &weight) in starts.iter().zip(kernel) {
                let read = &apart[start + at * STRETCH..][..sums.len()];
                for (sum, &read) in sums.iter_mut().zip(read) {
                    *sum = if S::F32_LANES > 1 { read.mul_add(weight, *sum) } else { read * weight + *sum };
                }
            }
        }
        for (y, sums) in y.chunks_exact_mut(columns).zip(sums.chunks(size[1])) {
            y.copy_from_slice(&sums[..columns]);
        }
    }
}
