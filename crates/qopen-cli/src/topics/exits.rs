//! Exit codes.

topics! {
    COMPLETE "complete" {
        "The whole list was written (exit code 0)", "列表完整并已写出（退出码 0）";
        "A page that is marked as the last was seen, nothing counts against completeness, and the list replaced the last one. The summary names the basis of the completeness.", "已收到标记为末页的分页，没有不完整的迹象，列表已替换上一份。摘要说明判定完整的依据。";
        "Nothing. A middle page that the platform never sends shows only by a guard: `--max-gone`, `--verify-gone`, `--confirm` or `--expect-accounts`.", "无需处理。平台从未推送的中间页只能由保护规则发现：`--max-gone`、`--verify-gone`、`--confirm` 或 `--expect-accounts`。";
    };
    UNEXPECTED "unexpected" {
        "Unexpected error (exit code 1)", "意外错误（退出码 1）";
        "Something outside the list failed: the platform cannot be reached, the journal's storage does not answer, or a request failed in an unknown way. The message has every cause.", "列表之外的环节出错：无法连接平台、持久化存储没有响应，或请求因未知原因失败。错误信息会列出所有原因。";
        "Check `QOPEN_BASE_URL`, the proxy, the disk or the database that the message names, then run the same command again. `qopen doctor --online` checks the setup.", "检查错误信息提到的 `QOPEN_BASE_URL`、代理、磁盘或数据库，然后重新运行同一命令。`qopen doctor --online` 可检查配置。";
    } see ["not-sent"];
    USAGE "usage" {
        "Usage or configuration (exit code 2)", "用法或配置错误（退出码 2）";
        "An option, a setting or a file that the command reads is missing or cannot be used. No request was sent, and no list was changed.", "命令所需的选项、设置或文件缺失或无法使用。没有发送请求，也没有改动任何列表。";
        "Correct what the message names; most messages have an example. `qopen doctor` shows every setting with its origin, and `qopen VERB --help` every option.", "按错误信息改正；多数错误信息附有示例。`qopen doctor` 列出每项设置及其来源，`qopen VERB --help` 列出每个选项。";
    } see ["setting-missing", "setting-wrong"];
    INCOMPLETE "incomplete" {
        "The list is not complete (exit code 3)", "列表不完整（退出码 3）";
        "Pages came, but something speaks against completeness, or a guard holds the list. The last list is unchanged; what came is in `PATH.partial` or `PATH.held`.", "收到了分页，但存在不完整的迹象，或列表被保护规则拦下。上一份列表不变；已收到的内容在 `PATH.partial` 或 `PATH.held` 中。";
        "The summary names the reason and the command to type next.", "摘要说明原因，并给出接下来要运行的命令。";
    } see ["last-page-missing", "unreadable-pages", "held"];
    NO_CALLBACK "no-callback" {
        "No callback came (exit code 4)", "没有收到回调（退出码 4）";
        "The platform accepted the request, and no page of the pull reached this listener within the idle timeout. Most often the callback URL in the platform's console leads elsewhere, or a proxy keeps callbacks back.", "平台接受了请求，但直到空闲超时，没有任何分页到达本监听器。最常见的原因是平台后台中的回调地址指向别处，或代理拦住了回调。";
        "Test the URL from outside: `curl -i -d '{}' https://…/callback` must show an answer of qopen, 400 or 401. Check the proxy's `location` and `QOPEN_CALLBACK_PATH`. If the summary names rejected callbacks, look at their entry first.", "请从外部测试该地址：`curl -i -d '{}' https://…/callback` 应得到 qopen 的应答 400 或 401。检查代理的 `location` 与 `QOPEN_CALLBACK_PATH`。若摘要提到被拒绝的回调，请先看对应条目。";
    } see ["other-paths", "rejected-signature"];
    REFUSED "refused" {
        "The platform refused the request or the credentials (exit code 5)", "平台拒绝了请求或凭据（退出码 5）";
        "The platform answered with an error code. The message has its code, its text and its hint for the platform's support.", "平台返回了错误码。错误信息中有错误码、平台的原文，以及可提供给平台客服的 hint。";
        "If it refused the app key or secret, check `QOPEN_APP_KEY` and `QOPEN_APP_SECRET` against the console; if the token, `QOPEN_ACCESS_TOKEN`. Otherwise check the robot's id and the permissions of the app. `--retry-codes` retries codes that pass.", "若被拒绝的是 app key 或 secret，请与后台核对 `QOPEN_APP_KEY` 和 `QOPEN_APP_SECRET`；若是访问令牌，请检查 `QOPEN_ACCESS_TOKEN`。否则检查机器人 ID 与应用权限。`--retry-codes` 可对暂时性的错误码重试。";
    };
    REPORTED "reported" {
        "The platform reported an error by callback (exit code 6)", "平台通过回调报告了错误（退出码 6）";
        "The platform accepted the request and then gave up on it, for example because the robot is offline. Pages that came before are in `PATH.partial`.", "平台接受了请求，随后又放弃，例如因为机器人离线。之前收到的分页在 `PATH.partial` 中。";
        "Look up the code in the platform's documentation, remove its cause and pull again. `qopen robots list` shows which robots are usable.", "在平台文档中查找该错误码，消除原因后重新拉取。`qopen robots list` 显示哪些机器人可用。";
    };
    OUTPUT "output" {
        "The output could not be written (exit code 7)", "无法写出结果（退出码 7）";
        "The list was received and is in the journal, but its place refused it: no room, no permission, a folder that is gone, or a database that does not answer.", "列表已收到并保存在持久化存储中，但目标位置无法写入：空间不足、没有权限、文件夹不存在，或数据库没有响应。";
        "Make room, or correct `--out`, and run the command that the summary names as next. It publishes the kept list without a new request.", "腾出空间或更正 `--out`，再运行“下一步”给出的命令。它直接发布已保存的列表，不再发送请求。";
    } see ["not-comparable"];
    INTERRUPTED "interrupted" {
        "Interrupted (exit code 130)", "被中断（退出码 130）";
        "Ctrl-C, SIGTERM or a shutdown ended the command. Every page that came is in the journal.", "Ctrl-C、SIGTERM 或关机结束了命令。已收到的分页都在持久化存储中。";
        "Run the same command again: it resumes the pull, and requests the list anew if a page may be lost. `--new` starts over.", "重新运行同一命令即可继续；若可能丢了分页，则重新请求列表。`--new` 从头开始。";
    };
    READER_LEFT "reader-left" {
        "The reader of standard output left (exit code 141)", "标准输出的读取方提前关闭（退出码 141）";
        "Another program read the output, such as `head`, and closed the pipe before the end.", "读取输出的程序（如 `head`）提前关闭了管道。";
        "Nothing, if that was meant. Otherwise look at the other program's error.", "若有意如此则无需处理；否则查看对方程序的错误。";
    };
}
