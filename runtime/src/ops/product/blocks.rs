//! The one place where matrix products are computed: every thread has blocks of the result, by gemm's kernel for one thread.
//!
//! candle lets gemm divide a product among threads by itself, which on two threads gains nothing where a weight is stored as
//! `[out, in]`, and less than it could elsewhere: see [`threads`].
#![allow(unsafe_code)]

use std::ops::Range;

use gemm::Parallelism;

use crate::ops::threads;

/// A number that products are made of.
pub(in crate::ops) trait Number: candle_core::WithDType {
    const ZERO: Self;
    const ONE: Self;
}

impl Number for f32 {
    const ZERO: f32 = 0.;
    const ONE: f32 = 1.;
}

impl Number for f64 {
    const ZERO: f64 = 0.;
    const ONE: f64 = 1.;
}

/// A matrix that lies in memory in any order.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Matrix<'a, T> {
    /// From the first element on.
    numbers: &'a [T],
    rows: usize,
    columns: usize,
    /// From a row to the next.
    down: usize,
    /// From a column to the next.
    right: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// `numbers` begin with the matrix.
    ///
    /// # Panics
    /// If the matrix reaches beyond them.
    pub(in crate::ops) fn new(
        numbers: &'a [T],
        [rows, columns]: [usize; 2],
        [down, right]: [usize; 2],
    ) -> Matrix<'a, T> {
        let reach = |len: usize, stride: usize| len.saturating_sub(1).checked_mul(stride);
        let last = reach(rows, down).zip(reach(columns, right)).and_then(|(down, right)| down.checked_add(right));
        let inside = rows == 0 || columns == 0 || last.is_some_and(|last| last < numbers.len());
        assert!(inside, "a matrix of {rows} × {columns} reaches beyond its {} numbers", numbers.len());
        Matrix { numbers, rows, columns, down, right }
    }

    /// The matrix whose rows follow each other in memory.
    pub(in crate::ops) fn in_order(numbers: &'a [T], rows: usize, columns: usize) -> Matrix<'a, T> {
        Matrix::new(numbers, [rows, columns], [columns, 1])
    }

    pub(in crate::ops) fn rows(self, of: Range<usize>) -> Matrix<'a, T> {
        Matrix::new(&self.numbers[of.start * self.down..], [of.len(), self.columns], [self.down, self.right])
    }

    pub(in crate::ops) fn columns(self, of: Range<usize>) -> Matrix<'a, T> {
        Matrix::new(&self.numbers[of.start * self.right..], [self.rows, of.len()], [self.down, self.right])
    }
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub(in crate::ops) enum Bias<'a, T> {
    None,
    /// A number for each row of a product, or of several that follow each other, again and again.
    OfRow(&'a [T]),
    /// A number for each column.
    OfColumn(&'a [T]),
}

/// The shape of `products` products, each of `rows` × `inner` by `inner` × `columns` numbers.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Shape {
    pub(in crate::ops) products: usize,
    pub(in crate::ops) rows: usize,
    pub(in crate::ops) inner: usize,
    pub(in crate::ops) columns: usize,
}

/// The part of a product that is computed at once.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Block {
    /// Which of the products.
    pub(in crate::ops) product: usize,
    pub(in crate::ops) rows: Range<usize>,
    pub(in crate::ops) columns: Range<usize>,
}

/// How each product is divided: into blocks of so many rows and columns.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) struct Division {
    pub(in crate::ops) rows: usize,
    pub(in crate::ops) columns: usize,
}

impl Division {
    fn blocks(self, shape: Shape) -> usize {
        shape.products * shape.rows.div_ceil(self.rows) * shape.columns.div_ceil(self.columns)
    }

    fn block(self, shape: Shape, index: usize) -> Block {
        let (down, across) = (shape.rows.div_ceil(self.rows), shape.columns.div_ceil(self.columns));
        let part = |at: usize, len: usize, of: usize| at * len..((at + 1) * len).min(of);
        Block {
            product: index / (down * across),
            rows: part(index / across % down, self.rows, shape.rows),
            columns: part(index % across, self.columns, shape.columns),
        }
    }
}

/// What products are made of.
pub(in crate::ops) trait Sides<T>: Sync {
    /// The rows of the left matrix and the columns of the right one that a block is made of. They may be made in `memory`,
    /// which each block has while it is computed.
    fn of<'m>(&'m self, block: &Block, memory: &'m mut Vec<T>) -> [Matrix<'m, T>; 2];
}

/// The products, one after the other, each in the order of its rows.
pub(in crate::ops) fn multiply<T: Number>(
    shape: Shape,
    division: Division,
    bias: Bias<'_, T>,
    sides: &impl Sides<T>,
) -> Vec<T> {
    let Shape { products, rows, inner, columns } = shape;
    let len = products * rows * columns;
    let mut made: Vec<T> = Vec::with_capacity(len);
    if len == 0 {
        return made;
    }
    assert!(division.rows > 0 && division.columns > 0, "blocks have elements");
    match bias {
        Bias::None => {}
        Bias::OfRow(bias) => assert!(!bias.is_empty(), "a number for each row"),
        Bias::OfColumn(bias) => assert_eq!(bias.len(), columns, "a number for each column"),
    }
    let result = Pointer(made.as_mut_ptr());
    threads::share((0..division.blocks(shape)).map(|index| division.block(shape, index)), |block| {
        let result = &result;
        let mut memory = Vec::new();
        let [left, right] = sides.of(&block, &mut memory);
        assert_eq!([left.rows, left.columns], [block.rows.len(), inner], "the left side of {block:?}");
        assert_eq!([right.rows, right.columns], [inner, block.columns.len()], "the right side of {block:?}");
        // SAFETY: the blocks are those of a division of `products` matrices of `rows` × `columns`, which lie one after the
        // other in the memory of `made`: each place belongs to one block, and only its thread writes there.
        unsafe {
            let start = result.0.add((block.product * rows + block.rows.start) * columns + block.columns.start);
            for (at, row) in block.rows.clone().enumerate() {
                let row_start = start.add(at * columns);
                match bias {
                    Bias::None => break,
                    Bias::OfRow(bias) => (0..block.columns.len())
                        .for_each(|at| row_start.add(at).write(bias[(block.product * rows + row) % bias.len()])),
                    Bias::OfColumn(bias) => {
                        let bias = &bias[block.columns.clone()];
                        row_start.copy_from_nonoverlapping(bias.as_ptr(), bias.len());
                    }
                }
            }
            // Both matrices lie inside their slices, as `Matrix` has checked. Where there is a bias it was written to every
            // place of the block; where there is none `gemm` does not read there, but writes.
            let added = !matches!(bias, Bias::None);
            gemm::gemm(
                block.rows.len(),
                block.columns.len(),
                inner,
                start,
                1,
                columns as isize,
                added,
                left.numbers.as_ptr(),
                left.right as isize,
                left.down as isize,
                right.numbers.as_ptr(),
                right.right as isize,
                right.down as isize,
                if added { T::ONE } else { T::ZERO },
                T::ONE,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
    // SAFETY: the blocks cover all of it, and each was written.
    unsafe { made.set_len(len) };
    made
}

/// Where the result begins.
struct Pointer<T>(*mut T);

// SAFETY: the threads that share it write to different places.
unsafe impl<T: Send> Sync for Pointer<T> {}
