//! A pseudo-terminal with a reader that counts, and answers as a script says.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::process::now;
use super::script::Script;

/// A pseudo-terminal that nobody has open.
#[derive(Debug)]
pub(crate) struct Line {
    master: OwnedFd,
    /// What a host opens.
    pub(crate) path: PathBuf,
}

/// How fast the reader takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// As fast as it can: the processor is the limit.
    Unlimited,
    /// 40 MB/s, about what USB 2.0 carries in bulk transfers; no modem takes more in download mode.
    Usb2,
}

impl Speed {
    /// How long so many bytes take at least.
    fn time_for(self, bytes: u64) -> Duration {
        match self {
            Self::Unlimited => Duration::ZERO,
            // 25 ns for each byte.
            Self::Usb2 => Duration::from_nanos(bytes.saturating_mul(25)),
        }
    }
}

/// How long nothing may come before a run has failed.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};
/// How long the opening may stay unnoticed; the kernel doesn't tell it.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};
/// How far a link may be ahead: a pause shorter than this isn't worth a call.
const SLACK: Duration = Duration::from_micros(200);
/// How far it may be behind and catch up: 80 KB. Own choice; without it every late wake-up of the reader would count.
const BUFFERED: Duration = Duration::from_millis(2);
/// More than a tty gives in one read.
const READ: usize = 64 * 1024;

