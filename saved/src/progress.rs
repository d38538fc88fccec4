//! Who is told how far a run is.

use std::fmt;
use std::sync::Arc;

type Report = Arc<dyn Fn(usize, usize) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Progress(Option<Report>);

impl Progress {
    pub(crate) fn of(report: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        Progress(Some(Arc::new(report)))
    }

    pub(crate) fn report(&self, done: usize, all: usize) {
        if let Some(report) = &self.0 {
            report(done, all);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "reported" } else { "not reported" })
    }
}
