//! Texts of the page of a robot.

texts! {
    TITLE: "Robot {0}", "机器人 {0}";
    NO_SUCH_ROBOT: "The journal has no pull of robot {0}. They may be older than --retain, or purged. The page “Robots” has every robot.", "持久化存储中没有机器人 {0} 的拉取。它们可能已超过 --retain 的保留期，或已被清除。“机器人”页面列出所有机器人。";
    LAST: "Last complete list", "最近的完整列表";
    NO_LIST: "no list is published", "尚未发布列表";
    CUSTOMERS: "Customers", "客户数";
    DUE: "Next scheduled pull", "下次定时拉取";
    NOT_DUE: "no schedule", "无定时";
    OPEN: "Open pulls", "进行中的拉取";
    HELD: "Held lists", "被拦下的列表";
    MORE: "and {0} more", "以及另外 {0} 个";
    OVER_TIME: "Size over time", "客户数变化";
    NO_LISTS: "No list of this robot is published. A complete pull publishes one.", "此机器人尚未发布列表。完整的拉取会发布列表。";
    PLOT: "{0} lists over time, with {1} to {2} customers. The table has every number.", "{0} 份列表的客户数变化，从 {1} 到 {2}。详细数字见表格。";
    CAPTION: "The last {0} published lists that the journal keeps, the newest first", "持久化存储保留的最近 {0} 份已发布列表，最新的在前";
    PUBLISHED: "Published", "发布时间";
    GAINED: "Gained", "新增";
    LOST: "Lost", "流失";
    CHANGED: "Changed", "有变化";
    REVISION: "Revision", "修订";
    PULL: "Pull", "拉取";
    BASELINE: "first list", "首份列表";
}
