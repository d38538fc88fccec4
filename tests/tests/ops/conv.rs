//! Convolutions as leaves: candle's bits, and gradients where candle has none.

use candle_core::{Device, Module, Result, Tensor, Var};
use candle_nn::{Conv2d, Conv2dConfig};
use taper::{Model, forward};
use taper_tests::fixtures::assert_same;
use taper_tests::parity::relative_error;

#[derive(Model)]
pub struct Net {
    pub conv: Conv2d,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward(x)
    }
}

/// Height, width, rows and columns of the kernel, padding, stride, dilation, groups.
const CASES: [[usize; 8]; 10] = [
    [7, 9, 3, 3, 1, 2, 1, 1],
    [4, 5, 3, 3, 1, 2, 1, 4],
    [5, 4, 3, 3, 1, 2, 1, 4],
    [5, 4, 1, 1, 0, 2, 1, 1],
    [4, 5, 1, 1, 0, 2, 1, 2],
    [9, 10, 3, 3, 0, 3, 1, 1],
    [10, 12, 3, 3, 2, 4, 2, 2],
    [6, 6, 3, 2, 1, 2, 1, 1],
    [6, 6, 3, 3, 1, 1, 1, 4],
    [37, 45, 7, 7, 3, 2, 1, 1],
];

fn numbers(shape: impl Into<candle_core::Shape>, seed: f64) -> Result<Tensor> {
    let shape = shape.into();
    let number = |i: usize| ((i * i) as f64 * 0.7 + i as f64 * 1.3 + seed * 5.1).sin() as f32;
    Tensor::from_vec((0..shape.elem_count()).map(number).collect(), shape, &Device::Cpu)
}

fn values(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1()
}

/// The gradients of the sum of `weights` times the convolution, by the definition of a convolution.
fn by_definition(conv: &Conv2d, x: &Tensor, weights: &Tensor) -> Result<[Tensor; 2]> {
    let Conv2dConfig { padding, stride, dilation, groups, .. } = *conv.config();
    let (batch, inputs, height, width) = x.dims4()?;
    let (outputs, per_group, rows, columns) = conv.weight().dims4()?;
    let (_, _, out_height, out_width) = weights.dims4()?;
    let (image, kernel, weight) = (values(x)?, values(conv.weight())?, values(weights)?);
    let (mut of_image, mut of_kernel) = (vec![0f64; image.len()], vec![0f64; kernel.len()]);
    for (b, o) in (0..batch).flat_map(|b| (0..outputs).map(move |o| (b, o))) {
        for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
            let weight = weight[((b * outputs + o) * out_height + y) * out_width + x];
            for (i, r, c) in
                (0..per_group).flat_map(|i| (0..rows).flat_map(move |r| (0..columns).map(move |c| (i, r, c))))
            {
                let row = (y * stride + r * dilation).checked_sub(padding).filter(|row| *row < height);
                let column = (x * stride + c * dilation).checked_sub(padding).filter(|column| *column < width);
                let (Some(row), Some(column)) = (row, column) else { continue };
                let input = o / (outputs / groups) * per_group + i;
                let pixel = ((b * inputs + input) * height + row) * width + column;
                let tap = ((o * per_group + i) * rows + r) * columns + c;
                of_image[pixel] += weight * kernel[tap];
                of_kernel[tap] += weight * image[pixel];
            }
        }
    }
    let of_image = Tensor::from_vec(of_image, x.shape(), &Device::Cpu)?;
    let of_kernel = Tensor::from_vec(of_kernel, conv.weight().shape(), &Device::Cpu)?;
    Ok([of_image, of_kernel])
}

#[test]
fn gradients_are_those_of_the_definition_and_values_candles() -> Result<()> {
    for case @ [height, width, rows, columns, padding, stride, dilation, groups] in CASES {
        let config = Conv2dConfig { padding, stride, dilation, groups, ..Conv2dConfig::default() };
        let x = Var::from_tensor(&numbers((2, 4, height, width), 0.)?)?;
        let kernel = Var::from_tensor(&numbers((8, 4 / groups, rows, columns), 1.)?)?;
        let bias = Var::from_tensor(&numbers(8, 2.)?)?;
        let net = Net { conv: Conv2d::new(kernel.as_tensor().clone(), Some(bias.as_tensor().clone()), config) };
        let (output, taps) = net.forward_with_taps(&x)?;
        assert_same(&output, &net.conv.forward(&x)?);
        assert_same(&output, &taps.conv);

        let weights = numbers(output.shape(), 3.)?;
        let gradients = (&output * &weights)?.sum_all()?.backward()?;
        let [of_image, of_kernel] = by_definition(&net.conv, &x, &weights)?;
        for (var, expected) in [(&x, of_image), (&kernel, of_kernel), (&bias, weights.sum((0, 2, 3))?)] {
            let gradient = gradients.get(var).unwrap().to_dtype(expected.dtype())?;
            let error = relative_error(&gradient, &expected)?;
            assert!(error <= 1e-5, "{case:?}: {error:.1e}");
        }
    }
    Ok(())
}

/// The cases are such that candle alone fails in some, and the fault of candle's that is mended here is still there.
#[test]
fn candle_alone_fails_where_height_and_width_differ() -> Result<()> {
    let x = Var::from_tensor(&numbers((1, 1, 4, 5), 0.)?)?;
    let y = x.conv2d(&numbers((1, 1, 3, 3), 1.)?, 1, 2, 1, 1)?;
    assert!(y.sum_all()?.backward().is_err());
    Ok(())
}
