//! `qopen demo`: a simulator and a pull in one process.

use std::future::pending;
use std::io::BufRead as _;
use std::path::Path;
use std::time::Duration;

use qopen::assembler::Timing;
use qopen::callback::listener::Listener;
use qopen::callback::{CallbackKeys, Keyring};
use qopen::http::Sender;
use qopen::sink::{CSV_COLUMNS, shown_path};
use qopen::types::RobotId;
use qopen::{Client, PublishOptions, PullRequest, Status};
use qopen_simulator::{Chance, Schedule, Simulator, SimulatorConfig};
use tokio::net::TcpListener;

use crate::args::DemoArgs;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::format::{Asked, Layout, OutputFormat, Words};
use crate::lang::{Text, phrase};
use crate::output::Output;
use crate::pull::{Pulled, publish};
use crate::report::{Came, Reporter};
use crate::say::tell;
use crate::values::out::is_database;

const ROBOT: &str = "demo-robot";

pub(crate) async fn run(args: DemoArgs) -> Result<Exit, Failure> {
    let layout = Asked::default().settle(Words::NoFormat, &args.out, Layout::default());
    let layout = layout.map_err(Failure::usage)?;
    database::check_flag("--out", &args.out)?;
    let output = Output::new(&args.out, layout)?;
    output.check(&[ROBOT])?;
    spare_foreign_lists(&args.out, layout)?;
    let schedule = Schedule {
        accounts: args.accounts,
        page_size: 100,
        shuffle: true,
        duplicates: Chance::new(30),
        lost_acks: Chance::new(20),
        max_delay_ms: 400,
        drift: true,
        nulls: true,
        unknown: true,
        conflicts: 5,
        foreign_events: 3,
        forged: 3,
        token_uses: Some(1),
        unavailable: 1,
        ..Schedule::default()
    };
    let replay = serde_json::to_string(&schedule).unwrap_or_default();
    tell!(
        "a simulated platform sends {n} customers: shuffled, doubled, with lost acknowledgements, conflicting contents, unknown fields and forged callbacks",
        "模拟平台推送 {n} 位客户：乱序、重复、应答丢失、内容冲突、未知字段、伪造回调",
        n = args.accounts,
    );
    let (client, simulator) = start(schedule).await?;
    let robot = RobotId::new(ROBOT).map_err(|error| Failure::unexpected("the robot", &error))?;
    let started = client.pull(PullRequest::new(robot)).await;
    let mut pull = started.map_err(|error| Failure::unexpected("the pull", &error))?;
    let reporter = Reporter::new(false, false);
    while let Some(progress) = pull.progress().await {
        reporter.progress(progress);
    }
    let outcome = pull.outcome().await.map_err(|error| Failure::unexpected("the pull", &error))?;
    let complete = matches!(outcome.status, Status::Complete(_));
    let came = Came::of(client.stats(), &Listener::default(), "/callback");
    let options = PublishOptions::default();
    let mut exit = Exit::Complete;
    let pulled = [Pulled::from(outcome)];
    let summaries = publish(&output, &pulled, true, &came, &options).await;
    for (summary, it) in summaries.into_iter().zip(&pulled) {
        exit = summary.exit;
        reporter.summary(summary, &it.outcome.progress.pull);
    }
    let counts = simulator.counts();
    let is_row = !layout.format.is_text() || is_database(&args.out);
    tell!(
        "the platform posted {n} callbacks in all; one customer is one {unit} of {file}",
        "平台共推送 {n} 条回调；{file} 中每{unit}是一位客户",
        n = counts.attempts,
        unit = if is_row { Text::new("row", "条记录") } else { Text::new("line", "行") },
        file = shown_path(&args.out),
    );
    if !complete {
        tell!(
            "play it again: qopen simulate --schedule '{replay}'",
            "重放：qopen simulate --schedule '{replay}'",
            replay = replay,
        );
    }
    Ok(exit)
}

async fn start(schedule: Schedule) -> Result<(Client, Simulator), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|error| Failure::unexpected("a port on loopback", &error))?;
    let address =
        listener.local_addr().map_err(|error| Failure::unexpected("its address", &error))?;
    let keys = CallbackKeys::new("demo-token", &"demo-aes-key-of-exactly-32-bytes".into())
        .map_err(|error| Failure::unexpected("the demo's key", &error))?;
    let ring = Keyring::new("demo-app", keys);
    let config = SimulatorConfig {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        callback_url: format!("http://{address}/callback"),
        app_secret: "demo-secret".into(),
        ring: ring.clone(),
        schedule,
    };
    let simulator = Simulator::start(config).await;
    let simulator = simulator.map_err(|error| Failure::unexpected("the simulator", &error))?;
    let sender = Sender::builder(simulator.base_url()).app_credentials("demo-app", "demo-secret");
    // The simulator is on loopback, where no proxy leads.
    let sender = sender.no_proxy().build();
    let sender = sender.map_err(|error| Failure::unexpected("the sender", &error))?;
    let timing =
        Timing::default().settle(Duration::from_secs(2)).idle_timeout(Duration::from_secs(8));
    let client = Client::builder(sender, ring).timing(timing).build();
    let client = client.map_err(|error| Failure::unexpected("the client", &error))?;
    let router = client.callback_router();
    tokio::spawn(async move { Listener::default().serve(listener, router, pending()).await });
    Ok((client, simulator))
}

/// Refuses to replace any list but a demo's.
fn spare_foreign_lists(path: &Path, layout: Layout) -> Result<(), Failure> {
    if is_database(path) {
        // A database holds lists of any number of robots.
        return Ok(());
    }
    let Ok(file) = std::fs::File::open(path) else {
        return Ok(());
    };
    // The first line tells whose list it is.
    if !layout.format.is_text() && !path.is_dir() {
        let shown = shown_path(path);
        return Err(Failure::usage(phrase!(
            "{shown} exists; remove it, or name another file with --out",
            "{shown} 已存在；请删除它，或用 --out 指定其他文件",
            shown = shown,
        )));
    }
    let mut lines = std::io::BufReader::new(file).lines();
    let mut line = || lines.next().transpose().map(Option::unwrap_or_default);
    let begin = match layout.format {
        OutputFormat::Jsonl | OutputFormat::Singer => format!("{{\"robot_id\":\"{ROBOT}\""),
        _ => format!("{ROBOT},"),
    };
    let is_header = |line: &str| line == CSV_COLUMNS.join(",");
    let ours = line().and_then(|first| {
        let first =
            if layout.format == OutputFormat::Csv && is_header(&first) { line()? } else { first };
        Ok(first.is_empty() || first.starts_with(&begin))
    });
    if path.is_dir() || ours.unwrap_or(false) {
        return Ok(());
    }
    Err(Failure::usage(phrase!(
        "{shown} exists and is not the list of a demo; name another file with --out",
        "{shown} 已存在且不是演示的列表；请用 --out 指定其他文件",
        shown = shown_path(path),
    )))
}
