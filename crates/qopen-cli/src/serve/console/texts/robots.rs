//! Texts of the page of robots.

texts! {
    CAPTION: "Robots with their last complete lists", "机器人及其最近的完整列表";
    SEARCH: "Part of a robot id", "机器人 ID（部分即可）";
    ROBOT: "Robot", "机器人";
    CUSTOMERS: "Customers", "客户数";
    AGE: "Last complete list", "最近的完整列表";
    GAINED: "Gained", "新增";
    LOST: "Lost", "流失";
    DUE: "Due", "下次拉取";
    NOT_DUE: "no schedule", "无定时";
    STATE: "State", "状态";
    PULLING: "pull open", "拉取中";
    HELD: "list held", "列表被拦下";
    NO_LIST: "no complete list", "无完整列表";
    LISTED: "listed", "已有列表";
    NONE: "The journal has no pull yet. Start one with POST /v1/pulls, or with a [[schedule]] in qopen.toml.", "持久化存储中还没有拉取。请通过 POST /v1/pulls 或 qopen.toml 中的 [[schedule]] 开始拉取。";
    NONE_FOUND: "No robot of the journal has that in its id.", "持久化存储中没有 ID 包含该内容的机器人。";
}
