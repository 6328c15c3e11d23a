//! Every setting's names, and what it is.

/// What a setting's text can be, which decides what is trimmed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One word, such as a key, a URL or a number. A word in quotes loses them.
    Word,
    /// One word that is a secret. Only the outermost pair of quotes is removed.
    Secret,
    /// An EncodingAESKey. Quotes are part of it where its length is right with them.
    AesKey,
    /// One word of ASCII that is no secret: a URL, an address, a number.
    Ascii,
    /// Words of ASCII: a time, or a list.
    Words,
    /// A path, in whatever bytes the system has.
    Path,
    /// A `postgres://` URL, or the path of a folder.
    Journal,
}

/// A setting's names and nature.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in the file.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flag: Option<&'static str>,
    pub(crate) env: &'static str,
    pub(crate) secret: bool,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
    pub(super) example: &'static str,
}

const fn spec(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { name, about, flag: None, env, secret: false, kind: Kind::Word, default: None, example }
}

const fn secret(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { secret: true, kind: Kind::Secret, ..spec(name, about, env, example) }
}

const fn flagged(flag: &'static str, default: Option<&'static str>, spec: Spec) -> Spec {
    Spec { flag: Some(flag), default, ..spec }
}

const fn of(kind: Kind, spec: Spec) -> Spec {
    Spec { kind, ..spec }
}

pub(crate) static BASE_URL: Spec = of(
    Kind::Ascii,
    flagged(
        "--base-url",
        None,
        spec("base_url", "platform base URL", "QOPEN_BASE_URL", "https://gateway.example"),
    ),
);
pub(crate) static APP_KEY: Spec =
    flagged("--app-key", None, spec("app_key", "app key", "QOPEN_APP_KEY", "coe0example0app0key"));
pub(crate) static APP_SECRET: Spec = secret("app_secret", "app secret", "QOPEN_APP_SECRET", "…");
pub(crate) static ACCESS_TOKEN: Spec =
    secret("access_token", "fixed access token", "QOPEN_ACCESS_TOKEN", "…");
pub(crate) static CALLBACK_TOKEN: Spec =
    secret("callback_token", "callback token", "QOPEN_CALLBACK_TOKEN", "…");
pub(crate) static ENCODING_AES_KEY: Spec = of(
    Kind::AesKey,
    secret(
        "encoding_aes_key",
        "callback EncodingAESKey",
        "QOPEN_ENCODING_AES_KEY",
        "16, 24, 32 or 43 characters",
    ),
);
pub(crate) static CALLBACK_TOKEN_NEXT: Spec =
    secret("callback_token_next", "callback token to come", "QOPEN_CALLBACK_TOKEN_NEXT", "…");
pub(crate) static ENCODING_AES_KEY_NEXT: Spec = of(
    Kind::AesKey,
    secret(
        "encoding_aes_key_next",
        "EncodingAESKey to come",
        "QOPEN_ENCODING_AES_KEY_NEXT",
        "16, 24, 32 or 43 characters",
    ),
);
pub(crate) static LISTEN: Spec = of(
    Kind::Ascii,
    flagged(
        "--listen",
        Some("127.0.0.1:8080"),
        spec("listen", "callback listener", "QOPEN_LISTEN", "127.0.0.1:8080"),
    ),
);
pub(crate) static CALLBACK_PATH: Spec = of(
    Kind::Ascii,
    flagged(
        "--callback-path",
        Some("/callback"),
        spec("callback_path", "callback path", "QOPEN_CALLBACK_PATH", "/callback"),
    ),
);
pub(crate) static TLS_CERT: Spec = of(
    Kind::Path,
    flagged(
        "--tls-cert",
        None,
        spec("tls_cert", "TLS certificates", "QOPEN_TLS_CERT", "/etc/qopen/fullchain.pem"),
    ),
);
pub(crate) static TLS_KEY: Spec = of(
    Kind::Path,
    flagged(
        "--tls-key",
        None,
        spec("tls_key", "TLS private key", "QOPEN_TLS_KEY", "/etc/qopen/privkey.pem"),
    ),
);
pub(crate) static MAX_CONNECTIONS: Spec = of(
    Kind::Ascii,
    flagged(
        "--max-connections",
        Some("1024"),
        spec("max_connections", "maximum connections", "QOPEN_MAX_CONNECTIONS", "1024"),
    ),
);
pub(crate) static MAX_CONNECTIONS_PER_PEER: Spec = of(
    Kind::Ascii,
    flagged(
        "--max-connections-per-peer",
        Some("256"),
        spec(
            "max_connections_per_peer",
            "connections per peer",
            "QOPEN_MAX_CONNECTIONS_PER_PEER",
            "256",
        ),
    ),
);
pub(crate) static REFUSE_STALE: Spec = of(
    Kind::Words,
    flagged(
        "--refuse-stale",
        None,
        spec("refuse_stale", "maximum callback age", "QOPEN_REFUSE_STALE", "10m"),
    ),
);
pub(crate) static DATA_DIR: Spec = of(
    Kind::Path,
    flagged(
        "--data-dir",
        Some("qopen-data"),
        spec("data_dir", "journal folder", "QOPEN_DATA_DIR", "/var/lib/qopen"),
    ),
);

