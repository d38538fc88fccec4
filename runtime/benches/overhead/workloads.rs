//! What is timed and counted.

use taper::candle_core::{Result, Tensor, Var};
use taper::{Recording, Targets};

use super::derived::{Net, NetSites};
use super::{Bench, bits};

/// A thing to do, by name.
pub(crate) struct Workload<'b> {
    pub(crate) name: &'static str,
    work: Box<dyn Fn() -> Result<()> + 'b>,
}

impl Workload<'_> {
    /// What `tools/instructions.sh` counts: everything that happens in here.
    #[inline(never)]
    pub(crate) fn counted(&self) -> Result<()> {
        (self.work)()
    }
}

fn workload<'b, T>(name: &'static str, work: impl Fn() -> Result<T> + 'b) -> Workload<'b> {
    Workload { name, work: Box::new(move || work().map(drop)) }
}

/// The model without changes.
pub(crate) fn plain(bench: &Bench) -> Vec<Workload<'_>> {
    let Bench { derived, handwritten, x, .. } = bench;
    let quarter = bench.config.before(1);
    vec![
        workload("handwritten", || handwritten.forward(x)),
        workload("kept-by-hand", || handwritten.forward_kept(x)),
        workload("derived", || derived.forward(x)),
        workload("taps", || derived.forward_with_taps(x)),
        workload("capture-quarter", move || derived.capture(x, |t| t.blocks[quarter].output)),
    ]
}

/// Runs of one model on two inputs, and what is made of them. Building a run is part of what is timed.
pub(crate) struct Runs<'b> {
    bench: &'b Bench,
    recording: Recording<'b, 'b, Net>,
    source: Recording<'b, 'b, Net>,
    outputs: Vec<Tensor>,
    var: Var,
}

impl<'b> Runs<'b> {
    pub(crate) fn new(bench: &'b Bench) -> Result<Self> {
        let Bench { derived, x, .. } = bench;
        let recording = derived.run().record(x)?;
        let source = derived.run().record(&x.affine(0.5, 0.1)?)?;
        let outputs = source.values(|t| t.blocks.each(|b| b.output))?;
        Ok(Runs { bench, recording, source, outputs, var: Var::from_tensor(x)? })
    }

    /// Runs with changes, and the model without.
    pub(crate) fn changed(&self) -> Vec<Workload<'_>> {
        let Bench { derived, x, config, .. } = self.bench;
        let [quarter, three_quarters] = [1, 3].map(|quarters| config.before(quarters));
        vec![
            workload("derived", || derived.forward(x)),
            workload("kept-by-hand", || self.bench.handwritten.forward_kept(x)),
            workload("identity-edit", || self.edited()),
            workload("record", || derived.run().record(x)),
            workload("replay-at-quarter", move || self.replayed(quarter)),
            workload("replay-at-three-quarters", move || self.replayed(three_quarters)),
        ]
    }

    /// Activation patching of every block's output, by a sweep and one run after the other. The sweep makes the recording
    /// that it starts from; both have the values that are put in beforehand.
    pub(crate) fn sweeps(&self) -> Vec<Workload<'_>> {
        vec![workload("sweep", || self.swept()), workload("naive", || self.patched_one_by_one())]
    }

    /// Gradients with respect to every block's output, and candle's own from the end to the input. The input is a variable
    /// for both, so that all of the model is on the autograd graph of both.
    pub(crate) fn differentiated(&self) -> Vec<Workload<'_>> {
        vec![workload("gradients", || self.gradients()), workload("backward", || self.backward())]
    }

    fn edited(&self) -> Result<Tensor> {
        let Bench { derived, x, .. } = self.bench;
        derived.run().edit(|t| t.blocks.each(|b| b.output), |value| Ok(value.clone())).forward(x)
    }

    fn replayed(&self, block: usize) -> Result<Tensor> {
        self.recording.replay().replace(|t| t.blocks[block].output, &self.outputs[block]).forward(&self.bench.x)
    }

    fn swept(&self) -> Result<Vec<f64>> {
        let Bench { derived, x, .. } = self.bench;
        let recording = derived.run().record(x)?;
        recording.sweep(&self.source, outputs).measure(x, metric)?.values().to_vec1()
    }

    fn patched_one_by_one(&self) -> Result<Vec<f64>> {
        let Bench { derived, x, .. } = self.bench;
        let patched = self.outputs.iter().enumerate().map(|(block, output)| {
            let run = derived.run().edit(|t| t.blocks[block].output, |_| Ok(output.clone()));
            Ok(f64::from(metric(&run.forward(x)?)?.to_scalar::<f32>()?))
        });
        patched.collect()
    }

    fn gradients(&self) -> Result<Tensor> {
        let run = self.bench.derived.run().loss(|t| t.output, metric);
        Ok(run.gradients(&self.var, outputs)?.loss)
    }

    fn backward(&self) -> Result<Tensor> {
        let loss = metric(&self.bench.handwritten.forward_composed(&self.var)?)?;
        drop(loss.backward()?);
        Ok(loss)
    }

    /// Every way to compute something gives the same.
    pub(crate) fn check(&self) -> Result<()> {
        let Bench { derived, x, config, .. } = self.bench;
        let expected = bits(&derived.forward(x)?)?;
        assert_eq!(bits(&self.edited()?)?, expected, "the edit changes something");
        assert_eq!(bits(&self.recording.values(|t| t.output)?)?, expected, "the recording differs");
        for block in [1, 3].map(|quarters| config.before(quarters)) {
            let patched = derived.run().edit(|t| t.blocks[block].output, |_| Ok(self.outputs[block].clone()));
            let patched = bits(&patched.forward(x)?)?;
            assert_eq!(bits(&self.replayed(block)?)?, patched, "the replay differs");
            assert_ne!(patched, expected, "the replacement changes nothing");
        }
        assert_eq!(self.swept()?, self.patched_one_by_one()?, "the sweep differs");
        let [ours, theirs] = [self.gradients()?, self.backward()?].map(|loss| loss.to_scalar::<f32>());
        let (ours, theirs) = (ours?, theirs?);
        assert!((ours - theirs).abs() <= 1e-4 * theirs.abs(), "the losses differ: {ours} and {theirs}");
        Ok(())
    }
}

/// Every block's output.
fn outputs(t: NetSites) -> impl Targets<Item = Tensor, Value = Vec<Tensor>> {
    t.blocks.each(|b| b.output)
}

fn metric(y: &Tensor) -> Result<Tensor> {
    y.sqr()?.mean_all()
}
