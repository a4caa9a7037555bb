//! The modules of a crate, read from its sources, and where a path in them leads.
//!
//! What the compiler knows and this doesn't: names that a macro makes, and what a glob import of another crate brings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::{Attribute, Item, ItemMod, Meta, UseTree};

/// How a file is read; none: there is no such file.
pub(super) type Read<'r> = &'r dyn Fn(&Path) -> Result<Option<String>>;

/// The modules below one `lib.rs` or `main.rs`, by their paths (`crate::screen::bar`). Modules for tests aren't among them.
#[derive(Default)]
pub(super) struct Modules(pub(super) BTreeMap<String, Module>);

/// One module.
#[derive(Default)]
pub(super) struct Module {
    /// Its file, from the folder of the crate's root.
    pub(super) file: PathBuf,
    /// What stands in it, without tests.
    pub(super) items: Vec<Item>,
    /// The names that it defines.
    defines: BTreeSet<String>,
    /// The names that `use` brings, with the paths behind them. A name may stand for a function and a module.
    imports: BTreeMap<String, Vec<Vec<String>>>,
    /// The paths of `use …::*`.
    globs: Vec<Vec<String>>,
}

/// One name of a `use`.
pub(super) struct Import {
    /// The whole path.
    pub(super) path: Vec<String>,
    /// What it is called here; none for `*` and `_`.
    pub(super) name: Option<String>,
    pub(super) is_glob: bool,
    pub(super) line: usize,
}

/// An item that a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The module that defines it.
    pub(super) module: String,
    pub(super) name: String,
    /// What follows it in the path: a variant or an associated function.
    pub(super) part: Option<String>,
}

/// What a part of a path stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(String),
    Item(Place),
}

impl Modules {
    /// Reads the module of this file and all below it.
    pub(super) fn read(root: &Path, read: Read<'_>) -> Result<Self> {
        let mut all = Self::default();
        let text = read(root)?.with_context(|| format!("no file {}", root.display()))?;
        let folder = root.parent().unwrap_or(Path::new(""));
        all.read_file("crate", root, folder, &text, read)?;
        Ok(all)
    }

    fn read_file(
        &mut self,
        path: &str,
        file: &Path,
        folder: &Path,
        text: &str,
        read: Read<'_>,
    ) -> Result<()> {
        let parsed = syn::parse_file(text).with_context(|| file.display().to_string())?;
        self.add(path, file, folder, parsed.items, read)
    }

    /// Adds a module; `folder` is where the files of the modules in it lie.
    fn add(
        &mut self,
        path: &str,
        file: &Path,
        folder: &Path,
        items: Vec<Item>,
        read: Read<'_>,
    ) -> Result<()> {
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            if let Item::Mod(inner) = item {
                self.add_inner(path, file, folder, inner, read)?;
                continue;
            }
            module.note(&item);
            module.items.push(item);
        }
        self.0.insert(path.to_owned(), module);
        Ok(())
    }

    fn add_inner(
        &mut self,
        path: &str,
        file: &Path,
        folder: &Path,
        inner: ItemMod,
        read: Read<'_>,
    ) -> Result<()> {
        let name = inner.ident.to_string();
        let path = format!("{path}::{name}");
        let below = folder.join(&name);
        if let Some((_, items)) = inner.content {
            return self.add(&path, file, &below, items, read);
        }
        for file in [folder.join(format!("{name}.rs")), below.join("mod.rs")] {
            if let Some(text) = read(&file)? {
                return self.read_file(&path, &file, &below, &text, read);
            }
        }
        anyhow::bail!("no file for the module {path} of {}", file.display())
    }

    /// The items that a path in a module leads to; none where it leads out of the crate, or ends at a module.
    pub(super) fn places(&self, module: &str, path: &[String]) -> BTreeSet<Place> {
        let targets = self.follow(module, path, &mut BTreeSet::new());
        targets
            .into_iter()
            .filter_map(|target| match target {
                Target::Item(place) => Some(place),
                Target::Module(_) => None,
            })
            .collect()
    }

    /// The modules that a path in a module leads to.
    pub(super) fn modules(&self, module: &str, path: &[String]) -> BTreeSet<String> {
        let targets = self.follow(module, path, &mut BTreeSet::new());
        targets
            .into_iter()
            .filter_map(|target| match target {
                Target::Module(path) => Some(path),
                Target::Item(_) => None,
            })
            .collect()
    }

    /// `busy` are the names that are being looked up, because imports can lead in a ring.
    fn follow(
        &self,
        module: &str,
        path: &[String],
        busy: &mut BTreeSet<(String, String)>,
    ) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else {
            return BTreeSet::new();
        };
        let mut targets = match first.as_str() {
            "crate" => BTreeSet::from([Target::Module("crate".to_owned())]),
            "self" => BTreeSet::from([Target::Module(module.to_owned())]),
            "super" => parent(module).map(Target::Module).into_iter().collect(),
            name => self.look_up(module, name, busy),
        };
        for part in rest {
            let mut next = BTreeSet::new();
            for target in targets {
                match target {
                    Target::Module(path) if part == "super" => next.extend(parent(&path).map(Target::Module)),
                    Target::Module(path) => {
                        let found = self.look_up(&path, part, busy);
                        // The compiler has found it: a macro makes it, or a glob import brings it.
                        let unseen = found.is_empty() && !self.brings(&path, part);
                        next.extend(unseen.then(|| Target::Item(Place::new(&path, part))));
                        next.extend(found);
                    }
                    Target::Item(mut place) => {
                        place.part.get_or_insert_with(|| part.clone());
                        next.insert(Target::Item(place));
                    }
                }
            }
            targets = next;
        }
        targets
    }

    /// Whether a `use` of the module has the name, wherever that leads.
    fn brings(&self, module: &str, name: &str) -> bool {
        self.0
            .get(module)
            .is_some_and(|module| module.imports.contains_key(name))
    }

    fn look_up(&self, path: &str, name: &str, busy: &mut BTreeSet<(String, String)>) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        let key = (path.to_owned(), name.to_owned());
        let Some(module) = self.0.get(path).filter(|_| busy.insert(key.clone())) else {
            return found;
        };
        let child = format!("{path}::{name}");
        if self.0.contains_key(&child) {
            found.insert(Target::Module(child));
        }
        if module.defines.contains(name) {
            found.insert(Target::Item(Place::new(path, name)));
        }
        for import in module.imports.get(name).into_iter().flatten() {
            found.extend(self.follow(path, import, busy));
        }
        if found.is_empty() && !module.imports.contains_key(name) {
            for glob in &module.globs {
                for target in self.follow(path, glob, busy) {
                    if let Target::Module(from) = target {
                        found.extend(self.look_up(&from, name, busy));
                    }
                }
            }
        }
        busy.remove(&key);
        found
    }
}

