//! `cargo xtask images`: writes images with correct checksums in the shape of real ones, and wrong ones.
//!
//! Content is made while it is written, so memory stays flat whatever the size.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use firmware_image::Family;
use firmware_image::generate::Generated;
use firmware_image::generate::models::{rc76xx_release_9, wrong_files};
use firmware_image::generate::sets::{LAYOUTS, Wishes, usual_files};
use virtual_modem::Profile;

/// Writes made-up images; without a choice, says what there is to choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Images {
    /// The usual files of an update for this model or family, such as EM7565 or SWI9X30C; may be given several times.
    #[arg(long = "as", value_name = "MODEL")]
    models: Vec<String>,
    /// The exact layout of a real file, at full size; may be given several times.
    #[arg(long = "layout", value_name = "NAME")]
    layouts: Vec<String>,
    /// All layouts.
    #[arg(long)]
    all_layouts: bool,
    /// Every file that must be refused or doubted.
    #[arg(long)]
    wrong: bool,
    /// The folder for them.
    #[arg(long, value_name = "DIR", default_value = "target/images")]
    out: PathBuf,
    /// Chooses the content of the files of --as; layouts and wrong files are always the same.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Bytes of the largest file of --as, instead of what is usual for the family; `2M` is two MiB.
    #[arg(long, value_name = "BYTES", value_parser = size)]
    size: Option<u64>,
    /// The carrier of the files of --as.
    #[arg(long, value_name = "NAME")]
    carrier: Option<String>,
}

/// A file that was written.
#[derive(Debug, PartialEq, Eq)]
struct Written {
    path: PathBuf,
    bytes: u64,
    /// What it is, in a few words.
    what: String,
}

impl Images {
    /// Writes what was asked for and says what that was.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if self.models.is_empty() && self.layouts.is_empty() && !self.all_layouts && !self.wrong {
            println!("{}", choices());
            return Ok(ExitCode::SUCCESS);
        }
        self.write(&mut |written| {
            println!(
                "{}  {} bytes  {}",
                written.path.display(),
                written.bytes,
                written.what
            );
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes what was asked for; `tell` hears of each file when it is complete.
    fn write(&self, tell: &mut dyn FnMut(Written)) -> Result<()> {
        // All names are looked up before the first file is written.
        let families: Vec<(&String, Family)> = self
            .models
            .iter()
            .map(|model| Ok((model, family(model)?)))
            .collect::<Result<_>>()?;
        let mut layouts = Vec::new();
        for name in &self.layouts {
            let layout = LAYOUTS
                .iter()
                .find(|layout| layout.name.eq_ignore_ascii_case(name));
            layouts.push(layout.with_context(|| format!("there is no layout {name}\n{}", choices()))?);
        }
        if self.all_layouts {
            layouts = LAYOUTS.iter().collect();
        }
        fs::create_dir_all(&self.out).with_context(|| format!("{}", self.out.display()))?;
        for (model, family) in families {
            let wishes = Wishes {
                seed: self.seed,
                size: self.size,
                carrier: self.carrier.as_deref(),
            };
            let is_rc7620 = model.eq_ignore_ascii_case("RC7620");
            ensure!(
                !is_rc7620 || self.size.is_none(),
                "the package for RC7620 has the size of the published one; leave out --size"
            );
            let files = if is_rc7620 {
                // Its firmware has a platform token of its own; this is the published layout of a real package.
                vec![rc76xx_release_9()?]
            } else {
                usual_files(&family, wishes)?
            };
            for file in files {
                tell(self.put(&file, format!("for {model}"))?);
            }
        }
        for layout in layouts {
            tell(self.put(&(layout.make)()?, format!("{}: {}", layout.name, layout.what))?);
        }
        if self.wrong {
            for file in wrong_files()? {
                let name = format!(
                    "wrong-{:02}-{}.cwe",
                    file.vector,
                    file.wrong.replace([' ', '\''], "-")
                );
                let what = format!("cwe.md vector {}: {}", file.vector, file.wrong);
                tell(self.put(&Generated::from_bytes(name, file.bytes), what)?);
            }
        }
        Ok(())
    }

    fn put(&self, image: &Generated, what: String) -> Result<Written> {
        let path = write_to(image, &self.out)?;
        let bytes = image.size();
        Ok(Written { path, bytes, what })
    }
}

/// Writes an image into a folder under its own name. Under that name there is never half a file.
pub(crate) fn write_to(image: &Generated, folder: &Path) -> Result<PathBuf> {
    let name = Path::new(image.name())
        .file_name()
        .context("an image without a name")?;
    let path = folder.join(name);
    let unfinished = folder.join(format!("{}.part", name.to_string_lossy()));
    let written = (|| {
        let mut file = File::create(&unfinished)?;
        let mut reader = image.reader();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            file.write_all(buffer.get(..count).unwrap_or_default())?;
        }
        fs::rename(&unfinished, &path)
    })();
    written.with_context(|| format!("{} can't be written", path.display()))?;
    Ok(path)
}

