//! This test program once more, for a single test: what is done to its process reaches no other test.

use std::process::Command;

/// Set in a process that was started for a single test.
const ALONE: &str = "MODEMFLASH_TEST_ALONE";

/// This program with a single test. `module` is what `module_path!()` gives there: `it::locks`.
pub(crate) fn with_only(module: &str, test: &str) -> Command {
    let (_, module) = module.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("{module}::{test}");
    command.args(["--exact", &name, "--include-ignored", "--nocapture"]);
    command
}

/// Runs `body`, the whole of a test, in a process of its own: signals go to all of a process.
pub(crate) fn alone(module: &str, test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let output = with_only(module, test).env(ALONE, "").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // A wrong name would pass too: there is nothing to run.
    let has_run = said.contains("test result: ok. 1 passed;");
    assert!(output.status.success() && has_run, "{}:\n{said}", output.status);
}
