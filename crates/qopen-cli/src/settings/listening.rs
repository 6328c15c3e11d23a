//! Values of the settings of both listeners: addresses, keys, certificates, limits.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::Duration;

use qopen::callback::listener::{Listener, ListenerLimits, Tls, TlsError};
use qopen::callback::{CallbackKeys, Keyring};
use qopen::types::Secret;

use super::declared::*;
use super::{Settings, Spec, rlimit};
use crate::causes::Plain;
use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::say::tell;
use crate::serve::Host;
use crate::values::address::resolve;
use crate::values::{count, plain_path, time};

impl Settings {
    /// Returns the keys of callbacks: the current pair, then the next one if one is set. A part of the next
    /// pair that is not set is the current one.
    pub(crate) fn ring(&self) -> Result<Keyring, Failure> {
        let app_key = self.required(&APP_KEY)?.expose();
        let (token, aes) = (self.required(&CALLBACK_TOKEN)?, self.required(&ENCODING_AES_KEY)?);
        let keys = |token: &Secret, aes: &Secret, spec| {
            CallbackKeys::new(token.clone(), aes).map_err(|error| self.wrong(spec, &error))
        };
        let ring = Keyring::new(app_key, keys(token, aes, &ENCODING_AES_KEY)?);
        let next = |spec| self.get(spec).map(|(value, _)| value);
        match (next(&CALLBACK_TOKEN_NEXT), next(&ENCODING_AES_KEY_NEXT)) {
            (None, None) => Ok(ring),
            (next_token, next_aes) => {
                let (token, aes) = (next_token.unwrap_or(token), next_aes.unwrap_or(aes));
                Ok(ring.with_keys(keys(token, aes, &ENCODING_AES_KEY_NEXT)?))
            }
        }
    }

    /// Returns the limits of the listeners.
    pub(crate) fn limits(&self) -> Result<ListenerLimits, Failure> {
        let mut limits = ListenerLimits::default();
        limits.connections = self.count(&MAX_CONNECTIONS)?.min(rlimit::connections());
        limits.per_peer = self.count(&MAX_CONNECTIONS_PER_PEER)?;
        Ok(limits)
    }

    pub(super) fn count(&self, spec: &'static Spec) -> Result<usize, Failure> {
        let text = self.required(spec)?.expose();
        count(text).map_err(|reason| self.wrong(spec, &quoted(text, reason)))
    }

    /// Returns the certificate of the callback listener, if it uses TLS itself.
    pub(crate) fn tls(&self) -> Result<Option<Tls>, Failure> {
        if self.get(&TLS_CERT).is_none() && self.get(&TLS_KEY).is_none() {
            return Ok(None);
        }
        let (certificates, key) = (self.path(&TLS_CERT)?, self.path(&TLS_KEY)?);
        let tls = Tls::from_pem_files(certificates, key);
        tls.map(Some).map_err(|error| match error {
            TlsError::Key { .. } => self.wrong(&TLS_KEY, &error),
            error => self.wrong(&TLS_CERT, &error),
        })
    }

    /// Returns the callback listener.
    pub(crate) fn listener(&self) -> Result<(Listener, Option<Tls>), Failure> {
        let (limits, wanted) = (self.limits()?, self.count(&MAX_CONNECTIONS)?);
        if limits.connections < wanted {
            tell!(
                "{about}: {most} instead of {wanted}, because the process may not open more files; see ulimit -n",
                "{about}：{most} 而不是 {wanted}，因为进程不能打开更多文件；见 ulimit -n",
                about = MAX_CONNECTIONS.noun(),
                most = limits.connections,
                wanted = wanted,
            );
        }
        let (listener, tls) = (Listener::new(limits), self.tls()?);
        Ok(match &tls {
            None => (listener, tls),
            Some(it) => (listener.tls(it.clone()), tls),
        })
    }

