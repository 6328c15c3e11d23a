//! What `packaging/` and the archive of a release have, each judged by the program that uses it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{ids, installed, qopen, text, with_settings};

const VARIABLE: &str = "QOPEN_TEST_PACKAGING";

fn program(name: &str) -> Option<PathBuf> {
    installed(&[name, &format!("/usr/sbin/{name}")], VARIABLE)
}

fn packaging() -> PathBuf {
    std::fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")).unwrap()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{error}");
    output
}

/// The man pages, in a folder that `MANPATH` may name.
fn man_pages(folder: &Path) -> PathBuf {
    let pages = folder.join("man/man1");
    std::fs::create_dir_all(&pages).unwrap();
    let arguments = ["man", pages.to_str().unwrap()];
    run(qopen(folder, &arguments).env("SOURCE_DATE_EPOCH", "1772323200"));
    pages
}

#[test]
fn a_machine_without_certificates_runs_the_demo_and_names_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let bare = |arguments: &[&str]| {
        let mut command = with_settings(qopen(folder.path(), arguments));
        command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
        command
    };
    run(&mut bare(&["demo", "--accounts", "20"]));
    let list = std::fs::read_to_string(folder.path().join("customers.jsonl")).unwrap();
    assert_eq!(ids(&list).len(), 20);
    let pull = ["pull", "--robot", "r1", "--out", "x.jsonl", "--base-url"];
    let output = bare(&[&pull[..], &["https://127.0.0.1:9"]].concat()).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("No CA certificates were loaded from the system"), "{said}");
    // Nor does a proxy with TLS go unverified.
    let proxy = ["http://127.0.0.1:9", "--proxy", "https://127.0.0.1:9"];
    let output = bare(&[&pull[..], &proxy].concat()).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("No CA certificates were loaded from the system"), "{said}");
}

#[test]
fn man_pages_are_clean_and_are_rendered() {
    let Some(mandoc) = program("mandoc") else { return };
    let folder = tempfile::tempdir().unwrap();
    let pages = man_pages(folder.path());
    let mut names = Vec::new();
    for page in std::fs::read_dir(pages).unwrap() {
        let page = page.unwrap();
        let lint =
            Command::new(&mandoc).args(["-T", "lint", "-W", "warning"]).arg(page.path()).output();
        let lint = text(&lint.unwrap().stdout);
        assert!(lint.is_empty(), "{lint}");
        names.push(page.file_name().into_string().unwrap());
        if names.last().is_some_and(|it| it == "qopen-pull.1") {
            let rendered = run(Command::new(&mandoc).args(["-T", "ascii"]).arg(page.path()));
            let rendered = text(&rendered.stdout).replace("_\u{8}", "");
            let rendered: String = rendered.split('\u{8}').map(|it| &it[..it.len() - 1]).collect();
            assert!(rendered.contains("qopen-pull"), "{rendered}");
        }
    }
    assert!(names.len() > 20 && names.contains(&"qopen-pulls-list.1".to_owned()), "{names:?}");
}

