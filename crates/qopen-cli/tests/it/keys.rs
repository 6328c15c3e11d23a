//! Keys and certificates that are exchanged while callbacks come.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use qopen_simulator::Schedule;
use tokio::net::TcpStream;

use crate::callbacks::{TOKEN, callback, now, ring, say};
use crate::served::{Served, http};
use crate::support::{Stage, text};

const EVENT: &str = r#"{"event_type":20001}"#;

/// Writes a settings file with these lines, for its owner alone.
fn write_settings(folder: &Path, lines: &str) {
    let file = folder.join("qopen.toml");
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn post(stage: &Stage, token: &str) -> u16 {
    let mut stream = TcpStream::connect(&stage.listen).await.unwrap();
    say(&mut stream, &[callback(&ring(token), EVENT, "n", now())]).await[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_without_a_gap() {
    const AGAIN: &str = "were read again";
    let stage = Stage::new(&Schedule::default());
    let folder = stage.folder.path().to_owned();
    let old = format!("callback_token = \"{TOKEN}\"\n");
    write_settings(&folder, &old);
    let mut command = Served::command(&stage, &[]);
    command.env_remove("QOPEN_CALLBACK_TOKEN");
    let served = Served::spawn(command);
    assert_eq!((post(&stage, TOKEN).await, post(&stage, "new").await), (200, 401));

    // The platform goes on with the old key, and none of its callbacks is refused.
    let rotated = AtomicBool::new(false);
    let platform = async {
        let mut taken = 0;
        while !rotated.load(Ordering::Relaxed) {
            assert_eq!(post(&stage, TOKEN).await, 200);
            taken += 1;
        }
        taken
    };
    let rotation = async {
        write_settings(&folder, &format!("{old}callback_token_next = \"new\"\n"));
        served.signal("HUP");
        served.until_it_says(1, AGAIN).await;
        // The platform's console is changed: both are good.
        assert_eq!(post(&stage, "new").await, 200);
        rotated.store(true, Ordering::Relaxed);
    };
    let (taken, ()) = tokio::join!(platform, rotation);
    assert!(taken > 0);
    assert_eq!(served.figure("qopen_callbacks_by_keys_total{keys=\"next\"}").await, 1.0);
    let current = served.figure("qopen_callbacks_by_keys_total{keys=\"current\"}").await;
    assert_eq!(current, f64::from(taken) + 1.0);

    // What cannot be read changes nothing.
    write_settings(&folder, "callback_token = \n");
    served.signal("HUP");
    served.until_it_says(1, "reload failed").await;
    assert_eq!((post(&stage, TOKEN).await, post(&stage, "new").await), (200, 200));

    write_settings(&folder, "callback_token = \"new\"\n");
    served.signal("HUP");
    served.until_it_says(2, AGAIN).await;
    assert_eq!((post(&stage, TOKEN).await, post(&stage, "new").await), (401, 200));
    assert!(!served.log().contains("canary"));

    // A file that is gone is no file without keys.
    std::fs::remove_file(folder.join("qopen.toml")).unwrap();
    served.signal("HUP");
    served.until_it_says(2, "reload failed").await;
    assert_eq!(post(&stage, "new").await, 200);

    // What is not exchanged is named.
    write_settings(
        &folder,
        "callback_token = \"new\"\nencoding_aes_key = \"x\"\nmax_connections = 7\n",
    );
    served.signal("HUP");
    served.until_it_says(3, AGAIN).await;
    served.until_it_says(1, "used from the next start on: max_connections").await;
    served.until_it_says(1, "QOPEN_ENCODING_AES_KEY comes before it").await;
    assert!(served.stop().success());
}

/// Makes a new certificate for `localhost` in that folder.
fn issue(folder: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn callbacks_come_over_tls_and_a_new_certificate_needs_no_restart() {
    let stage = Stage::new(&Schedule::default());
    let folder = stage.folder.path();
    let first = issue(folder);
    let served = Served::new(&stage, &["--tls-cert", "cert.pem", "--tls-key", "key.pem"], None);
    assert!(served.log().contains("callbacks on https://"), "{}", served.log());
    let port = stage.listen.split_once(':').unwrap().1;
    let url = format!("https://localhost:{port}/callback");
    let post = async |trusted: &reqwest::Certificate| {
        let client = http().tls_certs_only([trusted.clone()]);
        let body = serde_json::to_vec(&ring(TOKEN).seal(EVENT, "n", now())).unwrap();
        let sent = client.build().unwrap().post(&url).body(body).send().await;
        sent.map(|answer| answer.status().as_u16())
    };
    assert_eq!(post(&first).await.unwrap(), 200);
    let second = issue(folder);
    served.signal("HUP");
    served.until_it_says(1, "were read again").await;
    assert_eq!(post(&second).await.unwrap(), 200);
    assert!(post(&first).await.is_err());
}

#[test]
fn a_settings_file_with_secrets_that_others_may_read_is_warned_about() {
    let stage = Stage::new(&Schedule::default());
    let folder = stage.folder.path();
    let said = |lines: &str, mode| {
        write_settings(folder, lines);
        let file = folder.join("qopen.toml");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        text(&stage.verb("explain", &["none"]).output().unwrap().stderr)
    };
    let secret = "control_token = \"canary\"\n";
    assert!(said(secret, 0o644).contains("has mode 0644; others may read its secrets: chmod 600"));
    assert!(said(secret, 0o640).contains("others may read its secrets"));
    assert!(!said(secret, 0o600).contains("others"));
    // Also one that the environment comes before.
    assert!(said("callback_token = \"canary\"\n", 0o644).contains("others may read its secrets"));
    let harmless = "listen = \"127.0.0.1:0\"\n";
    assert!(!said(harmless, 0o644).contains("others"));
    assert!(said(harmless, 0o666).contains("others may change it"));
    assert!(!said(secret, 0o644).contains("canary"));
}
