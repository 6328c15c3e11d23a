//! `qopen doctor`: shows every setting with its origin, and checks the setup.

mod online;
mod report;

use std::path::Path;

use console::Alignment;
use qopen::sink::SinkError;
use qopen::types::Upgrade;

use crate::args::DoctorArgs;
use crate::causes;
use crate::database;
use crate::exit::{Exit, Failure, chained};
use crate::format::{Asked, Layout, Words};
use crate::lang::{self, Phrase, Text, phrase};
use crate::output::Output;
use crate::output::database::ListDatabase;
use crate::report::Noun;
use crate::say::answer;
use crate::settings::{self, Settings};
use crate::topics::warnings;
pub(crate) use online::{refused, token};
use report::Report;

pub(crate) async fn run(args: &DoctorArgs, settings: &Settings) -> Result<Exit, Failure> {
    let lang = lang::chosen();
    let padded = |text: &str| console::pad_str(text, 28, Alignment::Left, None).into_owned();
    let head = [("setting", "设置"), ("value", "值"), ("from", "来源")];
    let [name, value, from] = head.map(|(en, zh)| Text::new(en, zh).of(lang));
    answer!("{} {} {from}", padded(name), padded(value));
    for spec in settings::ALL {
        let is_problem = settings.problems.iter().any(|it| it.setting() == Some(spec.name));
        let (value, origin) = match settings.get(spec) {
            None if is_problem => (phrase!("cannot be used", "无法使用"), String::new()),
            None => (phrase!("not set", "未设置"), String::new()),
            Some((value, origin)) if spec.secret => (
                phrase!(
                    "<secret, {n} characters>",
                    "<密钥，{n} 个字符>",
                    n = value.expose().chars().count(),
                ),
                origin.to_string(),
            ),
            Some((value, origin)) => (without_login(value.expose()).into(), origin.to_string()),
        };
        let (about, value) = (spec.noun().of(lang), value.shown());
        answer!("{} {} {origin}", padded(about), padded(value));
    }
    answer!("");
    let mut report = Report::default();
    let faults = settings.faults(true);
    for fault in settings.problems.iter().chain(&faults) {
        report.fault(fault);
    }
    report.check(
        Text::new("requests", "请求"),
        settings.sender(|it| it).map(|sender| match sender.proxy() {
            None => phrase!("base URL and credentials are set", "网关地址与凭据已设置"),
            Some(proxy) => phrase!(
                "base URL and credentials are set, through {proxy}",
                "网关地址与凭据已设置，经由{proxy}",
                proxy = Phrase::new(proxy.to_string(), causes::of_proxy(proxy)),
            ),
        }),
    );
    if settings.sets_forwarding() {
        // Without a URL in the settings the flag brings it. Any URL serves the check.
        let any = settings.get(&settings::FORWARD).is_none().then_some("http://127.0.0.1/");
        let forwarder = settings.forwarder(any);
        report.check(
            Text::new("forwarding", "转发"),
            forwarder.map(|_| {
                phrase!(
                    "URL, proxy, certificates and time-out are valid",
                    "地址、代理、证书与超时有效",
                )
            }),
        );
    }
    report.check(
        Text::new("callbacks", "回调"),
        settings.ring().map(|_| {
            phrase!(
                "app key, callback token and AES key are set",
                "应用 key、回调令牌与 AES key 已设置"
            )
        }),
    );
    report.check(Text::new("callback path", "回调路径"), settings.callback_path());
    report.check(Text::new("listener", "监听"), listener(settings));
    report.check(Text::new("connections", "连接"), connections(settings));
    report.check(Text::new("control", "控制接口"), control(settings));
    let journal = crate::journal::examine(settings).await;
    report.check(Text::new("journal", "持久化存储"), journal.line);
    if let Some(format) = &journal.format {
        report.change(Text::new("journal format", "持久化存储的格式"), format);
    }
    if journal.is_restored {
        let said = phrase!(
            "WARN  journal: it was restored from a backup; the next start, or `qopen migrate`, keeps its unfinished pulls from being complete",
            "WARN  持久化存储：由备份恢复；下次启动或 `qopen migrate` 会使其未完成的拉取不能算作完整",
        );
        answer!("{}", said.shown());
    }
    if settings.get(&settings::TIME_ZONE).is_some() {
        report.check(
            Text::new("time zone", "时区"),
            settings.time_zone().map(|zone| zone.in_words()),
        );
    }
    if let Some(out) = args.out.clone() {
        // It waits for files and servers.
        let checked = tokio::task::spawn_blocking(move || output(&out)).await;
        let checked = checked
            .unwrap_or_else(|error| Err(Failure::unexpected("the check of the output", &error)));
        let format = checked.as_ref().ok().and_then(|(_, format)| format.clone());
        report.check(Text::new("output", "输出位置"), checked.map(|(fine, _)| fine));
        if let Some(format) = format {
            report.change(Text::new("output format", "输出的格式"), &format);
        }
    }
    for (title, result) in crate::serve::examine(settings) {
        report.check(title, result);
    }
    for (title, format) in schedule_formats(settings).await {
        match format {
            Ok(format) => report.change(phrase!("{it} format", "{it} 的格式", it = title), &format),
            Err(error) => {
                let what = phrase!("WARN  {it} format", "WARN  {it} 的格式", it = title);
                answer!("{}", chained(what, &error).shown());
            }
        }
    }
    for (title, result) in crate::serve::examine_webhooks(settings) {
        report.check(title, result);
    }
    for (topic, note) in &settings.notes {
        answer!("WARN  {} [{}]", note.shown(), topic.name);
    }
    match (&settings.exposure, &settings.file) {
        (_, None) => {}
        // A line above names its mistake.
        (None, Some(_)) if settings.problems.iter().any(|it| it.setting().is_none()) => {}
        (None, Some(file)) => {
            let said = phrase!("settings file: {it}", "设置文件：{it}", it = file.display());
            answer!("ok    {}", said.shown());
        }
        (Some(exposure), Some(_)) => {
            let topic = warnings::SETTINGS_EXPOSED.name;
            let said = Phrase::about(Text::new("settings file", "设置文件"), exposure);
            answer!("WARN  {} [{topic}]", said.shown());
        }
    }
    if args.online {
        online::run(settings, &mut report).await;
    }
    Ok(report.exit())
}

