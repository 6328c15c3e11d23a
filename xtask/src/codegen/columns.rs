//! The columns that the spec names: `x-columns`.

use serde_json::Value;

use crate::Result;

/// A column that the spec names.
pub(crate) struct Named {
    /// The path of its field.
    pub(crate) field: String,
    pub(crate) name: Option<String>,
    pub(crate) zh: Option<String>,
    pub(crate) en: Option<String>,
    /// What separates the texts of one element of a list.
    pub(crate) between: Option<char>,
    pub(crate) in_tables: bool,
}

/// The columns of a record, as `x-columns` names them.
pub(super) fn read(name: &str, value: &Value) -> Result<Vec<Named>> {
    let named = |entry: &Value| -> Result<Named> {
        let wrong = |what: &str| format!("{name}: x-columns: {entry}: {what}");
        let entry_fields = entry.as_object().ok_or_else(|| wrong("is not an object"))?;
        let known = ["field", "name", "zh", "en", "between", "sql"];
        if let Some(key) = entry_fields.keys().find(|it| !known.contains(&it.as_str())) {
            return Err(wrong(&format!("unknown key `{key}`")).into());
        }
        let text = |key: &str| match entry.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(wrong(&format!("`{key}` is not a text"))),
        };
        let between = match text("between")?.as_deref() {
            None => None,
            Some(":") => Some(':'),
            Some("=") => Some('='),
            Some(_) => return Err(wrong("`between` is `:` or `=`").into()),
        };
        let in_tables = match entry.get("sql") {
            None => true,
            Some(Value::Bool(in_tables)) => *in_tables,
            Some(_) => return Err(wrong("`sql` is true or false").into()),
        };
        let field = text("field")?.ok_or_else(|| wrong("names no field"))?;
        let (name, zh, en) = (text("name")?, text("zh")?, text("en")?);
        Ok(Named { field, name, zh, en, between, in_tables })
    };
    let entries = value.as_array().ok_or_else(|| format!("{name}: x-columns is not a list"))?;
    entries.iter().map(named).collect()
}
