//! Texts of the page of pulls.

texts! {
    CAPTION: "Pulls of the journal, the newest first", "持久化存储中的拉取，最新的在前";
    SEARCH: "Part of a mark or robot id", "标记或机器人 ID（部分即可）";
    STATUS: "Status", "状态";
    ANY: "any", "全部";
    MARK: "Mark", "标记";
    ROBOT: "Robot", "机器人";
    STARTED: "Started", "开始时间";
    PAGES: "Pages", "分页数";
    CUSTOMERS: "Customers", "客户数";
    GAINED: "Gained", "新增";
    LOST: "Lost", "流失";
    NONE: "The journal has no pull yet. Start one with POST /v1/pulls, or with a [[schedule]] in qopen.toml.", "持久化存储中还没有拉取。请通过 POST /v1/pulls 或 qopen.toml 中的 [[schedule]] 开始拉取。";
    NONE_FOUND: "No pull of the journal is like that.", "持久化存储中没有符合条件的拉取。";
}
