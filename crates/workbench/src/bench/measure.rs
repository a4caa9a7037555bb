//! What is measured, and how.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::line::{Line, Speed, write_plainly};
use super::process::{self, Took, is_installed, now, peak_memory, time};
use super::script::Script;
use super::table::{Budget, Row, Unit};
use super::{Context, build, data};

/// `inspect` beside `cat`, `qmi-firmware-update -z`, and with an archive beside `unzip -p`.
pub(crate) fn inspect(context: &Context) -> Result<Vec<Row>> {
    let image = data::firehose_image(context)?;
    let archive = data::zip(context)?;
    let is_rival_there = is_installed("qmi-firmware-update");
    let (mut ours, mut cat) = (Best::default(), Best::default());
    let (mut packed, mut unzip, mut rival) = (Best::default(), Best::default(), Best::default());
    // In turns, so that a busy moment of the machine hits all.
    for _ in 0..context.runs.saturating_add(1) {
        cat.take(&time(Command::new("cat").arg(&image))?);
        ours.take(&time(Command::new(&context.program).arg("inspect").arg(&image))?);
        if is_rival_there {
            rival.take(&time(Command::new("qmi-firmware-update").arg("-z").arg(&image))?);
        }
        if let Some(archive) = &archive {
            packed.take(&time(Command::new(&context.program).arg("inspect").arg(archive))?);
            if is_installed("unzip") {
                unzip.take(&time(Command::new("unzip").arg("-p").arg(archive))?);
            }
        }
    }
    let mut rows = vec![Row {
        name: "inspect",
        what: "inspect 80 MB, all checksums".into(),
        measured: ours.wall_ms()?,
        beside: format!(
            "cat {:.1} ms; budget 1.5 times that and 20 ms{}",
            cat.wall_ms()?,
            rival.beside("; qmi-firmware-update -z (reads headers only)")
        ),
        // docs/benchmarks.md has the reasons of the budgets.
        budget: Some(Budget::AtMost(cat.wall_ms()? * 1.5 + 20.0)),
        unit: Unit::Milliseconds,
    }];
    if archive.is_some() {
        rows.push(Row {
            name: "inspect.zip",
            what: "inspect 80 MB in a zip archive".into(),
            measured: packed.wall_ms()?,
            beside: unzip.beside("unzip -p"),
            budget: None,
            unit: Unit::Milliseconds,
        });
    }
    Ok(rows)
}

/// An update on a pseudo-terminal beside a plain writer: at the speed of USB, and as fast as the processor can.
pub(crate) fn link(context: &Context) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let sides = [
        (
            "QDL",
            "MC7455",
            data::qdl_image(context)?,
            ["link.qdl", "link.qdl.unlimited", "cpu.qdl"],
        ),
        (
            "Firehose",
            "EM7565",
            data::firehose_image(context)?,
            ["link.firehose", "link.firehose.unlimited", "cpu.firehose"],
        ),
    ];
    for (protocol, model, image, [at_usb, unlimited, cpu]) in sides {
        let script = Script::record(model, &image)?;
        let bytes = std::fs::read(&image)?;
        let silent = Script::silent(u64::try_from(bytes.len())?);
        let mut processor = Best::default();
        for (name, speed, words) in [
            (at_usb, Speed::Usb2, "to a reader as fast as USB 2"),
            (unlimited, Speed::Unlimited, "to a reader without limit"),
        ] {
            let (mut ours, mut plain) = (Best::default(), Best::default());
            for _ in 0..context.runs {
                plain.take_span(plain_write(&silent, speed, &bytes)?);
                let update = update(context, &image, &script, speed)?;
                ours.take_span(update.image_data);
                processor.take_span(update.took.processor);
            }
            let rate = |best: &Best| Ok::<f64, anyhow::Error>(bytes.len() as f64 / 1e3 / best.wall_ms()?);
            rows.push(Row {
                name,
                what: format!("link use, {protocol}, {words}"),
                measured: plain.wall_ms()? / ours.wall_ms()? * 100.0,
                beside: format!("{:.0} MB/s, plain writer {:.0} MB/s", rate(&ours)?, rate(&plain)?),
                budget: Some(Budget::AtLeast(95.0)),
                unit: Unit::Percent,
            });
        }
        rows.push(Row {
            name: cpu,
            what: format!("processor time of an update with 80 MB, {protocol}"),
            measured: processor.wall_ms()?,
            beside: "check, second reading and writing to the port".into(),
            budget: None,
            unit: Unit::Milliseconds,
        });
    }
    Ok(rows)
}

