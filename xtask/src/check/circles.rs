//! Modules of a crate import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

use crate::{Result, files};

/// A module's path within its crate: empty for the root.
type Module = Vec<String>;

/// What a module takes from another one.
type Imports = BTreeMap<Module, BTreeSet<String>>;

/// Looks for circles in every crate of the workspace.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    let crates = std::fs::read_dir(root.join("crates"))?.map(|entry| Ok(entry?.path()));
    let mut crates = crates.collect::<Result<Vec<_>>>()?;
    crates.push(root.join("xtask"));
    crates.sort();
    for folder in crates {
        let source = folder.join("src");
        let mut files = BTreeMap::new();
        for (path, text) in files::rust(&source, &[])? {
            files.insert(module_of(path.strip_prefix(&source)?), text);
        }
        wrong.extend(circles(&files)?.into_iter().map(|it| format!("{}: {it}", folder.display())));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n  ").into()) }
}

/// The module of a file, from its path below the sources.
fn module_of(path: &Path) -> Module {
    let name = |it: &OsStr| it.to_string_lossy().into_owned();
    let mut module: Module = path.with_extension("").iter().map(name).collect();
    module.pop_if(|name| matches!(name.as_str(), "mod" | "lib" | "main"));
    module
}

/// The circles of a crate, each with the names that tie it.
fn circles(files: &BTreeMap<Module, String>) -> Result<Vec<String>> {
    let mut parsed = BTreeMap::new();
    for (module, text) in files {
        let file =
            syn::parse_file(text).map_err(|error| format!("{}: {error}", module.join("::")))?;
        let mut paths =
            Paths { module: module.clone(), files, paths: Vec::new(), names: BTreeMap::new() };
        paths.visit_file(&file);
        parsed.insert(module, (paths.paths, paths.names));
    }
    let origin = |path: &[String]| origin(path, files, &parsed, 0);
    let mut imports = BTreeMap::<&Module, Imports>::new();
    for (module, (paths, _)) in &parsed {
        for path in paths {
            let Some((target, name)) = origin(path) else { continue };
            // Every module meets in the crate's root.
            if target != **module && !target.is_empty() && !module.is_empty() {
                let names = imports.entry(module).or_default().entry(target).or_default();
                names.insert(name);
            }
        }
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for start in files.keys() {
        let ring: BTreeSet<&Module> = reached(start, &imports)
            .into_iter()
            .filter(|it| reached(it, &imports).contains(start))
            .collect();
        if ring.len() > 1 && seen.insert(ring.clone()) {
            found.push(describe(&ring, &imports));
        }
    }
    Ok(found)
}

/// The module in which a path's item is defined, through re-exports, and the item's name.
fn origin(
    path: &[String],
    files: &BTreeMap<Module, String>,
    parsed: &BTreeMap<&Module, (Vec<Module>, BTreeMap<String, Module>)>,
    depth: usize,
) -> Option<(Module, String)> {
    let length = (0..=path.len()).rev().find(|length| files.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let name = rest.first().cloned().unwrap_or_else(|| "self".to_owned());
    let names = parsed.get(&module.to_vec()).map(|(_, names)| names);
    match names.and_then(|names| names.get(&name)) {
        Some(elsewhere) if depth < 8 => origin(elsewhere, files, parsed, depth + 1),
        _ => Some((module.to_vec(), name)),
    }
}

fn reached<'a>(start: &'a Module, imports: &'a BTreeMap<&Module, Imports>) -> BTreeSet<&'a Module> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
    while let Some(module) = next.pop() {
        for target in imports.get(module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(target) {
                next.push(target);
            }
        }
    }
    reached.insert(start);
    reached
}

fn describe(ring: &BTreeSet<&Module>, imports: &BTreeMap<&Module, Imports>) -> String {
    let name = |module: &Module| match module.is_empty() {
        true => "crate".to_owned(),
        false => module.join("::"),
    };
    let mut arrows = Vec::new();
    for module in ring {
        for (target, names) in imports.get(*module).into_iter().flatten() {
            if ring.contains(target) {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                arrows.push(format!("{} -> {} ({})", name(module), name(target), names.join(", ")));
            }
        }
    }
    format!("modules import each other in a circle: {}", arrows.join("; "))
}

/// Every path of a module that begins in its crate, tests excepted, and the names that it imports.
struct Paths<'a> {
    /// The module, or one that is written inside it.
    module: Module,
    files: &'a BTreeMap<Module, String>,
    paths: Vec<Module>,
    /// Names that the module's `use` items bring in.
    names: BTreeMap<String, Module>,
}

