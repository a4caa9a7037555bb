//! Does several jobs at once, each in a thread of its own.

use std::thread;

/// Does these jobs at once. The results are in the order of the jobs; a job that panics or gets no thread has its reason instead.
pub(crate) fn side_by_side<T, J>(jobs: Vec<J>) -> Vec<Result<T, String>>
where
    T: Send,
    J: FnOnce() -> T + Send,
{
    thread::scope(|scope| {
        let running: Vec<_> = jobs
            .into_iter()
            .enumerate()
            .map(|(number, job)| {
                let builder = thread::Builder::new().name(format!("modem {number}"));
                builder.spawn_scoped(scope, job)
            })
            .collect();
        let ended = running
            .into_iter()
            .map(|worker| match worker.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => Ok(result),
                Ok(Err(_)) => Err("a worker panicked".to_owned()),
                Err(error) => Err(format!("the host has no thread for a worker: {error}")),
            });
        ended.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panics_leaves_the_others_alone() {
        let jobs: Vec<Box<dyn FnOnce() -> u8 + Send>> =
            vec![Box::new(|| 1), Box::new(|| panic!("meant to")), Box::new(|| 3)];
        let results = side_by_side(jobs);
        assert_eq!(results[0], Ok(1));
        assert_eq!(results[1], Err("a worker panicked".to_owned()));
        assert_eq!(results[2], Ok(3));
    }
}
