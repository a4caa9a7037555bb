//! Other work for the guest's processor.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many threads want the processor all the time. Own choice: a program that computes then waits for two others, again and
/// again.
const THREADS: usize = 2;

/// Keeps the processor busy until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy {
    is_over: Arc<AtomicBool>,
}

impl Busy {
    pub(crate) fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..THREADS {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        Self { is_over }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
