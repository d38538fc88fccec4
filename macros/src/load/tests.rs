//! The expansion, to read.

use expect_test::{Expect, expect};
use syn::DeriveInput;

use crate::ctxt::Ctxt;

fn check(input: &str, expected: Expect) {
    let input: DeriveInput = syn::parse_str(input).expect("test input");
    let cx = Ctxt::new();
    let model = crate::model::parse::parse(&cx, &input).expect("a model");
    crate::model::check::check(&cx, &model);
    cx.check().expect("no errors");
    let tokens = super::expand(&model).expect("a loader");
    expected.assert_eq(&prettyplease::unparse(&syn::parse2(tokens).expect("items")));
}

#[test]
fn every_loader() {
    check(
        r#"
        #[model(config = Config)]
        pub struct Net {
            #[load(linear(cfg.n, 4))]
            #[prefix("a.b")]
            pub linear: Linear,
            #[load(each(cfg.layers))]
            #[prefix("h")]
            pub blocks: Vec<Block>,
            #[load(each(2, |i| linear(i, 4)))]
            pub heads: [Linear; 2],
            #[load(maybe(cfg.bias, tensor(cfg.n)))]
            #[prefix("deep.bias")]
            pub bias: Option<Tensor>,
            #[load(config = &cfg.sub)]
            #[prefix("")]
            pub sub: Sub,
            #[load(value = cfg.n)]
            pub n: usize,
            pub own: Own,
            #[load(expr = tied(linear.weight(), n))]
            pub r#final: Linear,
        }"#,
        expect![[r#"
            impl Net {
                /// Loads the weights: each field from below its own name, or its `#[prefix]`.
                ///
                /// # Errors
                /// Fails when a weight is missing or has another shape.
                #[allow(private_interfaces)]
                pub fn load(
                    vb: ::taper::__private::candle_nn::VarBuilder<'_>,
                    cfg: &Config,
                ) -> ::taper::__private::LoadResult<Self> {
                    let _ = (&vb, cfg);
                    let __taper_field_linear: Linear = linear(cfg.n, 4, vb.pp("a.b"))?;
                    let __taper_field_blocks: Vec<Block> = ::taper::__private::load_each(
                        vb.pp("h"),
                        cfg.layers,
                        |__taper_vb0, __taper_index0| {
                            let _ = __taper_vb0;
                            <_ as ::taper::__private::Load<
                                _,
                                Config,
                            >>::load(__taper_vb0.pp(__taper_index0), cfg)
                        },
                    )?;
                    let __taper_field_heads: [Linear; 2] = ::taper::__private::into_array(
                        ::taper::__private::load_each(
                            vb.pp("heads"),
                            2,
                            |__taper_vb0, __taper_index0| {
                                let _ = __taper_vb0;
                                let i = __taper_index0;
                                ::taper::__private::loaded(
                                    linear(i, 4, __taper_vb0.pp(__taper_index0)),
                                )
                            },
                        )?,
                        "heads",
                    )?;
                    let __taper_field_bias: Option<Tensor> = ::taper::__private::load_maybe(
                        cfg.bias,
                        || ::taper::__private::loaded(vb.pp("deep").get(cfg.n, "bias")),
                    )?;
                    let __taper_field_sub: Sub = <Sub as ::taper::__private::Load<
                        _,
                        _,
                    >>::load(::core::clone::Clone::clone(&vb), &cfg.sub)?;
                    let __taper_field_n: usize = cfg.n;
                    let __taper_field_own: Own = <Own as ::taper::__private::Load<
                        _,
                        Config,
                    >>::load(vb.pp("own"), cfg)?;
                    let __taper_field_final: Linear = {
                        let linear = &__taper_field_linear;
                        let n = &__taper_field_n;
                        tied(linear.weight(), n)
                    };
                    ::core::result::Result::Ok(Self {
                        linear: __taper_field_linear,
                        blocks: __taper_field_blocks,
                        heads: __taper_field_heads,
                        bias: __taper_field_bias,
                        sub: __taper_field_sub,
                        n: __taper_field_n,
                        own: __taper_field_own,
                        r#final: __taper_field_final,
                    })
                }
            }
            impl<
                '__taper_vb,
            > ::taper::__private::Load<
                ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                Config,
            > for Net {
                fn load(
                    vb: ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                    cfg: &Config,
                ) -> ::taper::__private::LoadResult<Self> {
                    Self::load(vb, cfg)
                }
            }
        "#]],
    );
}

#[test]
fn generic_without_configuration() {
    check(
        "struct Residual<M: Layer> { inner: M, #[load(linear(1, 1))] out: Linear }",
        expect![[r#"
            impl<M: Layer> Residual<M> {
                /// Loads the weights: each field from below its own name, or its `#[prefix]`.
                ///
                /// # Errors
                /// Fails when a weight is missing or has another shape.
                #[allow(private_interfaces)]
                fn load<'__taper_vb>(
                    vb: ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                ) -> ::taper::__private::LoadResult<Self>
                where
                    M: ::taper::__private::Load<
                        ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                        (),
                    >,
                {
                    let _ = &vb;
                    let __taper_field_inner: M = <M as ::taper::__private::Load<
                        _,
                        (),
                    >>::load(vb.pp("inner"), &())?;
                    let __taper_field_out: Linear = linear(1, 1, vb.pp("out"))?;
                    ::core::result::Result::Ok(Self {
                        inner: __taper_field_inner,
                        out: __taper_field_out,
                    })
                }
            }
            impl<
                '__taper_vb,
                M: Layer,
                __TaperConfig: ?::core::marker::Sized,
            > ::taper::__private::Load<
                ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                __TaperConfig,
            > for Residual<M>
            where
                M: ::taper::__private::Load<
                    ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                    (),
                >,
            {
                fn load(
                    vb: ::taper::__private::candle_nn::VarBuilder<'__taper_vb>,
                    _: &__TaperConfig,
                ) -> ::taper::__private::LoadResult<Self> {
                    Self::load(vb)
                }
            }
        "#]],
    );
}

#[test]
fn no_loader_without_a_reason() {
    let input: DeriveInput = syn::parse_str("struct A { a: B }").expect("test input");
    let cx = Ctxt::new();
    let model = crate::model::parse::parse(&cx, &input).expect("a model");
    cx.check().expect("no errors");
    assert!(super::expand(&model).is_none());
}

#[test]
fn fields_are_in_scope_where_they_are_values() {
    let (_, model) = {
        let input: DeriveInput =
            syn::parse_str("struct A { a: B, b: B, c: B, d: B, e: B, cfg: B }").expect("test input");
        let cx = Ctxt::new();
        let model = crate::model::parse::parse(&cx, &input).expect("a model");
        (cx.check(), model)
    };
    let mentions = |tokens: &str| -> Vec<String> {
        let tokens: proc_macro2::TokenStream = tokens.parse().expect("test tokens");
        let (_, fields) = super::tokens::meet_fields(tokens, &model.fields);
        fields.into_iter().map(crate::model::ir::Field::name).collect()
    };
    assert_eq!(mentions("f(a, &b) + c.d - X { e: 1, ..b }"), ["a", "b", "c"]);
    assert_eq!(mentions("a(1) + b::x() + x::c + d!(e != 1) + cfg"), ["e"]);
}
