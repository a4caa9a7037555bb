//! The crates that `--quick -p CRATE` names, and what a run for them leaves out.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Workspace;
use super::shell::{cargo, run};

/// A crate of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    /// `modemflash-update-engine`.
    package: String,
    /// `update-engine`: its folder in `crates`.
    folder: String,
    /// The packages that it uses, for its tests too.
    uses: BTreeSet<String>,
}

/// The crates that were named.
#[derive(Debug)]
pub(super) struct Chosen {
    members: Vec<Member>,
    /// The folders of the crates that use one of them, also over others.
    users: Vec<String>,
}

/// A test that takes too long between two edits.
#[derive(Debug)]
struct Slow {
    package: &'static str,
    /// The whole name of the test.
    test: &'static str,
    why: &'static str,
}

/// The times are those of a busy machine with two processors.
const SLOW: &[Slow] = &[
    Slow {
        package: "modemflash",
        test: "flash::a_modem_that_leaves_again_and_again_is_told_as_partly_written",
        why: "waits 20 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "flash::a_modem_that_leaves_and_comes_back_is_flashed_from_the_start",
        why: "waits 17 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "flash::a_closed_terminal_does_not_stop_a_flash",
        why: "waits 12 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "flash::a_file_that_changes_while_it_is_sent_stops_the_flash_before_a_wrong_byte_goes",
        why: "waits 12 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "flash::a_file_that_is_cut_while_it_is_sent_stops_the_flash",
        why: "waits 12 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "flash::one_interrupt_stops_at_the_safe_point",
        why: "waits 10 s for the modem",
    },
    Slow {
        package: "modemflash",
        test: "memory::an_update_with_a_large_image_needs_little_memory_besides_its_code",
        why: "takes 10 s",
    },
    Slow {
        package: "modemflash",
        test: "terminal::an_announced_silence_shows_how_long_it_lasts_and_what_is_normal",
        why: "waits 21 s for the modem",
    },
    Slow {
        package: "modemflash-modem-transport",
        test: "locks::of_two_processes_that_start_at_the_same_moment_one_alone_writes_to_the_modem",
        why: "takes 15 s of processor time",
    },
];

impl Chosen {
    /// The crates with these names, each the name of a package or of a folder.
    pub(super) fn find(workspace: &Workspace, names: &[String]) -> Result<Self> {
        let text = run(cargo(workspace).args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Value = serde_json::from_str(&text).context("what cargo metadata printed")?;
        Self::among(&members(&metadata)?, names)
    }

    fn among(all: &[Member], names: &[String]) -> Result<Self> {
        let mut members: Vec<Member> = Vec::new();
        for name in names {
            let found = all
                .iter()
                .find(|member| [&member.folder, &member.package].contains(&name));
            let Some(member) = found else {
                let all: Vec<String> = all.iter().map(Member::names).collect();
                bail!("no crate {name:?}; there are: {}", all.join(", "));
            };
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
        Ok(Self {
            users: users(all, &members),
            members,
        })
    }

    /// Adds `--package NAME` for each.
    pub(super) fn choose(&self, command: &mut Command) {
        for member in &self.members {
            command.args(["--package", &member.package]);
        }
    }

    /// Whether the crate in this folder is among them.
    pub(super) fn has(&self, folder: &str) -> bool {
        self.members.iter().any(|member| member.folder == folder)
    }

    /// Their folders, for people.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.members.iter().map(|member| member.folder.as_str()).collect();
        names.join(", ")
    }

    /// The whole names of the slow tests, which aren't run.
    pub(super) fn slow_tests(&self) -> impl Iterator<Item = &'static str> {
        self.slow().map(|slow| slow.test)
    }

    fn slow(&self) -> impl Iterator<Item = &'static Slow> {
        let is_chosen = |slow: &&Slow| self.members.iter().any(|member| member.package == slow.package);
        SLOW.iter().filter(is_chosen)
    }

    /// What the run doesn't check, a line for each.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .slow()
            .map(|slow| format!("test {}: {}", slow.test, slow.why))
            .collect();
        lines.push("examples in the documentation".to_owned());
        if !self.users.is_empty() {
            lines.push(format!(
                "the crates that use {}: {}",
                self.names(),
                self.users.join(", ")
            ));
        }
        lines
    }
}

impl Member {
    /// `update-engine`, or `cli (modemflash)`.
    fn names(&self) -> String {
        if self.package.ends_with(&self.folder) {
            self.folder.clone()
        } else {
            format!("{} ({})", self.folder, self.package)
        }
    }
}

