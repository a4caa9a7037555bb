//! No file of a crate uses a file that uses it.
//!
//! Files in a circle can't be read one by one. An arrow leads from a file to the file that defines what the first one names, through
//! all re-exports. A line `mod x;` is no arrow, and the re-exports of a file that does nothing else are none. A child that uses what
//! its parent's file defines makes an arrow, and so does a parent's code that uses the child. Code for tests doesn't count.

mod arrows;
mod graph;
mod modules;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};

use self::graph::Graph;
use self::modules::{Modules, Read};
use super::{Done, Workspace};

/// The crates in which a circle is a mistake.
const CRATES: [&str; 2] = ["update-engine", "cli"];

/// The files at which a crate begins.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let (mut told, mut refused) = (Vec::new(), Vec::new());
    for name in CRATES {
        if workspace.chosen.as_ref().is_some_and(|chosen| !chosen.has(name)) {
            continue;
        }
        let folder = workspace.root.join("crates").join(name).join("src");
        let graph = graph_of(&|file| match fs::read_to_string(folder.join(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| folder.join(file).display().to_string()),
        })?;
        print!("{}", report(name, &graph));
        let circles = graph.circles().len();
        told.push(format!("{name}: {circles}"));
        if circles > 0 {
            refused.push(format!("{circles} circles in {name}"));
        }
    }
    if !refused.is_empty() {
        bail!("{}", refused.join(", "));
    }
    if told.is_empty() {
        return Ok(Done::Passed(format!("looked for in {} only", CRATES.join(", "))));
    }
    Ok(Done::Passed(told.join(", ")))
}

/// The files of a crate and the arrows between them.
fn graph_of(read: Read<'_>) -> Result<Graph> {
    let mut graph = Graph::default();
    for root in ROOTS.map(Path::new) {
        if read(root)?.is_some() {
            arrows::draw(&Modules::read(root, read)?, &mut graph);
        }
    }
    if graph.files.is_empty() {
        bail!("neither {}", ROOTS.join(" nor "));
    }
    Ok(graph)
}