/// The memory of an update from a plain file and from archives.
pub(crate) fn memory(context: &Context) -> Result<Vec<Row>> {
    let dictionary = f64::from(data::DICTIONARY_MIB);
    let sources = [
        (
            "memory.file",
            "a plain file",
            Some(data::firehose_image(context)?),
            8.0,
        ),
        ("memory.zip", "a zip archive", data::zip(context)?, 8.0),
        (
            "memory.7z",
            "a 7z archive",
            data::seven_zip(context)?,
            8.0 + dictionary,
        ),
    ];
    // The same image is in all three.
    let script = Script::record("EM7565", &data::compressible_image(context)?)?;
    let mut rows = Vec::new();
    for (name, what, path, limit) in sources {
        let Some(path) = path else { continue };
        let peak = update(context, &path, &script, Speed::Unlimited)?.peak_kib;
        let peak = peak.context("the kernel doesn't tell the memory of a process")?;
        rows.push(Row {
            name,
            what: format!("peak memory of an update with 80 MB from {what}"),
            measured: peak as f64 / 1024.0,
            beside: if limit > 8.0 {
                format!("budget 8 MiB and the dictionary of {dictionary} MiB")
            } else {
                "code pages counted".into()
            },
            budget: Some(Budget::AtMost(limit)),
            unit: Unit::MebiBytes,
        });
    }
    Ok(rows)
}

/// How long it takes to start.
pub(crate) fn start(context: &Context) -> Result<Vec<Row>> {
    let (mut ours, mut nothing) = (Best::default(), Best::default());
    for _ in 0..context.runs.saturating_mul(4) {
        nothing.take(&time(&mut Command::new("true"))?);
        ours.take(&time(Command::new(&context.program).arg("--version"))?);
    }
    Ok(vec![Row {
        name: "start",
        what: "start (--version)".into(),
        measured: ours.wall_ms()?,
        beside: nothing.beside("true"),
        budget: Some(Budget::AtMost(10.0)),
        unit: Unit::Milliseconds,
    }])
}

/// The size of what is put on a router.
pub(crate) fn size(context: &Context) -> Result<Vec<Row>> {
    let target = context.data.join("dist");
    let folder = target.to_str().context("the target folder's name isn't text")?;
    let router = ["--no-default-features", "--features", "router"];
    let profile = ["--profile", "dist", "--target-dir", folder];
    let mut rows = Vec::new();
    for (name, what, features, budget) in [
        (
            "size.router",
            "stripped binary, router features",
            router.as_slice(),
            Some(Budget::AtMost(2.0)),
        ),
        ("size.full", "stripped binary, all features", &[], None),
    ] {
        let options: Vec<&str> = profile.iter().chain(features).copied().collect();
        build(&context.root, &options)?;
        let bytes = std::fs::metadata(target.join("dist/modemflash"))?.len();
        rows.push(Row {
            name,
            what: what.into(),
            measured: bytes as f64 / f64::from(1 << 20),
            beside: "this host's target, C library linked dynamically".into(),
            budget,
            unit: Unit::MebiBytes,
        });
    }
    Ok(rows)
}

/// What an update took.
struct Update {
    /// From the first to the last byte of image data, as the reader saw them.
    image_data: Duration,
    peak_kib: Option<u64>,
    took: Took,
}

/// Runs `modemflash update` on a pseudo-terminal on which a script is played.
fn update(context: &Context, file: &Path, script: &Script, speed: Speed) -> Result<Update> {
    let line = Line::new()?;
    let mut command = Command::new(&context.program);
    command.args(["update", "--yes", "-t"]).arg(&line.path).arg(file);
    let begin = now();
    let child = process::start(&mut command)?;
    let (mut peak_kib, number) = (None, child.id());
    let served = line.serve(script, speed, || peak_kib = peak_memory(number));
    let took = process::end(child, begin, &command);
    match (served, took) {
        (Ok(image_data), Ok(took)) => Ok(Update {
            image_data,
            peak_kib,
            took,
        }),
        // What the program says is the better explanation.
        (_, Err(error)) | (Err(error), Ok(_)) => Err(error),
    }
}

/// The time from the first to the last byte of a plain writer.
fn plain_write(script: &Script, speed: Speed, bytes: &[u8]) -> Result<Duration> {
    let line = Line::new()?;
    let path = line.path.clone();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_plainly(&path, bytes));
        let span = line.serve(script, speed, || ())?;
        writer
            .join()
            .map_err(|_| anyhow!("the plain writer has panicked"))??;
        Ok(span)
    })
}

/// The shortest of several times.
#[derive(Debug, Default)]
struct Best(Option<Duration>);

impl Best {
    fn take(&mut self, took: &Took) {
        self.take_span(took.wall);
    }

    fn take_span(&mut self, span: Duration) {
        self.0 = Some(self.0.map_or(span, |best| best.min(span)));
    }

    fn wall_ms(&self) -> Result<f64> {
        let best = self.0.context("nothing was measured")?;
        Ok(best.as_secs_f64() * 1e3)
    }

    /// `name 12.3 ms`; nothing when it wasn't run.
    fn beside(&self, name: &str) -> String {
        self.wall_ms()
            .map(|milliseconds| format!("{name} {milliseconds:.1} ms"))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_time_counts() {
        let mut best = Best::default();
        assert!(best.wall_ms().is_err());
        assert_eq!(best.beside("cat"), "");
        for milliseconds in [9, 7, 8] {
            best.take_span(Duration::from_millis(milliseconds));
        }
        assert_eq!(best.beside("cat"), "cat 7.0 ms");
    }
}
