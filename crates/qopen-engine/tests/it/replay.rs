//! What a capture says of its lists.

use qopen_engine::{Replay, Replayed};
use qopen_journal::EndState::{self, Complete, Failed, Incomplete};

#[test]
fn a_capture_says_what_it_lacks() {
    let payload = |robot: &str, mark: &str, more: bool| {
        format!(
            r#"{{"event_type":42016,"robot_id":"{robot}","data":{{"mark_id":"{mark}","has_more":{more},"account_list":[{{"account_id":"a"}}]}}}}"#
        )
    };
    let mut replay = Replay::default();
    let report = r#"{"event_type":42016,"err_code":7,"err_msg":"no","robot_id":"r3","data":null}"#;
    let broken = payload("r4", "m", false).replace("[{\"account_id\":\"a\"}]", "7");
    let mut add = |payload: &str| replay.add(payload.into()).unwrap();
    assert_eq!(add(&payload("r1", "m", true)), Replayed::List);
    add(&payload("r2", "m", false));
    add(&payload("r3", "m", true));
    add(report);
    assert!(matches!(add(&broken), Replayed::Unreadable { .. }));
    assert!(matches!(add(r#"{"event_type":20001}"#), Replayed::Other(_)));
    let statuses: Vec<(String, EndState)> = replay
        .finish()
        .unwrap()
        .iter()
        .map(|it| (it.progress.pull.robot_id.to_string(), it.status.end_state()))
        .collect();
    let expected = [("r1", Incomplete), ("r2", Complete), ("r3", Failed), ("r4", Incomplete)];
    assert_eq!(statuses, expected.map(|(robot, status)| (robot.to_owned(), status)));
}

#[test]
fn e2_what_says_nothing_stands_against_every_list() {
    let page = |mark: &str| {
        format!(
            r#"{{"event_type":42016,"robot_id":"r","data":{{"mark_id":"{mark}","has_more":false,"account_list":[]}}}}"#
        )
    };
    let statuses = |odd: &[u8]| {
        let mut replay = Replay::default();
        for mark in ["mark-one", "mark-two"] {
            replay.add(page(mark).into()).unwrap();
        }
        replay.add(odd.to_vec()).unwrap();
        let outcomes = replay.finish().unwrap();
        outcomes.iter().map(|it| it.status.end_state()).collect::<Vec<_>>()
    };
    let (both, one, none) =
        (&[Incomplete, Incomplete], &[Complete, Incomplete], &[Complete, Complete]);
    for (odd, expected) in [
        (&b"{"[..], both),
        (b"\xff\xfe\x00", both),
        (b"[1]", both),
        (br#"{"event_type":42016,"robot_id":"r","data":{"#, both),
        (br#"{"event_type":42016,"robot_id":"other","data":{"#, none),
        (br#"{"event_type":42016,"data":{"mark_id":"mark-two","account_list":7"#, one),
        // Names that are damaged with the text.
        (br#"{"event_type":42016,"robot_id":"r","data":{"mark_id":"x, "data":7"#, both),
        (br#"{"event_type":42016,"robot_id":"other","data":{"mark_id":"mark_two"}"#, one),
        (br#"{"odd":{"MARK":"MARK-TWO"},"list":["#, one),
        (br#"{"event_type":40023,"text":"half an emoj"#, none),
        (br#"{"event_type":40023,"text":"\x01\x02"#, none),
        (br#"{"event_type":40023,"mark":"mark-two","text":["#, one),
        (br#"{"hello":"world"}"#, both),
        (br#"{"robot_id":"r","event_type":[42016]}"#, both),
        (br#"{"event_type":false}"#, both),
        (br#"{"event_type":" "}"#, both),
        (br#"{"err_code":0,"event_type":4201"#, both),
        (br#"{"event_type":41001,"x":[{"account_list":[{"account_id":"a"#, both),
        (br#"{"event_type":42016,"robot_id":"r","data":{"mark_id":"mark-two","has_more":true,"account_list":[],"accountList":[{"account_id":"a"}]}}"#, one),
        (br#"{"event_type":41001,"event_type":42016,"robot_id":"r","data":{"mark_id":"mark-two","has_more":true,"account_list":[{"account_id":"a"}]}}"#, one),
        (b"{\"event_type\":42016,\"robot_id\":\"r\",\"data\":{\"mark_id\":\"mark-two\",\"has_more\":true,\"account_list\":[{\"account_id\":\"a\xff\"},{\"account_id\":\"a\xfe\"}]}}", one),
        (b"{\"event_type\":42016,\"robot_id\":\"r\",\"data\":{\"mark_id\":\"mark-tw\xff\",\"has_more\":true,\"account_list\":[{\"account_id\":\"a\"}]}}", both),
    ] {
        assert_eq!(statuses(odd), expected, "{}", String::from_utf8_lossy(odd));
    }
}
