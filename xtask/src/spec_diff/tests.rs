//! A page in the vendor's format, in our own words, with every kind of difference.

use super::{Differences, diff};

const SPEC: &str = include_str!("../../../crates/qopen-types/openapi.yaml");

/// Agrees with the spec but for the contradictions that are known.
const PAGE: &str = include_str!("fixtures/page.txt");

fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(PAGE.contains(from), "{from}");
    diff(&PAGE.replace(from, to), SPEC).unwrap().new
}

#[test]
fn a_page_that_agrees_shows_only_its_own_contradictions() {
    let Differences { new, known, .. } = diff(PAGE, SPEC).unwrap();
    assert_eq!(new, [""; 0]);
    assert_eq!(
        known,
        [
            "Profile.add_way: string in the page's table, integer in the spec",
            "Profile.phone: integer in the page's example, string in the spec",
        ]
    );
}

#[test]
fn every_kind_of_change_is_seen() {
    for (from, to, expected) in [
        (
            "alias string A",
            "alias int A",
            "Profile.alias: integer in the page's table, string in the spec",
        ),
        (
            "alias: \"A\"",
            "alias: 7",
            "Profile.alias: integer in the page's example, string in the spec",
        ),
        (
            "alias string A",
            "alias string A\nmood string M",
            "Profile.mood: in the page's table (string), not in the spec",
        ),
        (
            "alias: \"A\"",
            "alias: \"A\", mood: 1",
            "Profile.mood: in the page's example, not in the spec",
        ),
        ("24 G", "24 G\n25 H", "add_way: code 25 in the page, not in the spec"),
        ("24 G", "", "add_way: code 24 in the spec, not in the page"),
        ("2为女", "2为女,3为X", "gender: code 3 in the page, not in the spec"),
        ("parent_tag_name", "group_name", "TagInfo.parent_tag_name: in the spec, not in the page"),
        (
            "tag_info_list说明",
            "label_list说明",
            "table \"label_list\": the spec has no type for it",
        ),
        (
            "need_tag_info bool N",
            "need_tag_info int N",
            "RobotAccountListRequest.need_tag_info: integer in the page's table, boolean in the spec",
        ),
    ] {
        let found = changed(from, to);
        assert!(found.iter().any(|it| it == expected), "{expected:?} is not in {found:#?}");
    }
}

#[test]
fn a_file_that_is_no_such_page_is_refused() {
    assert!(diff("hello", SPEC).is_err());
}