/// The family of a model (`EM7565`) or of a platform (`SWI9X30C`).
fn family(name: &str) -> Result<Family> {
    if let Some(profile) = Profile::named(name) {
        return Ok(Family::of_version_text(profile.name).unwrap_or(Family::Gobi2000));
    }
    match Family::of_version_text(&name.to_ascii_uppercase()) {
        None | Some(Family::Unknown(_)) => bail!("no model or family is called {name}\n{}", choices()),
        Some(family) => Ok(family),
    }
}

/// `4096`, `64K`, `2M`.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((place, 'k' | 'K')) => (text.get(..place).unwrap_or_default(), 1 << 10),
        Some((place, 'm' | 'M')) => (text.get(..place).unwrap_or_default(), 1 << 20),
        _ => (text, 1_u64),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "a number of bytes, such as 4096, 64K or 2M".to_owned())?;
    // The smallest package with all that a system has (models::Release::system).
    number
        .checked_mul(unit)
        .filter(|size| *size >= SMALLEST)
        .ok_or_else(|| format!("at least {SMALLEST} bytes"))
}

/// Bytes that the headers and the settings of a set take, and a few more.
const SMALLEST: u64 = 4096;

/// What can be made.
fn choices() -> String {
    let models: Vec<&str> = Profile::ALL.iter().map(|profile| profile.name).collect();
    let mut text = format!(
        "--as MODEL: {}, or a family such as SWI9X30C\n",
        models.join(", ")
    );
    for layout in LAYOUTS {
        text.push_str(&format!("--layout {}: {}\n", layout.name, layout.what));
    }
    text.push_str("--wrong: the files of cwe.md §8 that must be refused or doubted");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use firmware_image::{Inspector, Platform, Report, Severity};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        images: Images,
    }

    fn make(words: &[&str]) -> (tempfile::TempDir, Result<Vec<Written>>) {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let line: Vec<&str> = ["images", "--out", out].iter().chain(words).copied().collect();
        let images = Line::try_parse_from(line).unwrap().images;
        let mut all = Vec::new();
        let result = images.write(&mut |written| all.push(written)).map(|()| all);
        (folder, result)
    }

    fn inspect(path: &Path) -> Result<Report, firmware_image::ImageError> {
        let bytes = fs::read(path).unwrap();
        let mut inspector = Inspector::new(path.to_str().unwrap(), bytes.len() as u64);
        inspector.push(&bytes)?;
        inspector.finish()
    }

    #[test]
    fn a_set_for_every_model_is_written_and_sound() {
        for profile in Profile::ALL {
            let is_published = profile.name == "RC7620";
            let (_folder, written) = make(&["--as", profile.name, "--size", "64K"]);
            assert_eq!(written.is_err(), is_published, "{}", profile.name);
            let (_folder, written) = if is_published {
                make(&["--as", profile.name])
            } else {
                (_folder, written)
            };
            let written = written.unwrap();
            assert!(!written.is_empty());
            for file in written {
                let report = inspect(&file.path).unwrap();
                assert_eq!(report.size, file.bytes);
                assert_ne!(report.worst(), Some(Severity::Error), "{}", file.path.display());
                // Modems refuse what is for another product line.
                let version = report.root().map_or("", |root| root.header.version.as_str());
                if let Some(platform) = Platform::first_in(version) {
                    assert_eq!(platform.as_str(), profile.family);
                }
            }
        }
    }

    #[test]
    fn a_layout_is_written_at_full_size_and_nothing_half_is_left() {
        let (folder, written) = make(&["--layout", "rc76xx_release_9", "--layout", "carrier_settings"]);
        let sizes: Vec<u64> = written.unwrap().iter().map(|file| file.bytes).collect();
        assert_eq!(sizes, [34_879_232, 11_472]);
        let on_disk = fs::read_dir(folder.path()).unwrap();
        let mut on_disk: Vec<u64> = on_disk
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        on_disk.sort_unstable();
        assert_eq!(on_disk, [11_472, 34_879_232]);
    }

    #[test]
    fn every_wrong_file_is_refused_or_doubted() {
        let (_folder, written) = make(&["--wrong"]);
        let written = written.unwrap();
        assert_eq!(written.len(), 7);
        for file in written {
            let doubted = match inspect(&file.path) {
                Err(_) => true,
                // In vector 10 all sums are right, and what is no image inside its parent is data.
                Ok(report) => report.worst().is_some() || report.images.len() == 1,
            };
            assert!(doubted, "{}", file.what);
        }
    }

    #[test]
    fn the_seed_decides_the_content() {
        let bytes = |seed: &str| {
            let (_folder, written) = make(&["--as", "MC7455", "--size", "8K", "--seed", seed]);
            fs::read(&written.unwrap()[0].path).unwrap()
        };
        assert_eq!(bytes("7"), bytes("7"));
        assert_ne!(bytes("7"), bytes("8"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_choices_before_anything_is_written() {
        for words in [["--as", "EM9999"], ["--layout", "nothing"]] {
            let (folder, written) = make(&words);
            assert!(
                written
                    .unwrap_err()
                    .to_string()
                    .contains("--layout em7565_01_14_02_00")
            );
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn sizes_are_read_with_units_and_too_small_ones_refused() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("2m"), Ok(2 << 20));
        assert!(size("12").is_err());
        assert!(size("M").is_err());
        assert!(size("99999999999999M").is_err());
    }
}
