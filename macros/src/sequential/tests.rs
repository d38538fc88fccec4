//! The expansion, to read.

use expect_test::{Expect, expect};
use quote::ToTokens;
use syn::DeriveInput;

use super::sizes::Axis;
use crate::ctxt::Ctxt;
use crate::model::ir::Model;

fn model(input: &str) -> Model {
    let input: DeriveInput = syn::parse_str(input).expect("test input");
    let cx = Ctxt::new();
    let model = crate::model::parse::parse(&cx, &input).expect("a model");
    crate::model::check::check(&cx, &model);
    cx.check().expect("no errors");
    model
}

fn check(tokens: impl ToTokens, expected: Expect) {
    expected.assert_eq(&prettyplease::unparse(&syn::parse2(tokens.into_token_stream()).expect("items")));
}

const CHAIN: &str = "#[model(sequential)] pub struct Net<const N: usize> {
    #[load(conv2d(1, 6, 5, C))]
    #[then(/// After it.
        act1 = Tensor::relu, pool1 = |x| x.max_pool2d(2))]
    conv1: Conv2d,
    #[load(batch_norm(7, 1e-5))]
    bn: BatchNorm,
    #[load(each(3))] blocks: Vec<Block>,
    #[load(maybe(true))] extra: Option<Block>,
    #[load(linear(N, 120))] fc1: Linear,
    #[load(linear(WIDTH, 10))] #[then(probs = softmax)] fc2: Linear,
    #[load(linear(10, 10))] fc3: Linear,
    #[load(value = 3)] n: usize,
}";

#[test]
fn a_chain() {
    check(
        super::forward_impl(&model(CHAIN)),
        expect![[r#"
        impl<const N: usize> Net<N> {
            /// Runs the layers in the order of the fields.
            ///
            /// # Errors
            /// Fails when a layer does.
            pub fn forward(
                &self,
                #[tap]
                input: &::taper::__private::candle_core::Tensor,
            ) -> ::taper::__private::candle_core::Result<
                ::taper::__private::candle_core::Tensor,
            > {
                #[allow(unused_imports)]
                use ::taper::__private::candle_core::Module as _;
                let x = self.conv1.forward(input)?;
                /// After it.
                #[tap]
                let act1 = ::taper::__private::step(&x, Tensor::relu)?;
                #[tap]
                let pool1 = ::taper::__private::step(&act1, |x| x.max_pool2d(2))?;
                let x = self.bn.forward(&pool1)?;
                let mut x = x;
                for layer in &self.blocks {
                    x = layer.forward(&x)?;
                }
                let mut x = x;
                if let ::core::option::Option::Some(layer) = &self.extra {
                    x = layer.forward(&x)?;
                }
                let x = self.fc1.forward(&x)?;
                let x = self.fc2.forward(&x)?;
                #[tap]
                let probs = ::taper::__private::step(&x, softmax)?;
                let x = self.fc3.forward(&probs)?;
                ::core::result::Result::Ok(x)
            }
        }
    "#]],
    );
}

#[test]
fn a_chain_that_starts_with_a_list() {
    let model = model("#[model(sequential(train))] struct Net { all: Vec<Block> }");
    check(
        super::forward_impl(&model),
        expect![[r#"
        impl Net {
            /// Runs the layers in the order of the fields.
            ///
            /// # Errors
            /// Fails when a layer does.
            fn forward(
                &self,
                #[tap]
                input: &::taper::__private::candle_core::Tensor,
                train: bool,
            ) -> ::taper::__private::candle_core::Result<
                ::taper::__private::candle_core::Tensor,
            > {
                #[allow(unused_imports)]
                use ::taper::__private::candle_core::ModuleT as _;
                let mut x = ::core::clone::Clone::clone(input);
                for layer in &self.all {
                    x = layer.forward_t(&x, train)?;
                }
                ::core::result::Result::Ok(x)
            }
        }
    "#]],
    );
}

#[test]
fn sizes_of_neighbours() {
    check(
        super::sizes::size_checks(&model(CHAIN)),
        expect![[r#"
        const _: fn() = || {
            #[allow(unused_imports)]
            use ::taper::__private::sizes::Differ as _;
            ::taper::__private::sizes::follows::<
                6,
                7,
                _,
            >((
                ::taper::__private::sizes::Pair(
                        ::taper::__private::sizes::takes_4(conv2d),
                        ::taper::__private::candle_nn::conv2d,
                    )
                    .whose(),
                ::taper::__private::sizes::Pair(
                        ::taper::__private::sizes::takes_number(batch_norm, 1e-5),
                        ::taper::__private::sizes::takes_number(
                            ::taper::__private::candle_nn::batch_norm,
                            1e-5,
                        ),
                    )
                    .whose(),
            ));
            ::taper::__private::sizes::follows::<
                120,
                { WIDTH },
                _,
            >((
                ::taper::__private::sizes::Pair(
                        ::taper::__private::sizes::takes_2(linear),
                        ::taper::__private::candle_nn::linear,
                    )
                    .whose(),
                ::taper::__private::sizes::Pair(
                        ::taper::__private::sizes::takes_2(linear),
                        ::taper::__private::candle_nn::linear,
                    )
                    .whose(),
            ));
        };
    "#]],
    );
}

#[test]
fn nothing_is_compared_across_what_is_not_known() {
    for between in
        ["#[then(a = |x| x.flatten_from(1))]", "#[then(a = |x| f(x))]", "#[then(a = f)]", "#[then(a = |x| x.t())]"]
    {
        let chain = format!(
            "#[model(sequential)] struct A {{ #[load(linear(1, 2))] {between} a1: L, #[load(linear(3, 4))] b: L }}"
        );
        assert!(super::sizes::size_checks(&model(&chain)).is_empty(), "{between}");
    }
    for layers in [
        "#[load(linear(1, 2))] a: L, #[load(expr = f())] b: L, #[load(linear(3, 4))] c: L",
        "#[load(linear(1, 2))] a: L, #[load(conv1d(3, 4, 1, C))] b: L",
        "#[load(linear(1, K * 2))] a: L, #[load(linear(3, 4))] b: L",
        "#[load(linear(1, Self::K))] a: L, #[load(linear(3, 4))] b: L",
    ] {
        let chain = format!("#[model(sequential)] struct A {{ {layers} }}");
        assert!(super::sizes::size_checks(&model(&chain)).is_empty(), "{layers}");
    }
}

#[test]
fn steps_that_keep_an_axis() {
    let keeps = |axis, step: &str| super::steps::keeps(axis, &syn::parse_str(step).expect("test step"));
    assert!(keeps(Axis::Last, "Tensor::relu"));
    assert!(keeps(Axis::Last, "candle_core::Tensor::gelu"));
    assert!(keeps(Axis::Channels, "|x| x.relu()?.max_pool2d(2)"));
    assert!(keeps(Axis::Channels, "|x: &Tensor| x.max_pool2d(2)"));
    assert!(!keeps(Axis::Last, "|x| x.max_pool2d(2)"));
    assert!(!keeps(Axis::Last, "|x| y.relu()"));
    assert!(!keeps(Axis::Last, "relu"));
    assert!(!keeps(Axis::Channels, "|x| x.flatten_from(1)"));
}
