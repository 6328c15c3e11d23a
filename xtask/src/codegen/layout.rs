//! How the record is laid out: its fields as JSON has them, its columns as CSV and SQL have them.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::Named;
use super::model::{Field, Kind, Model, Shape, Type};
use crate::Result;

/// The schema that is the record: the hand-written types around the layout are about accounts.
const RECORD: &str = "Account";

/// Names of fields that the outputs add to a record.
const OUTPUTS_FIELDS: [&str; 2] = ["robot_id", "_unread"];

/// Names of columns that the outputs add, and those that PostgreSQL has in every table.
const OUTPUTS_COLUMNS: [&str; 12] = [
    "robot_id", "extra", "_unread", "account", "n", "ctid", "xmin", "xmax", "cmin", "cmax",
    "tableoid", "oid",
];

/// The longest name that PostgreSQL keeps whole, in bytes.
const LONGEST_NAME: usize = 63;

pub(crate) struct Layout<'a> {
    /// The record first, then each object in it.
    pub(crate) objects: Vec<&'a Type>,
    pub(crate) columns: Vec<Column<'a>>,
    /// Fields of the record that are objects; their fields are columns.
    pub(crate) nested: Vec<&'a Field>,
}

pub(crate) struct Column<'a> {
    /// The fields that lead to the value, from the record down.
    pub(crate) path: Vec<&'a Field>,
    pub(crate) name: &'a str,
    pub(crate) zh: &'a str,
    pub(crate) en: &'a str,
    pub(crate) in_tables: bool,
    /// For a list whose elements are written as texts: the separator, and the elements' fields.
    pub(crate) elements: Option<(char, &'a [Field])>,
}

impl Column<'_> {
    pub(crate) fn path_text(&self) -> String {
        path_text(&self.path)
    }
}

fn path_text(path: &[&Field]) -> String {
    path.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(".")
}

impl<'a> Layout<'a> {
    /// The column of each field that is no object, in the order in which JSON has the fields.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut paths = Vec::new();
        if let Some(record) = self.objects.first() {
            self.paths_of(record, &mut Vec::new(), &mut paths);
        }
        let place = |path: &String| self.columns.iter().position(|it| it.path_text() == *path);
        paths.iter().filter_map(place).collect()
    }

    fn paths_of(&self, object: &'a Type, before: &mut Vec<&'a Field>, paths: &mut Vec<String>) {
        for field in object.fields() {
            before.push(field);
            let inner = match &field.kind {
                Kind::Object(name) => self.objects.iter().find(|it| it.name == *name),
                _ => None,
            };
            match inner {
                Some(inner) => self.paths_of(inner, before, paths),
                None => paths.push(path_text(before)),
            }
            before.pop();
        }
    }

    /// The layout of the record, if the spec has one.
    pub(crate) fn of(model: &'a Model) -> Result<Option<Self>> {
        let mut records = model.types.iter().filter_map(|it| Some((it, it.columns.as_ref()?)));
        let Some((record, named)) = records.next() else { return Ok(None) };
        if record.name != RECORD || records.next().is_some() {
            return Err(format!("x-columns is known for {RECORD} alone").into());
        }
        let mut objects = Vec::new();
        gather(model, record, &mut Vec::new(), &mut objects)?;
        let mut paths: Vec<Vec<&Field>> = Vec::new();
        let mut nested = Vec::new();
        for field in object_fields(record)? {
            if OUTPUTS_FIELDS.contains(&field.name.as_str()) {
                return Err(format!(
                    "{RECORD}.{}: the outputs have a field of that name",
                    field.name
                )
                .into());
            }
            let Kind::Object(inner) = &field.kind else {
                paths.push(vec![field]);
                continue;
            };
            nested.push(field);
            for inner in object_fields(model.find(inner)?)? {
                if matches!(inner.kind, Kind::Object(_)) || inner.required {
                    let place = path_text(&[field, inner]);
                    return Err(format!("{RECORD}.{place}: an object in an object, or a required field there, has no column").into());
                }
                paths.push(vec![field, inner]);
            }
        }
        let columns = columns(model, paths, named)?;
        Ok(Some(Self { objects, columns, nested }))
    }
}

