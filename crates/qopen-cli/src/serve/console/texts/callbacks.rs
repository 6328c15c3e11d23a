//! Texts of the callbacks.

texts! {
    NAV: "Callbacks", "回调";
    INTRO: "Requests at the callback listener of this process since its start, at most of the last day. /metrics has all counts.", "本进程启动以来（最多最近一天）回调监听器收到的请求。全部计数见 /metrics。";
    RECEIVES_NONE: "This process receives no callbacks (--role worker). Open the console of a receiver.", "本进程不接收回调（--role worker）。请打开接收进程的控制台。";
    SPAN: "Span of time", "时间范围";
    HOUR: "Last hour", "最近 1 小时";
    SIX_HOURS: "Last 6 hours", "最近 6 小时";
    DAY: "Last day", "最近 1 天";
    NONE: "No request came in this time.", "此期间没有收到请求。";
    CAPTION: "Requests by outcome", "按结果统计的请求";
    OUTCOME: "Outcome", "结果";
    TOTAL: "Number", "数量";
    OVER_TIME: "Over time", "随时间变化";
    ADVICE: "What to check", "检查什么";
    TABLE: "Numbers as a table", "数字表格";
    TABLE_CAPTION: "Requests by time and outcome. Times without requests are left out.", "按时间和结果统计的请求，没有请求的时段略去。";
    FROM: "From", "起始时间";
    PLOT: "{0}: {1} in all, at most {2} in one bar of {3} min", "{0}：共 {1}，单个柱（{3} 分钟）最多 {2}";
    ACCEPTED: "accepted", "已接受";
    MALFORMED: "rejected: not an envelope", "拒绝：不是回调信封";
    MALFORMED_DO: "Does a proxy change the body?", "代理是否改动了请求内容？";
    APP_KEY: "rejected: another app key", "拒绝：app key 不符";
    APP_KEY_DO: "Is QOPEN_APP_KEY the one of the platform's console?", "QOPEN_APP_KEY 是否与平台后台一致？";
    SIGNATURE: "rejected: wrong signature", "拒绝：签名错误";
    SIGNATURE_DO: "Is QOPEN_CALLBACK_TOKEN the one of the platform's console?", "QOPEN_CALLBACK_TOKEN 是否与平台后台一致？";
    STALE: "rejected: stale timestamp", "拒绝：时间戳过旧";
    STALE_DO: "Is the clock of this machine right? QOPEN_REFUSE_STALE sets the tolerance.", "本机时钟是否准确？QOPEN_REFUSE_STALE 可设置容差。";
    UNDECRYPTABLE: "rejected: does not decrypt", "拒绝：无法解密";
    UNDECRYPTABLE_DO: "Is QOPEN_ENCODING_AES_KEY the one of the platform's console?", "QOPEN_ENCODING_AES_KEY 是否与平台后台一致？";
    BODY: "rejected: too large, too slow or cut off", "拒绝：过大、过慢或中断";
    BODY_DO: "Does a proxy limit bodies?", "代理是否限制了请求大小？";
    COMPRESSED: "rejected: compressed", "拒绝：经过压缩";
    COMPRESSED_DO: "Turn compression of requests off in the proxy.", "请在代理中关闭请求压缩。";
    NO_ROOM: "rejected: no memory left", "拒绝：内存不足";
    NO_ROOM_DO: "The platform sends them again.", "平台会重新发送。";
    PAYLOAD: "rejected: unreadable for the handler", "拒绝：处理程序无法读取";
    PAYLOAD_DO: "`qopen explain` diagnoses one.", "可用 `qopen explain` 诊断。";
    UNAVAILABLE: "rejected: could not be kept or forwarded", "拒绝：无法保存或转发";
    UNAVAILABLE_DO: "Is there room on the disk, and does the URL of --forward answer `success`?", "磁盘是否有空间？--forward 的地址是否返回 `success`？";
    OTHER: "rejected: {0}", "拒绝：{0}";
    OTHER_PATH: "to another path", "请求了其他路径";
    OTHER_PATH_DO: "Is the path of the URL in the platform's console QOPEN_CALLBACK_PATH?", "平台后台中的地址路径是否为 QOPEN_CALLBACK_PATH？";
    OTHER_METHOD: "by another method than POST", "使用了 POST 以外的方法";
    OTHER_METHOD_DO: "The platform sends callbacks as POST.", "平台以 POST 发送回调。";
    CONNECTION: "connection closed: its peer had too many", "连接被关闭：对端连接过多";
    CONNECTION_DO: "Does a proxy hold connections open? The limit of connections per peer is a setting; `qopen doctor` shows it.", "代理是否保持了过多连接？每个对端的连接上限可设置，`qopen doctor` 会显示。";
}
