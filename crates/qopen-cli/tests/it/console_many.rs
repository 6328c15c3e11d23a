//! The console with 10,000 robots and 100,000 pulls: a measurement, and no test of a limit.

use std::time::{Duration, Instant};

use qopen_simulator::Schedule;

use crate::console_seed::{List, days_ago, published, pull_id, seed_many};
use crate::served::Served;
use crate::support::Stage;

const ROBOTS: u64 = 10_000;
const PULLS_EACH: u64 = 10;

/// Measures how long each list takes: `cargo test --release -p qopen-cli --test it console_many -- --ignored
/// --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, and makes a journal of 100,000 pulls"]
async fn lists_of_very_many_robots_and_pulls_are_measured() {
    let stage = Stage::new(&Schedule { silent: true, ..Schedule::default() });
    let each = (1..=PULLS_EACH).flat_map(|day| (0..ROBOTS).map(move |robot| (day, robot)));
    let pulls = each.map(|(day, robot)| {
        let changes = (day > 1).then_some((robot % 90, robot % 70));
        let list = List { accounts: 500 + robot, changes, at: days_ago(PULLS_EACH + 1 - day) };
        (pull_id(&format!("robot-{robot:05}"), &format!("{day:02}-{robot:05}")), published(&list))
    });
    seed_many(&stage.folder.path().join("qopen-data"), pulls).await;
    let schedule = "[[schedule]]\ncron = '30 2 * * *'\nrobots = ['robot-00001']\n";
    std::fs::write(stage.folder.path().join("qopen.toml"), schedule).unwrap();
    let served = Served::with_lists(&stage, &["--retain", "900d"]);
    for path in [
        "/console/robots",
        "/console/robots?sort=gained&desc=true&page=57",
        "/console/robots?sort=next",
        "/console/robots?q=999",
        "/console/pulls",
        "/console/pulls?page=1000",
        "/console/pulls?q=999&status=complete",
        "/console/robot?robot_id=robot-05000",
        "/v1/pulls?progress=false",
    ] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..11 {
            let began = Instant::now();
            let answer = served.get(path).await;
            assert_eq!(answer.status(), 200, "{path}");
            bytes = answer.bytes().await.unwrap().len();
            times.push(began.elapsed());
        }
        times.sort();
        let ms = |it: Duration| it.as_secs_f64() * 1000.0;
        let line = format!(
            "{path}: median {:.0} ms, longest {:.0} ms, {} kB\n",
            ms(times[5]),
            ms(times[10]),
            bytes / 1000
        );
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
}
