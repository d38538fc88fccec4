//! A saved model as one of taper's.

use candle_core::{Error, Tensor};
use taper::__private::{At, Builder, Runnable, Runner as Runs, Stateless, Tapped};
use taper::{Input, Model, Seen};

use super::sites::{Building, Sites, Taps};
use crate::inputs::Inputs;
use crate::model::SavedModel;

impl Tapped for SavedModel {
    type Taps = Taps;
    type Sites = Sites;

    fn __taper_sites(&self, b: &mut Builder) -> Sites {
        let scope = b.begin(std::any::type_name::<SavedModel>());
        b.identify(self.identity);
        b.data(|| {
            let weights: Vec<&Tensor> = self.graph.variables.iter().map(|variable| &variable.value).collect();
            weights.see()
        });
        let mut building = Building::new(self);
        building.region(None, "", b);
        let output = b.with("output", Builder::site::<Vec<Tensor>>);
        b.end(scope);
        building.finish(output)
    }
}

impl Stateless<'_> for SavedModel {}

/// What a run of a saved model holds; its functions are those of [`Run`](crate::Run).
#[derive(Debug)]
pub struct Runner<S>(S);

impl<S> Runs<S> for Runner<S> {
    fn of(setup: S) -> Self {
        Runner(setup)
    }

    fn setup(&self) -> &S {
        &self.0
    }

    fn setup_mut(&mut self) -> &mut S {
        &mut self.0
    }

    fn into_setup(self) -> S {
        self.0
    }
}

impl Runnable for SavedModel {
    type Runner<S> = Runner<S>;
}

impl Model for SavedModel {
    type Args<'a> = (&'a Inputs,);
    type Output = Vec<Tensor>;
    type Error = Error;

    fn __taper_call(&self, (inputs,): Self::Args<'_>, at: At<'_, '_, '_, Sites>) -> Result<Vec<Tensor>, Error> {
        self.execute(inputs, at)
    }

    fn __taper_plain(&self, (inputs,): Self::Args<'_>) -> Result<Vec<Tensor>, Error> {
        self.run().taper().on((inputs,)).forward()
    }

    fn __taper_seen((inputs,): &Self::Args<'_>) -> Vec<(&'static str, Seen)> {
        vec![("inputs", inputs.values.see())]
    }
}
