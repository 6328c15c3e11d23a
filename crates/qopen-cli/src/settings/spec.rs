//! Every setting's names, and what it is.

/// A setting's names and nature.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name in the file.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flag: Option<&'static str>,
    pub(crate) env: &'static str,
    pub(crate) secret: bool,
    pub(super) default: Option<&'static str>,
    pub(super) example: &'static str,
}

const fn spec(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { name, about, flag: None, env, secret: false, default: None, example }
}

const fn secret(
    name: &'static str,
    about: &'static str,
    env: &'static str,
    example: &'static str,
) -> Spec {
    Spec { secret: true, ..spec(name, about, env, example) }
}

const fn flagged(flag: &'static str, default: Option<&'static str>, spec: Spec) -> Spec {
    Spec { flag: Some(flag), default, ..spec }
}

pub(crate) static BASE_URL: Spec = flagged(
    "--base-url",
    None,
    spec("base_url", "platform base URL", "QOPEN_BASE_URL", "https://gateway.example"),
);
pub(crate) static APP_KEY: Spec =
    flagged("--app-key", None, spec("app_key", "app key", "QOPEN_APP_KEY", "coe0example0app0key"));
pub(crate) static APP_SECRET: Spec = secret("app_secret", "app secret", "QOPEN_APP_SECRET", "…");
pub(crate) static ACCESS_TOKEN: Spec =
    secret("access_token", "fixed access token", "QOPEN_ACCESS_TOKEN", "…");
pub(crate) static CALLBACK_TOKEN: Spec =
    secret("callback_token", "callback token", "QOPEN_CALLBACK_TOKEN", "…");
pub(crate) static ENCODING_AES_KEY: Spec = secret(
    "encoding_aes_key",
    "callback EncodingAESKey",
    "QOPEN_ENCODING_AES_KEY",
    "16, 24, 32 or 43 characters",
);
pub(crate) static CALLBACK_TOKEN_NEXT: Spec =
    secret("callback_token_next", "callback token to come", "QOPEN_CALLBACK_TOKEN_NEXT", "…");
pub(crate) static ENCODING_AES_KEY_NEXT: Spec = secret(
    "encoding_aes_key_next",
    "EncodingAESKey to come",
    "QOPEN_ENCODING_AES_KEY_NEXT",
    "16, 24, 32 or 43 characters",
);
pub(crate) static LISTEN: Spec = flagged(
    "--listen",
    Some("127.0.0.1:8080"),
    spec("listen", "callback listener", "QOPEN_LISTEN", "127.0.0.1:8080"),
);
pub(crate) static CALLBACK_PATH: Spec = flagged(
    "--callback-path",
    Some("/callback"),
    spec("callback_path", "callback path", "QOPEN_CALLBACK_PATH", "/callback"),
);
pub(crate) static TLS_CERT: Spec = flagged(
    "--tls-cert",
    None,
    spec("tls_cert", "TLS certificates", "QOPEN_TLS_CERT", "/etc/qopen/fullchain.pem"),
);
pub(crate) static TLS_KEY: Spec = flagged(
    "--tls-key",
    None,
    spec("tls_key", "TLS private key", "QOPEN_TLS_KEY", "/etc/qopen/privkey.pem"),
);
pub(crate) static MAX_CONNECTIONS: Spec = flagged(
    "--max-connections",
    Some("1024"),
    spec("max_connections", "connections at once", "QOPEN_MAX_CONNECTIONS", "1024"),
);
pub(crate) static MAX_CONNECTIONS_PER_PEER: Spec = flagged(
    "--max-connections-per-peer",
    Some("256"),
    spec(
        "max_connections_per_peer",
        "of them for one peer",
        "QOPEN_MAX_CONNECTIONS_PER_PEER",
        "256",
    ),
);
pub(crate) static REFUSE_STALE: Spec = flagged(
    "--refuse-stale",
    None,
    spec("refuse_stale", "refuse callbacks older than", "QOPEN_REFUSE_STALE", "10m"),
);
pub(crate) static DATA_DIR: Spec = flagged(
    "--data-dir",
    Some("qopen-data"),
    spec("data_dir", "where the journal lives", "QOPEN_DATA_DIR", "/var/lib/qopen"),
);

pub(crate) static JOURNAL: Spec = Spec {
    flag: Some("--journal"),
    ..secret("journal", "shared journal", "QOPEN_JOURNAL", "postgres://qopen@db.example/qopen")
};
pub(crate) static CONTROL: Spec = flagged(
    "--control",
    Some("127.0.0.1:8081"),
    spec("control", "control listener", "QOPEN_CONTROL", "127.0.0.1:8081"),
);
pub(crate) static CONTROL_TOKEN: Spec =
    secret("control_token", "control token", "QOPEN_CONTROL_TOKEN", "…");
pub(crate) static PROXY: Spec = Spec {
    flag: Some("--proxy"),
    ..secret("proxy", "proxy for requests", "QOPEN_PROXY", "http://proxy.example:3128")
};
pub(crate) static CA_FILE: Spec = flagged(
    "--ca-file",
    None,
    spec("ca_file", "CA file for requests", "QOPEN_CA_FILE", "/etc/qopen/ca.pem"),
);
pub(crate) static REQUEST_TIMEOUT: Spec = flagged(
    "--request-timeout",
    Some("15s"),
    spec("request_timeout", "time-out of requests", "QOPEN_REQUEST_TIMEOUT", "15s"),
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
pub(crate) static FORWARD_CA_FILE: Spec = spec(
    "forward_ca_file",
    "CA file for forwarding",
    "QOPEN_FORWARD_CA_FILE",
    "/etc/qopen/forward-ca.pem",
);
pub(crate) static FORWARD_TIMEOUT: Spec = Spec {
    default: Some("10s"),
    ..spec("forward_timeout", "time-out of forwarding", "QOPEN_FORWARD_TIMEOUT", "10s")
};

/// Every setting, in the order in which they are shown.
pub(crate) static ALL: [&Spec; 26] = [
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
    &CONTROL_TOKEN,
    &DATA_DIR,
    &JOURNAL,
];
