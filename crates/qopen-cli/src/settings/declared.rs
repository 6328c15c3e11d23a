//! Every setting, declared once.

use super::spec::{Kind, Spec};

/// Declares settings, and the list of all of them in the same order.
macro_rules! settings {
    ($($name:ident = $spec:expr;)*) => {
        $(pub(crate) static $name: Spec = $spec;)*

        /// Every setting, in the order in which they are shown.
        pub(crate) static ALL: [&Spec; [$(stringify!($name)),*].len()] = [$(&$name),*];
    };
}

settings! {
    BASE_URL = Spec::new("base_url", "QOPEN_BASE_URL", "platform base URL", "网关地址", "https://gateway.example")
        .detail(", scheme included, without a path")
        .absent("required")
        .kind(Kind::Ascii)
        .flag("--base-url", "URL", "Send requests to this base URL, scheme included");

    APP_KEY = Spec::new("app_key", "QOPEN_APP_KEY", "app key", "应用 key", "coe0example0app0key")
        .absent("required")
        .flag("--app-key", "KEY", "Set the app key; its secret is never a flag")
        .more("The secret comes from QOPEN_APP_SECRET or the settings file.");

    APP_SECRET = Spec::new("app_secret", "QOPEN_APP_SECRET", "app secret", "应用 secret", "…")
        .absent("required¹")
        .secret();

    ACCESS_TOKEN = Spec::new("access_token", "QOPEN_ACCESS_TOKEN", "fixed access token", "固定的访问令牌", "…")
        .detail(", instead of the secret")
        .secret();

    PROXY = Spec::new("proxy", "QOPEN_PROXY", "proxy for requests", "请求所用的代理", "http://proxy.example:3128")
        .detail(", or `none`")
        .absent("the environment's")
        .secret()
        .flag("--proxy", "URL|none", "Send requests through this proxy, or `none`");

    CA_FILE = Spec::new("ca_file", "QOPEN_CA_FILE", "CA file for requests", "请求所用的 CA 文件", "/etc/qopen/ca.pem")
        .detail(": additional root certificates, PEM")
        .kind(Kind::Path)
        .flag("--ca-file", "FILE", "Trust these root certificates too, PEM");

    REQUEST_TIMEOUT = Spec::new("request_timeout", "QOPEN_REQUEST_TIMEOUT", "time-out of requests", "请求的超时", "15s")
        .detail(", 1 ms or more")
        .default("15s")
        .kind(Kind::Words)
        .flag("--request-timeout", "TIME", "Limit the time of a request");

    FORWARD = Spec::new("forward", "QOPEN_FORWARD", "URL for other events", "转发其他事件的地址", "https://user:password@app.example/callback")
        .secret()
        .flag("--forward", "URL", "Forward other events to this URL, byte for byte")
        .more("`serve` retries until the URL accepts an event. `pull` forwards it once and returns the URL's answer, so that the platform retries.")
        .of_verbs();

    FORWARD_PROXY = Spec::new("forward_proxy", "QOPEN_FORWARD_PROXY", "proxy for forwarding", "转发所用的代理", "http://proxy.example:3128")
        .detail(", or `none`")
        .absent("the environment's")
        .secret();

    FORWARD_CA_FILE = Spec::new("forward_ca_file", "QOPEN_FORWARD_CA_FILE", "CA file for forwarding", "转发所用的 CA 文件", "/etc/qopen/forward-ca.pem")
        .detail(": additional root certificates, PEM")
        .kind(Kind::Path);

    FORWARD_TIMEOUT = Spec::new("forward_timeout", "QOPEN_FORWARD_TIMEOUT", "time-out of forwarding", "转发的超时", "10s")
        .detail(" one event, 1 ms or more")
        .default("10s")
        .kind(Kind::Words);

    CALLBACK_TOKEN = Spec::new("callback_token", "QOPEN_CALLBACK_TOKEN", "callback token", "回调令牌", "…")
        .absent("required")
        .secret();

    ENCODING_AES_KEY = Spec::new("encoding_aes_key", "QOPEN_ENCODING_AES_KEY", "callback EncodingAESKey", "回调的 EncodingAESKey", "16, 24, 32 or 43 characters")
        .detail(", 16, 24, 32 or 43 characters")
        .absent("required")
        .secret()
        .kind(Kind::AesKey);

    CALLBACK_TOKEN_NEXT = Spec::new("callback_token_next", "QOPEN_CALLBACK_TOKEN_NEXT", "next callback token", "下一个回调令牌", "…")
        .detail(", during rotation")
        .secret();

    ENCODING_AES_KEY_NEXT = Spec::new("encoding_aes_key_next", "QOPEN_ENCODING_AES_KEY_NEXT", "next EncodingAESKey", "下一个 EncodingAESKey", "16, 24, 32 or 43 characters")
        .detail(", during rotation")
        .secret()
        .kind(Kind::AesKey);

    LISTEN = Spec::new("listen", "QOPEN_LISTEN", "callback listener", "回调监听地址", "127.0.0.1:8080")
        .default("127.0.0.1:8080")
        .kind(Kind::Ascii)
        .flag("--listen", "ADDRESS", "Receive callbacks on this address");

    CALLBACK_PATH = Spec::new("callback_path", "QOPEN_CALLBACK_PATH", "callback path", "回调路径", "/callback")
        .default("/callback")
        .kind(Kind::Ascii)
        .flag("--callback-path", "PATH", "Receive callbacks on this path");

    TLS_CERT = Spec::new("tls_cert", "QOPEN_TLS_CERT", "TLS certificates", "TLS 证书", "/etc/qopen/fullchain.pem")
        .detail(" of the callback listener, PEM, the leaf first")
        .kind(Kind::Path)
        .flag("--tls-cert", "FILE", "Receive callbacks over TLS with these certificates, PEM")
        .more("The leaf comes first.");

    TLS_KEY = Spec::new("tls_key", "QOPEN_TLS_KEY", "TLS private key", "TLS 私钥", "/etc/qopen/privkey.pem")
        .detail(", PEM")
        .kind(Kind::Path)
        .flag("--tls-key", "FILE", "Use this private key with --tls-cert, PEM");

    MAX_CONNECTIONS = Spec::new("max_connections", "QOPEN_MAX_CONNECTIONS", "maximum connections", "连接数上限", "1024")
        .detail(" per listener; when full, the longest-idle one is closed")
        .default("1024")
        .kind(Kind::Ascii)
        .flag("--max-connections", "N", "Limit the connections of a listener")
        .more("When full, the longest-idle one is closed.");

    MAX_CONNECTIONS_PER_PEER = Spec::new("max_connections_per_peer", "QOPEN_MAX_CONNECTIONS_PER_PEER", "connections per peer", "每个对端的连接数上限", "256")
        .detail(", at most; behind a proxy all clients are one peer")
        .default("256")
        .kind(Kind::Ascii)
        .flag("--max-connections-per-peer", "N", "Limit the connections of one peer")
        .more("Behind a proxy all clients are one peer.");

    REFUSE_STALE = Spec::new("refuse_stale", "QOPEN_REFUSE_STALE", "maximum callback age", "回调时间戳的最大偏差", "10m")
        .detail(": distance of its timestamp from the clock, 1 s or more")
        .absent("any age")
        .kind(Kind::Words)
        .flag("--refuse-stale", "TIME", "Refuse callbacks whose timestamp differs by more from the clock")
        .more("It is unknown whether the platform renews the timestamp of a repeated callback.");

    CONTROL = Spec::new("control", "QOPEN_CONTROL", "control listener", "控制监听地址", "127.0.0.1:8081")
        .detail(" of `serve`")
        .default("127.0.0.1:8081")
        .kind(Kind::Ascii)
        .flag("--control", "ADDRESS", "Take control requests on this address")
        .more("Beyond loopback, QOPEN_CONTROL_TOKEN is required.");

    CONTROL_HOST = Spec::new("control_host", "QOPEN_CONTROL_HOST", "control hosts", "控制接口的主机名", "qopen.example,10.0.0.7")
        .detail(": additional hosts that control requests may name, separated by commas")
        .kind(Kind::Words)
        .flag("--control-host", "NAME", "Answer control requests for this host too; repeatable")
        .more("The variable separates hosts by commas.")
        .repeatable();

    CONTROL_TOKEN = Spec::new("control_token", "QOPEN_CONTROL_TOKEN", "control token", "控制令牌", "the output of: openssl rand -hex 32")
        .detail(", 16 characters of visible ASCII or more; required unless the control listener is on loopback")
        .secret();

    CONSOLE_DATA = Spec::new("console_data", "QOPEN_CONSOLE_DATA", "customers in the console", "控制台中的客户数据", "true")
        .detail(": pages show names, phones and ids of customers after a click")
        .default("false")
        .kind(Kind::Switch)
        .flag("--console-data", "true|false", "Let the console show customers' data after a click")
        .more("Without it no page of the console has a customer's name, phone or id.");

    DATA_DIR = Spec::new("data_dir", "QOPEN_DATA_DIR", "journal folder", "持久化存储文件夹", "/var/lib/qopen")
        .default("qopen-data")
        .kind(Kind::Path)
        .flag("--data-dir", "FOLDER", "Keep the journal in this folder");

    JOURNAL = Spec::new("journal", "QOPEN_JOURNAL", "shared journal", "共享的持久化存储", "postgres://qopen@db.example/qopen")
        .detail(", instead of the folder")
        .secret()
        .kind(Kind::Journal)
        .flag("--journal", "URL", "Share a journal in PostgreSQL, instead of the folder")
        .more("The URL is postgres://USER@HOST/DATABASE. The password comes from PGPASSWORD or the settings file.");

    TIME_ZONE = Spec::new("time_zone", "QOPEN_TIME_ZONE", "time zone of schedules", "定时任务的时区", "Asia/Shanghai")
        .detail(" and of times in XLSX")
        .absent("the system's");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/CONFIGURATION.md`.
    fn table() -> String {
        let code = |text: &str| match text.contains('…') || text.contains(' ') {
            true => String::new(),
            false => format!("`{text}`"),
        };
        let row = |spec: &&Spec| {
            let flag = spec.flag.map(|flag| {
                let more = if spec.repeatable { ", repeatable" } else { "" };
                let note = if spec.of_verbs { "²" } else { "" };
                format!("`{flag}`{note}{more} ")
            });
            let default = spec.default.map_or_else(|| spec.absent.to_owned(), code);
            let cell =
                |text: &str| if text.is_empty() { String::new() } else { format!("{text} ") };
            format!(
                "| `{}` | {}| `{}` | {}| {}{} | {}|\n",
                spec.name,
                flag.unwrap_or_default(),
                spec.env,
                cell(&default),
                spec.about,
                spec.detail,
                cell(&code(spec.example)),
            )
        };
        const HEAD: &str = "| `qopen.toml` | flag | environment | default | meaning | example |\n|---|---|---|---|---|---|\n";
        HEAD.to_owned() + &ALL.iter().map(row).collect::<String>()
    }

    #[test]
    fn the_documentation_has_every_setting_as_it_is_declared() {
        crate::docs::assert_table("CONFIGURATION.md", "| `qopen.toml` |", &table());
    }

    #[test]
    fn the_names_of_a_setting_are_one_name() {
        for spec in ALL {
            assert_eq!(spec.env, format!("QOPEN_{}", spec.name.to_uppercase()));
            let flag = format!("--{}", spec.name.replace('_', "-"));
            assert!(spec.flag.is_none_or(|it| it == flag), "{flag}");
            assert!(spec.default.is_none() || spec.absent.is_empty(), "{flag}");
        }
    }
}
