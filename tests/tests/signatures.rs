//! Every kind of signature that a `forward` may have, and models in general.

use candle_core::{DType, Device, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Layer, Model, forward};

fn builder() -> VarBuilder<'static> {
    VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu)
}

fn input() -> Tensor {
    Tensor::new(&[[0.5f32, -1., 2., 0.25]], &Device::Cpu).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

mod own_error {
    use super::*;

    #[derive(Debug)]
    pub enum Error {
        Candle(candle_core::Error),
        Odd(usize),
    }

    impl From<candle_core::Error> for Error {
        fn from(error: candle_core::Error) -> Self {
            Error::Candle(error)
        }
    }

    #[derive(Clone, Debug)]
    pub struct Scored {
        pub logits: Tensor,
        pub score: f32,
    }

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Net {
        pub fn forward(
            &self,
            x: impl AsRef<[f32]>,
            scale: Option<&Tensor>,
            [a, b]: [usize; 2],
            log: &mut Vec<String>,
        ) -> Result<Scored, Error> {
            let x = Tensor::from_slice(x.as_ref(), (1, 4), &Device::Cpu)?;
            if (a + b) % 2 == 1 {
                return Err(Error::Odd(a + b));
            }
            let mut logits = self.inner.forward(&x)?;
            if let Some(scale) = scale {
                #[tap]
                let scaled = logits.broadcast_mul(scale)?;
                logits = scaled;
            }
            log.push("ran".to_owned());
            Ok(Scored { score: logits.sum_all()?.to_scalar()?, logits })
        }
    }

    #[test]
    fn everything_at_once() -> Result<(), Error> {
        let net = Net::load(builder())?;
        let (mut log, x) = (Vec::new(), [1f32, 2., 3., 4.]);
        let (scored, taps) = net.forward_with_taps(x, None, [1, 1], &mut log)?;
        assert!(taps.scaled.is_none());
        assert_eq!((taps.output.score, values(&taps.inner)), (scored.score, values(&scored.logits)));
        let half = Tensor::new(&[0.5f32], &Device::Cpu)?;
        assert_eq!(net.forward(x, None, [1, 1], &mut log)?.score, scored.score);
        let scaled = net.capture(x, Some(&half), [1, 1], &mut log, |t| t.scaled)?.unwrap();
        assert_eq!(values(&scaled)[0], values(&scored.logits)[0] * 0.5);
        assert_eq!(log.len(), 3);
        match net.capture(x, None, [1, 2], &mut log, |t| t.inner) {
            Err(Error::Odd(3)) => Ok(()),
            Err(Error::Candle(error)) => panic!("{error}"),
            other => panic!("{other:?}"),
        }
    }
}

mod in_general {
    use super::*;

    #[derive(Model)]
    pub struct Two {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Two {
        pub fn forward<'a>(&self, x: &'a Tensor, counts: &'a mut Vec<usize>) -> candle_core::Result<Tensor> {
            counts.push(x.elem_count());
            self.inner.forward(x)
        }
    }

    /// The last tap of any model, without knowing what it is.
    fn output_of<M: Model<Output = Tensor>>(model: &M, args: M::Args<'_>) -> Result<Vec<Tensor>, M::Error> {
        let last = model.sites().iter().last().unwrap();
        model.capture(args, |_| last)
    }

    #[test]
    fn code_may_be_generic_over_models() -> candle_core::Result<()> {
        let net = Two::load(builder())?;
        let mut counts = Vec::new();
        let output = output_of(&net, (&input(), &mut counts))?;
        assert_eq!(values(&output[0]), values(&net.inner.forward(&input())?));
        assert_eq!(counts, [4]);
        Ok(())
    }

    #[derive(Model)]
    #[model(no_module)]
    pub struct OwnModule {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl OwnModule {
        pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
            self.inner.forward(x)
        }
    }

    impl Module for OwnModule {
        fn forward(&self, _: &Tensor) -> candle_core::Result<Tensor> {
            candle_core::bail!("this one")
        }
    }

    fn layer<L: Layer>(layer: &L, x: &Tensor) -> candle_core::Result<Tensor> {
        layer.forward(x)
    }

    #[test]
    fn a_model_of_one_tensor_is_a_module_unless_it_says_no() -> candle_core::Result<()> {
        let own = OwnModule::load(builder())?;
        assert!(Module::forward(&own, &input()).is_err());
        assert!(own.forward(&input()).is_ok());
        #[derive(Model)]
        struct Plain {
            #[load(linear(4, 4))]
            inner: Linear,
        }
        #[forward]
        impl Plain {
            fn forward(&self, xs: &Tensor) -> candle_core::Result<Tensor> {
                self.inner.forward(xs)
            }
        }
        let plain = Plain::load(builder())?;
        assert_eq!(values(&layer(&plain, &input())?), values(&plain.forward(&input())?));
        assert_eq!(values(&input().apply(&plain)?), values(&plain.forward(&input())?));
        Ok(())
    }
}

/// A tensor and an error of another crate's name: no `Module`, but a model.
mod not_candles {
    use super::*;
    use anyhow::Result;

    #[derive(Model)]
    struct Net {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Net {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            Ok(self.inner.forward(x)?)
        }
    }

    #[test]
    fn anyhow_is_fine() -> Result<()> {
        let net = Net::load(builder())?;
        let wrong = Tensor::zeros((1, 3), DType::F32, &Device::Cpu)?;
        assert!(net.capture(&wrong, |t| t.inner).is_err());
        assert_eq!(values(&net.forward_with_taps(&input())?.0), values(&net.forward(&input())?));
        Ok(())
    }
}

/// The forward of one value of a parameter only.
mod of_one_value {
    use super::*;

    #[derive(Model)]
    struct Wide<const N: usize> {
        #[load(linear(N, N))]
        inner: Linear,
    }

    #[forward]
    impl Wide<4> {
        fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
            self.inner.forward(x)
        }
    }

    #[test]
    fn it_is_a_model_for_that_value() -> candle_core::Result<()> {
        let wide = Wide::<4>::load(builder())?;
        assert_eq!(values(&wide.capture(&input(), |t| t.inner)?), values(&wide.forward(&input())?));
        Ok(())
    }
}