pub(crate) static JOURNAL: Spec = Spec {
    flag: Some("--journal"),
    kind: Kind::Journal,
    ..secret("journal", "shared journal", "QOPEN_JOURNAL", "postgres://qopen@db.example/qopen")
};
pub(crate) static CONTROL: Spec = of(
    Kind::Ascii,
    flagged(
        "--control",
        Some("127.0.0.1:8081"),
        spec("control", "control listener", "QOPEN_CONTROL", "127.0.0.1:8081"),
    ),
);
pub(crate) static CONTROL_HOST: Spec = of(
    Kind::Words,
    flagged(
        "--control-host",
        None,
        spec("control_host", "control hosts", "QOPEN_CONTROL_HOST", "qopen.example,10.0.0.7"),
    ),
);
pub(crate) static CONTROL_TOKEN: Spec = secret(
    "control_token",
    "control token",
    "QOPEN_CONTROL_TOKEN",
    "the output of: openssl rand -hex 32",
);
pub(crate) static PROXY: Spec = Spec {
    flag: Some("--proxy"),
    ..secret("proxy", "proxy for requests", "QOPEN_PROXY", "http://proxy.example:3128")
};
pub(crate) static CA_FILE: Spec = of(
    Kind::Path,
    flagged(
        "--ca-file",
        None,
        spec("ca_file", "CA file for requests", "QOPEN_CA_FILE", "/etc/qopen/ca.pem"),
    ),
);
pub(crate) static REQUEST_TIMEOUT: Spec = of(
    Kind::Words,
    flagged(
        "--request-timeout",
        Some("15s"),
        spec("request_timeout", "time-out of requests", "QOPEN_REQUEST_TIMEOUT", "15s"),
    ),
);
pub(crate) static FORWARD: Spec = secret(
    "forward",
    "URL for other events",
    "QOPEN_FORWARD",
    "https://user:password@app.example/callback",
);
pub(crate) static FORWARD_PROXY: Spec = secret(
    "forward_proxy",
    "proxy for forwarding",
    "QOPEN_FORWARD_PROXY",
    "http://proxy.example:3128",
);
pub(crate) static FORWARD_CA_FILE: Spec = of(
    Kind::Path,
    spec(
        "forward_ca_file",
        "CA file for forwarding",
        "QOPEN_FORWARD_CA_FILE",
        "/etc/qopen/forward-ca.pem",
    ),
);
pub(crate) static FORWARD_TIMEOUT: Spec = Spec {
    default: Some("10s"),
    kind: Kind::Words,
    ..spec("forward_timeout", "time-out of forwarding", "QOPEN_FORWARD_TIMEOUT", "10s")
};

pub(crate) static TIME_ZONE: Spec =
    spec("time_zone", "time zone of schedules", "QOPEN_TIME_ZONE", "Asia/Shanghai");

/// Every setting, in the order in which they are shown.
pub(crate) static ALL: [&Spec; 28] = [
    &BASE_URL,
    &APP_KEY,
    &APP_SECRET,
    &ACCESS_TOKEN,
    &PROXY,
    &CA_FILE,
    &REQUEST_TIMEOUT,
    &FORWARD,
    &FORWARD_PROXY,
    &FORWARD_CA_FILE,
    &FORWARD_TIMEOUT,
    &CALLBACK_TOKEN,
    &ENCODING_AES_KEY,
    &CALLBACK_TOKEN_NEXT,
    &ENCODING_AES_KEY_NEXT,
    &LISTEN,
    &CALLBACK_PATH,
    &TLS_CERT,
    &TLS_KEY,
    &MAX_CONNECTIONS,
    &MAX_CONNECTIONS_PER_PEER,
    &REFUSE_STALE,
    &CONTROL,
    &CONTROL_HOST,
    &CONTROL_TOKEN,
    &DATA_DIR,
    &JOURNAL,
    &TIME_ZONE,
];
