//! A copy of the real spec with more fields: what adding a field of an account takes.

use std::fs;

use super::{as_it_is, generate, write_with};
use crate::codegen::layout::Layout;
use crate::codegen::model::Model;

const SPEC: &str = include_str!("../../../../crates/qopen-types/openapi.yaml");

/// The real spec with a text and an enumeration in the account, an integer in its profile, and an
/// enumeration with its codes.
fn extended() -> String {
    crate::check::extended(SPEC).unwrap()
}

#[test]
fn a_field_that_is_added_to_the_spec_is_in_the_layout() {
    let folder = tempfile::tempdir().unwrap();
    let (spec, out) = (folder.path().join("openapi.yaml"), folder.path().join("generated"));
    fs::write(&spec, extended()).unwrap();
    write_with(&spec, &out, as_it_is).unwrap();
    let text = fs::read_to_string(out.join("layout.rs")).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // JSON: in the place that the spec gives it.
    for field in [
        r#"Field("nickname", Kind::Text), Field("level", Kind::Integer), Field("tag_info_list""#,
        r#"Field("seen_at", Kind::Integer), Field("desc", Kind::Text)"#,
        "MOST: usize = 13usize",
    ] {
        assert!(words.contains(field), "{field} in {words}");
    }
    // CSV and SQL: a column of its kind, with its name as its label, in tables.
    for (name, path, cell) in [
        ("nickname", "nickname", "Text(|record| &record.nickname)"),
        ("level", "level", "Code(|record| record.level.into())"),
        ("seen_at", "profile.seen_at", "Integer(|record| record.profile.seen_at)"),
    ] {
        let column = format!(
            "Column {{ name: {name:?}, path: {path:?}, label_zh: {name:?}, label_en: {name:?}, \
             in_tables: true, cell: Cell::{cell}, }}"
        );
        assert!(words.contains(&column), "{column} in {words}");
    }
    // The account writes and reads it.
    let account = fs::read_to_string(out.join("account.rs")).unwrap();
    for part in
        ["pub nickname: String", r#"serialize_entry("nickname""#, r#"unread.scalar("nickname""#]
    {
        assert!(account.contains(part), "{part}");
    }
}

#[test]
fn new_columns_are_behind_those_that_the_spec_names() {
    let names = |spec: &str| -> Vec<String> {
        let model = Model::read(spec).unwrap();
        let layout = Layout::of(&model).unwrap().unwrap();
        layout.columns.iter().map(|it| it.name.to_owned()).collect()
    };
    let (known, now) = (names(SPEC), names(&extended()));
    let (before, new) = now.split_at(known.len());
    assert_eq!(before, known);
    assert_eq!(new, ["seen_at", "nickname", "level"]);
    // Once it is named, a later field of the profile is behind it.
    let last = "        - {field: user_attr_field_list,";
    let spec = extended().replace(
        last,
        "        - {field: level, zh: 级别}\n        - {field: user_attr_field_list,",
    );
    assert_eq!(names(&spec)[known.len() - 1..known.len() + 1], ["level", "user_attr_fields"]);
}

#[test]
fn a_layout_that_no_output_can_have_is_refused() {
    let nickname = "nickname: {type: string, x-personal: true, description: Nickname.}";
    let tags = "name: tags, zh: 标签, en: Tags, between: ':', sql: false";
    let text = |name: &str| format!("{name}: {{type: string, description: D.}}");
    for (from, to, why) in [
        (nickname, text("name"), "Account.name: another column is called name"),
        (nickname, text("ctid"), "Account.ctid: another column is called ctid"),
        (nickname, text("robot_id"), "Account.robot_id: the outputs have a field of that name"),
        (nickname, text(&"n".repeat(64)), "a column's name has 63 bytes at most"),
        (nickname, "nickname: {type: [string, 'null'], description: D.}".into(), "Account.nickname: a field of the record reads null as zero"),
        (nickname, "nickname: {x-rust-type: Json, description: D.}".into(), "Account.nickname: Json is not read tolerantly"),
        (nickname, "team: {$ref: '#/components/schemas/TagInfo', description: D.}\n        colleague: {$ref: '#/components/schemas/TagInfo', description: D.}".into(), "another column is called parent_tag_name"),
        ("seen_at: {type: integer, format: int64, description: When it was last seen.}", "of: {$ref: '#/components/schemas/TagInfo', description: D.}".into(), "Account.profile.of: an object in an object"),
        ("parent_tag_name:\n", "tags: {type: array, items: {$ref: '#/components/schemas/TagInfo'}, description: D.}\n        parent_tag_name:\n".into(), "TagInfo: a record cannot contain itself"),
        ("required: [account_id]", "required: [account_id, nickname]".into(), "Account.nickname: identifiers are required in the record"),
        (tags, format!("{tags}, csv: x"), "unknown key `csv`"),
        ("between: ':'", "between: ';'".into(), "`between` is `:` or `=`"),
        ("{field: profile.desc,", "{field: profile.description,".into(), "x-columns: there is no field profile.description"),
        ("{field: profile.desc,", "{field: profile.name,".into(), "x-columns: profile.name is there twice"),
        ("{field: profile.desc,", "{between: ':', field: profile.desc,".into(), "Account.profile.desc: `between` is for lists"),
        ("      x-tolerant: true\n      description: A customer's tag", "      x-tolerant: true\n      x-columns: []\n      description: A customer's tag".into(), "x-columns is known for Account alone"),
    ] {
        let spec = extended();
        assert!(spec.contains(from), "{from}");
        let found = generate(&spec.replacen(from, &to, 1), as_it_is).unwrap_err().to_string();
        assert!(found.contains(why), "{from} -> {to}: {found}");
    }
}