#[test]
fn completions_load_in_each_shell() {
    let folder = tempfile::tempdir().unwrap();
    let script = |shell: &str, name: &str| {
        let output = run(&mut qopen(folder.path(), &["completions", shell]));
        let path = folder.path().join(name);
        std::fs::write(&path, output.stdout).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let completes = |command: &mut Command| {
        let output = run(command.env("HOME", folder.path()));
        assert_eq!(text(&output.stderr), "", "{command:?}");
        let offered = text(&output.stdout);
        for verb in ["pull", "pulls"] {
            assert!(
                offered.lines().any(|it| it.split(['\t', ':']).next() == Some(verb)),
                "{offered}"
            );
        }
    };
    if let Some(bash) = program("bash") {
        let ask = format!(
            ". {}; COMP_WORDS=(qopen pul); COMP_CWORD=1; _qopen qopen pul qopen; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script("bash", "qopen.bash")
        );
        completes(Command::new(bash).args(["--norc", "-c", &ask]));
    }
    if let Some(fish) = program("fish") {
        let ask = format!("source {}; complete -C 'qopen pul'", script("fish", "qopen.fish"));
        completes(Command::new(fish).args(["-N", "-c", &ask]));
    }
    if let Some(zsh) = program("zsh") {
        script("zsh", "_qopen");
        // Without a terminal nothing is completed; the verbs are those of the loaded function.
        let load = "fpath=($PWD $fpath); autoload -U compinit; compinit -D -u; autoload +X _qopen; \
            whence -w _qopen; print ${_comps[qopen]}";
        let output = run(Command::new(zsh).args(["-f", "-c", load]).current_dir(folder.path()));
        assert_eq!(text(&output.stdout), "_qopen: function\n_qopen\n", "{}", text(&output.stderr));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let Some(analyze) = program("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    man_pages(folder.path());
    let unit = std::fs::read_to_string(packaging().join("qopen.service")).unwrap();
    let binary = assert_cmd::cargo::cargo_bin!("qopen").display().to_string();
    // The unit names the binary where it is installed, which it is not here.
    let here = unit.replace("/usr/local/bin/qopen ", &format!("{binary} "));
    assert_ne!(here, unit);
    let path = folder.path().join("qopen.service");
    std::fs::write(&path, &here).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new(&analyze);
        command.args(arguments).arg(&path).env("MANPATH", folder.path().join("man"));
        run(&mut command)
    };
    let verified = analyze(&["verify"]);
    assert_eq!(text(&verified.stdout) + &text(&verified.stderr), "");
    // From 0, safe, to 100.
    analyze(&["security", "--offline=true", "--threshold=20"]);
    // The command of the unit is one that qopen understands, and stops at the missing file.
    let start = unit.lines().find_map(|it| it.strip_prefix("ExecStart=/usr/local/bin/qopen "));
    let arguments: Vec<&str> = start.unwrap().split(' ').collect();
    let output = qopen(folder.path(), &arguments).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("/etc/qopen/qopen.toml (from --config)"), "{said}");
}

#[test]
fn nginx_takes_its_configuration() {
    let Some(nginx) = program("nginx") else { return };
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["callback.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("fullchain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("privkey.pem"), made.signing_key.serialize_pem()).unwrap();
    let tls = format!("{}/", folder.path().display());
    let config = std::fs::read_to_string(packaging().join("nginx.conf")).unwrap();
    // The paths and the name of the containers.
    let here = config.replace("/etc/nginx/tls/", &tls).replace("qopen:8080", "127.0.0.1:8080");
    let here = here.replace("/dev/stdout", &format!("{tls}access.log"));
    let path = folder.path().join("nginx.conf");
    std::fs::write(&path, here).unwrap();
    let rest = format!("pid {tls}nginx.pid; error_log stderr;");
    let output = run(Command::new(nginx).args(["-t", "-g", &rest, "-p", &tls, "-c"]).arg(path));
    let said = text(&output.stderr);
    assert!(said.contains("test is successful") && !said.contains("[warn]"), "{said}");
}

#[test]
fn compose_takes_its_file() {
    let Some(compose) = program("docker-compose") else { return };
    let ask = |variables: &[&str]| {
        let mut command = Command::new(&compose);
        command.args(["-f", "compose.yaml", "config"]).current_dir(packaging());
        command.envs(variables.iter().map(|it| (it, "value")));
        command
    };
    let variables = [
        "QOPEN_BASE_URL",
        "QOPEN_APP_KEY",
        "QOPEN_APP_SECRET",
        "QOPEN_CALLBACK_TOKEN",
        "QOPEN_ENCODING_AES_KEY",
        "QOPEN_CONTROL_TOKEN",
        "POSTGRES_PASSWORD",
    ];
    let whole = text(&run(&mut ask(&variables)).stdout);
    assert!(whole.contains("postgres://qopen@postgres/qopen"), "{whole}");
    // A secret that is not set is an error, and never an empty text.
    let output = ask(&variables[1..]).env_remove("QOPEN_BASE_URL").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("QOPEN_BASE_URL"), "{}", text(&output.stderr));
}

#[test]
fn kubernetes_takes_its_manifests() {
    let Some(validate) = program("kubernetes-validate") else { return };
    for manifest in std::fs::read_dir(packaging().join("kubernetes")).unwrap() {
        let manifest = manifest.unwrap().path();
        run(Command::new(&validate).arg("--strict").arg(&manifest));
        // The roles exist.
        let text = std::fs::read_to_string(&manifest).unwrap();
        let role = if manifest.ends_with("workers.yaml") { "worker" } else { "receiver" };
        assert!(text.contains("/readyz") && text.contains("PodDisruptionBudget"));
        assert!(text.contains(&format!("--role={role}")), "{role}");
    }
}

/// Files and folders of the layers, with owners.
fn layers(archive: &Path, folder: &Path) -> (Vec<String>, Value) {
    run(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(folder));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let config = serde_json::from_str(&read(manifest[0]["Config"].as_str().unwrap())).unwrap();
    let mut entries = Vec::new();
    for layer in manifest[0]["Layers"].as_array().unwrap() {
        let layer = folder.join(layer.as_str().unwrap());
        let listed = run(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(layer));
        for line in text(&listed.stdout).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            entries.push(format!("{} {} {}", words[0], words[1], words[5]));
        }
    }
    entries.sort_by(|a, b| a.split(' ').nth(2).cmp(&b.split(' ').nth(2)));
    (entries, config)
}

