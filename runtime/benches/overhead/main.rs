//! What looking inside costs: a derived transformer against the same one written by hand, side by side in one run.
//!
//! `cargo bench -p taper --bench overhead` prints lines `ratio NAME VALUE`. With `--count WORKLOAD --width W --times N`
//! it runs one workload and nothing else, for `tools/instructions.sh`, which counts instructions.

mod allocator;
mod derived;
mod handwritten;
#[path = "../timing/mod.rs"]
mod timing;

use std::env;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taper::candle_core::{DType, Device, Error, Result, Tensor};
use taper::candle_nn::{VarBuilder, VarMap};

use allocator::LIVE;
use timing::{THREADS, again, clock, keep_memory, median};

/// Sizes of a model and of its input.
pub(crate) struct Config {
    width: usize,
    layers: usize,
    tokens: usize,
}

impl Config {
    fn of_width(width: usize) -> Self {
        let layers = if width >= 256 { 12 } else { 4 };
        Config { width, layers, tokens: 64 }
    }
}

/// The same model twice, with one set of weights, and an input for it.
struct Bench {
    config: Config,
    derived: derived::Net,
    handwritten: handwritten::Net,
    x: Tensor,
}

impl Bench {
    /// `trained`: with weights that are variables, so that every pass builds an autograd graph.
    fn new(config: Config, trained: bool) -> Result<Self> {
        let vars = VarMap::new();
        let mut derived = derived::Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
        // How long an activation takes depends on the value: no random ones.
        for var in vars.data().lock().expect("nobody panicked").values() {
            let values = (0..var.elem_count()).map(|i| (i as f32 * 1.3).sin() * 0.1).collect();
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?;
        }
        let weights = || vars.data().lock().expect("nobody panicked").clone();
        let plain = || weights().into_iter().map(|(name, var)| (name, var.as_detached_tensor())).collect();
        let vb = || VarBuilder::from_tensors(plain(), DType::F32, &Device::Cpu);
        if !trained {
            derived = derived::Net::load(vb(), &config)?;
        }
        let handwritten = handwritten::Net::load(vb(), &config)?;
        let len = config.tokens;
        let values = (0..len * config.width).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Tensor::from_vec(values, (1, len, config.width), &Device::Cpu)?;
        Ok(Bench { config, derived, handwritten, x })
    }

    /// What `tools/instructions.sh` counts.
    #[inline(never)]
    fn run(&self, workload: Workload) -> Result<()> {
        let Bench { derived, x, .. } = self;
        match workload {
            Workload::Handwritten => drop(self.handwritten.forward(x)?),
            Workload::Derived => drop(derived.forward(x)?),
            Workload::Taps => drop(derived.forward_with_taps(x)?),
            Workload::Quarter => {
                let block = self.config.layers / 4 - 1;
                drop(derived.capture(x, |t| t.blocks[block].output)?);
            }
        }
        Ok(())
    }

