//! The siblings of the customer list: robots, their state, customers by id, and events.

use qopen_types::{
    AccountId, CallbackPayload, CustomerIdentifiedCallback, Endpoint, EventType, Gender,
    GetHostAccountList, GetPlatformRobotList, GetRobotAccountByIds, GetRobotAccountByIdsV2,
    GetRobotStatusSync, HostAccountListRequest, HostAccountListResponse, Item, Json, LogoutType,
    NewCustomerCallback, NewGroupCallback, OpenRobotRange, PlatformRobotListResponse,
    Response as _, RobotAccountByIdsRequest, RobotAccountByIdsResponse, RobotAccountByIdsV2Request,
    RobotDevice, RobotLoggedOutCallback, RobotStatusRequest, RobotStatusResponse,
};
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn item<T: qopen_types::Tolerant>(text: &str) -> T {
    match Item::read(Json::parse(text).unwrap()) {
        Item::Valid(it) => it,
        Item::Invalid(it) => panic!("{}", it.reason),
    }
}

#[test]
fn the_paths_are_those_of_the_gateway() {
    let paths = [
        GetHostAccountList::PATH,
        GetPlatformRobotList::PATH,
        GetRobotStatusSync::PATH,
        GetRobotAccountByIds::PATH,
        GetRobotAccountByIdsV2::PATH,
    ];
    let names = [
        GetHostAccountList::NAME,
        GetPlatformRobotList::NAME,
        GetRobotStatusSync::NAME,
        GetRobotAccountByIds::NAME,
        GetRobotAccountByIdsV2::NAME,
    ];
    for (path, name) in paths.iter().zip(names) {
        assert_eq!(*path, format!("/gateway/qopen/{name}"));
    }
}