impl Line {
    /// A new one, raw from the start.
    pub(crate) fn new() -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Opened and closed once: from then on the master says "hung up" until a host opens it.
        let slave = rustix::fs::open(&name, flags, Mode::empty())?;
        let mut mode = tcgetattr(&slave)?;
        mode.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &mode)?;
        Ok(Self {
            master,
            path: PathBuf::from(name.to_string_lossy().into_owned()),
        })
    }

    /// Takes all bytes of the script and gives its answers; returns the time from the first to the last byte of image
    /// data. `last` is called when all bytes are there; then the line is hung up, as a modem that restarts does.
    pub(crate) fn serve(self, script: &Script, speed: Speed, last: impl FnOnce()) -> Result<Duration> {
        let mut waited = 0_u32;
        while self.events(PollFlags::empty(), LOOK)?.contains(PollFlags::HUP) {
            // A line that is hung up wakes at once, so this pause is the one that counts.
            let _ = poll(&mut [], Some(&LOOK));
            waited += 1;
            if waited > 60_000 {
                bail!("nobody has opened the line");
            }
        }
        let mut answers = script.answers.iter().peekable();
        let (mut taken, mut begin, mut end) = (0_u64, None, None::<Instant>);
        let mut buffer = vec![0; READ];
        // The moment at which the bytes so far have been carried.
        let mut carried = now();
        loop {
            if let Some(early) = carried
                .checked_duration_since(now())
                .filter(|early| *early > SLACK)
            {
                poll(&mut [], Some(&Timespec::try_from(early)?))?;
            }
            while let Some(answer) = answers.next_if(|answer| answer.after <= taken) {
                self.say(&answer.bytes)?;
            }
            if taken >= script.total && answers.peek().is_none() {
                break;
            }
            match rustix::io::read(&self.master, &mut buffer) {
                Ok(count) => {
                    let count = u64::try_from(count)?;
                    taken = taken.saturating_add(count);
                    // A link that had nothing to carry makes up only for what a modem's buffers hold.
                    let earliest = now().checked_sub(BUFFERED).unwrap_or(carried);
                    carried = carried.max(earliest) + speed.time_for(count);
                    if begin.is_none() && taken > script.image.start {
                        begin = Some(now());
                    }
                    if end.is_none() && taken >= script.image.end {
                        end = Some(now());
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.events(PollFlags::IN, PATIENCE)?.is_empty() {
                        bail!(
                            "nothing has come for a minute, after {taken} of {} bytes",
                            script.total
                        );
                    }
                }
                Err(Errno::IO) => bail!("closed after {taken} of {} bytes", script.total),
                Err(errno) => return Err(errno.into()),
            }
        }
        last();
        match (begin, end) {
            (Some(begin), Some(end)) => Ok(end.duration_since(begin)),
            _ => bail!("no image data came"),
        }
    }

    fn events(&self, events: PollFlags, patience: Timespec) -> Result<PollFlags> {
        let mut polled = [PollFd::new(&self.master, events)];
        match poll(&mut polled, Some(&patience)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [master] = &polled;
        Ok(master.revents())
    }

    fn say(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(self.master.as_fd(), bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.events(PollFlags::OUT, PATIENCE)?.is_empty() {
                        bail!("the host doesn't read");
                    }
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

/// Opens the line and writes these bytes, as a plain program does: blocking, in pieces of 64 KiB.
pub(crate) fn write_plainly(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    let port = rustix::fs::open(
        path,
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    for mut piece in bytes.chunks(64 * 1024) {
        while !piece.is_empty() {
            match rustix::io::write(&port, piece) {
                Ok(count) => piece = piece.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // The reader has all that it wanted and has hung up.
                Err(Errno::IO) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    // Closing would throw away what the reader hasn't taken: wait until it hangs up.
    let mut polled = [PollFd::new(&port, PollFlags::IN)];
    poll(&mut polled, Some(&PATIENCE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::script::Answer;

    #[test]
    fn the_reader_takes_all_bytes_of_a_plain_writer() {
        let line = Line::new().unwrap();
        let path = line.path.clone();
        let bytes = vec![0x7e; 300_000];
        std::thread::scope(|scope| {
            let script = Script::silent(300_000);
            let reader = scope.spawn(move || line.serve(&script, Speed::Unlimited, || ()).unwrap());
            write_plainly(&path, &bytes).unwrap();
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_link_has_its_speed() {
        assert_eq!(Speed::Usb2.time_for(40_000_000), Duration::from_secs(1));
        assert_eq!(Speed::Unlimited.time_for(40_000_000), Duration::ZERO);
    }

    #[test]
    fn answers_come_after_the_bytes_that_they_answer() {
        let line = Line::new().unwrap();
        let path = line.path.clone();
        let script = Script {
            answers: vec![
                Answer {
                    after: 0,
                    bytes: b"hello".to_vec(),
                },
                Answer {
                    after: 3,
                    bytes: b"ok".to_vec(),
                },
            ],
            total: 3,
            image: 0..3,
        };
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || line.serve(&script, Speed::Unlimited, || ()).unwrap());
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let port = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
            let mut buffer = [0; 5];
            assert_eq!(rustix::io::read(&port, &mut buffer), Ok(5));
            assert_eq!(&buffer, b"hello");
            assert_eq!(rustix::io::write(&port, b"abc"), Ok(3));
            let mut polled = [PollFd::new(&port, PollFlags::IN)];
            poll(&mut polled, Some(&PATIENCE)).unwrap();
            let count = rustix::io::read(&port, &mut buffer).unwrap_or(0);
            // The line is hung up right behind the answer, which may take it along.
            assert!(count == 0 || buffer.starts_with(b"ok"));
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_host_that_closes_too_early_is_an_error() {
        let line = Line::new().unwrap();
        let path = line.path.clone();
        std::thread::scope(|scope| {
            let script = Script::silent(10);
            let reader = scope.spawn(move || line.serve(&script, Speed::Unlimited, || ()));
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let port = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
            rustix::io::write(&port, b"abc").unwrap();
            // Open until the reader has seen it.
            while rustix::io::ioctl_fionread(&port).is_err() {}
            let mut polled = [PollFd::new(&port, PollFlags::PRI)];
            poll(
                &mut polled,
                Some(&Timespec {
                    tv_sec: 0,
                    tv_nsec: 50_000_000,
                }),
            )
            .unwrap();
            drop(port);
            let error = reader.join().unwrap().unwrap_err().to_string();
            assert!(error.contains("of 10 bytes"), "{error}");
        });
    }
}
