//! Mistakes of settings, and warnings.

topics! {
    SETTING_MISSING "setting-missing" {
        "A setting is not set", "缺少设置";
        "The command needs a setting that neither a flag, nor the environment, nor `qopen.toml` has.", "命令需要的设置在命令行、环境变量和 `qopen.toml` 中都没有。";
        "Set it where the message says. Secrets come from the environment or the file, never from a flag. `qopen doctor` shows all settings.", "按错误信息指出的位置设置。密钥只能来自环境变量或文件，不能在命令行中给出。`qopen doctor` 列出全部设置。";
    };
    SETTING_WRONG "setting-wrong" {
        "A setting cannot be used", "设置无法使用";
        "The value of a setting has another form than it must have. The message names the setting, its origin and an example, and never shows a secret.", "设置的值不符合要求的形式。错误信息给出设置名、来源与示例，绝不显示密钥。";
        "Correct the value at the named origin. A flag comes before the environment, the environment before the file.", "在所示来源处更正。命令行优先于环境变量，环境变量优先于文件。";
    };
    SETTINGS_EXPOSED "settings-exposed" {
        "Others may read or change the settings file", "他人可读取或更改设置文件";
        "The mode of `qopen.toml` lets other users of this machine read its secrets or change it.", "`qopen.toml` 的权限允许本机其他用户读取其中的密钥或更改它。";
        "`chmod 600 qopen.toml`. If others have had access, rotate the secrets.", "运行 `chmod 600 qopen.toml`。若曾有他人访问，请更换密钥。";
    };
    SETTING_CLEANED "setting-cleaned" {
        "A setting was cleaned, or looks odd", "设置值已清理或可疑";
        "A value had quotes, spaces, line breaks or invisible characters around it, which were removed; or it has a quote at one end or characters that such a value rarely has.", "值的两端有引号、空格、换行或不可见字符，已去除；或只有一端有引号，或含有这类值中少见的字符。";
        "Write the value again without them. Files for `docker --env-file` need no quotes.", "重新写入不含这些字符的值。`docker --env-file` 的文件不需要引号。";
    };
    STRAY_VARIABLE "stray-variable" {
        "A variable that is no setting", "不是设置的环境变量";
        "A variable of the environment begins with `QOPEN_` and resembles a setting, but is none, so that it has no effect.", "有以 `QOPEN_` 开头的环境变量与某项设置相似，但不是设置，因此不起作用。";
        "Rename it to the setting that the message names, or unset it.", "改为提示中的设置名，或删除该变量。";
    };
    LOG_LEVEL "log-level" {
        "A mistyped level of the log", "日志级别拼写有误";
        "`QOPEN_LOG` has a word that resembles a level. As it is none, it filters by a module of that name.", "`QOPEN_LOG` 中有一个与级别相似的词。由于它不是级别，会被当作模块名过滤。";
        "Write `error`, `warn`, `info`, `debug` or `trace`.", "请使用 `error`、`warn`、`info`、`debug` 或 `trace`。";
    };
    ROBOT_SEPARATORS "robot-separators" {
        "A robot's id with a separator", "机器人 ID 含有分隔符";
        "The value of `--robot` has a comma or semicolon, and was used as one id.", "`--robot` 的值含有逗号或分号，被当作一个 ID。";
        "Give `--robot` once for each robot, or `--robots-file`.", "为每个机器人各写一次 `--robot`，或使用 `--robots-file`。";
    };
    PATH_QUOTES "path-quotes" {
        "Quotes around a path were removed", "路径两端的引号已去除";
        "A path was given within quotes that the shell did not remove.", "路径两端带有 shell 没有去除的引号。";
        "Nothing. Write `./` before the quotes to keep them.", "无需处理。若要保留引号，请在其前写 `./`。";
    };
    URL_UNENCRYPTED "url-unencrypted" {
        "The callback URL is not encrypted", "回调地址未加密";
        "The public callback URL begins with `http://`, so that the callbacks travel without TLS.", "公开的回调地址以 `http://` 开头，回调传输时没有 TLS。";
        "Put TLS in front of the listener, or set `--tls-cert` and `--tls-key`.", "在监听器前面加上 TLS，或设置 `--tls-cert` 与 `--tls-key`。";
    };
    ROBOTS_NOT_LISTED "robots-not-listed" {
        "The robots of the app cannot be listed", "无法列出本应用的机器人";
        "The platform does not list the robots of the app, or lists none that can be pulled. `qopen init` writes the settings nevertheless.", "平台没有列出本应用的机器人，或列出的都无法拉取。`qopen init` 仍会写入设置。";
        "Name the robots with `--robot`; the platform's console shows their ids.", "用 `--robot` 指定机器人；平台后台显示其 ID。";
    };
    STATES_NOT_OFFERED "states-not-offered" {
        "The platform does not tell the states of robots", "平台不提供机器人状态";
        "The gateway does not offer the call that tells which robots are enabled, so the column ENABLED is empty.", "网关没有提供查询机器人是否启用的接口，因此“启用”（ENABLED）一列为空。";
        "Nothing. Lists can be pulled without it.", "无需处理，不影响拉取列表。";
    };
    LAST_LISTS_UNKNOWN "last-lists-unknown" {
        "The last complete lists are not shown", "不显示最近的完整列表";
        "`qopen robots list` could not read the journal, so the columns about the last lists are empty.", "`qopen robots list` 无法读取持久化存储，因此有关最近列表的各列为空。";
        "Check `QOPEN_DATA_DIR` or `QOPEN_JOURNAL`; `qopen doctor` examines the journal.", "检查 `QOPEN_DATA_DIR` 或 `QOPEN_JOURNAL`；`qopen doctor` 会检查持久化存储。";
    };
    ROLE_WITHOUT_EVENTS "role-without-events" {
        "`pull_on_new_customer` has no effect", "`pull_on_new_customer` 不起作用";
        "The process runs with a `--role` that either receives events or starts pulls. Only `both` does both.", "进程的 `--role` 只接收事件或只发起拉取；只有 `both` 两者都做。";
        "Run one process with `--role both`, or remove the key.", "用 `--role both` 运行一个进程，或去掉该项。";
    };
    ROBOTS_UNLISTED "robots-unlisted" {
        "New customers of robots that are not listed", "未列出的机器人有新客户";
        "An event told of a new customer of a robot that the platform does not list for this app, or lists as recycled. It is not pulled.", "事件显示某机器人有新客户，但平台没有为本应用列出它，或已将其回收，因此不拉取。";
        "`qopen robots list` shows the robots of the app. Name the robot in a `[[schedule]]` if it is usable.", "`qopen robots list` 显示本应用的机器人。若可用，请在 `[[schedule]]` 中写明该机器人。";
    };
    EXCEPT_UNKNOWN "except-unknown" {
        "`except` names no robot of the app", "`except` 含有不属于本应用的机器人";
        "A `[[schedule]]` excludes an id that the platform does not list.", "某个 `[[schedule]]` 排除了平台没有列出的 ID。";
        "Correct the id, or remove it.", "更正或去掉该 ID。";
    };
    ACTIVATE_LEFT_OUT "activate-left-out" {
        "`ACTIVATE_VERSION` is left out", "省略了 `ACTIVATE_VERSION`";
        "Singer messages end without `ACTIVATE_VERSION`, because the target would delete the customers of robots that this list does not have.", "Singer 消息不以 `ACTIVATE_VERSION` 结束，否则 target 会删除本列表所没有的机器人的客户。";
        "Pull all robots together, or drop those with `--new-baseline`.", "一起拉取全部机器人，或用 `--new-baseline` 去掉其余机器人。";
    };
    TEXTS_DROPPED "texts-dropped" {
        "Texts were dropped", "有提示被丢弃";
        "The reader of standard error was too slow, and qopen does not wait for it. The work went on.", "标准错误的读取方太慢，而 qopen 不会等待它。工作照常进行。";
        "Read standard error, or send it to a file.", "请读取标准错误，或将其写入文件。";
    };
    TRACES_NOT_SENT "traces-not-sent" {
        "The collector of traces fails", "追踪数据的收集器不可用";
        "The collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names did not take spans. Pulls go on, and later failures are not reported.", "`OTEL_EXPORTER_OTLP_ENDPOINT` 指定的收集器没有接收追踪数据。拉取照常进行，之后的失败不再提示。";
        "Check the address, which is the one for OTLP over HTTP (port 4318), and `OTEL_EXPORTER_OTLP_HEADERS`.", "检查地址（应为 OTLP over HTTP 的地址，端口 4318）和 `OTEL_EXPORTER_OTLP_HEADERS`。";
    };
    CLOCK_SKEW "clock-skew" {
        "The clocks differ", "时钟不一致";
        "The platform's clock and this machine's differ by a minute or more. With `QOPEN_REFUSE_STALE` genuine callbacks may be refused.", "平台与本机的时钟相差一分钟以上。设置了 `QOPEN_REFUSE_STALE` 时，真实的回调可能被拒绝。";
        "Set this machine's clock by NTP.", "用 NTP 校准本机时钟。";
    } see ["rejected-stale"];
}
