//! What a capture holds when it is done: what was asked for, and nothing else of the run.
#![allow(unsafe_code, reason = "a counting allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, Selection, forward};

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The tests count everything that is alive, so that only one may run.
static ALONE: Mutex<()> = Mutex::new(());

const WIDTH: usize = 256;
const ROWS: usize = 64;
/// One value of the stream.
const VALUE: isize = (WIDTH * ROWS * 4) as isize;
/// What bookkeeping may take.
const SMALL: isize = 8 * 1024;

#[derive(Model)]
pub struct Net {
    #[load(each(6, |_| linear(WIDTH, WIDTH)))]
    pub layers: Vec<Linear>,
    #[load(linear(WIDTH, 2))]
    pub head: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward(&x)?;
            #[tap]
            let act = x.relu()?;
            x = act;
        }
        self.head.forward(&x)
    }
}

/// How many bytes more are alive while the result of `run` is.
fn held<T>(run: impl Fn(&Net, &Tensor) -> Result<T>) -> Result<isize> {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let vars = VarMap::new();
    let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let x = Tensor::randn(0f32, 1., (ROWS, WIDTH), &Device::Cpu)?;
    let once = || {
        let before = LIVE.load(Ordering::SeqCst);
        let kept = run(&net, &x)?;
        let held = LIVE.load(Ordering::SeqCst) - before;
        drop(kept);
        Ok(held)
    };
    // Threads of the kernels get their buffers when they are first used: only what every run holds is its own.
    (0..6).map(|_| once()).try_fold(isize::MAX, |least, held: Result<isize>| Ok(least.min(held?)))
}

#[track_caller]
fn assert_held(held: isize, expected: isize) {
    assert!((expected..expected + SMALL).contains(&held), "{held} bytes are held, {expected} were asked for");
}

#[test]
fn the_count_sees_a_whole_run() -> Result<()> {
    let all = held(|net, x| net.forward_with_taps(x))?;
    assert!(all > 12 * VALUE, "{all}");
    // Attached, a value holds the graph that it comes from.
    let attached = held(|net, x| net.capture_attached(x, |t| t.head))?;
    assert!(attached > 6 * VALUE, "{attached}");
    Ok(())
}

#[test]
fn a_capture_holds_what_it_captured() -> Result<()> {
    assert_held(held(|net, x| net.capture(x, |t| t.head))?, (ROWS * 2 * 4) as isize);
    assert_held(held(|net, x| net.capture(x, |t| t.layers[5]))?, VALUE);
    assert_held(held(|net, x| net.capture(x, |t| (t.layers[0], t.act.at(3))))?, 2 * VALUE);
    assert_held(held(|net, x| net.capture(x, |t| (t.layers[0], t.layers[0])))?, VALUE);
    Ok(())
}

#[test]
fn a_reduced_value_holds_only_itself() -> Result<()> {
    assert_held(held(|net, x| net.capture(x, |t| t.layers[3].map(|x| x.mean_all())))?, 0);
    assert_held(held(|net, x| net.capture(x, |t| t.layers.each(|l| l.map(|x| x.mean_all()))))?, 0);
    // A view of one row.
    assert_held(held(|net, x| net.capture(x, |t| t.layers[3].map(|x| x.narrow(0, 5, 1))))?, (WIDTH * 4) as isize);
    assert_held(
        held(|net, x| net.capture(x, |t| t.act.each(|a| a.map(|x| x.narrow(0, 5, 1)))))?,
        (6 * WIDTH * 4) as isize,
    );
    // Several views at once, in a value of a known type.
    let pair = |x: &Tensor| Ok((x.narrow(0, 0, 1)?, x.narrow(0, 9, 1)?));
    assert_held(held(|net, x| net.capture(x, |t| t.layers[3].map(pair)))?, (2 * WIDTH * 4) as isize);
    Ok(())
}

#[test]
fn a_function_of_several_values_holds_only_what_it_returns() -> Result<()> {
    let row = held(|net, x| net.capture(x, |t| (t.layers[1], t.layers[2]).map(|(_, b)| b.narrow(0, 5, 1))))?;
    assert_held(row, (WIDTH * 4) as isize);
    let mean = held(|net, x| net.capture(x, |t| (t.layers[1], t.layers[2]).map(|(a, b)| (a + b)?.mean_all())))?;
    assert_held(mean, 0);
    Ok(())
}

/// So small that the kernels start no threads.
#[derive(Model)]
pub struct Small {
    #[load(each(6, |_| linear(8, 8)))]
    pub layers: Vec<Linear>,
}

#[forward]
impl Small {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            #[tap]
            let act = layer.forward(&x)?.relu()?;
            x = act;
        }
        Ok(x)
    }
}

#[test]
fn runs_leave_nothing_behind() -> Result<()> {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let vars = VarMap::new();
    let net = Small::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    let x = Tensor::randn(0f32, 1., (2, 8), &Device::Cpu)?;
    let known = Tensor::zeros((2, 8), DType::F32, &Device::Cpu)?;
    let edited = net.run().edit(|t| t.layers[2], |x| x * 2.).replace(|t| t.layers[4], &known);
    let failing = net.run().edit(|t| t.layers[2], |x| x.reshape((3, 5)));
    let recording = net.run().record(&x)?;
    let replay = recording.replay().edit(|t| t.act.at(3), |x| x * 2.);
    let loss = net.run().loss(|t| t.output, |y| y.sqr()?.sum_all());
    let other = net.run().edit(|t| t.layers[0], |x| x * 2.).record(&x)?;
    let once = || -> Result<()> {
        edited.forward(&x)?;
        edited.forward_with_taps(&x)?;
        edited.capture(&x, |t| t.layers[3].map(|x| x.mean_all()))?;
        assert!(failing.forward(&x).is_err());
        replay.forward(&x)?;
        replay.record(&x)?;
        net.run()
            .edit(|t| t.layers[1], |x| x * 0.5)
            .record(&x)?
            .replay()
            .replace(|t| t.layers[3], &known)
            .forward(&x)?;
        recording.replay().start_at(|t| t.layers[5], &known).forward(&x)?;
        recording.sweep(&other, |t| t.layers[5]).measure(&x, |y| y.sum_all())?;
        loss.gradients(&x, |t| t.layers.each(|l| l))?;
        Ok(())
    };
    let live_after = |runs: usize| -> Result<isize> {
        (0..runs).try_for_each(|_| once())?;
        Ok(LIVE.load(Ordering::SeqCst))
    };
    let few = live_after(10)?;
    let many = live_after(1000)?;
    assert_eq!(few, many, "bytes are alive after 10 runs, and after 1,000 more");
    Ok(())
}