#[test]
fn requests_are_written_as_documented() {
    let mut page = HostAccountListRequest::default();
    (page.offset, page.limit) = (200, 100);
    insta::assert_snapshot!(serde_json::to_string(&page).unwrap(), @r#"{"offset":200,"limit":100}"#);
    let mut status = RobotStatusRequest::default();
    status.robot_id_list = vec!["r1".parse().unwrap(), "r2".parse().unwrap()];
    insta::assert_snapshot!(serde_json::to_string(&status).unwrap(), @r#"{"robot_id_list":["r1","r2"]}"#);
    let mut first = RobotAccountByIdsRequest::new("r".parse().unwrap());
    first.account_id_list = vec!["a".parse().unwrap()];
    insta::assert_snapshot!(serde_json::to_string(&first).unwrap(), @r#"{"robot_id":"r","account_id_list":["a"],"external_user_id_list":[],"need_tag_info":false}"#);
    let mut second = RobotAccountByIdsV2Request::new("r".parse().unwrap());
    second.account_id_list = vec!["canary".parse().unwrap()];
    second.external_user_id_list = vec!["canary".into()];
    insta::assert_snapshot!(serde_json::to_string(&second).unwrap(), @r#"{"robot_id":"r","account_id_list":["canary"],"external_user_id_list":["canary"],"need_tag_info":false,"need_user_attr_field":false,"need_user_attr_sys_field":false,"need_empty_attr_field":false}"#);
    assert!(!format!("{second:?}").contains("canary"), "{second:?}");
}

const HOSTS: &str = r#"{"errcode":0,"errmsg":"","hint":"log","data":{"has_more":true,"host_account_list":[
    {"robot_id":"r1","user_id":"u","name":"客服","real_name":"张三","avatar_url":"https://a.example/1",
     "alias":"x","sex":2,"is_online":true,"joining_time":1624873867,"open_robot_range":2,"later":1}]}}"#;

#[test]
fn the_robots_of_a_page_are_read() {
    let answer: HostAccountListResponse = read(HOSTS);
    let page = answer.data.as_ref().unwrap();
    let robots = page.host_account_list.as_ref().unwrap();
    let robot = robots.valid().next().unwrap();
    assert_eq!((page.has_more, robots.len()), (Some(true), 1));
    assert_eq!((robot.robot_id.as_str(), robot.name.as_str()), ("r1", "客服"));
    assert_eq!((robot.is_online, robot.sex), (Some(true), Gender::Female));
    assert_eq!(robot.open_robot_range, OpenRobotRange::ScanCode);
    assert_eq!((robot.joining_time, robot.extra.len()), (1_624_873_867, 1));
    // As written, so read.
    assert_eq!(read::<HostAccountListResponse>(&serde_json::to_string(&answer).unwrap()), answer);
    let other = HOSTS.replace("host_account_list", "robot_list");
    let answer: PlatformRobotListResponse = read(&other);
    let page = answer.data.unwrap();
    assert_eq!(page.robot_list.unwrap().valid().next().unwrap().real_name, "张三");
}

#[test]
fn other_spellings_are_the_same_page() {
    let plain: HostAccountListResponse = read(HOSTS);
    let odd = HOSTS
        .replace("\"has_more\":true", "\"has_more\":\"True\"")
        .replace("\"sex\":2", "\"sex\":\"2\"")
        .replace("\"is_online\":true", "\"is_online\":1")
        .replace("1624873867", "\"1624873867.0\"")
        .replace("errcode", "err_code")
        .replace("[\n", "{\"0\":\n")
        .replace("}]}}", "}}}}");
    assert_ne!(odd, HOSTS);
    assert_eq!(read::<HostAccountListResponse>(&odd), plain);
    // A number as an id, and everything else absent or null.
    let bare: HostAccountListResponse = read(
        r#"{"data":{"host_account_list":[{"robot_id":17,"name":null,"is_online":null,"sex":null}]}}"#,
    );
    let page = bare.data.unwrap();
    let robots = page.host_account_list.unwrap();
    let robot = robots.valid().next().unwrap();
    assert_eq!((robot.robot_id.as_str(), &*robot.name, robot.is_online), ("17", "", None));
    assert_eq!(page.has_more, None);
}

#[test]
fn an_empty_page_differs_from_an_answer_that_says_nothing() {
    let list =
        |text: &str| read::<PlatformRobotListResponse>(text).data.and_then(|it| it.robot_list);
    for empty in ["null", "[]", "{}", "\"\""] {
        let text = format!(r#"{{"errcode":0,"data":{{"has_more":false,"robot_list":{empty}}}}}"#);
        assert!(list(&text).is_some_and(|it| it.is_empty()), "{text}");
    }
    for nothing in
        [r#"{"errcode":0}"#, r#"{"data":null}"#, r#"{"data":[]}"#, r#"{"data":{"robots":[]}}"#]
    {
        assert_eq!(list(nothing), None, "{nothing}");
    }
    assert!(serde_json::from_str::<PlatformRobotListResponse>(r#"{"data":[1]}"#).is_err());
}

#[test]
fn e5_one_damaged_robot_costs_itself_alone_and_a_field_costs_a_field() {
    let text = HOSTS.replace(
        "\"host_account_list\":[",
        r#""host_account_list":[7,null,{"name":"?"},
        {"robot_id":"r0","name":["?"],"joining_time":{}},"#,
    );
    let page = read::<HostAccountListResponse>(&text).data.unwrap();
    let robots = page.host_account_list.unwrap();
    let ids: Vec<_> = robots.valid().map(|it| it.robot_id.as_str()).collect();
    assert_eq!((ids, robots.invalid().count()), (vec!["r0", "r1"], 3));
    let unread: Vec<_> = robots.valid().next().unwrap().unread.iter().map(|it| it.0).collect();
    assert_eq!(unread, ["name", "joining_time"]);
}

#[test]
fn states_and_failures_are_read() {
    let answer: RobotStatusResponse = read(
        r#"{"errcode":"0","data":{"failed_list":["r3",4,{},null],"robot_status_list":[
        {"robot_id":"r1","is_online":true,"enable":"1"},{"robot_id":"r2","enable":false},{"is_online":true}]}}"#,
    );
    let data = answer.data.unwrap();
    let failed: Vec<_> = data.failed_list.valid().map(|it| it.as_str()).collect();
    assert_eq!((failed, data.failed_list.invalid().count()), (vec!["r3", "4"], 2));
    let reasons: Vec<_> = data.failed_list.invalid().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "failed_list: expected an identifier, found an object",
            "failed_list: expected an identifier, found nothing",
        ]
    );
    let states = data.robot_status_list.unwrap();
    let read: Vec<_> =
        states.valid().map(|it| (it.robot_id.as_str(), it.is_online, it.enable)).collect();
    assert_eq!(read, [("r1", Some(true), Some(true)), ("r2", None, Some(false))]);
    assert_eq!(states.invalid().count(), 1);
}

#[test]
fn customers_by_id_are_the_customers_of_a_page() {
    let answer: RobotAccountByIdsResponse = read(
        r#"{"errcode":0,"data":{"account_list":[{"account_id":"a","deleted_by_contact":"True",
        "profile":{"phone":1399998888}},{"profile":{}},{"account_id":"b","profile":[1]}]}}"#,
    );
    let list = answer.data.unwrap().account_list.unwrap();
    let customers: Vec<_> = list
        .valid()
        .map(|it| (it.account_id.as_str(), it.deleted_by_contact, it.unread.len()))
        .collect();
    assert_eq!(customers, [("a", true, 0), ("b", false, 1)]);
    assert_eq!(list.invalid().count(), 1);
    let refused: RobotAccountByIdsResponse =
        read(r#"{"err_code":"60020","err_msg":"no","hint":"log-9","data":null}"#);
    assert_eq!(refused.refusal().map(|it| (it.code, it.hint)), Some((60020, "log-9".into())));
}