#[test]
fn the_image_copies_the_binary_certificates_and_the_user_alone() {
    let file = std::fs::read_to_string(packaging().join("image/Dockerfile")).unwrap();
    let steps = |name: &str| -> Vec<&str> {
        file.lines().filter_map(|it| it.strip_prefix(name)?.strip_prefix(' ')).collect()
    };
    assert_eq!(steps("FROM"), ["scratch"]);
    assert_eq!((steps("RUN").len(), steps("ADD").len()), (0, 0));
    assert_eq!(
        steps("COPY"),
        [
            "packaging/image/passwd packaging/image/group /etc/",
            "ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
            "--chown=65532:65532 packaging/image/data /data",
            "qopen /usr/local/bin/qopen",
        ]
    );
    assert_eq!(steps("USER"), ["65532:65532"]);
    let kept = std::fs::read_dir(packaging().join("image/data")).unwrap();
    let kept: Vec<_> = kept.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(kept, [".keep"], "the data folder of the image is empty");
}

/// A command of `buildah`. Root needs no namespace for it; others do, which not every container allows.
#[cfg(target_os = "linux")]
fn buildah() -> Option<impl Fn() -> Command> {
    const VARIABLE: &str = "QOPEN_TEST_BUILDAH";
    let program = installed(&["buildah"], VARIABLE)?;
    let is_root = text(&run(Command::new("id").arg("-u")).stdout).trim() == "0";
    let buildah = move || {
        let mut command = Command::new(&program);
        command.env("BUILDAH_ISOLATION", "chroot");
        if is_root {
            // Root of a container may not make a user namespace. With this, buildah takes itself to be in one.
            command.env("_CONTAINERS_ROOTLESS_UID", "1000");
        }
        command
    };
    if is_root {
        return Some(buildah);
    }
    let tried = buildah().args(["unshare", "true"]).output().unwrap();
    if tried.status.success() {
        return Some(buildah);
    }
    let why = text(&tried.stderr);
    let is_required = std::env::var(VARIABLE).as_deref() == Ok("required");
    assert!(!is_required, "{VARIABLE} is required: {why}");
    let skip = format!("SKIP: buildah cannot work here: {why}\n");
    std::io::stderr().write_all(skip.as_bytes()).unwrap();
    None
}

#[cfg(target_os = "linux")]
#[test]
fn the_built_image_has_the_binary_certificates_and_the_user_alone() {
    let Some(buildah) = buildah() else { return };
    let folder = tempfile::tempdir().unwrap();
    let context = folder.path().join("context");
    std::fs::create_dir(&context).unwrap();
    run(Command::new("cp").arg("-r").arg(packaging()).arg(context.join("packaging")));
    std::fs::write(context.join("ca-certificates.crt"), "certificates").unwrap();
    let binary = context.join("qopen");
    std::fs::write(&binary, "stand-in").unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let buildah = |arguments: &[&str]| {
        let mut command = buildah();
        command.current_dir(&context);
        for (option, name) in [("--root", "storage"), ("--runroot", "run")] {
            command.arg(option).arg(folder.path().join(name));
        }
        run(command.args(["--storage-driver", "vfs"]).args(arguments));
    };
    let dockerfile = "packaging/image/Dockerfile";
    buildah(&[
        "bud",
        "--format",
        "docker",
        "--network",
        "none",
        "-f",
        dockerfile,
        "-t",
        "qopen",
        ".",
    ]);
    let archive = folder.path().join("image.tar");
    buildah(&["push", "qopen", &format!("docker-archive:{}", archive.display())]);
    let unpacked = folder.path().join("image");
    std::fs::create_dir(&unpacked).unwrap();
    let (entries, config) = layers(&archive, &unpacked);
    assert_eq!(
        entries,
        [
            "drwxr-xr-x 65532/65532 data/",
            "-rw-r--r-- 65532/65532 data/.keep",
            "drwxr-xr-x 0/0 etc/",
            "-rw-r--r-- 0/0 etc/group",
            "-rw-r--r-- 0/0 etc/passwd",
            "drwxr-xr-x 0/0 etc/ssl/",
            "drwxr-xr-x 0/0 etc/ssl/certs/",
            "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
            "drwxr-xr-x 0/0 usr/",
            "drwxr-xr-x 0/0 usr/local/",
            "drwxr-xr-x 0/0 usr/local/bin/",
            "-rwxr-xr-x 0/0 usr/local/bin/qopen",
        ]
    );
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    let check = &config["Healthcheck"]["Test"];
    assert_eq!(check, &serde_json::json!(["CMD", "/usr/local/bin/qopen", "healthcheck"]));
    let environment = config["Env"].to_string();
    assert!(environment.contains("QOPEN_LISTEN=0.0.0.0:8080"), "{environment}");
}
