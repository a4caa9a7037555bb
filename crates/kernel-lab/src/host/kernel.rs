//! The guest's kernel: Debian's package, downloaded and unpacked, never installed.

use super::tools;
use anyhow::{Context, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's name for "the current kernel".
const META_PACKAGE: &str = "linux-image-amd64";

/// What the guest needs; what those need is found out.
pub(crate) const MODULES: [&str; 11] = [
    "virtio_pci",
    "9p",
    "9pnet_virtio",
    "overlay",
    "vhci_hcd",
    "usbserial",
    "qcserial",
    "option",
    "ftdi_sio",
    "qmi_wwan",
    "cdc_mbim",
];

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Package and version.
    pub(crate) name: String,
    /// The kernel itself.
    pub(crate) image: PathBuf,
    /// Folder of its modules, `lib/modules/6.1.0-56-amd64`.
    modules: PathBuf,
}

impl Kernel {
    /// The kernel package of this Debian, from `cache` or downloaded into it. A cached one does when the
    /// package lists can't tell a version.
    pub(crate) fn obtain(cache: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(cache)?;
        let package = current_package().or_else(|| {
            if tools::update_lists() {
                current_package()
            } else {
                None
            }
        });
        let Some((package, version)) = package else {
            return cached(cache)
                .context("no package lists (apt-get update), and no kernel from an earlier run");
        };
        // A version may hold a colon or a tilde; a folder needn't.
        let folder = cache.join(format!("{package}_{}", version.replace(':', "_")));
        if let Ok(kernel) = Self::unpacked(&folder) {
            return Ok(kernel);
        }
        let work = cache.join("unpacking");
        // Left by a run that was stopped, or by none.
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work)?;
        println!("lab: downloading {package} {version}");
        run(Command::new("apt-get")
            .args(["-qq", "download", &package])
            .current_dir(&work))?;
        let archive = files(&work)?
            .into_iter()
            .find(|file| file.extension().is_some_and(|it| it == "deb"));
        let archive = archive.with_context(|| format!("apt-get download {package}: no file"))?;
        run(Command::new("dpkg-deb")
            .arg("-x")
            .arg(&archive)
            .arg(work.join("root")))?;
        let _ = fs::remove_dir_all(&folder);
        fs::rename(work.join("root"), &folder)?;
        fs::remove_dir_all(&work)?;
        Self::unpacked(&folder)
    }

    fn unpacked(folder: &Path) -> anyhow::Result<Self> {
        let image = files(&folder.join("boot"))?
            .into_iter()
            .find(|file| name_of(file).starts_with("vmlinuz"));
        // Debian 13 has them in /usr/lib.
        let modules = ["lib/modules", "usr/lib/modules"]
            .iter()
            .find_map(|place| files(&folder.join(place)).ok());
        let modules = modules.and_then(|folders| folders.into_iter().next());
        Ok(Self {
            name: name_of(folder).replace('_', " "),
            image: image.context("no vmlinuz in the package")?,
            modules: modules.context("no modules in the package")?,
        })
    }

    /// The wanted modules and all that they need, each after what it needs: name and content.
    pub(crate) fn modules(&self, wanted: &[&str]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let mut all = BTreeMap::new();
        collect(&self.modules, &mut all)?;
        let built_in = fs::read_to_string(self.modules.join("modules.builtin")).unwrap_or_default();
        let built_in = built_in
            .lines()
            .filter_map(|line| module_name(Path::new(line)))
            .collect();
        let mut loaded = Loaded {
            all,
            built_in,
            seen: BTreeSet::new(),
            order: Vec::new(),
        };
        for name in wanted {
            loaded.load(name)?;
        }
        Ok(loaded.order)
    }
}

struct Loaded {
    all: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
    seen: BTreeSet<String>,
    order: Vec<(String, Vec<u8>)>,
}

impl Loaded {
    fn load(&mut self, name: &str) -> anyhow::Result<()> {
        let name = name.replace('-', "_");
        if self.built_in.contains(&name) || !self.seen.insert(name.clone()) {
            return Ok(());
        }
        let path = self
            .all
            .get(&name)
            .with_context(|| format!("the kernel has no module {name}"))?;
        let content = read_module(path)?;
        for needed in depends(&content) {
            self.load(&needed)?;
        }
        self.order.push((format!("{name}.ko"), content));
        Ok(())
    }
}

/// The newest kernel in the cache.
fn cached(cache: &Path) -> anyhow::Result<Kernel> {
    let mut folders = files(cache)?;
    folders.sort();
    folders
        .iter()
        .rev()
        .find_map(|folder| Kernel::unpacked(folder).ok())
        .context("the cache is empty")
}

/// The package that the meta package stands for, and its version.
fn current_package() -> Option<(String, String)> {
    let show = |package: &str, field: &str| {
        let output = Command::new("apt-cache")
            .args(["show", "--no-all-versions", package])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.trim().to_owned())
    };
    let depends = show(META_PACKAGE, "Depends:")?;
    // `linux-image-6.1.0-56-amd64 (= 6.1.192-2)`
    let package = depends
        .split([' ', ','])
        .find(|word| word.starts_with("linux-image-"))?
        .to_owned();
    let version = show(&package, "Version:")?;
    Some((package, version))
}

/// All module files under a folder, by module name.
fn collect(folder: &Path, all: &mut BTreeMap<String, PathBuf>) -> anyhow::Result<()> {
    for path in files(folder)? {
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, all)?;
        } else if let Some(name) = module_name(&path) {
            all.insert(name, path);
        }
    }
    Ok(())
}

/// `usb_wwan` of `usb-wwan.ko.xz`; none when it isn't a module.
fn module_name(path: &Path) -> Option<String> {
    let (name, rest) = path.file_name()?.to_str()?.split_once(".ko")?;
    ["", ".xz", ".zst", ".gz"]
        .contains(&rest)
        .then(|| name.replace('-', "_"))
}

/// A module's bytes, decompressed.
fn read_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(path).with_context(|| path.display().to_string()),
    };
    let output = Command::new(program)
        .arg("-dc")
        .arg(path)
        .output()
        .with_context(|| program.to_owned())?;
    ensure!(
        output.status.success(),
        "{program} -dc {}: {}",
        path.display(),
        output.status
    );
    Ok(output.stdout)
}

/// What a module needs, as its `.modinfo` section says: `depends=usbserial,usb_wwan`.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = module.get(at + KEY.len()..).unwrap_or_default();
    let value: Vec<u8> = value.iter().copied().take_while(|byte| *byte != 0).collect();
    let value = String::from_utf8_lossy(&value);
    value
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_needs_is_read_from_its_own_words() {
        let module = b"\x7fELF junk depends=not\0license=GPL\0depends=usbserial,usb-wwan\0name=qcserial\0";
        assert_eq!(depends(module), ["usbserial", "usb-wwan"]);
        assert_eq!(depends(b"\0depends=\0"), Vec::<String>::new());
        assert_eq!(depends(b"\0depends=cut"), ["cut"]);
    }

    #[test]
    fn module_names_have_neither_hyphens_nor_endings() {
        for (file, name) in [
            ("usb-wwan.ko", Some("usb_wwan")),
            ("9p.ko.xz", Some("9p")),
            ("modules.dep", None),
        ] {
            assert_eq!(module_name(Path::new(file)).as_deref(), name);
        }
    }
}
