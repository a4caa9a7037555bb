//! The licences of everything that is built, by `cargo metadata`, against a list.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::shell::{cargo, run};
use super::{Done, Workspace};

/// Licences that ask for nothing but their text. MPL-2.0 and the like only by a decision of their own.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Of the fuzz workspace only: the fuzzer's run time, never shipped.
const ALLOWED_FOR_FUZZING: &[&str] = &["NCSA"];

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let mut refused = Vec::new();
    let mut used = BTreeMap::<String, usize>::new();
    let mut count = 0_usize;
    for (folder, also) in [(".", &[][..]), ("fuzz", ALLOWED_FOR_FUZZING)] {
        let manifest = workspace.root.join(folder).join("Cargo.toml");
        let text = run(cargo(workspace)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--all-features",
                "--locked",
                "--manifest-path",
            ])
            .arg(manifest))?;
        let metadata: Value = serde_json::from_str(&text).context("what cargo metadata printed")?;
        for package in metadata
            .get("packages")
            .and_then(Value::as_array)
            .context("no packages in it")?
        {
            let field = |name| package.get(name).and_then(Value::as_str).unwrap_or_default();
            count += 1;
            let expression = field("license");
            *used.entry(expression.to_owned()).or_default() += 1;
            if !is_allowed(expression, also) {
                refused.push(format!("{} {}: {expression:?}", field("name"), field("version")));
            }
        }
    }
    if !refused.is_empty() {
        for line in &refused {
            println!("   refused: {line}");
        }
        bail!(
            "{} of {count} packages have a licence that isn't on the list",
            refused.len()
        );
    }
    Ok(Done::Passed(format!(
        "{count} packages, {} expressions",
        used.len()
    )))
}

/// Whether an SPDX expression can be met with the list. `/` is what old packages write for OR.
fn is_allowed(expression: &str, also: &[&str]) -> bool {
    let expression = expression.replace('/', " OR ");
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let met = any_of(&words, &mut position, also);
    met == Some(true) && position == words.len()
}

fn any_of(words: &[&str], position: &mut usize, also: &[&str]) -> Option<bool> {
    let mut met = all_of(words, position, also)?;
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        met |= all_of(words, position, also)?;
    }
    Some(met)
}

fn all_of(words: &[&str], position: &mut usize, also: &[&str]) -> Option<bool> {
    let mut met = one(words, position, also)?;
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        met &= one(words, position, also)?;
    }
    Some(met)
}

fn one(words: &[&str], position: &mut usize, also: &[&str]) -> Option<bool> {
    let word = *words.get(*position)?;
    *position += 1;
    if word == "(" {
        let met = any_of(words, position, also)?;
        *position += 1;
        return (words.get(*position - 1) == Some(&")")).then_some(met);
    }
    let mut licence = word.to_owned();
    if words.get(*position) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*position + 1)?);
        *position += 2;
    }
    Some(ALLOWED.iter().chain(also).any(|allowed| *allowed == licence))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions_are_met_as_spdx_means_them() {
        for expression in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-2.0 OR (MIT AND ISC)",
        ] {
            assert!(is_allowed(expression, &[]), "{expression}");
        }
        for expression in [
            "",
            "GPL-3.0",
            "MPL-2.0",
            "MIT AND GPL-3.0",
            "MIT WITH something",
            "(MIT",
            "MIT)",
            "MIT OR",
            "MIT MIT",
            "NCSA",
        ] {
            assert!(!is_allowed(expression, &[]), "{expression}");
        }
        assert!(is_allowed("(MIT OR Apache-2.0) AND NCSA", &["NCSA"]));
    }
}
