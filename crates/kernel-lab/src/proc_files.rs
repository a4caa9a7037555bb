//! What `/proc` tells of a process.

/// User and system time (fields 14 and 15 of proc_pid_stat(5)), in ticks of 10 ms.
pub fn ticks(stat: &str) -> Option<u64> {
    // The name in parentheses may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system))
}

/// `VmHWM` of `/proc/…/status`, in KiB.
pub fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found() {
        let stat = "77 (a b) c) S 1 2 3 4 5 6 7 8 9 10 120 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(150));
        assert_eq!(ticks("77 (cat"), None);
        assert_eq!(
            peak("Name:\tcat\nVmHWM:\t    1872 kB\nVmRSS:\t 1 kB\n"),
            Some(1872)
        );
        assert_eq!(peak("Name:\tcat\n"), None);
    }
}
