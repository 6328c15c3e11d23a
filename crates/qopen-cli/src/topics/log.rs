//! Warnings and errors of the log, which libraries write in English.

topics! {
    JOURNAL_UNAVAILABLE "journal-unavailable" {
        "The journal cannot write", "持久化存储无法写入";
        "The disk is full or gone, or the database does not answer. Callbacks are answered 503, and the platform sends them again. The outage counts neither as quiet nor against the deadline.", "磁盘已满或丢失，或数据库没有响应。回调得到 503，平台会重新发送。故障时间既不算静默，也不计入时限。";
        "Make room, or repair the database. qopen continues by itself; `callbacks are kept again` ends the outage.", "腾出空间或修复数据库。qopen 会自行恢复；出现 `callbacks are kept again` 即表示故障结束。";
    } log [
        "nothing can be kept",
        "a callback could not be kept; the platform will send it again",
        "callbacks still cannot be kept",
        "callbacks are kept again",
        "the journal does not answer: nothing ends by silence until it does",
    ];
    JOURNAL_DAMAGED "journal-damaged" {
        "The journal has lost records", "持久化存储丢失了记录";
        "A file of the journal was damaged, cut or removed, and what it held cannot be read. Pulls that lost pages are open again.", "持久化存储的文件损坏、被截断或删除，其中的内容无法读取。丢失分页的拉取会重新打开。";
        "Pull the named pulls again. Check the disk; `qopen pulls check` reads the whole journal.", "重新执行日志指出的拉取。检查磁盘；`qopen pulls check` 会读取整个持久化存储。";
    } see ["journal-lost"] log [
        "the journal is damaged",
        "pages are lost: the journal's file was damaged",
        "the journal has lost pages; the pull is open again",
        "that pages are lost cannot be noted yet",
        "an event that waits cannot be read any more",
    ];
    JOURNAL_UNSAFE "journal-unsafe" {
        "The journal may not survive a crash", "持久化存储可能经不起崩溃";
        "The storage could not secure the last records, or the database runs with `fsync` off.", "存储未能确保最后的记录落盘，或数据库关闭了 `fsync`。";
        "Use a local disk or a database with `fsync` on. Look at the system's log for errors of the disk.", "使用本地磁盘，或开启 `fsync` 的数据库。查看系统日志中的磁盘错误。";
    } log [
        "the last records cannot be secured in their place",
        "how much time has passed cannot be kept",
        "the database has fsync off: what is kept there may not survive its crash",
    ];
    NOT_JOURNALED "not-journaled" {
        "A step of a pull was not journaled", "拉取的某一步未写入持久化存储";
        "The journal did not take a note about a pull: its acceptance, its end, its publication, or that it waits again. After a restart the step may be done once more.", "持久化存储没有记下拉取的某一步：被接受、结束、发布，或重新等待。重启后该步骤可能再做一次。";
        "Nothing, if the journal works again. Repeated steps change no list.", "若持久化存储已恢复则无需处理。重复的步骤不会改变列表。";
    } see ["journal-unavailable"] log [
        "the acceptance was not journaled",
        "the end was not journaled",
        "the publication was not journaled",
        "that the pull is open was not journaled",
        "that the pull waits again was not journaled",
        "earlier held lists are still noted as held",
        "not forgotten",
    ];
    WORK_LATER "work-later" {
        "Work on a pull is put off", "拉取的处理被推迟";
        "The journal or the destination did not answer while a pull was resumed or published. It is tried again.", "继续或发布拉取时，持久化存储或目标位置没有响应，稍后重试。";
        "Look at the cause in the same line. `qopen pulls list` shows pulls that wait.", "查看同一行中的原因。`qopen pulls list` 显示等待中的拉取。";
    } log [
        "left for now",
        "the journal cannot be read; left for now",
        "the journal cannot be read before a publication",
        "its pages cannot be read",
        "the list cannot be pulled again; its publication is repeated",
        "its list has no place in the order of lists",
    ];
    CLAIMS "claims" {
        "Claims of workers", "工作进程的租约";
        "A worker could not renew its claims, lost a pull to another worker, or gave up one whose publication stopped. No list is written twice.", "工作进程未能续租，或其拉取被另一进程接管，或因发布停滞而被放弃。列表不会被写两次。";
        "Check the database. If takeovers are frequent, raise `--lease`.", "检查数据库。若频繁接管，请调大 `--lease`。";
    } log [
        "claims cannot be made or renewed",
        "another worker has taken the pull over",
        "its publication has stopped; it is given up",
    ];
    FORWARDING "forwarding" {
        "Events are not forwarded", "事件未能转发";
        "The URL of `--forward` or a webhook did not accept an event, or the queue could not be read or written. Events wait and are sent again.", "`--forward` 的地址或 webhook 没有接受事件，或队列无法读写。事件会等待并重新发送。";
        "Check the program behind the URL. The metric `qopen_forward_queue` shows what waits.", "检查该地址背后的程序。指标 `qopen_forward_queue` 显示等待的数量。";
    } log [
        "an event could not be forwarded; the platform will send it again",
        "an event could not be kept; the platform will send it again",
        "the listener did not accept an event; it is sent again",
        "cannot tell whose turn it is to deliver events",
        "cannot read the waiting events",
        "cannot note that the listener accepted an event",
    ];
    REQUEST_UNCERTAIN "request-uncertain" {
        "The platform's answer is uncertain", "平台的应答不明确";
        "A request failed after it was sent, or its answer has no code. It may have been accepted, so qopen waits for callbacks.", "请求在发出之后失败，或应答没有错误码。它可能已被接受，因此 qopen 继续等待回调。";
        "Nothing. Without callbacks the pull ends as `no-callback`.", "无需处理。没有回调时，拉取以 `no-callback` 结束。";
    } see ["no-callback"] log [
        "the request failed, and may have been taken; going on",
        "the answer has no code; taken as accepted",
    ];
    REQUEST_REFUSED "request-refused" {
        "A request was refused", "请求被拒绝";
        "The platform answered a request with an error code. The line has the endpoint, the code and the hint.", "平台对请求返回了错误码。该行含有接口、错误码与 hint。";
        "See `refused`.", "见 `refused`。";
    } see ["refused"] log ["refused"];
    LISTENER "listener" {
        "A connection could not be accepted", "无法接受连接";
        "The system gave the listener no connection, most often because the process has too many open files.", "系统没有把连接交给监听器，多半因为进程打开的文件过多。";
        "Raise the limit of open files (`LimitNOFILE` of systemd), or lower `QOPEN_MAX_CONNECTIONS`.", "调大打开文件数上限（systemd 的 `LimitNOFILE`），或调小 `QOPEN_MAX_CONNECTIONS`。";
    } log ["cannot accept"];
    ANOMALY "anomaly" {
        "A fact that fits no open pull", "不属于任何进行中的拉取";
        "A page or report came for a pull that is unknown here, or that a platform's error or a person ended.", "收到了此处未知的拉取的分页或报告，或该拉取已因平台错误或人为操作结束。";
        "Nothing, if another system uses the same callback URL.", "若其他系统使用同一回调地址，则无需处理。";
    } see ["unknown-pages"] log ["anomaly"];
    PASSWORD_FILE "password-file" {
        "A file of passwords is not used", "未使用密码文件";
        "`~/.pgpass` or `~/.my.cnf` is readable by others, or cannot be read.", "`~/.pgpass` 或 `~/.my.cnf` 可被他人读取，或无法读取。";
        "`chmod 600` the file.", "对该文件运行 `chmod 600`。";
    } see ["settings-exposed"] log [
        "the file of passwords is not used",
        "the option file is not used",
    ];
    CONSOLE_TOKEN "console-token" {
        "A wrong token at the console", "控制台收到错误的令牌";
        "A login at the console had a wrong control token. After several the address has to wait.", "控制台登录使用了错误的控制令牌。多次之后，该地址须等待一段时间。";
        "If it was none of yours, keep the control listener away from the internet.", "若非自己人所为，请不要让控制监听器暴露在公网。";
    } log ["a wrong token was given to the console"];
    CHANGES_CUT "changes-cut" {
        "Changes were not sent whole", "变化未能完整发送";
        "The connection or the database failed while `GET /v1/robots/{id}/changes` sent its lines. The reader sees a broken transfer.", "`GET /v1/robots/{id}/changes` 发送过程中连接或数据库出错。读取方会看到传输中断。";
        "Read again from the last mark that was read whole.", "从最后一个已完整读取的标记起重新读取。";
    } log ["the changes were not sent whole"];
    STOPPED_IN_FLIGHT "stopped-in-flight" {
        "Stopped with work in flight", "停止时仍有工作未完成";
        "The process stopped before all its work was done. Everything is in the journal.", "进程在完成全部工作之前停止。一切都在持久化存储中。";
        "Nothing: the next start resumes it.", "无需处理：下次启动会继续。";
    } log ["stopped with work in flight; the next start resumes it"];
}