    /// Both models and all ways to run one give the same output.
    fn check(&self) -> Result<()> {
        let Bench { derived, handwritten, x, .. } = self;
        let bits = |y: &Tensor| y.flatten_all()?.to_vec1::<f32>();
        let expected = bits(&handwritten.forward(x)?)?;
        let (with_taps, _) = derived.forward_with_taps(x)?;
        let captured = derived.capture(x, |t| t.output)?;
        for y in [derived.forward(x)?, with_taps, captured] {
            assert_eq!(bits(&y)?, expected, "the models differ");
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Workload {
    Handwritten,
    Derived,
    Taps,
    Quarter,
}

const WORKLOADS: [(&str, Workload); 4] = [
    ("handwritten", Workload::Handwritten),
    ("derived", Workload::Derived),
    ("taps", Workload::Taps),
    ("capture-quarter", Workload::Quarter),
];

/// Prints what each workload takes against the same forward: medians over the rounds, in each of which every workload
/// has its turn.
fn time(width: usize, rounds: usize, times: u32, suffix: &str) -> Result<()> {
    let bench = Bench::new(Config::of_width(width), false)?;
    bench.check()?;
    let mut taken = [const { Vec::<Duration>::new() }; WORKLOADS.len()];
    for round in 0..rounds {
        for turn in 0..WORKLOADS.len() {
            // No workload always follows the same other one, whose leavings are in the caches.
            let at = (if round % 2 == 0 { turn } else { WORKLOADS.len() - 1 - turn } + round / 2) % WORKLOADS.len();
            let start = clock();
            for _ in 0..times {
                bench.run(WORKLOADS[at].1)?;
            }
            taken[at].push((clock() - start) / times);
        }
    }
    for ((name, _), taken) in WORKLOADS.iter().zip(&taken) {
        let micros = median(taken.iter().map(Duration::as_secs_f64)) * 1e6;
        println!("# {name}@{width}{suffix}: {micros:.0} µs");
    }
    let [handwritten, derived, taps, quarter] = &taken;
    let ratio = |name: &str, of: &[Duration], to: &[Duration]| {
        let each = of.iter().zip(to).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64());
        println!("ratio {name}{}{suffix} {:.4}", at(width), median(each));
    };
    ratio("derived/handwritten", derived, handwritten);
    ratio("taps/forward", taps, derived);
    ratio("capture-quarter/forward", quarter, derived);
    Ok(())
}

/// The width in the name of a ratio; the wide model's have none.
fn at(width: usize) -> String {
    if width == 256 { String::new() } else { format!("@{width}") }
}

/// Prints the bytes that a capture of one tap keeps alive against those of a capture of all taps.
fn held(width: usize) -> Result<()> {
    let bench = Bench::new(Config::of_width(width), true)?;
    let Bench { config, derived, x, .. } = &bench;
    // Once, for what is allocated only once.
    drop(derived.capture(x, |t| t)?);
    let before = LIVE.load(Ordering::Relaxed);
    let one = derived.capture(x, |t| t.blocks[config.layers - 1].act)?;
    let held_by_one = LIVE.load(Ordering::Relaxed) - before;
    let expected_one = one.elem_count() * 4;
    drop(one);
    let before = LIVE.load(Ordering::Relaxed);
    let all = derived.capture(x, |t| t)?;
    let held_by_all = LIVE.load(Ordering::Relaxed) - before;
    // The stream's width times: `up` and `act` 8, `norm`, `down` and `output` 3. The model's output is its last block's.
    let Config { width, layers, tokens } = config;
    let expected_all = layers * tokens * width * (8 + 3) * 4;
    drop(all);
    println!("# held by one tap: {held_by_one} bytes, its own {expected_one}");
    println!("# held by all taps: {held_by_all} bytes, their own {expected_all}");
    println!("ratio held-one-tap/held-all-taps {:.5}", held_by_one as f64 / held_by_all as f64);
    println!("ratio held-one-tap/held-all-taps-expected {:.5}", expected_one as f64 / expected_all as f64);
    Ok(())
}

/// What the command line asks for: a workload, the width and how often.
fn counted(args: &[String]) -> Result<Option<(Workload, usize, usize)>> {
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let Some(asked) = value("--count") else { return Ok(None) };
    let number = |name: &str, otherwise: usize| match value(name) {
        Some(number) => number.parse().map_err(Error::wrap),
        None => Ok(otherwise),
    };
    match WORKLOADS.iter().find(|(name, _)| name == asked) {
        Some((_, workload)) => Ok(Some((*workload, number("--width", 32)?, number("--times", 1)?))),
        None => Err(Error::Msg(format!("no workload `{asked}`: there are {}", WORKLOADS.map(|(n, _)| n).join(", ")))),
    }
}

/// Prints the lines `-memory-returned`, which show what memory costs that is asked for anew.
const RETURNED: &str = "--memory-returned";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    if env::var_os(THREADS).is_none_or(|threads| threads != "1") {
        return again(&args, &[]);
    }
    // On the pool's one thread, where candle's parallel loops run at once: from another they are handed over, and the
    // pool's thread looks for work for a while before it sleeps, which counts as work too.
    rayon::scope(|_| measure(&args))
}

fn measure(args: &[String]) -> Result<()> {
    if let Some((workload, width, times)) = counted(args)? {
        let bench = Bench::new(Config::of_width(width), false)?;
        for _ in 0..times {
            bench.run(workload)?;
        }
        return Ok(());
    }
    if args.iter().any(|arg| arg == RETURNED) {
        return time(256, 61, 1, "-memory-returned");
    }
    keep_memory();
    time(256, 61, 1, "")?;
    time(32, 201, 10, "")?;
    held(256)?;
    again(&[RETURNED.to_owned()], &[("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")])
}
