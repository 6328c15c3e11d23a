//! Texts of the quarantine.

texts! {
    NAV: "Quarantine", "隔离区";
    INTRO: "Callbacks with the right signature that could not be read. While one may be a page of a list, that list is not complete.", "签名正确但无法读取的回调。只要某一项可能是列表的分页，该列表就不算完整。";
    NONE: "Nothing is in quarantine.", "隔离区为空。";
    CAPTION: "Items in quarantine", "隔离区中的项";
    ITEM: "Item", "项";
    PULL: "Pull", "拉取";
    UNKNOWN_PULL: "unknown", "未知";
    LAYER: "Not readable at", "无法读取的层";
    REASON: "Reason", "原因";
    BYTES: "Bytes", "字节数";
    CONTENT: "decryption", "解密";
    TEXT: "text", "文本";
    JSON: "JSON", "JSON";
    SHAPE: "fields of a page", "分页字段";
    NOT_STARTED_HERE: "pull that was not requested here", "并非由此处发起的拉取";
    LOST: "pages lost by a restoration", "恢复备份时丢失的分页";
    RETRY: "Read all items again", "重新读取所有项";
    RETRY_WHAT: "Reads each item with the current keys. Items that can be read go to their pulls, the others stay.", "用当前密钥重新读取每一项。可读的归入其拉取，其余保留。";
    RETRIED: "Items that were read: {0} of {1}.", "已读取的项：{0}／{1}。";
    RETRIED_PULLS: "Resume these pulls to publish their pages: {0}.", "请继续以下拉取以发布其分页：{0}。";
    REVIEW: "Review", "查看";
    ITEM_TITLE: "Item {0}", "隔离项 {0}";
    NO_SUCH_ITEM: "Nothing in quarantine has the name {0}. It may have been read or released meanwhile.", "隔离区中没有名为 {0} 的项。它可能已被读取或放行。";
    RELEASE_TITLE: "Release the item?", "放行该项？";
    CONSEQUENCE: "This cannot be undone: the item is deleted, and its pull may be complete without it. Customers that are only in the item are then missing from the list.", "此操作无法撤销：该项会被删除，其拉取可能在缺少它的情况下视为完整。只存在于该项中的客户将不在列表中。";
    AGAINST: "It counts against these pulls:", "受其影响的拉取：";
    AGAINST_NONE: "It counts against no pull.", "没有受其影响的拉取。";
    RELEASE: "Release the item", "放行该项";
    KEEP: "Keep it in quarantine", "保留在隔离区";
    RELEASED: "The item is released.", "该项已放行。";
    RELEASED_PULLS: "The item is released. Resume these pulls to publish their lists: {0}.", "该项已放行。请继续以下拉取以发布其列表：{0}。";
    SHOW: "Show the content", "显示内容";
    SHOW_WHAT: "The content may have names, phones and ids of customers.", "内容可能包含客户的姓名、电话和 ID。";
    SHOW_OFF: "The console shows no contents. `qopen serve --console-data` allows it, and `qopen quarantine show` prints one.", "控制台不显示内容。`qopen serve --console-data` 可启用显示，`qopen quarantine show` 可打印内容。";
    CONTENT_TITLE: "Content of item {0}", "隔离项 {0} 的内容";
    BASE64: "The content is not text. It follows in base64.", "内容不是文本，以下为 base64。";
    CUT: "Only the first {0} bytes are shown. `qopen quarantine show` prints all {1}.", "仅显示前 {0} 字节。`qopen quarantine show` 可打印全部 {1} 字节。";
    BACK: "Back to the quarantine", "返回隔离区";
    ACCOUNTS: "Customers without a readable id stay in their pages. `qopen quarantine list` names them, too.", "没有可读 ID 的客户保留在其分页中，`qopen quarantine list` 也会列出。";
}
