//! Texts of held lists.

texts! {
    NAV: "Held lists", "被拦下的列表";
    INTRO: "A guard (--max-gone, --verify-gone or --confirm) holds a list that looks wrong. The last published list stays in place until a person accepts the held one, or a later pull is published.", "当列表看起来有问题时，保护规则（--max-gone、--verify-gone 或 --confirm）会将其拦下。在人工接受之前，或更新的拉取发布之前，上一份已发布的列表保持不变。";
    NONE: "No list is held.", "没有被拦下的列表。";
    CAPTION: "Held lists, the latest first", "被拦下的列表，最新的在前";
    SINCE: "Held since", "拦下时间";
    WHY: "Why", "原因";
    CUSTOMERS: "Customers in it", "其中的客户数";
    BEFORE: "Customers in the last list", "上一份列表的客户数";
    GONE: "Gone", "消失";
    REVIEW: "Review", "审核";
    CONFIRM_TITLE: "Publish the held list of robot {0}?", "发布机器人 {0} 被拦下的列表？";
    CONSEQUENCE: "This cannot be undone: the list replaces the last one of the robot, and readers see the customers who are gone as gone.", "此操作无法撤销：该列表会取代此机器人的上一份列表，读取方会看到消失的客户已消失。";
    KEPT: "Kept in", "保存位置";
    ACCEPT: "Accept and publish the list", "接受并发布列表";
    KEEP: "Keep it held", "暂不发布";
    ACCEPTED: "The list is accepted, and qopen publishes it now.", "已接受该列表，qopen 正在发布。";
    NOT_HELD: "Nothing was published: no list of this pull is held any more. It may have been accepted already. This page shows the state of the pull.", "未发布任何内容：此拉取已没有被拦下的列表，可能已被接受。本页面显示其状态。";
    SUPERSEDED: "Nothing was published: the list of a later pull was published meanwhile, and an earlier one must not replace it. Pull again for the current list.", "未发布任何内容：期间已发布更新的拉取的列表，旧列表不能取代它。需要当前列表请重新拉取。";
    CHANGED: "Nothing was published: the held list has changed since the page was shown. Review it again.", "未发布任何内容：页面显示之后，被拦下的列表已有变化。请重新审核。";
}
