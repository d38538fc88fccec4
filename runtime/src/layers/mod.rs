//! Layers of candle-nn by the faster operations of [`ops`](crate::ops): the same constructors, the same weights under the
//! same names, the same values within rounding.

mod conv2d;

pub use conv2d::{Conv2d, conv2d, conv2d_no_bias};