impl Place {
    fn new(module: &str, name: &str) -> Self {
        Self {
            module: module.to_owned(),
            name: name.to_owned(),
            part: None,
        }
    }
}

impl Module {
    /// Whether there is nothing in it but modules and names of other files.
    pub(super) fn only_re_exports(&self) -> bool {
        self.items
            .iter()
            .all(|item| matches!(item, Item::Use(_) | Item::ExternCrate(_)))
    }

    fn note(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => match &item.ident {
                Some(name) => name,
                None => return,
            },
            Item::Use(item) => {
                for import in imports(item) {
                    match import.name {
                        Some(name) => self.imports.entry(name).or_default().push(import.path),
                        None if import.is_glob => self.globs.push(import.path),
                        None => {}
                    }
                }
                return;
            }
            _ => return,
        };
        self.defines.insert(name.to_string());
    }
}

/// The names of a `use`; none where it begins with `::`, which leads out of the crate.
pub(super) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        gather(&item.tree, &[], &mut found);
    }
    found
}

fn gather(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let with = |name: &syn::Ident| {
        let mut path = before.to_vec();
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    let mut push = |path, name: Option<String>, span: proc_macro2::Span| {
        found.push(Import {
            path,
            is_glob: name.as_deref() == Some("*"),
            name: name.filter(|name| name != "*" && name != "_"),
            line: span.start().line,
        });
    };
    match tree {
        UseTree::Path(part) => gather(&part.tree, &[before, &[part.ident.to_string()]].concat(), found),
        UseTree::Name(leaf) => {
            let path = with(&leaf.ident);
            let name = path.last().cloned();
            push(path, name, leaf.ident.span());
        }
        UseTree::Rename(leaf) => push(
            with(&leaf.ident),
            Some(leaf.rename.to_string()),
            leaf.ident.span(),
        ),
        UseTree::Glob(leaf) => push(before.to_vec(), Some("*".to_owned()), leaf.star_token.span),
        UseTree::Group(group) => group.items.iter().for_each(|tree| gather(tree, before, found)),
    }
}

fn parent(module: &str) -> Option<String> {
    module.rsplit_once("::").map(|(parent, _)| parent.to_owned())
}

/// Whether it is compiled for tests only.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<Meta>()
                    .is_ok_and(|condition| needs_test(&condition))
    })
}

fn needs_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let separated = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
    let Ok(parts) = list.parse_args_with(separated) else {
        return false;
    };
    if list.path.is_ident("all") {
        parts.iter().any(needs_test)
    } else {
        list.path.is_ident("any") && parts.iter().all(needs_test)
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
