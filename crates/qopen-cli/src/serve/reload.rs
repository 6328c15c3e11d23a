//! Reload of keys, certificates and schedules on SIGHUP, without a gap.

use std::sync::Arc;

use qopen::Client;
use qopen::callback::listener::Tls;
use tracing::Level;

use super::notify::Supervisor;
use super::schedule::Schedules;
use crate::args::Common;
use crate::exit::{Failure, chained};
use crate::format;
use crate::lang::{Text, phrase};
use crate::say::{self, say, tell};
use crate::settings::{
    APP_KEY, CALLBACK_TOKEN, CALLBACK_TOKEN_NEXT, ENCODING_AES_KEY, ENCODING_AES_KEY_NEXT,
    Settings, Spec, TIME_ZONE,
};

/// The values that a reload exchanges.
static EXCHANGED: [&Spec; 5] =
    [&CALLBACK_TOKEN, &ENCODING_AES_KEY, &CALLBACK_TOKEN_NEXT, &ENCODING_AES_KEY_NEXT, &TIME_ZONE];

/// Catches the signals from now on. Without a handler, the first one ends the process.
pub(super) struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangups {
    pub(super) fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let what = Text::new("SIGHUP cannot be handled", "无法处理 SIGHUP");
            let said = |error| say!("qopen: {}", chained(what, &error).shown());
            Self(signal(SignalKind::hangup()).map_err(said).ok())
        }
        #[cfg(not(unix))]
        Self()
    }

    /// Waits for the next signal, for ever if signals cannot be handled.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// The running parts, and the settings of their start.
pub(super) struct Running {
    pub(super) client: Client,
    pub(super) tls: Option<Tls>,
    /// Absent if this process starts no pull.
    pub(super) schedules: Option<Arc<Schedules>>,
    pub(super) flags: Common,
    pub(super) settings: Settings,
    pub(super) supervisor: Supervisor,
}

impl Running {
    /// Reloads at each signal.
    pub(super) async fn reload_on(&self, hangups: &mut Hangups) {
        loop {
            hangups.next().await;
            self.supervisor.reloading();
            match self.reload() {
                Ok(()) => {
                    let nothing = Text::new("", "");
                    let tls = Text::new(", TLS certificates", "、TLS 证书");
                    let schedules = Text::new(" and schedules", "和定时任务");
                    tell!(
                        "callback keys{tls}{schedules} were read again",
                        "已重新读取回调密钥{tls}{schedules}",
                        tls = if self.tls.is_some() { tls } else { nothing },
                        schedules = if self.schedules.is_some() { schedules } else { nothing },
                    );
                }
                Err(failure) => {
                    let said = phrase!(
                        "reload failed, keeping the current keys, certificates and schedules: {why}",
                        "重新读取失败，沿用当前的密钥、证书和定时任务：{why}",
                        why = failure.message(),
                    );
                    say::remark(Level::WARN, failure.topic(), &said);
                }
            }
            self.supervisor.ready();
        }
    }

    fn reload(&self) -> Result<(), Failure> {
        let new = Settings::load(&self.flags)?;
        new.warn();
        if let (Some(file), None) = (&self.settings.file, &new.file) {
            return Err(Failure::usage(phrase!(
                "{file} is gone; restore it",
                "{file} 不见了；请恢复它",
                file = file.display(),
            )));
        }
        let changed = new.changed_since(&self.settings, &EXCHANGED);
        if changed.contains(&APP_KEY.name) {
            // Requests would continue with the other key.
            return Err(Failure::usage(phrase!(
                "the app key has changed; restart the process to use it",
                "应用 key 已改变；请重启进程以使用它",
            )));
        }
        let ring = new.ring()?;
        let jobs = self.schedules.as_ref().map(|it| it.read(&new)).transpose()?;
        if let Some(tls) = &self.tls {
            tls.reload().map_err(|error| {
                Failure::usage_of(phrase!("the TLS certificates", "TLS 证书"), &error)
            })?;
        }
        self.client.replace_keyring(ring);
        format::use_zone(new.time_zone());
        if let Some((schedules, jobs)) = self.schedules.as_ref().zip(jobs) {
            schedules.replace(jobs);
        }
        if !changed.is_empty() {
            tell!(
                "changed, and used from the next start on: {names}",
                "以下设置已改变，下次启动后生效：{names}",
                names = changed.join(", "),
            );
        }
        for spec in EXCHANGED {
            if new.overridden.iter().any(|name| name == spec.name) {
                tell!(
                    "{name} in the settings file is not used: {env} comes before it",
                    "设置文件中的 {name} 未使用：{env} 优先于它",
                    name = spec.name,
                    env = spec.env,
                );
            }
        }
        Ok(())
    }
}
