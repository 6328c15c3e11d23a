//! Clients for requests to the gateway and for forwarded events.

use std::time::Duration;

use qopen::http::{BuildError, Forwarder, Sender, SenderBuilder, Webhook, WebhookSecret};

use super::listening::quoted;
use super::webhook::Entry;
use super::{
    ACCESS_TOKEN, APP_KEY, APP_SECRET, BASE_URL, CA_FILE, FORWARD, FORWARD_CA_FILE, FORWARD_PROXY,
    FORWARD_TIMEOUT, Origin, PROXY, REQUEST_TIMEOUT, Settings, Spec,
};
use crate::causes::Plain;
use crate::exit::{Failure, chain, chained};
use crate::lang::phrase;
use crate::values::time;

/// The settings of one kind of requests.
struct Way {
    proxy: &'static Spec,
    ca_file: &'static Spec,
    timeout: &'static Spec,
}

static TO_GATEWAY: Way = Way { proxy: &PROXY, ca_file: &CA_FILE, timeout: &REQUEST_TIMEOUT };
static FORWARDING: Way =
    Way { proxy: &FORWARD_PROXY, ca_file: &FORWARD_CA_FILE, timeout: &FORWARD_TIMEOUT };

/// The values of these settings.
struct Chosen {
    /// `None` if the environment decides.
    proxy: Option<Proxy>,
    roots: Option<Vec<u8>>,
    timeout: Duration,
}

enum Proxy {
    Nothing,
    Url(String),
}

impl Settings {
    pub(crate) fn sender(
        &self,
        with: impl FnOnce(SenderBuilder) -> SenderBuilder,
    ) -> Result<Sender, Failure> {
        let builder = self.way_to_gateway()?;
        let builder = match self.get(&ACCESS_TOKEN) {
            Some((token, _)) => builder.access_token(token.clone()),
            None => {
                let app_key = self.required(&APP_KEY)?.expose();
                builder.app_credentials(app_key, self.required(&APP_SECRET)?.clone())
            }
        };
        self.built(with(builder))
    }

    /// Checks the settings of requests but for the credentials, which may be missing.
    pub(super) fn check_way_to_gateway(&self) -> Result<(), Failure> {
        self.built(self.way_to_gateway()?.access_token("unused")).map(drop)
    }

    fn way_to_gateway(&self) -> Result<SenderBuilder, Failure> {
        let Chosen { proxy, roots, timeout } = self.way(&TO_GATEWAY)?;
        let builder = Sender::builder(self.required(&BASE_URL)?.expose()).timeout(timeout);
        let builder = match proxy {
            None => builder,
            Some(Proxy::Nothing) => builder.no_proxy(),
            Some(Proxy::Url(url)) => builder.proxy(url),
        };
        Ok(match roots {
            Some(pem) => builder.root_certificate(pem),
            None => builder,
        })
    }

    fn built(&self, builder: SenderBuilder) -> Result<Sender, Failure> {
        builder.build().map_err(|error| match error {
            BuildError::UnsendableToken => self.wrong(&ACCESS_TOKEN, &error),
            BuildError::BaseUrlPath { url, host } => {
                let what = phrase!(
                    "{url} has a path; {name} is the host alone: {host}",
                    "{url} 带有路径；{name} 只应是主机：{host}",
                    url = format!("{url:?}"),
                    name = BASE_URL.env,
                    host = host,
                );
                self.wrong(&BASE_URL, &Plain::new(what))
            }
            error => {
                self.unusable(&TO_GATEWAY, &error).unwrap_or_else(|| self.wrong(&BASE_URL, &error))
            }
        })
    }

    /// Returns the forwarder of other events to the URL of the flag, else of the setting. `None` if neither
    /// is given.
    pub(crate) fn forwarder(&self, flag: Option<&str>) -> Result<Option<Forwarder>, Failure> {
        let url = match flag {
            Some(url) => Some(refuse_password("--forward", url, &FORWARD)?),
            None => self.text(&FORWARD),
        };
        let Some(url) = url else { return Ok(None) };
        let forwarder = self.forwarder_to(url, |error| match flag {
            Some(_) => Failure::usage_of("--forward", error),
            None => self.wrong(&FORWARD, error),
        });
        forwarder.map(Some)
    }

    /// Returns the way to the listener of a `[[webhook]]`: proxy, certificates and time-out are those of
    /// forwarding.
    pub(crate) fn webhook(&self, entry: &Entry) -> Result<Webhook, Failure> {
        let secret = entry.secret.expose().parse::<WebhookSecret>().map_err(|error| {
            Failure::usage(phrase!(
                "secret: {error}; make one with: echo whsec_$(openssl rand -base64 32)",
                "secret：{error}；可用此命令生成：echo whsec_$(openssl rand -base64 32)",
                error = error,
            ))
        })?;
        let wrong = |error: &BuildError| Failure::usage_of("url", error);
        let forwarder = self.forwarder_to(entry.url.expose(), wrong)?;
        Ok(Webhook::through(forwarder, secret))
    }

