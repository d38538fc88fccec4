//! Random models against an interpreter that runs the same programs with candle alone.
//!
//! `build.rs` writes the models, as source and as data. For every one of them every output and every tap has to be the
//! interpreter's, bit for bit, under its name, and no other.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use proptest::prelude::*;
use taper::{NamedSite, SavedTaps};
use taper_tests::interpreter::{self, Value};
use taper_tests::programs::Program;

include!(concat!(env!("OUT_DIR"), "/random_models.rs"));

const CASES: u32 = 6;

/// A model under test: what is called of it, whatever its type.
#[allow(clippy::type_complexity, reason = "the types of functions, each used once")]
struct Subject<'a> {
    name: &'a str,
    program: Program,
    weights: HashMap<String, Tensor>,
    sites: Vec<NamedSite>,
    forward: &'a dyn Fn(&Tensor, &[bool]) -> Result<Tensor>,
    /// The output; the taps go to a file.
    with_taps: &'a dyn Fn(&Tensor, &[bool], &Path) -> Result<Tensor>,
    /// Reads the taps of a file, and writes them there again.
    rewrite: &'a dyn Fn(&Path) -> Result<()>,
    capture: &'a dyn Fn(&Tensor, &[bool], &[NamedSite]) -> Result<Vec<Vec<Tensor>>>,
    capture_output: &'a dyn Fn(&Tensor, &[bool]) -> Result<Tensor>,
    /// With an edit at a site: the output and every value, of a replay and of a run from the start.
    edited: &'a dyn Fn(&Tensor, &[bool], &NamedSite) -> Result<[Run; 2]>,
}

/// The output and the values of every site, or the error.
type Run = std::result::Result<Vec<Vec<Vec<u32>>>, String>;

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

fn by_name(values: &[Value]) -> BTreeMap<String, Vec<u32>> {
    values.iter().map(|value| (value.name.clone(), bits(&value.tensor))).collect()
}

/// All values of a site, in order of production.
fn of_site(values: &[Value], site: &str) -> Vec<Vec<u32>> {
    values.iter().filter(|value| value.site == site).map(|value| bits(&value.tensor)).collect()
}

/// A file that is gone in the end.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn saved(path: &Path) -> Result<BTreeMap<String, Vec<u32>>> {
    let saved = SavedTaps::load(path)?;
    let taps: BTreeMap<_, _> =
        saved.names().iter().map(|name| Ok((name.clone(), bits(saved.get(name)?)))).collect::<Result<_>>()?;
    assert_eq!(taps.len(), saved.names().len(), "a name stands for two taps: {:?}", saved.names());
    Ok(taps)
}

impl Subject<'_> {
    fn check(&self, x: &Tensor, flags: &[bool]) -> Result<()> {
        let (output, values) = interpreter::run(&self.program, &self.weights, x, flags)?;
        let (output, expected) = (bits(&output), by_name(&values));
        assert_eq!(expected.len(), values.len(), "the interpreter gives two values one name");
        assert_eq!(bits(&(self.forward)(x, flags)?), output, "forward");
        assert_eq!(bits(&(self.capture_output)(x, flags)?), output, "a capture of the output");
        let file = format!("taper-random-{}-{}", std::process::id(), self.name);
        let file = File(std::env::temp_dir().join(file));
        assert_eq!(bits(&(self.with_taps)(x, flags, &file.0)?), output, "forward_with_taps");
        assert_eq!(saved(&file.0)?, expected, "the taps");
        (self.rewrite)(&file.0)?;
        assert_eq!(saved(&file.0)?, expected, "the taps, from a file and to it again");
        self.check_captures(x, flags, &values)?;
        self.check_replays(x, flags, &values)
    }

    /// Every site on its own, which stops the run early, and all at once.
    fn check_captures(&self, x: &Tensor, flags: &[bool], values: &[Value]) -> Result<()> {
        let of_tensors = |tensors: &[Tensor]| tensors.iter().map(bits).collect::<Vec<_>>();
        for site in &self.sites {
            let captured = (self.capture)(x, flags, std::slice::from_ref(site))?;
            assert_eq!(of_tensors(&captured[0]), of_site(values, site.name()), "a capture of {site}");
        }
        let captured = (self.capture)(x, flags, &self.sites)?;
        for (site, tensors) in self.sites.iter().zip(captured) {
            assert_eq!(of_tensors(&tensors), of_site(values, site.name()), "{site} among all");
        }
        let known: Vec<_> = self.sites.iter().map(NamedSite::name).collect();
        for value in values {
            assert!(known.contains(&value.site.as_str()), "`{}` is no site", value.site);
        }
        Ok(())
    }

    /// With an edit at each site in turn, a replay gives what a run from the start does.
    fn check_replays(&self, x: &Tensor, flags: &[bool], values: &[Value]) -> Result<()> {
        // A third of the sites each time, so that all of them have their turn.
        let first = flags.iter().filter(|flag| **flag).count() % 3;
        for site in self.sites.iter().skip(first).step_by(3) {
            let [replayed, afresh] = (self.edited)(x, flags, site)?;
            assert_eq!(replayed, afresh, "an edit at {site}");
            let reached = values.iter().any(|value| value.site == site.name());
            assert_eq!(afresh.is_ok(), reached, "an edit at {site}: {afresh:?}");
        }
        Ok(())
    }

    fn check_random(&self) {
        let cases = (prop::collection::vec(any::<bool>(), 48), prop::array::uniform8(-2f32..2.));
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let result = runner.run(&cases, |(flags, x)| {
            let x = Tensor::from_slice(&x, (2, 4), &Device::Cpu).unwrap();
            self.check(&x, &flags).unwrap();
            Ok(())
        });
        if let Err(error) = result {
            panic!("{}: {error}", self.name);
        }
    }
}

