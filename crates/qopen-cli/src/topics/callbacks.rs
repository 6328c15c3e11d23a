//! Requests at the callback listener: rejections, and what else came instead of a page.

topics! {
    REJECTED "rejected" {
        "Rejected callbacks", "被拒绝的回调";
        "Callbacks were not answered `success`. The platform sends a callback again that was not answered so. The reasons are below, as the log and the metric `qopen_callbacks_rejected_total` name them.", "有回调没有得到 `success` 应答，平台会重新发送这样的回调。原因见下，名称与日志和指标 `qopen_callbacks_rejected_total` 一致。";
        "Look at the entry of the reason. A complete list may have rejections: each refused page came again.", "查看具体原因的条目。完整的列表也可能有被拒绝的回调：被拒绝的分页都已重新收到。";
    } log ["callback rejected"];
    MALFORMED "rejected-malformed" {
        "Not an envelope", "不是回调信封";
        "A request to the callback path is not a JSON object with the five fields of an envelope. Scanners send such requests; so does a proxy that changes bodies.", "发往回调路径的请求不是含五个字段的 JSON 信封。扫描程序会发送这种请求，改动请求体的代理也会造成这种结果。";
        "If pages are missing, have the proxy pass bodies on unchanged. `qopen explain FILE` diagnoses a captured body.", "若缺少分页，请让代理原样转发请求体。`qopen explain FILE` 可诊断抓取到的请求体。";
    };
    APP_KEY "rejected-app-key" {
        "Another app key", "app key 不符";
        "A callback names another app key than `QOPEN_APP_KEY`: several apps share the URL, or the setting is wrong.", "回调中的 app key 与 `QOPEN_APP_KEY` 不同：多个应用共用同一地址，或设置有误。";
        "Compare `QOPEN_APP_KEY` with the console of the app whose callback URL this is. Give each app a URL of its own.", "将 `QOPEN_APP_KEY` 与使用该回调地址的应用后台核对。请为每个应用使用各自的地址。";
    };
    SIGNATURE "rejected-signature" {
        "Wrong signature", "签名错误";
        "The signature was not made with `QOPEN_CALLBACK_TOKEN`: the token is wrong, a proxy changed the body, or the request is forged.", "签名不是用 `QOPEN_CALLBACK_TOKEN` 计算的：令牌有误、代理改动了请求体，或请求是伪造的。";
        "Compare `QOPEN_CALLBACK_TOKEN` with the console's callback settings. During a rotation set `QOPEN_CALLBACK_TOKEN_NEXT`, too.", "将 `QOPEN_CALLBACK_TOKEN` 与后台的回调设置核对。轮换期间另设 `QOPEN_CALLBACK_TOKEN_NEXT`。";
    };
    STALE "rejected-stale" {
        "Stale timestamp", "时间戳过旧";
        "The timestamp of a callback is further from this clock than `QOPEN_REFUSE_STALE` allows.", "回调的时间戳与本机时钟相差超过 `QOPEN_REFUSE_STALE` 的允许值。";
        "Set this machine's clock by NTP. If the platform repeats callbacks with their old timestamp, raise or remove the setting.", "用 NTP 校准本机时钟。若平台以旧时间戳重发回调，请调大或去掉该设置。";
    };
    UNDECRYPTABLE "rejected-undecryptable" {
        "Does not decrypt", "无法解密";
        "The signature holds, and no configured key decrypts the content.", "签名正确，但没有已配置的密钥能解密内容。";
        "Compare `QOPEN_ENCODING_AES_KEY` with the console. Then `qopen quarantine retry` reads what was kept.", "将 `QOPEN_ENCODING_AES_KEY` 与后台核对，然后用 `qopen quarantine retry` 重新读取已保存的内容。";
    } see ["quarantine-content"];
    BODY "rejected-body" {
        "Too large, too slow or cut off", "过大、过慢或中断";
        "The body exceeded its limit, took too long, or ended early.", "请求体超过上限、传输过慢，或提前结束。";
        "Check the body limit and buffering of the proxy (nginx: `client_max_body_size 16m`).", "检查代理的请求体上限与缓冲设置（nginx：`client_max_body_size 16m`）。";
    };
    COMPRESSED "rejected-compressed" {
        "Compressed body", "请求体经过压缩";
        "The request has a `Content-Encoding`. The platform sends none, so a proxy added it.", "请求带有 `Content-Encoding`。平台不会压缩，因此是代理所为。";
        "Turn compression of requests off in the proxy.", "请在代理中关闭请求压缩。";
    };
    NO_ROOM "rejected-no-room" {
        "No memory left for bodies", "没有内存存放请求体";
        "Bodies in memory reached their common limit, and this one was refused before it was read.", "内存中的请求体达到总上限，该请求在读取之前被拒绝。";
        "Nothing, if it is rare: the platform sends the callback again. If it lasts, look for clients that send large bodies slowly.", "偶尔出现无需处理：平台会重新发送。若持续出现，请查找缓慢发送大请求体的客户端。";
    };
    PAYLOAD "rejected-payload" {
        "Unreadable for the handler", "处理程序无法读取";
        "A callback was opened, and the handler of its event cannot read the payload.", "回调已解密，但其事件的处理程序无法读取内容。";
        "`qopen explain FILE` diagnoses a captured one. With `--forward`, look at the log of the program behind the URL.", "用 `qopen explain FILE` 诊断抓取到的回调。使用 `--forward` 时，查看该地址背后程序的日志。";
    };
    UNAVAILABLE "rejected-unavailable" {
        "Could not be kept or forwarded", "无法保存或转发";
        "A callback was opened, and could not be written to the journal, or the URL of `--forward` did not answer `success`, or 10,000 other events wait for `qopen serve --forward` already. The platform sends it again.", "回调已解密，但无法写入持久化存储，或 `--forward` 的地址没有应答 `success`，或已有 10,000 个其他事件等待 `qopen serve --forward`。平台会重新发送。";
        "Make room on the disk or repair the database; check the program behind `--forward`.", "在磁盘上腾出空间或修复数据库；检查 `--forward` 背后的程序。";
    } see ["journal-unavailable", "forwarding"];
    UNDECRYPTED "undecrypted" {
        "Verified callbacks that do not decrypt", "签名正确但无法解密的回调";
        "The token is right and the EncodingAESKey is not. The callbacks are in quarantine, byte for byte, and speak against open pulls.", "令牌正确而 EncodingAESKey 不正确。这些回调已逐字节隔离，并使进行中的拉取不完整。";
        "Compare `QOPEN_ENCODING_AES_KEY` with the console, then `qopen quarantine retry`.", "将 `QOPEN_ENCODING_AES_KEY` 与后台核对，然后运行 `qopen quarantine retry`。";
    } see ["quarantine-content"];
    OTHER_PATHS "other-paths" {
        "Requests to other paths", "请求了其他路径";
        "Requests reached the listener at another path than `QOPEN_CALLBACK_PATH`. Scanners do that; so does a proxy that rewrites the path, or a URL in the console with another path.", "有请求到达监听器，但路径不是 `QOPEN_CALLBACK_PATH`。扫描程序会发送这种请求；代理改写路径，或后台登记的地址路径不同，也会如此。";
        "Make the path in the console, the proxy's `location` and `QOPEN_CALLBACK_PATH` the same.", "使后台地址中的路径、代理的 `location` 与 `QOPEN_CALLBACK_PATH` 一致。";
    };
    UNKNOWN_PAGES "unknown-pages" {
        "Pages of other pulls", "其他拉取的分页";
        "A verified page names a pull that was not requested here: another system requests lists with the same callback URL, or the journal folder is another one.", "签名正确的分页属于别处发起的拉取：其他系统用同一回调地址请求列表，或持久化存储不在原来的文件夹。";
        "`qopen serve --adopt` collects such pulls. Check `QOPEN_DATA_DIR` if the pull should be known.", "`qopen serve --adopt` 会收取这样的拉取。若该拉取由此处发起，请检查 `QOPEN_DATA_DIR`。";
    } see ["quarantine-pull"];
    UNREADABLE "unreadable" {
        "Verified callbacks that cannot be read", "签名正确但无法读取的回调";
        "Callbacks with the right signature are in quarantine, because a layer of their content cannot be read.", "签名正确的回调因某一层内容无法读取而被隔离。";
        "`qopen quarantine list` shows them with their layer.", "`qopen quarantine list` 列出它们及无法读取的层。";
    } see ["quarantine-text", "quarantine-json", "quarantine-shape"]
      log ["a verified callback could not be read; it is in quarantine"];
    STRAY_REPORTS "stray-reports" {
        "Error reports of other pulls", "其他拉取的错误报告";
        "The platform reported an error that belongs to no open pull of this process.", "平台报告的错误不属于本进程任何进行中的拉取。";
        "Nothing, unless another system that requests lists expects it.", "无需处理，除非另一个请求列表的系统在等待它。";
    } log ["an error report that belongs to no pull here, or to several"];
    OTHER_EVENTS "other-events" {
        "Other events", "其他事件";
        "Callbacks that are no customer lists, such as messages. They are evidence of nothing.", "不是客户列表的回调，例如消息。它们不影响任何列表。";
        "Nothing. `--forward URL` hands them on byte for byte.", "无需处理。`--forward URL` 会逐字节转发它们。";
    };
    OTHER_METHODS "other-methods" {
        "Requests with another method than POST", "使用了 POST 以外的方法";
        "The platform sends callbacks as POST. Browsers, monitors and scanners send GET.", "平台以 POST 发送回调；浏览器、监控与扫描程序会发送 GET。";
        "Point monitors at `/healthz` of the control listener. Check that no proxy turns POST into GET by a redirect.", "请让监控访问控制监听器的 `/healthz`。确认没有代理因重定向把 POST 变为 GET。";
    };
    ECHO_CHECKS "echo-checks" {
        "Checks of the URL by a console", "后台对地址的校验（echostr）";
        "A console sent GET with `echostr`, as WeCom's own console does. The qopen platform expects no answer to it.", "某个后台发送了带 `echostr` 的 GET，企业微信自己的后台就会这样。qopen 平台不需要这种应答。";
        "Save the URL in the console of the qopen platform, without that check.", "请在 qopen 平台的后台保存地址，不使用该校验。";
    };
    PROXY_PROTOCOL "proxy-protocol" {
        "Connections with the PROXY protocol", "使用 PROXY 协议的连接";
        "A load balancer begins connections with a PROXY line, which is no HTTP.", "负载均衡以 PROXY 行开始连接，这不是 HTTP。";
        "Turn the PROXY protocol off towards this listener.", "请关闭对本监听器的 PROXY 协议。";
    };
    HTTP2 "other-http-version" {
        "Connections with HTTP/2", "使用 HTTP/2 的连接";
        "A proxy or a client begins connections with HTTP/2. The callback listener speaks HTTP/1.1 alone.", "代理或客户端以 HTTP/2 开始连接。回调监听器只使用 HTTP/1.1。";
        "Let the proxy speak HTTP/1.1 to this listener (nginx: `proxy_http_version 1.1`). Towards the platform it may speak HTTP/2.", "请让代理以 HTTP/1.1 访问本监听器（nginx：`proxy_http_version 1.1`）。对平台一侧可以使用 HTTP/2。";
    };
    TLS_WITHOUT_CERTIFICATE "tls-without-certificate" {
        "TLS on a listener without a certificate", "对无证书的监听器使用 TLS";
        "Connections begin with a TLS handshake, and the listener has no certificate.", "连接以 TLS 握手开始，而监听器没有证书。";
        "If a proxy ends TLS, let it speak `http://` to the listener. Otherwise set `QOPEN_TLS_CERT` and `QOPEN_TLS_KEY`.", "若由代理终止 TLS，请让它以 `http://` 访问监听器；否则请设置 `QOPEN_TLS_CERT` 与 `QOPEN_TLS_KEY`。";
    };
    FAILED_HANDSHAKES "failed-handshakes" {
        "TLS handshakes that failed", "失败的 TLS 握手";
        "The listener has a certificate, and the peer spoke plain HTTP, did not trust the certificate, or took too long.", "监听器有证书，而对方使用了普通 HTTP、不信任该证书，或握手过慢。";
        "Check that the URL in the console begins with `https://`, that its host name is in the certificate, and that `QOPEN_TLS_CERT` has the intermediate certificates.", "请确认后台的地址以 `https://` 开头，其主机名包含在证书中，且 `QOPEN_TLS_CERT` 含有中间证书。";
    };
    CROWDED "crowded" {
        "One peer has too many connections", "同一来源的连接过多";
        "The listener closed connections at once, because their peer had as many open ones as `QOPEN_MAX_CONNECTIONS_PER_PEER` allows. Behind a proxy all clients are one peer. A page may have been refused: a pull waits longer for quiet.", "某一来源打开的连接已达 `QOPEN_MAX_CONNECTIONS_PER_PEER`，监听器立即关闭了更多的连接。代理之后的所有客户端算作同一来源。可能有分页被拒绝，因此拉取会等待更久的静默。";
        "Let the proxy reuse connections (nginx: `keepalive`), or raise the limit.", "请让代理复用连接（nginx：`keepalive`），或调大上限。";
    };
    MILLISECONDS "milliseconds" {
        "Timestamps in milliseconds", "以毫秒为单位的时间戳";
        "Envelopes have their time in milliseconds instead of seconds. qopen reads both.", "信封中的时间以毫秒而不是秒为单位。qopen 两种都能读取。";
        "Nothing.", "无需处理。";
    };
}
