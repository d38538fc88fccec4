//! Products of matrices, divided among the threads.

mod blocks;
mod linear;
mod matmul;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Tensor, bail};

pub(super) use blocks::{Bias, Block, Division, Matrix, Number, Shape, Sides, multiply};
pub use linear::linear;
pub use matmul::matmul;

use super::graft::{Backward, differentiable, wanted};
use super::threads;

/// So many multiplications are worth a thread: some five microseconds of one.
const WORTH: usize = 256 << 10;

/// Where a side of a product is made for it, so many numbers are made at a time by each thread.
pub(super) const TILE: usize = 512 << 10;

impl Shape {
    /// Blocks for every thread, of which each is worth it. The longer side is divided, since the other matrix is gone
    /// through for every block.
    pub(super) fn divided(self) -> Division {
        let Shape { products, rows, inner, columns } = self;
        let whole = Division { rows: rows.max(1), columns: columns.max(1) };
        let threads = threads::count();
        // Products for all threads need no dividing.
        if products >= 2 * threads {
            return whole;
        }
        let all = products * rows * inner * columns;
        let blocks = threads.min(all / WORTH).div_ceil(products.max(1));
        if blocks < 2 {
            return whole;
        }
        // In whole tiles of gemm's kernel.
        let part = |len: usize, tile: usize| len.div_ceil(blocks).next_multiple_of(tile);
        match columns >= rows {
            true => Division { columns: part(columns, 48), ..whole },
            false => Division { rows: part(rows, 24), ..whole },
        }
    }
}

/// `a`, `[…, row, inner]`, times `b`, `[…, inner, column]`, plus `bias`, `[column]`: of the same type, and alike in what
/// stands before.
fn product(a: &Tensor, b: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if !a.device().is_cpu()
        || !matches!(a.dtype(), DType::F32 | DType::F64)
        || cfg!(any(feature = "mkl", feature = "accelerate"))
    {
        // candle takes few layouts.
        let y = a.contiguous()?.matmul(&b.contiguous()?)?;
        return match bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        };
    }
    match bias {
        Some(bias) => {
            let bias = bias.contiguous()?;
            differentiable([a, b, &bias], Product, || a.apply_op3_no_bwd(b, &bias, &Product))
        }
        None => differentiable([a, b], Product, || a.apply_op2_no_bwd(b, &Product)),
    }
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_at: &Layout,
        b: &CpuStorage,
        b_at: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        computed((a, a_at), (b, b_at), None)
    }
}

impl CustomOp3 for Product {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_at: &Layout,
        b: &CpuStorage,
        b_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        computed((a, a_at), (b, b_at), Some((bias, bias_at)))
    }
}

type Stored<'a> = (&'a CpuStorage, &'a Layout);

fn computed(a: Stored<'_>, b: Stored<'_>, bias: Option<Stored<'_>>) -> Result<(CpuStorage, candle_core::Shape)> {
    let y = match a.0 {
        CpuStorage::F32(_) => CpuStorage::F32(numbers::<f32>(a, b, bias)?),
        CpuStorage::F64(_) => CpuStorage::F64(numbers::<f64>(a, b, bias)?),
        other => bail!("`matmul` does not compute in {:?} here", other.dtype()),
    };
    let mut dims = a.1.dims().to_vec();
    *dims.last_mut().expect("two dimensions at least") = b.1.dims()[b.1.dims().len() - 1];
    Ok((y, dims.into()))
}

fn numbers<T: Number>(a: Stored<'_>, b: Stored<'_>, bias: Option<Stored<'_>>) -> Result<Vec<T>> {
    let (a, b) = (Matrices::<T>::of(a)?, Matrices::<T>::of(b)?);
    let bias = match bias {
        Some((storage, layout)) => {
            let Some((start, end)) = layout.contiguous_offsets() else { bail!("`matmul`: the bias is not contiguous") };
            Bias::OfColumn(&T::cpu_storage_as_slice(storage)?[start..end])
        }
        None => Bias::None,
    };
    let ([rows, inner], [_, columns]) = (a.size, b.size);
    let shape = Shape { products: a.outer.iter().product(), rows, inner, columns };
    Ok(multiply(shape, shape.divided(), bias, &(a, b)))
}

impl<T: Number> Sides<T> for (Matrices<'_, T>, Matrices<'_, T>) {
    fn of<'m>(&'m self, block: &Block, _: &'m mut Vec<T>) -> [Matrix<'m, T>; 2] {
        let Block { product, rows, columns } = block.clone();
        [self.0.matrix(product).rows(rows), self.1.matrix(product).columns(columns)]
    }
}

/// The matrices of a tensor, its last two dimensions.
struct Matrices<'a, T> {
    numbers: &'a [T],
    /// The dimensions before.
    outer: &'a [usize],
    outer_strides: &'a [usize],
    size: [usize; 2],
    strides: [usize; 2],
}

impl<'a, T: Number> Matrices<'a, T> {
    fn of((storage, layout): Stored<'a>) -> Result<Self> {
        let (&[ref outer @ .., rows, columns], &[ref outer_strides @ .., down, right]) =
            (layout.dims(), layout.stride())
        else {
            bail!("`matmul`: {:?} is no matrix", layout.shape())
        };
        let numbers = &T::cpu_storage_as_slice(storage)?[layout.start_offset()..];
        Ok(Matrices { numbers, outer, outer_strides, size: [rows, columns], strides: [down, right] })
    }

    fn matrix(&self, mut index: usize) -> Matrix<'a, T> {
        let mut start = 0;
        for (len, stride) in self.outer.iter().zip(self.outer_strides).rev() {
            start += index % len * stride;
            index /= len;
        }
        Matrix::new(&self.numbers[start..], self.size, self.strides)
    }
}

impl Backward<2> for Product {
    const NAME: &'static str = "matmul";

    fn backward(&self, [a, b]: [&Tensor; 2], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        Ok([wanted(a, || product(grad, &b.t()?, None))?, wanted(b, || product(&a.t()?, grad, None))?])
    }
}

impl Backward<3> for Product {
    const NAME: &'static str = "matmul";

    fn backward(&self, [a, b, bias]: [&Tensor; 3], y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let [of_a, of_b] = self.backward([a, b], y, grad)?;
        let rows = || grad.sum((0..grad.rank() - 1).collect::<Vec<_>>());
        Ok([of_a, of_b, wanted(bias, rows)?])
    }
}
