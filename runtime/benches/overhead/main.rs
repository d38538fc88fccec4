//! What looking inside costs: a derived transformer against the same one written by hand, side by side in one run.
//!
//! `cargo bench -p taper --bench overhead` prints lines `ratio NAME VALUE`. With `--count WORKLOAD --width W --times N`
//! it runs one workload and nothing else, for `tools/instructions.sh`, which counts instructions.

mod allocator;
mod derived;
mod handwritten;
#[path = "../timing/mod.rs"]
mod timing;
mod workloads;

use std::env;
use std::sync::atomic::Ordering;
use std::time::Duration;

use taper::candle_core::{DType, Device, Error, Result, Tensor};
use taper::candle_nn::{VarBuilder, VarMap};

use allocator::LIVE;
use timing::{THREADS, again, clock, keep_memory, median};
use workloads::{Runs, Workload, plain};

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

    /// The last block before so many quarters of the depth.
    fn before(&self, quarters: usize) -> usize {
        self.layers * quarters / 4 - 1
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

    /// Both models and all ways to run one give the same output.
    fn check(&self) -> Result<()> {
        let Bench { derived, handwritten, x, .. } = self;
        let expected = bits(&handwritten.forward(x)?)?;
        let (with_taps, _) = derived.forward_with_taps(x)?;
        let captured = derived.capture(x, |t| t.output)?;
        for y in [derived.forward(x)?, with_taps, captured] {
            assert_eq!(bits(&y)?, expected, "the models differ");
        }
        Ok(())
    }
}

fn bits(y: &Tensor) -> Result<Vec<u32>> {
    Ok(y.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
}

/// How long to measure, and what the names of the ratios end in.
#[derive(Clone, Copy)]
struct Rounds {
    rounds: usize,
    /// How often each workload runs in its turn.
    times: u32,
    suffix: &'static str,
}

/// Prints what workloads take, and the ratios of some: medians over the rounds, in each of which every workload has its
/// turn.
fn time(width: usize, of: Rounds, workloads: &[Workload<'_>], ratios: &[[&str; 2]]) -> Result<()> {
    let Rounds { rounds, times, suffix } = of;
    let count = workloads.len();
    let mut taken = vec![Vec::<Duration>::new(); count];
    for round in 0..rounds {
        for turn in 0..count {
            // No workload always follows the same other one, whose leavings are in the caches.
            let at = (if round % 2 == 0 { turn } else { count - 1 - turn } + round / 2) % count;
            let start = clock();
            for _ in 0..times {
                workloads[at].counted()?;
            }
            taken[at].push((clock() - start) / times);
        }
    }
    for (Workload { name, .. }, taken) in workloads.iter().zip(&taken) {
        let micros = median(taken.iter().map(Duration::as_secs_f64)) * 1e6;
        println!("# {name}@{width}{suffix}: {micros:.0} µs");
    }
    let place = |name| workloads.iter().position(|workload| workload.name == name).expect("a workload of that name");
    for &[of, to] in ratios {
        let each = taken[place(of)].iter().zip(&taken[place(to)]).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64());
        let to = if to == "derived" && of != "handwritten" { "forward" } else { to };
        println!("ratio {of}/{to}{}{suffix} {:.4}", at(width), median(each));
    }
    Ok(())
}

/// What looking inside costs.
fn time_plain(width: usize, of: Rounds) -> Result<()> {
    let bench = Bench::new(Config::of_width(width), false)?;
    bench.check()?;
    let ratios =
        [["derived", "handwritten"], ["taps", "derived"], ["taps", "kept-by-hand"], ["capture-quarter", "derived"]];
    time(width, of, &plain(&bench), &ratios)
}

/// The ratios of runs with changes.
const CHANGED: [[&str; 2]; 5] = [
    ["identity-edit", "derived"],
    ["record", "derived"],
    ["record", "kept-by-hand"],
    ["replay-at-quarter", "derived"],
    ["replay-at-three-quarters", "derived"],
];

/// What changing, recording and differentiating cost, and what replays save.
fn time_runs(width: usize, of: Rounds) -> Result<()> {
    let bench = Bench::new(Config::of_width(width), false)?;
    let runs = Runs::new(&bench)?;
    runs.check()?;
    time(width, of, &runs.changed(), &CHANGED)?;
    time(width, of, &runs.differentiated(), &[["gradients", "backward"]])?;
    // Each is some dozen runs.
    time(width, Rounds { rounds: of.rounds / 3, ..of }, &runs.sweeps(), &[["sweep", "naive"]])
}

/// The same where the weights are variables: a replay makes sure that nobody has set one since.
fn time_variables(width: usize, of: Rounds) -> Result<()> {
    let bench = Bench::new(Config::of_width(width), true)?;
    let runs = Runs::new(&bench)?;
    let ratios = CHANGED.into_iter().filter(|[_, to]| *to == "derived").collect::<Vec<_>>();
    time(width, of, &runs.changed(), &ratios)
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

/// What the command line asks to be run so that its instructions can be counted: a workload, the width and how often.
fn count(args: &[String]) -> Result<bool> {
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let Some(asked) = value("--count") else { return Ok(false) };
    let number = |name: &str, otherwise: usize| match value(name) {
        Some(number) => number.parse().map_err(Error::wrap),
        None => Ok(otherwise),
    };
    let bench = Bench::new(Config::of_width(number("--width", 32)?), false)?;
    let runs = Runs::new(&bench)?;
    let workloads = [plain(&bench), runs.changed(), runs.sweeps(), runs.differentiated()];
    let mut named = workloads.iter().flatten().filter(|workload| workload.name == asked);
    let Some(workload) = named.next() else { return Err(Error::Msg(format!("no workload `{asked}`"))) };
    for _ in 0..number("--times", 1)? {
        workload.counted()?;
    }
    Ok(true)
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
    if count(args)? {
        return Ok(());
    }
    let wide = Rounds { rounds: 61, times: 1, suffix: "" };
    if args.iter().any(|arg| arg == RETURNED) {
        return time_plain(256, Rounds { suffix: "-memory-returned", ..wide });
    }
    keep_memory();
    time_plain(256, wide)?;
    time_runs(256, wide)?;
    time_variables(256, Rounds { suffix: "-variables", ..wide })?;
    let narrow = Rounds { rounds: 201, times: 10, suffix: "" };
    time_plain(32, narrow)?;
    time_runs(32, narrow)?;
    held(256)?;
    again(&[RETURNED.to_owned()], &[("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")])
}