impl Paths<'_> {
    /// The path from the crate's root. `None` for a path of another crate.
    fn resolve(&self, segments: &[String]) -> Option<Module> {
        let mut path = match segments.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().checked_sub(1)?].to_vec(),
            // A child of the module.
            child => {
                let path = [&self.module[..], &[child.to_owned()]].concat();
                return self
                    .files
                    .contains_key(&path)
                    .then(|| [&path[..], &segments[1..]].concat());
            }
        };
        for segment in &segments[1..] {
            match segment.as_str() {
                "super" => drop(path.pop()?),
                "self" => {}
                segment => path.push(segment.to_owned()),
            }
        }
        Some(path)
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(it) => {
                self.add_use(&[before, &[it.ident.to_string()]].concat(), &it.tree);
            }
            UseTree::Name(it) => {
                self.add_name(before, &it.ident.to_string(), &it.ident.to_string())
            }
            UseTree::Rename(it) => {
                self.add_name(before, &it.ident.to_string(), &it.rename.to_string());
            }
            UseTree::Glob(_) => self.add_name(before, "*", "*"),
            UseTree::Group(it) => it.items.iter().for_each(|it| self.add_use(before, it)),
        }
    }

    fn add_name(&mut self, before: &[String], name: &str, known_as: &str) {
        let all = [before, &[name.to_owned()]].concat();
        let Some(path) = self.resolve(&all) else { return };
        // `use a::{self}` brings in `a`.
        let known_as = match known_as {
            "self" => before.last().map_or("self", String::as_str),
            known_as => known_as,
        };
        self.names.insert(known_as.to_owned(), path.clone());
        self.paths.push(path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| {
        it.path().is_ident("cfg")
            && it.meta.require_list().is_ok_and(|it| it.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(it) if is_test(&it.attrs) => {}
            Item::Mod(it) if it.content.is_some() => {
                self.module.push(it.ident.to_string());
                visit::visit_item(self, item);
                self.module.pop();
            }
            Item::Use(it) if !is_test(&it.attrs) => self.add_use(&[], &it.tree),
            item => visit::visit_item(self, item),
        }
    }

    /// A visibility such as `pub(in crate::a)` takes nothing from the module.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|it| it.ident.to_string()).collect();
        // A name alone is a variable, a type or a `use` that was seen.
        if segments.len() > 1
            && let Some(path) = self.resolve(&segments)
        {
            self.paths.push(path);
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let module =
            |name: &str| name.split("::").filter(|it| !it.is_empty()).map(str::to_owned).collect();
        circles(&files.iter().map(|(name, text)| (module(name), (*text).to_owned())).collect())
            .unwrap()
    }

    #[test]
    fn a_circle_is_found_however_it_is_spelled() {
        for text in [
            "use crate::b::B;",
            "use super::b::B;",
            "use crate::{b::B as C};",
            "use crate::b::*;",
            "fn f() { crate::b::B::new() }",
            "struct A(super::b::B);",
            "fn f(b: &impl Fn(crate::b::B)) {}",
            "use crate::B;",
        ] {
            let circles = found(&[
                ("", "mod a; mod b; pub use b::B;"),
                ("a", text),
                ("b", "use crate::a::A; pub struct B;"),
            ]);
            assert_eq!(circles.len(), 1, "{text}: {circles:?}");
            assert!(circles[0].contains("b -> a (A)"), "{circles:?}");
        }
    }

    #[test]
    fn a_child_and_its_parent_that_import_each_other_are_a_circle() {
        let parent = "mod child; use child::Child; pub struct Parent;";
        assert_eq!(found(&[("a", parent), ("a::child", "use super::Parent;")]).len(), 1);
        assert_eq!(found(&[("a", parent), ("a::child", "use super::*;")]).len(), 1);
        assert_eq!(found(&[("a", parent), ("a::child", "")]).len(), 0);
        let parent = "mod child; pub struct Parent; fn f() { child::g() }";
        assert_eq!(found(&[("a", parent), ("a::child", "use super::Parent;")]).len(), 1);
    }

    #[test]
    fn a_file_is_a_module_and_a_root_is_its_folder() {
        for (path, module) in [
            ("lib.rs", ""),
            ("main.rs", ""),
            ("a.rs", "a"),
            ("a/mod.rs", "a"),
            ("a/b.rs", "a::b"),
            ("a/b/mod.rs", "a::b"),
        ] {
            assert_eq!(module_of(Path::new(path)).join("::"), module, "{path}");
        }
    }

    #[test]
    fn this_workspace_has_no_circle() {
        check(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap();
    }

    #[test]
    fn one_way_and_tests_are_no_circle() {
        assert_eq!(found(&[("a", "use crate::b::B;"), ("b", "use other::a::A;")]).len(), 0);
        let inner = "mod inner { use super::*; use super::super::a::A; }";
        assert_eq!(found(&[("a", ""), ("b", inner)]).len(), 0);
        let tests = "#[cfg(test)] mod tests { use crate::a::A; }";
        assert_eq!(found(&[("a", "use crate::b::B;"), ("b", tests)]).len(), 0);
    }
}