/// The numbers of a crate, and its circles with a line for each arrow in them.
fn report(name: &str, graph: &Graph) -> String {
    let circles = graph.circles();
    let mut text = format!(
        "   {name}: {} modules, {} arrows, {} floors, circles: {}\n",
        graph.files.len(),
        graph.arrows.len(),
        graph.floors(),
        circles.len()
    );
    for circle in &circles {
        text.push_str(&format!("     a circle of {} files:\n", circle.len()));
        for (from, to, example) in graph.inside(circle) {
            let (from, to) = (from.display(), to.display());
            text.push_str(&format!(
                "       {from} -> {to}  (line {}: {})\n",
                example.line, example.text
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate of these files, each as its files.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let graph = graph(files);
        let name = |circle: &std::collections::BTreeSet<&Path>| {
            let names: Vec<String> = circle.iter().map(|file| file.display().to_string()).collect();
            names.join(" ")
        };
        graph.circles().iter().map(name).collect()
    }

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let graph = graph(files);
        let name = |(from, to): &(std::path::PathBuf, std::path::PathBuf)| {
            format!("{} {}", from.display(), to.display())
        };
        graph.arrows.keys().map(name).collect()
    }

    fn graph(files: &[(&str, &str)]) -> Graph {
        graph_of(&|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            Ok(found.map(|(_, text)| (*text).to_owned()))
        })
        .unwrap()
    }

    #[test]
    fn a_circle_through_a_re_export_is_found_between_the_files_that_define_the_names() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;"),
            ("a.rs", "use crate::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { drop(crate::A::new()); }"),
        ];
        assert_eq!(circles(&files), ["a.rs b.rs"]);
        assert_eq!(arrows(&files), ["a.rs b.rs", "b.rs a.rs"]);
    }

    #[test]
    fn a_child_is_no_arrow_and_neither_is_its_re_export() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b; mod c; pub use b::B;"),
            ("a/b.rs", "use super::c::C; pub struct B(C);"),
            ("a/c.rs", "pub struct C;"),
        ];
        assert_eq!(arrows(&files), ["a/b.rs a/c.rs"]);
    }

    #[test]
    fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
        let files = [
            ("main.rs", "mod a; fn main() { a::b::f() }"),
            ("a.rs", "pub mod b; pub const N: u8 = 1; fn g() { b::f() }"),
            ("a/b.rs", "pub fn f() { super::N; }"),
        ];
        assert_eq!(circles(&files), ["a/b.rs a.rs"]);
    }

    #[test]
    fn code_for_tests_does_not_count() {
        let files = [
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod missing;"),
            (
                "a.rs",
                "pub struct A;
                 #[cfg(all(test, unix))] mod tests { use crate::b::B; }
                 #[test] fn t() { crate::b::f() }
                 impl A { #[cfg(test)] fn t() { crate::b::f() } }",
            ),
            ("b.rs", "use crate::a::A; pub struct B(A); pub fn f() {}"),
        ];
        assert_eq!(circles(&files), [""; 0]);
        let also_without = ("a.rs", "#[cfg(not(test))] use crate::b::B; pub struct A;");
        assert_eq!(circles(&[files[0], also_without, files[2]]), ["a.rs b.rs"]);
    }

    #[test]
    fn paths_are_seen_in_macros_attributes_types_patterns_and_inside_of_functions() {
        for use_of_b in [
            "fn f() { println!(\"{}\", crate::b::f()) }",
            "fn f() { matches!(1, crate::b::F | 2 if true); }",
            "fn f() { use super::b; vec![b::f()]; }",
            "#[arg(value_parser = crate::b::f)] struct S;",
            "trait T { fn f(_: &[Option<crate::b::B>]); }",
            "use crate::b as other; fn f(x: u8) { match x { other::F => {} _ => {} } }",
            "struct S; use self::super::b::{self as other, f as g};",
            "macro_rules! m { () => { $crate::b::f() }; }",
        ] {
            let files = [
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", use_of_b),
                ("b.rs", "pub struct B; pub const F: u8 = 1; pub fn f() {}"),
            ];
            assert_eq!(arrows(&files), ["a.rs b.rs"], "{use_of_b}");
        }
    }

    #[test]
    fn names_of_other_crates_and_of_the_own_file_are_none() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::b;"),
            (
                "a.rs",
                "use std::b::f; use ::b::g; use other::b; struct B; impl B { fn f() { b(); Self::f(); self::B::f(); } }",
            ),
            ("b.rs", "pub fn b() {}"),
        ];
        assert_eq!(arrows(&files), [""; 0]);
    }

    #[test]
    fn methods_in_another_file_than_their_type_are_followed_where_they_are_called() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "pub struct A;"),
            (
                "b.rs",
                "use crate::a::A; impl A { pub fn b(&self) { self.c(); } }",
            ),
            (
                "c.rs",
                "use crate::a::A; impl A { pub fn c(&self) { drop(Self::b); } }",
            ),
            (
                "d.rs",
                "use crate::a::A; struct D { a: A } impl D { fn f(&self, x: B) { x.c(); assert!(self.a.b()); } }",
            ),
        ];
        assert_eq!(circles(&files), ["b.rs c.rs"]);
        let of_d: Vec<String> = arrows(&files)
            .into_iter()
            .filter(|arrow| arrow.starts_with('d'))
            .collect();
        assert_eq!(of_d, ["d.rs a.rs", "d.rs b.rs"]);
    }

    #[test]
    fn a_floor_is_above_everything_that_it_uses_and_a_circle_is_one() {
        let files = [
            ("main.rs", "mod a; mod b; mod c; use a::A; fn main() {}"),
            ("a.rs", "pub struct A; use crate::b::B;"),
            ("b.rs", "pub struct B; use crate::a::A; use crate::c::C;"),
            ("c.rs", "pub struct C;"),
        ];
        assert_eq!(graph(&files).floors(), 3);
        let report = report("it", &graph(&files));
        assert!(
            report.starts_with("   it: 4 modules, 4 arrows, 3 floors, circles: 1\n"),
            "{report}"
        );
        assert!(
            report.contains("a.rs -> b.rs  (line 1: crate::b::B)\n"),
            "{report}"
        );
    }
}
