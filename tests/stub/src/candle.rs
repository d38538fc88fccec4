//! The part of candle that the cases are written with.

use std::marker::PhantomData;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub enum Error {
    Msg(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Error::Msg(message) = self;
        f.write_str(message)
    }
}

impl std::error::Error for Error {}

#[derive(Clone, Debug)]
pub struct Tensor;

impl Tensor {
    pub fn relu(&self) -> Result<Tensor> {
        Ok(Tensor)
    }

    pub fn apply<M: Module>(&self, module: &M) -> Result<Tensor> {
        module.forward(self)
    }

    pub fn apply_t<M: ModuleT>(&self, module: &M, train: bool) -> Result<Tensor> {
        module.forward_t(self, train)
    }
}

pub trait Module {
    fn forward(&self, x: &Tensor) -> Result<Tensor>;
}

pub trait ModuleT {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor>;
}

impl<M: Module> ModuleT for M {
    fn forward_t(&self, x: &Tensor, _train: bool) -> Result<Tensor> {
        self.forward(x)
    }
}

impl<M: Module> Module for Option<&M> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.map_or(Ok(Tensor), |module| module.forward(x))
    }
}

#[derive(Clone, Debug)]
pub struct Linear;

impl Linear {
    pub fn weight(&self) -> &Tensor {
        &Tensor
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }
}

#[derive(Clone)]
pub struct VarBuilder<'a>(PhantomData<&'a ()>);

impl VarBuilder<'_> {
    pub fn pp(&self, _name: impl ToString) -> Self {
        self.clone()
    }

    pub fn get(&self, _shape: usize, _name: &str) -> Result<Tensor> {
        Ok(Tensor)
    }
}

pub fn linear(_takes: usize, _gives: usize, _vb: VarBuilder<'_>) -> Result<Linear> {
    Ok(Linear)
}
