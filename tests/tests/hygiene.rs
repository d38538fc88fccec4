//! A crate with every lint on, types named like those of the prelude, and fields, arguments and taps named like
//! anything that the expansion uses.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused,
    rust_2018_idioms,
    rust_2024_compatibility
)]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "denied by no lint group that is on")]

use candle_core::{DType, Device};
use candle_nn::{Linear, Module, VarBuilder, linear};

/// Names that the expansion must not mean.
#[allow(dead_code, missing_debug_implementations, reason = "only their names matter")]
mod names {
    pub(crate) struct Option;
    pub(crate) struct Ok;
    pub(crate) struct Err;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct Vec;
    pub(crate) struct Clone;
    pub(crate) struct Debug;
    pub(crate) struct String;
    pub(crate) struct Self_;
    pub(crate) trait Tapped {}
    pub(crate) trait Tree {}
    pub(crate) trait Selection {}
    pub(crate) struct Site;
    pub(crate) struct Sites;
    pub(crate) struct Taps;
    pub(crate) struct Each;
    pub(crate) struct Maybe;
    pub(crate) struct Pass;
    pub(crate) struct At;
    pub(crate) struct Builder;
    pub(crate) struct Reader;
}

mod model {
    #[allow(unused_imports, reason = "only their names matter")]
    use super::names::{
        At, Builder, Clone, Debug, Each, Err, Maybe, None, Ok, Option, Pass, Reader, Selection, Self_, Site, Sites,
        Some, String, Tapped, Taps, Tree, Vec,
    };
    use super::{Linear, Module, linear};
    #[allow(unused_imports, reason = "only their names matter")]
    use candle_core as core;
    #[allow(unused_imports, reason = "only their names matter")]
    use candle_core as std;
    use taper::{Model, forward};

    /// A tensor of the crate's own.
    pub(crate) type Tensor = ::candle_core::Tensor;
    /// A result of the crate's own.
    pub(crate) type Result<T> = ::core::result::Result<T, ::candle_core::Error>;

    /// Every field has a name that the expansion uses.
    #[derive(Model)]
    pub(crate) struct Names {
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) sites: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) pass: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) at: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) linear: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) vb: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) cfg: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) b: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) reader: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) visitor: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) first: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) scope: Linear,
        /// A field.
        #[load(linear(4, 4))]
        pub(crate) r#type: Linear,
        /// A field.
        #[load(each(2, |_i| linear(4, 4)))]
        pub(crate) select: ::std::vec::Vec<Linear>,
    }

    #[forward]
    impl Names {
        /// The arguments too.
        pub(crate) fn forward(&self, sites: &Tensor, pass: bool, at: f64, select: usize) -> Result<Tensor> {
            #[tap]
            let value = self.sites.forward(sites)?;
            #[tap]
            let v = self.pass.forward(&value)?;
            let r = self.at.forward(&v)?;
            let output = self.linear.forward(&r)?;
            let __v = self.vb.forward(&output)?;
            let m = self.cfg.forward(&__v)?;
            let s = self.b.forward(&m)?;
            #[tap]
            let self_ = s.apply(&self.reader)?.apply(&self.visitor)?.apply(&self.first)?.apply(&self.scope)?;
            let mut c = self.r#type.forward(&self_)?;
            for r in &self.select {
                c = r.forward(&c)?;
            }
            if pass && select > 0 {
                #[tap]
                let r#match = (c * at)?;
                c = r#match;
            }
            ::core::result::Result::Ok(c)
        }
    }

    /// A private model in a public crate.
    #[derive(Model)]
    #[model(rename(capture = "grab", sites = "places", forward_with_taps = "forward_all"), taps = Seen, sites = Places)]
    struct Hidden {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Hidden {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            self.inner.forward(x)
        }
    }

    /// Renamed functions and types.
    pub(crate) fn renamed(vb: ::candle_nn::VarBuilder<'_>, x: &Tensor) -> Result<usize> {
        let hidden = Hidden::load(vb)?;
        let inner = hidden.grab(x, |t: Places| t.inner)?;
        let (_, seen): (Tensor, Seen) = hidden.forward_all(x)?;
        ::core::assert_eq!(seen.inner.dims(), inner.dims());
        ::core::result::Result::Ok(hidden.places().len())
    }
}

#[test]
fn no_name_is_mistaken() {
    let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    let net = model::Names::load(vb.clone()).unwrap();
    let x = model::Tensor::ones((2, 4), DType::F32, &Device::Cpu).unwrap();
    let (y, taps) = net.forward_with_taps(&x, true, 2., 1).unwrap();
    assert_eq!(y.dims(), net.forward(&x, true, 2., 1).unwrap().dims());
    assert!(taps.r#match.is_some());
    assert_eq!(net.capture(&x, false, 2., 1, |t| (t.at, t.r#type)).unwrap().0.dims(), [2, 4]);
    assert!(net.sites().iter().any(|named| named.name() == "type"));
    assert_eq!(model::renamed(vb, &x).unwrap(), 2);
}
