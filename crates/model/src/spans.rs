//! Where the time of a step goes: kept only while a benchmark asks, by one process-wide ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The kinds of work that are told apart. None contains another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Work {
    /// Products of matrices that use all threads: frozen weights, adapters, the LM head.
    Products,
    /// Attention, its own small products included.
    Attention,
    /// RMS norms of whole rows.
    Norms,
    /// Norm and rotation of queries and keys.
    Rotation,
    /// The gated activation.
    Activation,
    /// Softmax and its gradient over the vocabulary.
    Softmax,
    /// Stored weights expanded to f32.
    Expansion,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Products,
        Self::Attention,
        Self::Norms,
        Self::Rotation,
        Self::Activation,
        Self::Softmax,
        Self::Expansion,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Attention => "attention",
            Self::Norms => "norms",
            Self::Rotation => "rotation",
            Self::Activation => "activation",
            Self::Softmax => "softmax",
            Self::Expansion => "expansion",
        }
    }
}

/// What one watched stretch of work took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// Wall time of the whole stretch, seconds.
    pub seconds: f64,
    /// Wall time by kind, in the order of [`Work::ALL`], seconds; what is missing to `seconds` is everything else.
    pub by_work: [f64; Work::ALL.len()],
    /// Multiplications and additions inside [`Work::Products`].
    pub product_flops: f64,
}

impl Profile {
    /// Wall time of one kind of work, seconds.
    pub fn of(&self, work: Work) -> f64 {
        self.by_work[work as usize]
    }
}

static WATCHED: AtomicBool = AtomicBool::new(false);
static NANOSECONDS: [AtomicU64; Work::ALL.len()] = [const { AtomicU64::new(0) }; Work::ALL.len()];
static FLOPS: AtomicU64 = AtomicU64::new(0);

/// Does `work` and tells where its time went. Not to be nested, nor used from two threads at once: the ledger is one.
pub fn watch<T>(work: impl FnOnce() -> T) -> (T, Profile) {
    NANOSECONDS.iter().chain([&FLOPS]).for_each(|total| total.store(0, Relaxed));
    WATCHED.store(true, Relaxed);
    let begun = Instant::now();
    let value = work();
    let seconds = begun.elapsed().as_secs_f64();
    WATCHED.store(false, Relaxed);
    let by_work = std::array::from_fn(|kind| Duration::from_nanos(NANOSECONDS[kind].load(Relaxed)).as_secs_f64());
    (value, Profile { seconds, by_work, product_flops: FLOPS.load(Relaxed) as f64 })
}

/// Books the time until it is dropped, when somebody watches.
#[must_use]
pub(crate) struct Span(Option<(Work, Instant)>);

/// Begins a span. Belongs into the thread that leads the work, never into its parallel tasks.
pub(crate) fn span(work: Work) -> Span {
    Span(WATCHED.load(Relaxed).then(|| (work, Instant::now())))
}

/// Begins a span of [`Work::Products`] of so many multiplications and additions.
pub(crate) fn product(flops: usize) -> Span {
    let span = span(Work::Products);
    if span.0.is_some() {
        FLOPS.fetch_add(flops as u64, Relaxed);
    }
    span
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((work, begun)) = self.0 {
            NANOSECONDS[work as usize].fetch_add(begun.elapsed().as_nanos() as u64, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: the ledger is the process's.
    #[test]
    fn time_is_booked_where_it_was_spent_and_only_while_somebody_watches() {
        drop(span(Work::Norms));
        let ((), profile) = watch(|| {
            let _attention = span(Work::Attention);
            std::thread::sleep(Duration::from_millis(2));
            drop(product(500));
        });
        assert!(profile.of(Work::Attention) >= 0.002 && profile.seconds >= profile.of(Work::Attention));
        assert!(profile.product_flops >= 500.0);
        drop(product(7));
        let ((), profile) = watch(|| {});
        assert!(profile.of(Work::Attention) < 0.002);
    }
}
