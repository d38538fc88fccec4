//! What four models expand to, as a reader of `cargo expand` sees it. `UPDATE_EXPECT=1 cargo test -p taper-macros` writes
//! the files anew: read what changed.

use expect_test::expect_file;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemImpl};

use crate::ctxt::Ctxt;
use crate::{callback, expand, model};

fn pretty(tokens: TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(error) => panic!("{error}:\n{tokens}"),
    }
}

/// What `#[forward]` generates beside the impl.
fn forward(item: TokenStream, implementation: TokenStream) -> String {
    let input: DeriveInput = syn::parse2(item).unwrap();
    let implementation: ItemImpl = syn::parse2(implementation).unwrap();
    let cx = Ctxt::new();
    let model = model::parse::parse(&cx, &input).unwrap();
    cx.check().unwrap();
    pretty(expand::model(&model, &implementation, false))
}

#[test]
fn straight_line_code() {
    let generated = forward(
        quote! {
            pub struct Mlp {
                pub up: Linear,
                pub down: Linear,
            }
        },
        quote! {
            impl Mlp {
                pub fn forward(&self, #[tap] x: &Tensor) -> Result<Tensor> {
                    /// After the GELU.
                    #[tap]
                    let act = self.up.forward(x)?.gelu()?;
                    act.apply(&self.down)
                }
            }
        },
    );
    expect_file!["../snapshots/straight_line.rs"].assert_eq(&generated);
}

#[test]
fn loops_and_branches() {
    let generated = forward(
        quote! {
            pub struct Net {
                pub blocks: Vec<Block>,
                pub shared: Block,
                pub head: Option<Linear>,
                n: usize,
            }
        },
        quote! {
            impl Net {
                pub fn forward(&self, x: &Tensor, cache: &mut Cache) -> Result<Tensor> {
                    let mut x = x.clone();
                    for (block, c) in self.blocks.iter().zip(cache.iter_mut()) {
                        x = block.forward(&x, c)?;
                    }
                    for _ in 0..self.n {
                        x = self.shared.forward(&x, cache)?;
                    }
                    if x.rank() > 2 {
                        return Ok(x);
                    }
                    match &self.head {
                        Some(head) => head.forward(&x),
                        None => self.pooled(&x),
                    }
                }

                fn pooled(&self, x: &Tensor) -> Result<Tensor> {
                    #[tap]
                    let mean = x.mean(1)?;
                    Ok(mean)
                }
            }
        },
    );
    expect_file!["../snapshots/loops_and_branches.rs"].assert_eq(&generated);
}

#[test]
fn generics() {
    let generated = forward(
        quote! {
            struct Residual<'a, M, const N: usize> {
                inner: M,
                gates: [&'a Linear; N],
            }
        },
        quote! {
            impl<'a, M: Layer, const N: usize> Residual<'a, M, N>
            where
                M: Send,
            {
                fn forward<S: AsRef<Tensor>>(&self, x: S) -> Result<(Tensor, Tensor)> {
                    let y = self.inner.forward(x.as_ref())?;
                    let mut gated = y.clone();
                    for gate in self.gates {
                        gated = gate.forward(&gated)?;
                    }
                    Ok((y, gated))
                }
            }
        },
    );
    expect_file!["../snapshots/generics.rs"].assert_eq(&generated);
}

#[test]
fn sequential() {
    let generated = pretty(callback::derive(quote! {
        #[model(sequential)]
        pub struct LeNet {
            #[load(conv2d(1, 6, 5, Conv2dConfig::default()))]
            #[then(act1 = Tensor::relu, pool1 = |x| x.max_pool2d(2))]
            pub conv1: Conv2d,
            #[load(linear(256, 10))]
            #[prefix("classifier.0")]
            pub fc: Linear,
        }
    }));
    expect_file!["../snapshots/sequential.rs"].assert_eq(&generated);
}
