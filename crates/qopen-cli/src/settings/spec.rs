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

pub(crate) static TIME_ZONE: Spec =
    spec("time_zone", "time zone of schedules", "QOPEN_TIME_ZONE", "Asia/Shanghai");

/// Every setting, in the order in which they are shown.
pub(crate) static ALL: [&Spec; 20] = [
    &BASE_URL,
    &APP_KEY,
    &APP_SECRET,
    &ACCESS_TOKEN,
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
    &TIME_ZONE,
];
