//! `cargo xtask spec diff`: differences between a vendor's page and the spec.

mod example;
mod page;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::codegen::{Kind, Model, Shape};

use page::{Page, Table};

/// Where the page contradicts itself (its table says one thing, its example another) and the spec
/// has decided: the field, and the type that loses.
const KNOWN: [(&str, &str); 2] = [("Profile.phone", "integer"), ("Profile.add_way", "string")];

/// The spec's type of each table of the page.
const TABLES: [(&str, &[&str]); 5] = [
    ("body", &["RobotAccountListRequest"]),
    ("", &["RobotAccountListCallback", "RobotAccountListPage"]),
    ("account_list", &["Account"]),
    ("profile", &["Profile"]),
    ("tag_info_list", &["TagInfo"]),
];

/// The spec's types that the page describes. The types of siblings are on other pages.
const DESCRIBED: [&str; 7] = [
    "RobotAccountListRequest",
    "RobotAccountListCallback",
    "RobotAccountListPage",
    "Account",
    "Profile",
    "AttributeField",
    "TagInfo",
];

/// The differences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    pub(crate) new: Vec<String>,
    pub(crate) known: Vec<String>,
    /// The page's fields: type and name.
    named: BTreeSet<(String, String)>,
}

/// Compares a page with the spec.
pub(crate) fn diff(page: &str, spec: &str) -> Result<Differences> {
    let page = Page::read(page)?;
    let spec = Spec::new(&Model::read(spec)?);
    let mut found = Differences::default();
    for table in &page.tables {
        spec.compare_table(table, &mut found);
    }
    spec.compare_codes(&page, &mut found);
    for example in &page.examples {
        let root = if example.field("event_type").is_some() {
            "RobotAccountListCallback"
        } else {
            "RobotAccountListRequest"
        };
        spec.compare_example(root, example, &mut found);
    }
    spec.compare_presence(&page, &mut found);
    found.new.sort();
    found.new.dedup();
    found.known.sort();
    found.known.dedup();
    Ok(found)
}

/// A field of the spec as a page would name its type, and the type that it leads to.
struct Property {
    json_type: &'static str,
    leads_to: Option<String>,
}

struct Spec {
    /// Type, then field.
    types: BTreeMap<String, BTreeMap<String, Property>>,
    /// Field, then codes.
    codes: BTreeMap<String, BTreeSet<i64>>,
}

impl Spec {
    fn new(model: &Model) -> Self {
        let codes_of: BTreeMap<&str, BTreeSet<i64>> = model
            .types
            .iter()
            .filter_map(|it| match &it.shape {
                Shape::OpenEnum(codes) => {
                    Some((it.name.as_str(), codes.iter().map(|code| code.value).collect()))
                }
                Shape::Struct(_) => None,
            })
            .collect();
        let (mut types, mut codes) = (BTreeMap::new(), BTreeMap::new());
        for it in &model.types {
            let Shape::Struct(fields) = &it.shape else {
                continue;
            };
            let mut properties = BTreeMap::new();
            for field in fields {
                let (json_type, leads_to) = match &field.kind {
                    Kind::Text | Kind::Scalar(_) => ("string", None),
                    Kind::Integer => ("integer", None),
                    Kind::Boolean => ("boolean", None),
                    Kind::Json => ("any", None),
                    Kind::OpenEnum(name) => {
                        if DESCRIBED.contains(&it.name.as_str()) {
                            let codes_of = codes_of.get(name.as_str()).cloned();
                            codes.insert(field.name.clone(), codes_of.unwrap_or_default());
                        }
                        ("integer", None)
                    }
                    Kind::Object(name) => ("object", Some(name.clone())),
                    Kind::List(name) | Kind::Entries(name) => ("array", Some(name.clone())),
                    Kind::Scalars(_) | Kind::ScalarEntries(_) => ("array", None),
                };
                properties.insert(field.name.clone(), Property { json_type, leads_to });
            }
            types.insert(it.name.clone(), properties);
        }
        Self { types, codes }
    }

    fn compare_table(&self, table: &Table, found: &mut Differences) {
        let Some((_, types)) = TABLES.iter().find(|(name, _)| *name == table.name) else {
            found.new.push(format!("table {:?}: the spec has no type for it", table.name));
            return;
        };
        for (field, page_type) in &table.fields {
            let owner = types
                .iter()
                .find(|name| self.types.get(**name).is_some_and(|it| it.contains_key(field)));
            match owner {
                None => found.new.push(format!(
                    "{}.{field}: in the page's table ({page_type}), not in the spec",
                    types[0]
                )),
                Some(owner) => self.compare_type(owner, field, page_type, "table", found),
            }
        }
    }

    fn compare_type(
        &self,
        owner: &str,
        field: &str,
        page_type: &str,
        place: &str,
        found: &mut Differences,
    ) {
        let Some(property) = self.types.get(owner).and_then(|it| it.get(field)) else { return };
        found.named.insert((owner.to_owned(), field.to_owned()));
        if property.json_type == page_type || property.json_type == "any" {
            return;
        }
        let path = format!("{owner}.{field}");
        let line = format!(
            "{path}: {page_type} in the page's {place}, {} in the spec",
            property.json_type
        );
        if KNOWN.contains(&(path.as_str(), page_type)) {
            found.known.push(line);
        } else {
            found.new.push(line);
        }
    }

    fn compare_codes(&self, page: &Page, found: &mut Differences) {
        for (field, on_page) in &page.codes {
            let Some(ours) = self.codes.get(field) else {
                found.new.push(format!("{field}: has codes in the page and none in the spec"));
                continue;
            };
            let only = |a: &BTreeSet<i64>, b: &BTreeSet<i64>| -> Vec<i64> {
                a.difference(b).copied().collect()
            };
            for code in only(on_page, ours) {
                found.new.push(format!("{field}: code {code} in the page, not in the spec"));
            }
            for code in only(ours, on_page) {
                found.new.push(format!("{field}: code {code} in the spec, not in the page"));
            }
        }
    }

    fn compare_example(&self, owner: &str, example: &example::Value, found: &mut Differences) {
        for (field, value) in example.fields() {
            let Some(property) = self.types.get(owner).and_then(|it| it.get(field)) else {
                found.new.push(format!("{owner}.{field}: in the page's example, not in the spec"));
                continue;
            };
            self.compare_type(owner, field, value.json_type(), "example", found);
            if let Some(target) = &property.leads_to {
                for inner in value.objects() {
                    self.compare_example(target, inner, found);
                }
            }
        }
    }

    /// Fields of the spec that the page names neither in a table nor in an example.
    fn compare_presence(&self, page: &Page, found: &mut Differences) {
        for owner in DESCRIBED {
            for field in self.types.get(owner).into_iter().flat_map(BTreeMap::keys) {
                if !found.named.contains(&(owner.to_owned(), field.clone())) {
                    found.new.push(format!("{owner}.{field}: in the spec, not in the page"));
                }
            }
        }
        for field in self.codes.keys().filter(|it| !page.codes.contains_key(*it)) {
            found.new.push(format!("{field}: has codes in the spec and none in the page"));
        }
    }
}