    /// Returns the maximum distance of a callback's timestamp from the clock, if one is set.
    pub(crate) fn refuse_stale(&self) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.text(&REFUSE_STALE) else { return Ok(None) };
        let wrong = |reason| self.wrong(&REFUSE_STALE, &quoted(text, reason));
        match time(text).map_err(wrong)? {
            // The signed time has whole seconds.
            tolerance if tolerance.as_secs() == 0 => {
                Err(wrong(phrase!("it must be 1s or more", "必须至少为 1s")))
            }
            tolerance => Ok(Some(tolerance)),
        }
    }

    pub(crate) fn listen(&self) -> Result<SocketAddr, Failure> {
        self.address(&LISTEN)
    }

    pub(crate) fn control_address(&self) -> Result<SocketAddr, Failure> {
        self.address(&CONTROL)
    }

    /// Returns the address of the control API and the token that it requires.
    pub(crate) fn control(&self) -> Result<(SocketAddr, Option<&Secret>), Failure> {
        let (address, token) = (self.control_address()?, self.get(&CONTROL_TOKEN).map(|it| it.0));
        if token.is_none() && !address.ip().is_loopback() {
            let reason = phrase!(
                "{address} can be reached from elsewhere; set QOPEN_CONTROL_TOKEN, and send it as a bearer token",
                "其他机器可以访问 {address}；请设置 QOPEN_CONTROL_TOKEN，并作为 bearer 令牌发送",
                address = address,
            );
            return Err(self.wrong(&CONTROL, &Plain::new(reason)));
        }
        if let Some(token) = token {
            control_token(token)
                .map_err(|reason| self.wrong(&CONTROL_TOKEN, &Plain::new(reason)))?;
        }
        Ok((address, token))
    }

    /// Returns the hosts of the control API besides loopback and its own address.
    pub(crate) fn control_hosts(&self) -> Result<BTreeSet<Host>, Failure> {
        let hosts = self.text(&CONTROL_HOST).map(|it| it.split(',').map(str::trim));
        let parse = |(number, text): (usize, &str)| {
            Host::parse(text).ok_or_else(|| {
                let reason = match text {
                    "" => phrase!(
                        "entry {number} is empty; remove a comma",
                        "第 {number} 项为空；请去掉多余的逗号",
                        number = number,
                    ),
                    _ => phrase!(
                        "{text} is not a name or an IP address without scheme and port",
                        "{text} 不是不含协议和端口的主机名或 IP 地址",
                        text = format!("{text:?}"),
                    ),
                };
                self.wrong(&CONTROL_HOST, &Plain::new(reason))
            })
        };
        (1..).zip(hosts.into_iter().flatten()).map(parse).collect()
    }

    /// Returns whether pages of the console may show customers.
    pub(crate) fn console_data(&self) -> Result<bool, Failure> {
        match self.required(&CONSOLE_DATA)?.expose() {
            "true" => Ok(true),
            "false" => Ok(false),
            text => {
                let reason = phrase!(
                    "{text} is neither true nor false",
                    "{text} 既不是 true 也不是 false",
                    text = format!("{text:?}"),
                );
                Err(self.wrong(&CONSOLE_DATA, &Plain::new(reason)))
            }
        }
    }

    fn address(&self, spec: &'static Spec) -> Result<SocketAddr, Failure> {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = resolved.get(spec.name) {
            return Ok(*address);
        }
        let address = resolve(self.required(spec)?.expose());
        let address = address.map_err(|reason| self.wrong(spec, &Plain::new(reason)))?;
        resolved.insert(spec.name, address);
        Ok(address)
    }

    pub(crate) fn callback_path(&self) -> Result<String, Failure> {
        let path = self.required(&CALLBACK_PATH)?.expose();
        let Err(reason) = plain_path(path) else { return Ok(path.to_owned()) };
        let bare = path.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
        let reason = match bare.filter(|it| plain_path(it).is_ok()) {
            Some(bare) => phrase!(
                "{path} is a URL; write only its path, {bare}",
                "{path} 是 URL；请只写其路径 {bare}",
                path = format!("{path:?}"),
                bare = bare,
            ),
            None => reason,
        };
        Err(self.wrong(&CALLBACK_PATH, &Plain::new(reason)))
    }
}

/// The reason behind the value that it is about.
pub(super) fn quoted(value: &str, reason: Phrase) -> Plain {
    Plain::new(Phrase::about(format!("{value:?}"), reason))
}

/// Minimum length of a control token, in characters.
const TOKEN: usize = 16;

/// Refuses a token that could be guessed, or that no header can carry. Never quotes the token.
fn control_token(token: &Secret) -> Result<(), Phrase> {
    let text = token.expose();
    if !text.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(phrase!(
            "it has a space or another character that is not visible ASCII",
            "含有空格或其他不可见的 ASCII 字符",
        ));
    }
    match text.len() {
        length if length < TOKEN => Err(phrase!(
            "it has {length} characters, and needs at least {least}",
            "只有 {length} 个字符，至少需要 {least} 个",
            length = length,
            least = TOKEN,
        )),
        _ => Ok(()),
    }
}
