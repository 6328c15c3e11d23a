//! Several receivers and workers on one journal in PostgreSQL while processes, server and network fail.

use std::time::{Duration, Instant};

use qopen_postgres::testing::Server;
use qopen_simulator::{Chance, Dataset, Schedule};
use serde_json::{Value, json};

use crate::outages::Way;
use crate::served::Served;
use crate::shared::{database, process_by, spread};
use crate::support::{Stage, free_port};

/// Three receivers, three workers, and everything that may happen to them.
#[tokio::test(flavor = "multi_thread")]
async fn under_chaos_every_list_is_published_once_and_right() {
    const PULLS: usize = 200;
    const PAGES: i64 = 20;
    /// Processes that are killed, and workers that are stopped for longer than their lease.
    const KILLS: usize = 12;
    const STOPS: usize = 9;
    let Some(mut server) = Server::start() else { return };
    let seed = std::env::var("QOPEN_CHAOS_SEED").ok().and_then(|it| it.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("QOPEN_CHAOS_SEED={seed}");
    let mut dice = crate::crashes::Dice(seed);
    let schedule = Schedule {
        seed,
        accounts: 100,
        page_size: 5,
        shuffle: true,
        duplicates: Chance::new(60),
        lost_acks: Chance::new(40),
        max_delay_ms: 400,
        max_attempts: 1000,
        ..Schedule::default()
    };
    let stage = Stage::new(&schedule);
    let way = Way::to(&server).await;
    let out = way.url.clone();
    let addresses: Vec<String> = (0..3).map(|_| format!("127.0.0.1:{}", free_port())).collect();
    spread(&stage.listen, addresses.clone());
    // Longer than whatever happens here can hold up a page: else a list is complete before it.
    const TIMES: [&str; 6] = ["--settle", "4s", "--idle-timeout", "10s", "--lease", "2s"];
    let receive = |n: usize| process_by(&stage, &out, "receiver", &addresses[n], &TIMES);
    let worker_arguments = [&TIMES[..], &["--out", &out]].concat();
    let work = || process_by(&stage, &out, "worker", "127.0.0.1:1", &worker_arguments);
    let mut receivers: Vec<Served> = (0..3).map(receive).collect();
    let mut workers: Vec<Served> = (0..3).map(|_| work()).collect();
    // Whatever is published, for good or for a moment, leaves its digest.
    let audit = "
        CREATE TABLE qopen.audit (robot_id text, revision bigint, complete boolean, digest text);
        CREATE FUNCTION qopen.audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO qopen.audit SELECT NEW.robot_id, NEW.revision, NEW.complete,
                md5(string_agg(account::text, '' ORDER BY account_id))
            FROM qopen.robot_account WHERE robot_id = NEW.robot_id;
            RETURN NULL;
        END $$;
        CREATE TRIGGER audit AFTER INSERT OR UPDATE ON qopen.pull
        FOR EACH ROW EXECUTE FUNCTION qopen.audit();";
    database(&server).await.batch_execute(audit).await.unwrap();

    let began = Instant::now();
    let (mut started, mut kills, mut stops, mut restarts, mut fenced) = (0, 0, 0, 0, 0);
    let mut freezes = 0;
    let taken_over = |worker: &Served| worker.log().matches("taken the pull over").count();
    let done = "SELECT count(DISTINCT robot_id) FROM qopen_journal.note WHERE note ->> 'note' = 'published'";
    loop {
        for _ in 0..8 {
            if started < PULLS {
                receivers[started % 3].start_pull(&format!("r{started}")).await;
                started += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(200 + dice.below(1200))).await;
        let n = usize::try_from(dice.below(3)).unwrap();
        match dice.below(5) {
            0 if kills < KILLS => {
                // The port is free again when the process is gone.
                receivers[n].process.kill().unwrap();
                receivers[n].process.wait().unwrap();
                receivers[n] = receive(n);
                kills += 1;
            }
            1 | 2 if kills < KILLS => {
                fenced += taken_over(&workers[n]);
                workers[n].process.kill().unwrap();
                workers[n] = work();
                kills += 1;
            }
            3 | 4 if stops < STOPS => {
                workers[n].signal("STOP");
                tokio::time::sleep(Duration::from_millis(2500)).await;
                workers[n].signal("CONT");
                stops += 1;
            }
            _ => {}
        }
        if restarts == 0 && started >= PULLS / 2 {
            server.stop().unwrap();
            server.run().unwrap();
            restarts += 1;
        }
        if freezes == 0 && started >= PULLS * 3 / 4 {
            // It answers nothing, and closes nothing.
            way.frozen.send_replace(true);
            tokio::time::sleep(Duration::from_secs(15)).await;
            way.frozen.send_replace(false);
            freezes += 1;
        }
        let client = database(&server).await;
        let done = client.query_one(done, &[]).await.unwrap().get::<_, i64>(0);
        if usize::try_from(done).unwrap() == PULLS && (kills, stops) == (KILLS, STOPS) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(300), "{done} of {PULLS} lists");
    }
    fenced += workers.iter().map(taken_over).sum::<usize>();
    println!(
        "{PULLS} pulls in {:?}: {kills} kills, {stops} stops, {restarts} restart, {freezes} freeze of 15 s, {fenced} fenced",
        began.elapsed()
    );

    let client = database(&server).await;
    for robot in 0..PULLS {
        let robot = format!("r{robot}");
        let right = Dataset::new(&schedule, &robot.parse().unwrap(), false).expected();
        let read = "SELECT account_id, account::text FROM qopen.robot_account WHERE robot_id = $1";
        let rows = client.query(read, &[&robot]).await.unwrap();
        assert_eq!(rows.len(), right.len(), "{robot}");
        for row in rows {
            let record: Value = serde_json::from_str(row.get(1)).unwrap();
            let name = &right[row.get::<_, &str>(0)].profile.name;
            assert_eq!(record["profile"]["name"], json!(name), "{robot}");
        }
    }
    let count = async |what: &str| client.query_one(what, &[]).await.unwrap().get::<_, i64>(0);
    let twice = "
        WITH twice AS (
            SELECT robot_id FROM qopen.audit GROUP BY robot_id
            HAVING count(DISTINCT digest) > 1 OR NOT bool_and(complete)
        )
        SELECT robot_id, string_agg(at::text || ' ' || note::text, E'\n' ORDER BY number)
        FROM qopen_journal.note JOIN twice USING (robot_id) GROUP BY 1";
    let twice = client.query(twice, &[]).await.unwrap();
    for row in twice.iter().take(3) {
        let pages = "SELECT string_agg(at::text, E'\n' ORDER BY at) FROM qopen_journal.page WHERE robot_id = $1";
        let pages = client.query_one(pages, &[&row.get::<_, &str>(0)]).await.unwrap();
        println!("{}\npages at\n{}", row.get::<_, &str>(1), pages.get::<_, &str>(0));
    }
    assert!(twice.is_empty(), "{} were published twice, and not the same", twice.len());
    // Every page was acknowledged in the end, and is there.
    let pages = "SELECT count(*) FROM qopen_journal.page";
    assert_eq!(count(pages).await, i64::try_from(PULLS).unwrap() * PAGES);
    let ended = "SELECT count(*) FROM qopen_journal.note
         WHERE note ->> 'note' = 'ended' AND note ->> 'status' <> 'complete'";
    assert_eq!(count(ended).await, 0, "ended otherwise");
}
