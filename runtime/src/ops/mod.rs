//! Operations that models are written with, and whose gradients are there.
//!
//! candle computes most of these by fused kernels, and **drops the gradient without a word**: behind one, `backward()` finds
//! nothing, or, where another way leads around it, only the part of that way, which is wrong. The functions here have the
//! gradients, and the values of candle's, bit for bit and on every device, because candle computes them. On the CPU, softmax and
//! the norms of `f32` are the exception, which are computed in vectors, and so are products of matrices, which are divided
//! among the threads by another rule: they differ from candle's in rounding.
//!
//! | here | candle | PyTorch |
//! |---|---|---|
//! | [`softmax_last_dim`] | [`candle_nn::ops::softmax_last_dim`] | `softmax(x, dim=-1)` |
//! | [`layer_norm`] | [`candle_nn::ops::layer_norm`] | `F.layer_norm` |
//! | [`rms_norm`] | [`candle_nn::ops::rms_norm`] | `F.rms_norm` |
//! | [`rope`](rope()) | [`candle_nn::rotary_emb::rope`] | `apply_rotary_pos_emb` of Hugging Face's Llama |
//! | [`rope_i`](rope_i()) | [`candle_nn::rotary_emb::rope_i`] | the same of its GPT-J |
//! | [`quantized_matmul`] | [`QMatMul`](candle_core::quantized::QMatMul) | `x @ dequantize(w).T` |
//! | [`linear`], [`matmul`] | [`Linear`](candle_nn::Linear), [`Tensor::matmul`](candle_core::Tensor::matmul) | `F.linear`, `matmul` |
//! | [`attention`] | matrix products and [`softmax_last_dim`] | `F.scaled_dot_product_attention`, and the pattern |
//!
//! Of each element by itself there are functions that are **faster** than candle's on the CPU, whose kernels take one number
//! after the other on one thread. For `f32` these compute in vectors, of whatever width the CPU has, and on candle's
//! threads; for half precision by way of `f32`, rounded once. Their values are not candle's bits, and differ from the exact
//! ones by what the docs of each say. They are the same for any number of threads, and on all CPUs that multiply and add in
//! one instruction. Elsewhere, and for `f64`, the values are candle's own. `x` may have any layout; the result is
//! contiguous.
//!
//! | here | on other devices | PyTorch |
//! |---|---|---|
//! | [`gelu`] | [`Tensor::gelu_erf`](candle_core::Tensor::gelu_erf) | `F.gelu` |
//! | [`gelu_tanh`] | [`Tensor::gelu`](candle_core::Tensor::gelu) | `F.gelu(approximate="tanh")` |
//! | [`quick_gelu`] | `x * sigmoid(1.702 * x)` | Hugging Face's `quick_gelu` |
//! | [`silu`] | [`Tensor::silu`](candle_core::Tensor::silu) | `F.silu` |
//! | [`sigmoid`] | [`candle_nn::ops::sigmoid`] | `sigmoid` |
//! | [`exp`] | [`Tensor::exp`](candle_core::Tensor::exp) | `exp` |
//! | [`relu`], [`relu6`] | [`Tensor::relu`](candle_core::Tensor::relu), but NaN stays | `F.relu`, `F.relu6` |
//! | [`tanh`] | [`Tensor::tanh`](candle_core::Tensor::tanh) | `tanh` |
//!
//! [`conv2d`] is `F.conv2d` by matrix products, and, where every channel has a kernel of its own, in vectors: many times as
//! fast on the CPU as candle's, which takes the groups one after the other. [`channels_last`] has the same of images as
//! TensorFlow lays them out.
//!
//! [`contiguous`] is candle's on several threads.
//!
//! All of it runs on candle's own threads, the caller's among them, as many as `RAYON_NUM_THREADS` says. They wait for work
//! without sleeping, for a millisecond at most.
//!
//! Gradients flow to every input that is tracked, also where `x` is not and a weight is. They are exact, not those of the
//! kernel's roundings; in half precision they are computed in single precision and rounded once, except that `rope`
//! rotates back in the type of `x`, as it rotated. Second derivatives are right where candle keeps them, in a process with
//! `CANDLE_GRAD_DO_NOT_DETACH=1`; candle drops them otherwise.
//!
//! The leaves [`LayerNorm`](candle_nn::LayerNorm) and [`RmsNorm`](candle_nn::RmsNorm) have their gradients in every traced
//! run, such as `forward_with_taps`. In a plain `forward` they are candle's own, and a contiguous input loses its gradient
//! in `RmsNorm`, and in a `LayerNorm` that has a bias. Train through a traced run, or write [`layer_norm`] with the layer's
//! `weight()`, `bias()` and `eps()` in the `forward`.
//!
//! # What else drops gradients
//!
//! | in candle | instead |
//! |---|---|
//! | [`ops::sdpa`](candle_nn::ops::sdpa) (Metal), [`attention::flash_attn`](candle_nn::attention::flash_attn) and the other flash kernels, [`varlen_attention`](candle_nn::varlen_attention) | [`attention`] |
//! | [`rotary_emb::rope_thd`](candle_nn::rotary_emb::rope_thd) | `transpose(1, 2)`, `contiguous()`, [`rope`](rope()), and back |
//! | [`QMatMul`](candle_core::quantized::QMatMul) of a quantized tensor | [`quantized_matmul`], or the layer [`quantized::Linear`](crate::quantized::Linear) |
//! | `slice_set`, `scatter_set`, `scatter_add_set`, `inplace_op1` and the like, [`KvCache`](candle_nn::kv_cache::KvCache) | `Tensor::cat`, `scatter`, `scatter_add`; no cache |
//! | `moe::moe_gemm` and its quantized kin | a matrix product for each expert |
//! | `detach`, `to_vec0` to `to_vec3`, `to_scalar` | nothing: the value leaves the graph there |
//!
//! `conv_transpose1d` and max-pooling whose windows overlap fail aloud in `backward()`. `argmax`, `arg_sort_last_dim`,
//! comparisons, `round`, `floor`, `ceil` and `sign` have no gradient, in candle as anywhere.

mod attention;
mod batch_norm;
pub mod channels_last;
mod check;
mod contiguous;
mod conv2d;
mod elementwise;
mod graft;
mod layer_norm;
mod product;
mod quantized;
mod rms_norm;
mod rope;
mod rope_i;
mod rotary;
mod softmax;
#[cfg(test)]
mod tests;
mod threads;
mod vectors;

pub use attention::{Attention, Mask, attention, attention_output, attention_scores};
pub use batch_norm::batch_norm;
pub use contiguous::contiguous;
pub use conv2d::{Conv2dOptions, Padding, conv2d};
pub use elementwise::{exp, gelu, gelu_tanh, quick_gelu, relu, relu6, sigmoid, silu, tanh};
pub use layer_norm::layer_norm;
pub use product::{linear, matmul};
pub use quantized::quantized_matmul;
pub use rms_norm::rms_norm;
pub use rope::rope;
pub use rope_i::rope_i;
pub use softmax::softmax_last_dim;

pub(crate) use layer_norm::fused_layer_norm;
pub(crate) use rms_norm::fused_rms_norm;
