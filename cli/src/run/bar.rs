//! How far a run is, if it takes long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What a run takes that nobody waits for.
const SHORT: Duration = Duration::from_millis(500);

/// A bar on the standard error, which is drawn where that is a terminal, and once a run is long.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("running {wide_bar} {pos} of {len} nodes, {eta} left");
        Bar(style.map_or(bar.clone(), |style| bar.with_style(style)))
    }

    /// What a run tells its progress.
    pub(super) fn report(&self) -> impl Fn(usize, usize) + Send + Sync + 'static {
        let (bar, start) = (self.0.clone(), Instant::now());
        let shown = std::sync::Once::new();
        move |done, all| {
            if start.elapsed() > SHORT {
                shown.call_once(|| bar.set_draw_target(ProgressDrawTarget::stderr()));
            }
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        }
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