    /// Returns a forwarder to this URL. `wrong` describes an error of the URL.
    fn forwarder_to(
        &self,
        url: &str,
        wrong: impl FnOnce(&BuildError) -> Failure,
    ) -> Result<Forwarder, Failure> {
        let Chosen { proxy, roots, timeout } = self.way(&FORWARDING)?;
        let mut builder = Forwarder::builder(url).timeout(timeout);
        builder = match proxy {
            None => builder,
            Some(Proxy::Nothing) => builder.no_proxy(),
            Some(Proxy::Url(url)) => builder.proxy(url),
        };
        if let Some(pem) = roots {
            builder = builder.root_certificate(pem);
        }
        builder
            .build()
            .map_err(|error| self.unusable(&FORWARDING, &error).unwrap_or_else(|| wrong(&error)))
    }

    /// Whether a setting of forwarding differs from its default.
    pub(crate) fn sets_forwarding(&self) -> bool {
        let Way { proxy, ca_file, timeout } = &FORWARDING;
        let is_set = |spec: &Spec| self.get(spec).is_some_and(|it| *it.1 != Origin::Default);
        [&FORWARD, proxy, ca_file, timeout].into_iter().any(is_set)
    }

    fn way(&self, way: &Way) -> Result<Chosen, Failure> {
        Ok(Chosen {
            proxy: self.proxy(way.proxy)?,
            roots: self.roots(way.ca_file)?,
            timeout: self.timeout(way.timeout)?,
        })
    }

    fn proxy(&self, spec: &'static Spec) -> Result<Option<Proxy>, Failure> {
        let Some((url, origin)) = self.get(spec) else { return Ok(None) };
        let url = url.expose();
        if url.eq_ignore_ascii_case("none") {
            return Ok(Some(Proxy::Nothing));
        }
        if let Origin::Flag(flag) = origin {
            refuse_password(flag, url, spec)?;
        }
        Ok(Some(Proxy::Url(url.to_owned())))
    }

    fn roots(&self, spec: &'static Spec) -> Result<Option<Vec<u8>>, Failure> {
        if self.get(spec).is_none() {
            return Ok(None);
        }
        let file = self.path(spec)?;
        let pem = std::fs::read(file).map_err(|error| {
            let file = file.display();
            let what = phrase!("{file} cannot be read", "{file} 无法读取", file = file);
            self.wrong(spec, &Plain::new(chained(what, &error)))
        })?;
        Ok(Some(pem))
    }

    fn timeout(&self, spec: &'static Spec) -> Result<Duration, Failure> {
        let text = self.required(spec)?.expose();
        let wrong = |reason| self.wrong(spec, &quoted(text, reason));
        match time(text).map_err(wrong)? {
            timeout if timeout < SHORTEST => {
                Err(wrong(phrase!("it must be 1ms or more", "必须至少为 1ms")))
            }
            timeout => Ok(timeout),
        }
    }

    /// Names the setting that prevents building a client.
    fn unusable(&self, way: &Way, error: &BuildError) -> Option<Failure> {
        match error {
            BuildError::Proxy(_) => Some(self.wrong(way.proxy, error)),
            BuildError::RootCertificate(_) => Some(self.wrong(way.ca_file, error)),
            BuildError::ProxyVariable { variable, .. } => {
                let Spec { env, example, .. } = way.proxy;
                Some(Failure::usage(phrase!(
                    "{what}\n  example: {variable}='{example}', or {env}='none' for no proxy",
                    "{what}\n  示例：{variable}='{example}'；不用代理则写 {env}='none'",
                    what = chain("", error),
                    variable = variable,
                    example = example,
                    env = env,
                )))
            }
            BuildError::NoProxyVariable { variable, .. } => Some(Failure::usage(phrase!(
                "{what}\n  example: {variable}='localhost,10.0.0.0/8,.example'",
                "{what}\n  示例：{variable}='localhost,10.0.0.0/8,.example'",
                what = chain("", error),
                variable = variable,
            ))),
            _ => None,
        }
    }
}

/// Returns the URL of a flag, unless it has a password. Every user of the machine can read a command line.
fn refuse_password<'a>(flag: &str, url: &'a str, spec: &Spec) -> Result<&'a str, Failure> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        return Ok(url);
    }
    let Spec { env, name, .. } = spec;
    let failure = Failure::usage(phrase!(
        "{flag}: a password does not belong on a command line, because every user of the machine can read it; put the URL into {env}, or into `{name}` in the settings file",
        "{flag}：命令行中不应有密码，因为本机所有用户都能看到；请把该地址写入 {env}，或设置文件中的 `{name}`",
        flag = flag,
        env = env,
        name = name,
    ));
    Err(failure.of_setting(name))
}

const SHORTEST: Duration = Duration::from_millis(1);
