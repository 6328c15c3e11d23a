//! Finds the values of columns in canonical JSON.

use crate::Account;
use crate::generated::layout::{PLACES, RECORD};
use crate::layout::{Field, Kind};
use crate::reader::Reader;

/// The number of columns.
const COLUMNS: usize = Account::COLUMNS.len();

impl Account {
    /// Returns the JSON of each column's field in an account's canonical JSON, in the order of
    /// [`COLUMNS`](Self::COLUMNS). Returns `None` for JSON that [`write_canonical_json`](Self::write_canonical_json)
    /// does not write.
    ///
    /// ```
    /// use qopen_types::Account;
    ///
    /// let mut json = String::new();
    /// assert!(Account::write_canonical_json(r#"{"account_id": "a"}"#, &mut json));
    /// assert_eq!(Account::canonical_values(&json).expect("canonical")[0], "\"a\"");
    /// ```
    #[must_use]
    pub fn canonical_values(json: &str) -> Option<[&str; COLUMNS]> {
        let mut values = [""; COLUMNS];
        let mut places = PLACES.iter();
        let mut reader = Reader::new(json);
        find(&mut reader, RECORD, &mut |value| {
            *values.get_mut(*places.next()?)? = value;
            Some(())
        })?;
        (reader.is_at_end() && places.next().is_none()).then_some(values)
    }
}

fn find<'a>(
    reader: &mut Reader<'a>,
    fields: &[Field],
    found: &mut dyn FnMut(&'a str) -> Option<()>,
) -> Option<()> {
    let mut fields = fields.iter();
    reader.object(|reader, name| {
        let Field(_, kind) = fields.next().filter(|field| field.0 == name)?;
        if let Kind::Object(fields) = kind {
            return find(reader, fields, found);
        }
        let start = reader.at();
        // A list has objects without further ones.
        reader.skip(2)?;
        found(reader.since(start)?)
    })?;
    fields.next().is_none().then_some(())
}