fn weights(vars: &VarMap) -> HashMap<String, Tensor> {
    let data = vars.data().lock().unwrap();
    data.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect()
}

macro_rules! tests {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            use $name::{M0, M0Taps, program};
            use taper_tests::interpreter::Flags;
            let vars = VarMap::new();
            let model = M0::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu)).unwrap();
            Subject {
                name: stringify!($name),
                program: program(),
                weights: weights(&vars),
                sites: model.sites().iter().collect(),
                forward: &|x, flags| model.forward(x, &Flags::new(flags)),
                with_taps: &|x, flags, path| {
                    let (output, taps) = model.forward_with_taps(x, &Flags::new(flags))?;
                    taps.save(path)?;
                    Ok(output)
                },
                rewrite: &|path| M0Taps::load(&model, path)?.save(path),
                capture: &|x, flags, sites| model.capture(x, &Flags::new(flags), |_| sites.to_vec()),
                capture_output: &|x, flags| model.capture(x, &Flags::new(flags), |t| t.output),
                edited: &|x, flags, site| {
                    let all: Vec<NamedSite> = model.sites().iter().collect();
                    let place = all.iter().position(|named| named.name() == site.name()).unwrap();
                    // The recorded run has a change too, wherever it falls.
                    let other = all[(place * 7 + 3) % all.len()].clone();
                    let changed = || model.run().edit(|_| other.clone(), |v| v.affine(-0.5, 0.125)).if_reached();
                    let recording = model.run().record(x, &Flags::new(flags))?;
                    let of_changed = changed().record(x, &Flags::new(flags))?;
                    let again = recording.replay().edit(|_| other.clone(), |v| v.affine(-0.5, 0.125)).if_reached();
                    let of_replay = again.record(x, &Flags::new(flags))?;
                    let values = |run: taper::Run<'_, '_, M0>| {
                        let run = run.edit(|_| site.clone(), |v| v.affine(1.5, -0.25));
                        let values = run.capture(x, &Flags::new(flags), |_| all.clone());
                        values
                            .map(|v| v.iter().map(|v| v.iter().map(bits).collect()).collect())
                            .map_err(|e| e.to_string())
                    };
                    // A capture of one site stops where it is known.
                    let early = |run: taper::Run<'_, '_, M0>| {
                        let run = run.edit(|_| site.clone(), |v| v.affine(1.5, -0.25));
                        run.capture(x, &Flags::new(flags), |_| other.clone()).ok()
                    };
                    if let (Some(replayed), Some(afresh)) = (early(recording.replay()), early(model.run())) {
                        let bits_of = |values: &[Tensor]| values.iter().map(bits).collect::<Vec<_>>();
                        assert_eq!(bits_of(&replayed), bits_of(&afresh), "{other} alone, with an edit at {site}");
                    }
                    let expected = values(changed());
                    assert_eq!(values(of_changed.replay()), expected, "an edit at {other} was recorded");
                    assert_eq!(values(of_replay.replay()), expected, "an edit at {other} was replayed and recorded");
                    Ok([values(recording.replay()), values(model.run())])
                },
            }
            .check_random();
        }
    )*};
}
each_random_model!(tests);