/// The columns that the spec names in their order, then the others in the spec's.
fn columns<'a>(
    model: &'a Model,
    paths: Vec<Vec<&'a Field>>,
    named: &'a [Named],
) -> Result<Vec<Column<'a>>> {
    let mut places = BTreeMap::new();
    for (place, entry) in named.iter().enumerate() {
        if !paths.iter().any(|path| path_text(path) == entry.field) {
            return Err(format!("{RECORD}: x-columns: there is no field {}", entry.field).into());
        }
        if places.insert(entry.field.as_str(), place).is_some() {
            return Err(format!("{RECORD}: x-columns: {} is there twice", entry.field).into());
        }
    }
    let mut columns = Vec::new();
    for path in paths {
        let text = path_text(&path);
        let entry = places.get(text.as_str()).and_then(|place| named.get(*place));
        let field = *path.last().ok_or("a path has a field")?;
        let name = entry.and_then(|it| it.name.as_deref()).unwrap_or(&field.name);
        let label = |it: Option<&'a String>| it.map_or(name, String::as_str);
        columns.push(Column {
            name,
            zh: label(entry.and_then(|it| it.zh.as_ref())),
            en: label(entry.and_then(|it| it.en.as_ref())),
            in_tables: entry.is_none_or(|it| it.in_tables),
            elements: elements(model, field, entry.and_then(|it| it.between))
                .map_err(|error| format!("{RECORD}.{text}: {error}"))?,
            path,
        });
    }
    columns.sort_by_key(|it| places.get(it.path_text().as_str()).copied().unwrap_or(usize::MAX));
    let mut names = BTreeSet::new();
    for it in &columns {
        let place = it.path_text();
        if OUTPUTS_COLUMNS.contains(&it.name) || !names.insert(it.name) {
            return Err(format!(
                "{RECORD}.{place}: another column is called {}; name it otherwise in x-columns",
                it.name
            )
            .into());
        }
        if it.name.len() > LONGEST_NAME {
            return Err(format!(
                "{RECORD}.{place}: a column's name has {LONGEST_NAME} bytes at most"
            )
            .into());
        }
    }
    Ok(columns)
}

/// What each element of a list is written as, if it is written as texts.
fn elements<'a>(
    model: &'a Model,
    field: &Field,
    between: Option<char>,
) -> Result<Option<(char, &'a [Field])>> {
    let Some(between) = between else { return Ok(None) };
    let Kind::List(element) = &field.kind else {
        return Err("`between` is for lists".into());
    };
    let fields = object_fields(model.find(element)?)?;
    if fields.iter().any(|it| matches!(it.kind, Kind::List(_) | Kind::Scalars(_) | Kind::Object(_)))
    {
        return Err(format!("`between` is for lists of texts, and {element} has more").into());
    }
    Ok(Some((between, fields)))
}

fn object_fields(it: &Type) -> Result<&[Field]> {
    match &it.shape {
        Shape::Struct(fields) => Ok(fields),
        Shape::OpenEnum(_) => Err(format!("{} is not an object", it.name).into()),
    }
}

/// A type and all that its fields lead to, each once; refuses what no output can have.
fn gather<'a>(
    model: &'a Model,
    it: &'a Type,
    above: &mut Vec<&'a str>,
    out: &mut Vec<&'a Type>,
) -> Result<()> {
    if above.contains(&it.name.as_str()) {
        return Err(format!("{}: a record cannot contain itself", it.name).into());
    }
    if out.iter().any(|known| known.name == it.name) {
        return Ok(());
    }
    out.push(it);
    above.push(&it.name);
    for field in object_fields(it)? {
        let wrong = |why: &str| format!("{}.{}: {why}", it.name, field.name);
        let is_identifier = matches!(&field.kind, Kind::Scalar(name) if name.ends_with("Id"));
        if field.nullable {
            return Err(wrong("a field of the record reads null as zero; leave `null` out").into());
        }
        if field.required != is_identifier {
            return Err(wrong("identifiers are required in the record, and nothing else is").into());
        }
        match &field.kind {
            Kind::Json | Kind::Entries(_) | Kind::Scalars(_) | Kind::ScalarEntries(_) => {
                return Err(wrong("has no column").into());
            }
            Kind::Object(name) | Kind::List(name) => gather(model, model.find(name)?, above, out)?,
            Kind::Text | Kind::Integer | Kind::Boolean | Kind::Scalar(_) | Kind::OpenEnum(_) => {}
        }
    }
    above.pop();
    Ok(())
}