#[test]
fn events_are_read_with_their_types() {
    for (event_type, code) in [
        (EventType::NEW_CUSTOMER, NewCustomerCallback::EVENT_TYPE),
        (EventType::NEW_GROUP, NewGroupCallback::EVENT_TYPE),
        (EventType::CUSTOMER_IDENTIFIED, CustomerIdentifiedCallback::EVENT_TYPE),
        (EventType::ROBOT_LOGGED_OUT, RobotLoggedOutCallback::EVENT_TYPE),
    ] {
        assert_eq!(event_type, EventType::Code(code));
    }
    let customer: NewCustomerCallback = read(
        r#"{"event_type":20001,"robot_id":"r","account_id":"a","account_type":"2","mark_id_list":["m",7],
        "profile":{"name":"张三","gender":1,"phone":13}}"#,
    );
    assert_eq!(customer.account_id, Some(AccountId::new("a").unwrap()));
    assert_eq!(
        (customer.mark_id_list, customer.profile.phone),
        (vec!["m".into(), "7".into()], "13".into())
    );
    let group: NewGroupCallback = read(
        r#"{"event_type":20002,"robot_id":"r","group_id":5,"is_watch":0,"group_created_at":"1624873867"}"#,
    );
    assert_eq!(
        (&*group.group_id, group.is_watch, group.group_created_at),
        ("5", Some(false), 1_624_873_867)
    );
    let known: CustomerIdentifiedCallback = read(
        r#"{"event_type":20003,"err_code":0,"robot_id":"r","data":{"account_id":"a","union_id":"u"}}"#,
    );
    assert_eq!((&*known.data.union_id, &*known.data.external_user_id), ("u", ""));
    let out: RobotLoggedOutCallback = read(
        r#"{"event_type":41002,"robot_id":"r","robot_name":"n","robot_device":2,"logout_type":"2"}"#,
    );
    assert_eq!((out.robot_device, out.logout_type), (RobotDevice::Cloud, LogoutType::Lost));
}

#[test]
fn a_list_of_marks_may_be_a_text() {
    let marks = |value: &str| {
        item::<NewCustomerCallback>(&format!(r#"{{"mark_id_list":{value}}}"#)).mark_id_list
    };
    assert_eq!(marks("\"m1\""), ["m1"]);
    assert_eq!(marks("7"), ["7"]);
    assert_eq!(marks(r#"{"0":"m1","1":"m2"}"#), ["m1", "m2"]);
    for none in ["null", "\"\"", "[]", "{}", "[null]"] {
        assert!(marks(none).is_empty(), "{none}");
    }
}

#[test]
fn e5_a_damaged_field_of_an_event_costs_the_field() {
    let text = r#"{"event_type":20001,"robot_id":"r","account_id":{},"mark_id_list":["m",{},"n"],
        "profile":{"name":"n","gender":[]}}"#;
    assert!(serde_json::from_str::<NewCustomerCallback>(text).is_err());
    let customer: NewCustomerCallback = item(text);
    assert_eq!((customer.account_id.as_ref(), customer.mark_id_list.len()), (None, 2));
    let unread: Vec<_> = customer.unread.iter().map(|it| it.0).collect();
    assert_eq!(unread, ["account_id", "mark_id_list[1]", "profile.gender"]);
    assert_eq!(customer.profile.name, "n");
    let known: CustomerIdentifiedCallback = item(r#"{"robot_id":"r","data":"gone"}"#);
    assert_eq!(known.unread.iter().next().map(|it| it.0), Some("data"));
}

#[test]
fn i10_debug_shows_no_robot_and_no_customer() {
    let canaries = |text: &str| text.replace("\"?\"", "\"canary\"");
    let hosts = canaries(
        r#"{"data":{"host_account_list":[{"robot_id":"r1","user_id":"?","name":"?","real_name":"?","avatar_url":"?",
        "alias":"?","later":"?"},"?"]}}"#,
    );
    let robots = canaries(
        r#"{"data":{"robot_list":[{"robot_id":"r1","email":"?","qrcode":"?","name":"?"}]}}"#,
    );
    let accounts =
        canaries(r#"{"data":{"account_list":[{"account_id":"?","profile":{"name":"?"}}]}}"#);
    let customer = canaries(
        r#"{"robot_id":"r1","account_id":"?","mark_id_list":["?"],"profile":{"name":"?"}}"#,
    );
    let group = canaries(r#"{"robot_id":"r1","name":"?","owner_name":"?"}"#);
    let known = canaries(
        r#"{"robot_id":"r1","data":{"account_id":"?","external_user_id":"?","union_id":"?"}}"#,
    );
    let out = canaries(r#"{"robot_id":"r1","robot_name":"?","message":"?"}"#);
    let printed = [
        format!("{:?}", read::<HostAccountListResponse>(&hosts)),
        format!("{:?}", read::<PlatformRobotListResponse>(&robots)),
        format!("{:?}", read::<RobotAccountByIdsResponse>(&accounts)),
        format!("{:?}", read::<NewCustomerCallback>(&customer)),
        format!("{:?}", read::<NewGroupCallback>(&group)),
        format!("{:?}", read::<CustomerIdentifiedCallback>(&known)),
        format!("{:?}", read::<RobotLoggedOutCallback>(&out)),
    ];
    for text in printed {
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("r1") || text.contains("AccountId(~"), "{text}");
    }
}
