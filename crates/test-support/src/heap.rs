//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The system's allocator with a count of the bytes that are in use.
///
/// ```
/// use test_support::CountingAllocator;
///
/// #[global_allocator]
/// static HEAP: CountingAllocator = CountingAllocator::new();
///
/// let (length, peak) = HEAP.alone().peak_of(|| vec![7_u8; 1000].len());
/// assert_eq!(length, 1000);
/// assert!(peak >= 1000);
/// ```
#[derive(Debug, Default)]
pub struct CountingAllocator {
    used: AtomicUsize,
    peak: AtomicUsize,
    measuring: Mutex<()>,
}

impl CountingAllocator {
    /// Nothing is in use.
    pub const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            measuring: Mutex::new(()),
        }
    }

    /// Waits until no other test measures. A test takes this first and keeps it to its end: the count is of the whole process, so
    /// what one test does besides its measurement would be in the measurement of another.
    pub fn alone(&self) -> Alone<'_> {
        Alone {
            heap: self,
            // The lock guards no data, so a test that failed leaves nothing half done.
            _measuring: self.measuring.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The right to measure.
#[derive(Debug)]
pub struct Alone<'a> {
    heap: &'a CountingAllocator,
    _measuring: MutexGuard<'a, ()>,
}

impl Alone<'_> {
    /// Does the work. Gives what came of it, and the most bytes that were in use above those from before. Not to be nested.
    pub fn peak_of<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.heap.used.load(Ordering::SeqCst);
        self.heap.peak.store(before, Ordering::SeqCst);
        let result = work();
        let peak = self.heap.peak.load(Ordering::SeqCst);
        (result, peak.saturating_sub(before))
    }
}

// SAFETY: every call goes to the system's allocator unchanged; the counters don't touch the memory.
#[allow(unsafe_code, reason = "an allocator can't be written without")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = self.used.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        self.peak.fetch_max(used, Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}