/// Returns the value without user, password and query of a URL, which may be secret.
fn without_login(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (&rest[..at], "?…"),
        None => (rest, ""),
    };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://…@{place}{query}"),
        None => format!("{scheme}://{rest}{query}"),
    }
}

fn listener(settings: &Settings) -> Result<Phrase, Failure> {
    let address = settings.listen()?;
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok(phrase!("{it} can be listened on", "可以监听 {it}", it = address)),
        Err(error) => {
            let what = phrase!("{it} cannot be listened on", "无法监听 {it}", it = address);
            Err(Failure::usage_of(what, &error))
        }
    }
}

fn control(settings: &Settings) -> Result<Phrase, Failure> {
    let ((address, token), hosts) = (settings.control()?, settings.control_hosts()?);
    let with = match token {
        Some(_) => Text::new("with a token", "有令牌"),
        None => Text::new("without a token", "无令牌"),
    };
    let hosts = match hosts.len() {
        0 => Phrase::default(),
        n => {
            let more = Noun::new("more host", "more hosts", "个主机名").count(n as u64);
            phrase!(", and {more}", "以及另外 {more}", more = more)
        }
    };
    Ok(phrase!(
        "{address}, {with}; answers to loopback and that address{hosts}",
        "{address}，{with}；应答对回环地址与该地址{hosts}的请求",
        address = address,
        with = with,
        hosts = hosts,
    ))
}

fn connections(settings: &Settings) -> Result<Phrase, Failure> {
    let (limits, tls) = (settings.limits()?, settings.tls()?);
    let stale = match settings.refuse_stale()? {
        None => phrase!("of any age", "时间不限"),
        Some(age) => {
            phrase!("at most {s} s from the clock", "与时钟相差至多 {s} 秒", s = age.as_secs(),)
        }
    };
    let with = match tls {
        Some(_) => Text::new("with TLS", "有 TLS"),
        None => Text::new("without TLS", "无 TLS"),
    };
    Ok(phrase!(
        "{all} at once, {per_peer} of one peer, {with}; callbacks {stale}",
        "同时 {all} 个，每个对端 {per_peer} 个，{with}；回调{stale}",
        all = limits.connections,
        per_peer = limits.per_peer,
        with = with,
        stale = stale,
    ))
}

/// Looks at the databases of schedules.
async fn schedule_formats(settings: &Settings) -> Vec<(String, Result<Upgrade, SinkError>)> {
    let mut formats = Vec::new();
    for found in &settings.schedule {
        let out = found.entry().ok().and_then(|entry| entry.out.as_deref());
        let Some(Ok(Some(database))) = out.map(ListDatabase::at) else { continue };
        // It waits for files and servers.
        let examined = tokio::task::spawn_blocking(move || database.examine()).await;
        let examined = examined.unwrap_or_else(|error| Err(SinkError::Database(error.into())));
        formats.push((found.title.to_string(), examined));
    }
    formats
}

/// Checks that lists can be published to a place, and what that does to the format of a database. Changes nothing: a
/// database on a server that lacks tables or columns is only looked at.
pub(crate) fn output(out: &Path) -> Result<(Phrase, Option<Upgrade>), Failure> {
    if let Some(url) = database::of(out) {
        database::refuse_password("--out", url)?;
    }
    let layout = Asked::default().settle(Words::NoFormat, out, Layout::default());
    let output = Output::new(out, layout.map_err(Failure::usage)?)?;
    let place = output.place();
    if let Some(database) = output.clone().into_database().filter(ListDatabase::is_on_a_server) {
        let format = database.examine().map_err(|error| database.failure(&error))?;
        if !format.is_nothing() {
            let looked = phrase!(
                "{place} answers; the first start tries to publish",
                "{place} 有应答；首次启动时尝试发布",
                place = place,
            );
            return Ok((looked, Some(format)));
        }
    }
    output.check(&[])?;
    // Lists can be published, whatever hides the format.
    let format = output.into_database().map(|it| it.examine());
    let format = format.transpose().map_err(|error| {
        let what = phrase!(
            "what the next list changes in {place} is not known",
            "无法得知下一份列表会对 {place} 做什么改动",
            place = place,
        );
        Failure::output(what, &error)
    })?;
    let fine =
        phrase!("lists can be published to {place}", "可以将列表发布到 {place}", place = place,);
    Ok((fine, format))
}
