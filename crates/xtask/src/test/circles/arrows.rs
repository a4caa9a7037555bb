//! Which file of a crate uses which: out of the paths in it, and out of calls of methods that stand in another file than
//! their type.
//!
//! A call `x.method()` is followed where the type of `x` can be read: `self`, parameters and variables with a type, and the fields
//! of all these. Methods of traits lead to the trait, by its `use`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, FnArg, ImplItem, Item, Member, Pat, Token, Type};

use super::graph::Graph;
use super::modules::{Modules, Place, imports, is_for_tests};

/// A type of the crate: module and name.
type Known = (String, String);

/// What is known of the types of a crate.
#[derive(Default)]
struct Types {
    /// The files of methods that stand in another file than their type.
    methods: BTreeMap<(Known, String), PathBuf>,
    /// The types of fields.
    fields: BTreeMap<(Known, String), Known>,
}

/// Notes all arrows of a crate.
pub(super) fn draw(modules: &Modules, graph: &mut Graph) {
    let types = Types::of(modules);
    for (path, module) in &modules.0 {
        graph.files.insert(module.file.clone());
        if module.only_re_exports() {
            continue;
        }
        let mut seen = Visitor {
            modules,
            types: &types,
            path,
            file: &module.file,
            graph,
            this: None,
            names: Vec::new(),
            variables: Vec::new(),
        };
        for item in &module.items {
            seen.visit_item(item);
        }
    }
}

