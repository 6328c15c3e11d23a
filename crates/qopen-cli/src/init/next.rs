//! What comes after the file: the block of nginx, and the next commands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use qopen::callback::receiver::ReceiverConfig;

use super::callback_url::CallbackUrl;
use super::chosen::Chosen;
use crate::exit::Failure;
use crate::lang::{Phrase, phrase};
use crate::say::answer;
use crate::settings::{Settings, TLS_CERT};
use crate::shell::option;

pub(super) struct Next<'a> {
    pub(super) settings: &'a Settings,
    pub(super) chosen: &'a Chosen,
    /// The settings file, if it is not the one in the current folder.
    pub(super) file: Option<&'a Path>,
}

impl Next<'_> {
    pub(super) fn print(&self) -> Result<(), Failure> {
        let (listen, path) = (self.settings.listen()?, self.settings.callback_path()?);
        let url = self.chosen.callback_url.as_ref();
        let named = match url {
            Some(url) => Phrase::same(url.to_string()),
            None => phrase!("the callback URL", "回调地址"),
        };
        if self.settings.get(&TLS_CERT).is_some() {
            let said = phrase!(
                "# {url} must reach {listen}, which has a certificate of its own.",
                "# {url} 必须能到达 {listen}，后者有自己的证书。",
                url = named,
                listen = listen,
            );
            answer!("{}", said.shown());
        } else {
            let said = phrase!(
                "# nginx, in the server of {url}:",
                "# nginx，写在 {url} 的 server 中：",
                url = named,
            );
            answer!("{}", said.shown());
            answer!("{}", nginx(listen, &path, url));
        }
        answer!("\n{}", phrase!("# Next:", "# 接下来：").shown());
        answer!("{}", self.command("listen --once"));
        answer!("{}", self.pull());
        Ok(())
    }

    /// Returns the command that pulls the first list.
    fn pull(&self) -> String {
        let robots = match &self.chosen.robot {
            Some(robot) => option("--robot", robot.as_str()),
            None => "--all-robots".to_owned(),
        };
        let chosen = self.chosen.out.as_deref().map(Path::to_string_lossy);
        let out = chosen.unwrap_or_else(|| self.chosen.default_out().into());
        self.command(&format!("pull {robots} {}", option("--out", &out)))
    }

    fn command(&self, rest: &str) -> String {
        let file = self.file.map(|it| format!(" {}", option("--config", &it.to_string_lossy())));
        format!("qopen {rest}{}", file.unwrap_or_default())
    }
}

/// Returns the location that leads from the public URL to the listener.
fn nginx(listen: SocketAddr, path: &str, url: Option<&CallbackUrl>) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let listen = SocketAddr::new(ip, listen.port());
    let public = url.map_or(path, CallbackUrl::path);
    // Without a path of its own, the request keeps the public one.
    let inner = if public == path { "" } else { path };
    let most = ReceiverConfig::default().body_limit >> 20;
    format!(
        "location = {public} {{\n    proxy_pass http://{listen}{inner};\n    client_max_body_size {most}m;\n}}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn nginx_leads_to_the_listener_and_the_documents_have_the_same_block() {
        let block = |listen: &str, path, url: Option<&str>| {
            let url = url.map(|it| CallbackUrl::parse(it).unwrap());
            nginx(listen.parse().unwrap(), path, url.as_ref())
        };
        let plain = block("127.0.0.1:8080", "/callback", None);
        let words: Vec<&str> = plain.split_whitespace().collect();
        for page in ["README.md", "docs/SECURITY.md"] {
            let text = std::fs::read_to_string(
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page),
            );
            let text = text.unwrap();
            let known: Vec<&str> = text.split_whitespace().collect();
            let without_end = &words[..words.len() - 1];
            assert!(known.windows(without_end.len()).any(|it| it == without_end), "{page}");
        }
        assert!(block("0.0.0.0:81", "/cb", None).contains("proxy_pass http://127.0.0.1:81;"));
        let other = block("[::]:82", "/callback", Some("https://a.example/qopen"));
        assert!(other.contains("location = /qopen {"), "{other}");
        assert!(other.contains("proxy_pass http://[::1]:82/callback;"), "{other}");
    }
}
