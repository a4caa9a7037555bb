//! Arrows between files: which files stand in a circle, and how many floors there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where an arrow was seen first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) line: usize,
    /// The path or the call.
    pub(super) text: String,
}

/// Files, and which of them uses which.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) arrows: BTreeMap<(PathBuf, PathBuf), Example>,
}

impl Graph {
    /// Notes that a file uses another; the first line that says so is kept.
    pub(super) fn note(&mut self, from: &Path, to: &Path, line: usize, text: impl FnOnce() -> String) {
        if from == to {
            return;
        }
        let arrow = (from.to_owned(), to.to_owned());
        self.arrows
            .entry(arrow)
            .or_insert_with(|| Example { line, text: text() });
    }

    /// All that can be reached from each file.
    fn reached(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
        for (from, to) in self.arrows.keys() {
            next.entry(from).or_default().insert(to);
        }
        let mut all = BTreeMap::new();
        for start in &self.files {
            let mut seen: BTreeSet<&Path> = BTreeSet::new();
            let mut open: Vec<&Path> = vec![start];
            while let Some(file) = open.pop() {
                for to in next.get(file).into_iter().flatten() {
                    if seen.insert(to) {
                        open.push(to);
                    }
                }
            }
            all.insert(start.as_path(), seen);
        }
        all
    }

    /// The circles: each a set of files of which every one leads to every other.
    pub(super) fn circles(&self) -> Vec<BTreeSet<&Path>> {
        let reached = self.reached();
        let leads = |from: &Path, to: &Path| reached.get(from).is_some_and(|all| all.contains(to));
        let mut circles: Vec<BTreeSet<&Path>> = Vec::new();
        for file in self.files.iter().map(PathBuf::as_path) {
            if leads(file, file) && !circles.iter().any(|circle| circle.contains(file)) {
                let both = |other: &&Path| leads(file, other) && leads(other, file);
                circles.push(self.files.iter().map(PathBuf::as_path).filter(both).collect());
            }
        }
        circles
    }

    /// The arrows between files of a circle.
    pub(super) fn inside<'g>(
        &'g self,
        circle: &BTreeSet<&Path>,
    ) -> impl Iterator<Item = (&'g Path, &'g Path, &'g Example)> {
        self.arrows.iter().filter_map(move |((from, to), example)| {
            let is_inside = circle.contains(from.as_path()) && circle.contains(to.as_path());
            is_inside.then_some((from.as_path(), to.as_path(), example))
        })
    }

    /// How many files stand one above the other at most; a circle counts as one.
    pub(super) fn floors(&self) -> usize {
        let circles = self.circles();
        let mut names: BTreeMap<&Path, usize> = BTreeMap::new();
        for (number, circle) in circles.iter().enumerate() {
            names.extend(circle.iter().map(|file| (*file, number)));
        }
        for (number, file) in (circles.len()..).zip(&self.files) {
            names.entry(file).or_insert(number);
        }
        let mut below: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (from, to) in self.arrows.keys() {
            if let (Some(from), Some(to)) = (names.get(from.as_path()), names.get(to.as_path())) {
                if from != to {
                    below.entry(*from).or_default().insert(*to);
                }
            }
        }
        let mut known = BTreeMap::new();
        names
            .values()
            .map(|name| height(*name, &below, &mut known))
            .max()
            .unwrap_or(0)
    }
}

fn height(
    name: usize,
    below: &BTreeMap<usize, BTreeSet<usize>>,
    known: &mut BTreeMap<usize, usize>,
) -> usize {
    if let Some(height) = known.get(&name) {
        return *height;
    }
    let lower = below.get(&name).into_iter().flatten();
    let floors = 1 + lower.map(|name| height(*name, below, known)).max().unwrap_or(0);
    known.insert(name, floors);
    floors
}
