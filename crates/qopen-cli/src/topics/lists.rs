//! Reasons why a list is not complete or not published, and remarks about lists.

topics! {
    LAST_PAGE_MISSING "last-page-missing" {
        "No page is marked as the last", "没有标记为末页的分页";
        "Pages came until the idle timeout, and none of them had `has_more: false`. The platform lost the last page or sent it elsewhere.", "直到空闲超时，收到的分页都不带 `has_more: false`。末页被平台丢失，或发往了别处。";
        "Pull again, with `--retry N` automatically. If it happens each time, check whether a proxy refuses large bodies (nginx: `client_max_body_size 16m`).", "重新拉取，或用 `--retry N` 自动重试。若每次如此，请检查代理是否拒绝了较大的请求体（nginx：`client_max_body_size 16m`）。";
    } see ["rejected-body"];
    FEWER_THAN_EXPECTED "fewer-than-expected" {
        "Fewer customers than expected", "客户数少于预期";
        "The last page came, and the list has fewer customers than `--expect-accounts` demands.", "末页已到，但客户数少于 `--expect-accounts` 的要求。";
        "Pull again. If the number is the same each time, it is probably right: lower `--expect-accounts`.", "重新拉取。若每次数目相同，多半确实如此：请调小 `--expect-accounts`。";
    };
    UNREADABLE_PAGES "unreadable-pages" {
        "A callback could not be read", "有回调无法读取";
        "A callback with the right signature could not be read and is in quarantine, byte for byte. It may be a page of this list. For `--deadline` after it came, or after the process began, it counts against external pulls that `serve --adopt` collects, too.", "有一条签名正确的回调无法读取，已逐字节隔离。它可能是本列表的分页。在它到达之后或进程启动之后的 `--deadline` 时间内，它也影响由 `serve --adopt` 收取的外部拉取。";
        "`qopen quarantine list` names the item and the layer. `qopen quarantine retry` reads it again, with corrected keys or a newer qopen; `qopen quarantine release ITEM` decides that it is no page. Then resume the pull. The notes of `qopen pulls show` name an item that was deleted with another pull.", "`qopen quarantine list` 列出该项及无法读取的层。`qopen quarantine retry` 用更正后的密钥或更新的 qopen 重新读取；`qopen quarantine release ITEM` 放行该项，即认定它不是分页。然后继续这次拉取。随另一次拉取一起删除的项，其名称在 `qopen pulls show` 的记录中。";
    } see ["quarantine-content", "quarantine-json", "quarantine-shape"];
    UNIDENTIFIED_ACCOUNTS "unidentified-accounts" {
        "Customers without a readable id", "没有可读 ID 的客户";
        "Elements of a page have no id that can be read, so that they cannot be in the list. They are in `PATH.quarantine.jsonl`.", "分页中有的条目没有可读的 ID，无法列入列表。它们保存在 `PATH.quarantine.jsonl` 中。";
        "Look at them: `qopen quarantine list`. `--allow-unidentified N` publishes the list without up to N of them.", "用 `qopen quarantine list` 查看。`--allow-unidentified N` 允许发布缺少至多 N 个此类客户的列表。";
    };
    OWED_PAGES "owed-pages" {
        "A page could not be kept, or was lost", "有分页未能保存或已丢失";
        "A page came while the journal could not write, or the journal's file lost it, or the journal was restored from a backup that may lack it, and the platform did not send it again.", "分页到达时持久化存储无法写入，或其文件丢失了该分页，或持久化存储由可能缺少该分页的备份恢复，而平台没有重新发送。";
        "Make room on the disk or repair the database, then pull again. After a restoration pull again at once.", "在磁盘上腾出空间或修复数据库，然后重新拉取。恢复备份之后请直接重新拉取。";
    } see ["journal-unavailable", "quarantine-lost"];
    DEADLINE "deadline" {
        "Pages kept coming until the deadline", "到时限时仍有分页到来";
        "The pull ended after `--deadline`, 30 minutes by default, without the quiet that completes a list.", "拉取在 `--deadline`（默认 30 分钟）之后结束，期间没有出现判定完整所需的静默。";
        "Raise `--deadline`, or shorten `--settle` if the platform never pauses that long.", "调大 `--deadline`；若平台从不停顿那么久，请调小 `--settle`。";
    };
    LIMIT_REACHED "limit-reached" {
        "A limit of pages or customers", "达到分页数或客户数上限";
        "The pull has more pages or customers than qopen folds in one list. The limit protects memory.", "拉取的分页或客户超过了 qopen 一份列表所能合并的数量。上限用于保护内存。";
        "Check whether callbacks of another system carry this mark: `qopen pulls show MARK` has the history.", "检查是否有其他系统的回调带有同一标记：`qopen pulls show MARK` 显示其历史。";
    };
    CANCELLED "cancelled" {
        "Ended by a person", "被人为结束";
        "A request of the control API, the console or a newer `--new` ended the pull before its list was complete.", "控制接口、控制台或之后的 `--new` 在列表完整之前结束了拉取。";
        "Pull again, or `qopen pull --resume MARK` continues it.", "重新拉取，或用 `qopen pull --resume MARK` 继续。";
    };
    NOT_SENT "not-sent" {
        "The request could not be sent", "请求未能发送";
        "No connection to the platform was possible, it redirected the request, or its answer could not be read. Redirects are never followed.", "无法连接平台，平台重定向了请求，或其应答无法读取。qopen 从不跟随重定向。";
        "Check `QOPEN_BASE_URL` and the proxy; `qopen doctor --online` tries the connection.", "检查 `QOPEN_BASE_URL` 与代理；`qopen doctor --online` 会尝试连接。";
    };
    HELD "held" {
        "A guard holds the list: too many customers are gone", "列表被拦下：消失的客户过多";
        "The list is complete by its own evidence, and lacks more customers of the last list than `--max-gone` allows. It is in `PATH.held`; the last list is unchanged.", "就自身证据而言列表完整，但与上一份列表相比，消失的客户多于 `--max-gone` 允许的数量。它保存在 `PATH.held` 中，上一份列表不变。";
        "Compare: `qopen diff PATH PATH.held`. If the loss is real, `qopen pulls accept MARK` publishes the list. Otherwise pull again.", "用 `qopen diff PATH PATH.held` 比较。若客户确已流失，`qopen pulls accept MARK` 发布该列表；否则重新拉取。";
    };
    PAGES_LOST "pages-lost" {
        "The platform still has customers whom the list lacks", "列表缺少平台上仍存在的客户";
        "`--verify-gone` asked the platform by id, and it still has customers who are gone from the list. So a page was lost on the way.", "`--verify-gone` 按 ID 查询了平台，从列表中消失的客户有些仍在平台上，说明途中丢了分页。";
        "Pull again. `qopen pulls accept MARK` publishes the list in spite of that.", "重新拉取。`qopen pulls accept MARK` 仍可发布该列表。";
    };
    ROBOTS_LEFT_OUT "robots-left-out" {
        "Robots of the last list are left out", "缺少上一份列表中的机器人";
        "The place holds lists of more robots than this command pulled. Publishing would delete the customers of the others.", "目标位置的列表含有本次没有拉取的机器人；发布会删去这些机器人的客户。";
        "Pull all robots of the file together, or publish without them: `qopen pulls accept MARK`, or `--new-baseline`.", "一起拉取该文件的全部机器人；或不含它们发布：`qopen pulls accept MARK` 或 `--new-baseline`。";
    };
    EMPTY_LIST "empty-list" {
        "An empty list would replace one with customers", "空列表将替换有客户的列表";
        "The complete list has no customer, and the list in place has some. That is more often a fault than the truth.", "完整的列表中没有客户，而现有列表有客户。这多半是故障。";
        "Check in WeCom whether the robot has customers. `--allow-empty` publishes the empty list; `--confirm` asks the platform twice.", "在企业微信中核实该机器人是否有客户。`--allow-empty` 发布空列表；`--confirm` 会再拉取一次以确认。";
    };
    GONE_UNVERIFIED "gone-unverified" {
        "Customers who are gone could not be verified", "消失的客户未能全部核实";
        "`--verify-gone` could not ask the platform about every customer who is gone: the call failed, or its limit was reached.", "`--verify-gone` 未能向平台逐一查询消失的客户：调用失败，或达到上限。";
        "Run the command that the summary names as next to ask about the others, or pull without `--verify-gone`.", "运行“下一步”给出的命令以查询其余客户，或不带 `--verify-gone` 拉取。";
    } log ["nothing is verified"];
    NOT_CONFIRMED "not-confirmed" {
        "No two pulls in a row have the same customers", "没有连续两次拉取得到相同的客户";
        "`--confirm` pulled up to three times, and each list had other customers than the one before.", "`--confirm` 最多拉取三次，每次的客户都与前一次不同。";
        "Pull again at a calmer time, or publish the last list: `qopen pulls accept MARK`.", "换个变动较少的时间重新拉取，或发布最后一份列表：`qopen pulls accept MARK`。";
    };
    SUPERSEDED "superseded" {
        "A later list is there already", "已有更新的列表";
        "The list of a later pull was published before this one. An earlier list never replaces a later one.", "更晚的拉取所得的列表已先发布。较早的列表绝不替换较晚的列表。";
        "Nothing: the place has the later list.", "无需处理：目标位置是更晚的列表。";
    };
    NOT_COMPARABLE "not-comparable" {
        "The last list cannot be compared", "无法与上一份列表比较";
        "The file or table in place was written by another program, edited, or damaged, so that changes since then cannot be told.", "现有的文件或表由其他程序写入、被编辑过或已损坏，无法得知此后的变化。";
        "Move it away, or give `--new-baseline`: the new list replaces it, and changes begin anew with it.", "将其移走，或使用 `--new-baseline`：新列表会替换它，变化从它重新算起。";
    };
    JOURNAL_LOST "journal-lost" {
        "The journal has lost pages of the list", "持久化存储丢失了列表的分页";
        "Pages that were folded cannot be read back from the journal: a file was damaged or removed.", "已合并的分页无法从持久化存储读回：文件损坏或被删除。";
        "Pull again. `qopen pulls check` names the damaged places; check the disk.", "重新拉取。`qopen pulls check` 指出损坏之处；请检查磁盘。";
    } see ["journal-damaged"];
    LEFT_OUT "robot-left-out" {
        "A robot is left out of a published list", "发布的列表不含某个机器人";
        "A published file or database no longer has the customers of a robot that the last list had, because a person accepted that.", "经人工接受，发布的文件或数据库不再含有上一份列表中某个机器人的客户。";
        "Nothing, if that was meant. Otherwise pull that robot together with the others.", "若有意如此则无需处理；否则与其他机器人一起拉取它。";
    };
    CONFLICTS "conflicts" {
        "Customers with conflicting contents", "内容有冲突的客户";
        "One customer came with two different contents within one pull, most often because it changed meanwhile. A fixed rule chooses one of them.", "同一次拉取中，同一客户有两种不同内容，多半因为期间有改动。qopen 按固定规则取其一。";
        "Nothing. The next pull has the current content.", "无需处理。下一次拉取会得到当前内容。";
    };
    UNREAD_FIELDS "unread-fields" {
        "Fields that could not be read", "无法读取的字段";
        "A field of a customer has a form that qopen does not know. The customer is in the list; the value is kept under `_unread`.", "客户的某个字段不是 qopen 认识的形式。客户仍在列表中，原值保存在 `_unread` 下。";
        "Look at the values. If the platform has changed a field, a newer qopen may read it.", "查看这些值。若平台改变了字段，更新的 qopen 也许能读取。";
    };
    TOLERATED_SPELLINGS "tolerated-spellings" {
        "Tolerated spellings", "容许的写法";
        "Callbacks departed from the documented form in a way that has one meaning, such as a number in quotes. Nothing is lost.", "回调与文档的形式有出入，但含义唯一，例如加了引号的数字。没有丢失任何内容。";
        "Nothing. The counts show when the platform changes.", "无需处理。这些计数可反映平台的变化。";
    };
    INPUT_DAMAGED "input-damaged" {
        "Lines of a capture could not be read", "抓取文件中有无法读取的行";
        "`qopen assemble` read lines that are no callbacks, so that a page may be missing, and no list is complete.", "`qopen assemble` 读到了不是回调的行，可能缺少分页，因此没有列表算完整。";
        "Look at the named lines: `qopen explain` diagnoses a callback step by step. Remove lines that are none.", "查看所指的行：`qopen explain` 逐步诊断一条回调。删去不是回调的行。";
    };
}