/// The folders of all crates that use one of these, also over others, and aren't among them.
fn users(all: &[Member], members: &[Member]) -> Vec<String> {
    let mut changed: BTreeSet<&str> = members.iter().map(|member| member.package.as_str()).collect();
    loop {
        let more: Vec<&str> = all
            .iter()
            .filter(|member| !changed.contains(member.package.as_str()))
            .filter(|member| member.uses.iter().any(|used| changed.contains(used.as_str())))
            .map(|member| member.package.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        changed.extend(more);
    }
    all.iter()
        .filter(|member| changed.contains(member.package.as_str()) && !members.contains(member))
        .map(|member| member.folder.clone())
        .collect()
}

/// The crates that `cargo metadata --no-deps` lists.
fn members(metadata: &Value) -> Result<Vec<Member>> {
    let text = |value: &Value, field: &str| -> Result<String> {
        let text = value.get(field).and_then(Value::as_str);
        Ok(text.with_context(|| format!("no {field} in it"))?.to_owned())
    };
    let list = |value: &Value, field: &str| -> Result<Vec<Value>> {
        let list = value.get(field).and_then(Value::as_array);
        Ok(list.with_context(|| format!("no {field} in it"))?.clone())
    };
    let mut members = Vec::new();
    for package in list(metadata, "packages")? {
        let manifest = text(&package, "manifest_path")?;
        let folder = Path::new(&manifest).parent().and_then(Path::file_name);
        let uses = list(&package, "dependencies")?;
        members.push(Member {
            package: text(&package, "name")?,
            folder: folder
                .context("a crate without a folder")?
                .to_string_lossy()
                .into_owned(),
            uses: uses
                .iter()
                .map(|used| text(used, "name"))
                .collect::<Result<_>>()?,
        });
    }
    members.sort_unstable_by(|one, other| one.folder.cmp(&other.folder));
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A name that no test has any more would leave nothing out and say that it does.
    #[test]
    fn every_slow_test_is_there() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for slow in SLOW {
            let folder = match slow.package {
                "modemflash" => "cli",
                package => package.strip_prefix("modemflash-").unwrap(),
            };
            let (module, name) = slow.test.split_once("::").unwrap();
            let file = crates.join(folder).join("tests/it").join(module);
            let text = std::fs::read_to_string(file.with_extension("rs"))
                .or_else(|_| std::fs::read_to_string(file.join("mod.rs")))
                .unwrap();
            let head = format!("#[test]\nfn {name}()");
            assert!(text.contains(&head), "{}", slow.test);
        }
    }

    #[test]
    fn the_slow_tests_of_a_chosen_crate_alone_are_left_out_and_said() {
        let chosen = choose(&["cli"]).unwrap();
        assert_eq!(chosen.slow_tests().count(), chosen.left_out().len() - 1);
        assert!(chosen.slow_tests().all(|test| !test.starts_with("locks::")));
        assert_eq!(choose(&["modem-world"]).unwrap().slow_tests().count(), 0);
    }

    fn workspace() -> Vec<Member> {
        let package = |name: &str, folder: &str, uses: &[&str]| {
            let uses: Vec<Value> = uses.iter().map(|name| json!({ "name": name })).collect();
            json!({
                "name": name,
                "manifest_path": format!("/somewhere/crates/{folder}/Cargo.toml"),
                "dependencies": uses,
            })
        };
        members(&json!({ "packages": [
            package("modemflash", "cli", &["clap", "modemflash-update-engine"]),
            package("modemflash-modem-protocol", "modem-protocol", &[]),
            package("modemflash-modem-world", "modem-world", &["modemflash-modem-protocol"]),
            package("modemflash-update-engine", "update-engine", &["modemflash-modem-world"]),
            package("xtask", "xtask", &["clap"]),
        ] }))
        .unwrap()
    }

    fn choose(names: &[&str]) -> Result<Chosen> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Chosen::among(&workspace(), &names)
    }

    #[test]
    fn a_crate_is_named_by_its_folder_or_its_package_and_counts_once() {
        let chosen = choose(&["cli", "modemflash-modem-world", "modemflash", "modem-world"]).unwrap();
        assert_eq!(chosen.names(), "cli, modem-world");
        assert!(chosen.has("cli") && chosen.has("modem-world") && !chosen.has("xtask"));
        let mut command = Command::new("cargo");
        chosen.choose(&mut command);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(
            words,
            ["--package", "modemflash", "--package", "modemflash-modem-world"]
        );
    }

    #[test]
    fn an_unknown_crate_is_an_error_that_lists_all() {
        let error = choose(&["cli", "engine"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "no crate \"engine\"; there are: cli (modemflash), modem-protocol, modem-world, update-engine, xtask"
        );
    }

    #[test]
    fn crates_that_use_a_chosen_one_over_others_are_left_out_and_said() {
        let said = |names: &[&str]| choose(names).unwrap().left_out();
        let users = "the crates that use modem-world: cli, update-engine";
        assert!(said(&["modem-world"]).iter().any(|line| line == users));
        assert_eq!(said(&["xtask"]), ["examples in the documentation"]);
        let users = "the crates that use modem-world, cli: update-engine";
        assert!(said(&["modem-world", "cli"]).iter().any(|line| line == users));
    }
}