impl Types {
    fn of(modules: &Modules) -> Self {
        let mut all = Self::default();
        for (path, module) in &modules.0 {
            for item in &module.items {
                match item {
                    Item::Impl(block) if block.trait_.is_none() => {
                        let Some(this) = known(modules, path, &block.self_ty) else {
                            continue;
                        };
                        if modules
                            .0
                            .get(&this.0)
                            .is_some_and(|home| home.file != module.file)
                        {
                            let names = block.items.iter().filter_map(|item| match item {
                                ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
                                _ => None,
                            });
                            let methods = names.map(|name| ((this.clone(), name), module.file.clone()));
                            all.methods.extend(methods);
                        }
                    }
                    Item::Struct(item) => {
                        let this = (path.clone(), item.ident.to_string());
                        for field in &item.fields {
                            if let (Some(name), Some(kind)) = (&field.ident, known(modules, path, &field.ty))
                            {
                                all.fields.insert((this.clone(), name.to_string()), kind);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        all
    }
}

/// The type of the crate that is meant, also behind references.
fn known(modules: &Modules, module: &str, kind: &Type) -> Option<Known> {
    match kind {
        Type::Reference(kind) => known(modules, module, &kind.elem),
        Type::Paren(kind) => known(modules, module, &kind.elem),
        Type::Path(kind) if kind.qself.is_none() => {
            let place = modules.places(module, &segments(&kind.path)).pop_first()?;
            Some((place.module, place.name))
        }
        _ => None,
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|part| part.ident.to_string()).collect()
}

/// Walks over the items of one module.
struct Visitor<'v> {
    modules: &'v Modules,
    types: &'v Types,
    /// The module.
    path: &'v str,
    file: &'v Path,
    graph: &'v mut Graph,
    /// The type of `self`.
    this: Option<Known>,
    /// The names that `use` brings inside of functions, innermost last.
    names: Vec<BTreeMap<String, Vec<Vec<String>>>>,
    /// The types of variables, innermost last.
    variables: Vec<(String, Option<Known>)>,
}

impl Visitor<'_> {
    /// Notes where a path leads.
    fn path(&mut self, path: &[String], line: usize) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let text = || path.join("::");
        if first == "Self" {
            if let (Some(this), Some(name)) = (self.this.clone(), rest.first()) {
                self.method(this, name, line, text);
            }
            return;
        }
        let inner = self.names.iter().rev().find_map(|names| names.get(first));
        let whole: Vec<Vec<String>> = match inner {
            Some(paths) => paths.iter().map(|path| [path, rest].concat()).collect(),
            None => vec![path.to_vec()],
        };
        for path in &whole {
            self.places(path, line);
        }
    }

    /// The same without the names that `use` brings inside of a function.
    fn places(&mut self, path: &[String], line: usize) {
        let text = || path.join("::");
        for Place { module, name, part } in self.modules.places(self.path, path) {
            self.module(&module, line, text);
            if let Some(part) = part {
                self.method((module, name), &part, line, text);
            }
        }
    }

    fn module(&mut self, module: &str, line: usize, text: impl FnOnce() -> String) {
        if let Some(module) = self.modules.0.get(module) {
            self.graph.note(self.file, &module.file, line, text);
        }
    }

    /// A method leads to its file, where that isn't its type's.
    fn method(&mut self, this: Known, name: &str, line: usize, text: impl FnOnce() -> String) {
        if let Some(file) = self.types.methods.get(&(this, name.to_owned())) {
            self.graph.note(self.file, file, line, text);
        }
    }

    /// The type of an expression, where it can be read.
    fn type_of(&self, value: &Expr) -> Option<Known> {
        match value {
            Expr::Paren(value) => self.type_of(&value.expr),
            Expr::Reference(value) => self.type_of(&value.expr),
            Expr::Unary(value) => self.type_of(&value.expr),
            Expr::Struct(value) => self.type_at(&segments(&value.path)),
            Expr::Call(call) => match call.func.as_ref() {
                // What makes a value of a type is called `Type::new` and the like.
                Expr::Path(name) => self.type_at(&segments(&name.path)),
                _ => None,
            },
            Expr::Field(field) => {
                let Member::Named(name) = &field.member else {
                    return None;
                };
                let of = self.type_of(&field.base)?;
                self.types.fields.get(&(of, name.to_string())).cloned()
            }
            Expr::Path(name) => {
                let name = name.path.get_ident()?;
                if name == "self" {
                    return self.this.clone();
                }
                let mut inner = self.variables.iter().rev();
                inner.find(|(other, _)| name == other)?.1.clone()
            }
            _ => None,
        }
    }

    fn type_at(&self, path: &[String]) -> Option<Known> {
        if path.first().is_some_and(|first| first == "Self") {
            return self.this.clone();
        }
        let place = self.modules.places(self.path, path).pop_first()?;
        Some((place.module, place.name))
    }

    /// A variable that begins, with its type where it is known.
    fn variable(&mut self, pattern: &Pat, value: Option<&Expr>) {
        let kind = match pattern {
            Pat::Type(typed) => return self.typed(typed),
            _ => value.and_then(|value| self.type_of(value)),
        };
        if let Pat::Ident(name) = pattern {
            self.variables.push((name.ident.to_string(), kind));
        }
    }

    fn typed(&mut self, typed: &syn::PatType) {
        if let Pat::Ident(name) = typed.pat.as_ref() {
            let kind = known(self.modules, self.path, &typed.ty);
            self.variables.push((name.ident.to_string(), kind));
        }
    }

    fn scope(&mut self, walk: impl FnOnce(&mut Self)) {
        let (names, variables) = (self.names.len(), self.variables.len());
        walk(self);
        self.names.truncate(names);
        self.variables.truncate(variables);
    }

    /// The words of a macro or an attribute: mostly expressions; of others the paths are seen.
    fn tokens(&mut self, tokens: &TokenStream) {
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone());
        match expressions {
            Ok(expressions) => expressions.iter().for_each(|value| self.visit_expr(value)),
            Err(_) => self.paths_in(tokens.clone()),
        }
    }

    fn paths_in(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match &token {
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Ident(name) if colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.path(&std::mem::take(&mut path), line);
                    colons = 0;
                    match other {
                        TokenTree::Ident(name) => {
                            line = name.span().start().line;
                            path.push(name.to_string());
                        }
                        TokenTree::Group(group) => self.tokens(&group.stream()),
                        _ => {}
                    }
                }
            }
        }
        self.path(&path, line);
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            // Inside of a function; in a module they don't come here.
            Item::Mod(_) => {}
            Item::Use(item) if is_for_tests(&item.attrs) => {}
            Item::Use(item) => {
                for import in imports(item) {
                    self.places(&import.path, import.line);
                    if import.is_glob {
                        for module in self.modules.modules(self.path, &import.path) {
                            self.module(&module, import.line, || format!("{}::*", import.path.join("::")));
                        }
                    }
                }
            }
            item => visit::visit_item(self, item),
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        self.this = known(self.modules, self.path, &block.self_ty);
        visit::visit_item_impl(self, block);
        self.this = None;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[syn::Attribute] = match item {
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !is_for_tests(attributes) {
            self.scope(|this| visit::visit_impl_item(this, item));
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            self.scope(|this| visit::visit_item_fn(this, item));
        }
    }

    fn visit_fn_arg(&mut self, argument: &'ast FnArg) {
        visit::visit_fn_arg(self, argument);
        if let FnArg::Typed(typed) = argument {
            self.typed(typed);
        }
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.scope(|this| {
            for input in &closure.inputs {
                this.variable(input, None);
            }
            visit::visit_expr_closure(this, closure);
        });
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut names: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for statement in &block.stmts {
            if let syn::Stmt::Item(Item::Use(item)) = statement {
                for import in imports(item) {
                    if let Some(name) = import.name {
                        names.entry(name).or_default().push(import.path);
                    }
                }
            }
        }
        self.scope(|this| {
            this.names.push(names);
            visit::visit_block(this, block);
        });
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        visit::visit_local(self, local);
        let value = local.init.as_ref().map(|init| init.expr.as_ref());
        self.variable(&local.pat, value);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let (None, Some(first)) = (&path.leading_colon, path.segments.first()) {
            self.path(&segments(path), first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Some(this) = self.type_of(&call.receiver) {
            let name = call.method.to_string();
            let line = call.method.span().start().line;
            self.method(this, &name, line, || format!(".{name}()"));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        // The attribute's own name belongs to the compiler or to a derive.
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens);
        }
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.tokens(tokens);
    }
}
