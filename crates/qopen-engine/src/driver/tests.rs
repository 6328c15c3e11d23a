//! The driver, fed without an engine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use qopen_assembler::{Config, PageDigest, PullOptions, Timing};
use qopen_journal::{MemoryJournal, PullId};
use tokio::sync::mpsc;

use super::state::Driver;
use crate::classify::{Classified, classify};
use crate::counts::EngineStats;
use crate::fact::Fact;
use crate::handle::DriverHandle;
use crate::known::KnownPulls;
use crate::messages::Start;
use crate::refusals::RefusalCount;
use crate::status::Status;
use crate::status_kind::StatusKind;

/// Where the assembler turns a page away because its events wait, the page is handed in again.
#[tokio::test]
async fn a_page_that_meets_a_backlog_of_events_is_not_lost() {
    const PAGES: usize = 50;
    let mut config = Config::default();
    config.limits.queued_events = 1;
    let pull = PullId { robot_id: "r".parse().unwrap(), mark_id: "m".parse().unwrap() };
    let (driver, inbox) = DriverHandle::new();
    let (adopted, _adopted) = mpsc::channel(1);
    let journal = Arc::new(MemoryJournal::default());
    let known = Arc::new(KnownPulls::default());
    let refusals = Arc::new(RefusalCount::default());
    let page = |number: usize| {
        let last = number + 1 == PAGES;
        let text = format!(
            r#"{{"event_type":42016,"robot_id":"r","data":{{"mark_id":"m","has_more":{},"account_list":[{{"account_id":"a{number}"}}]}}}}"#,
            !last
        );
        match classify(text.as_bytes()) {
            Classified::Page(page) => {
                Fact::Page(pull.clone(), PageDigest::of(text.as_bytes()), page)
            }
            _ => panic!("{text}"),
        }
    };
    let stats = EngineStats::default();
    // They are there before the driver looks, and are taken one after the other.
    let generation = driver.next_generation();
    tokio::spawn(Driver::run(config, journal, known, adopted, inbox, refusals, stats.clone()));
    let _held = driver.hold(&pull, generation).await.unwrap();
    for number in 0..PAGES {
        driver.tell(page(number)).await;
    }
    let timing = Timing::default().settle(Duration::from_millis(100));
    let start = Start::new(PullOptions::default().timing(timing));
    let mut watched = driver.start(&pull, generation, start).await.unwrap();
    let ended = watched.view.wait_for(|view| view.ended.is_some()).await.unwrap();
    let status = &ended.ended.as_ref().unwrap().status;
    assert!(matches!(status, Status::Complete(_)), "{status:?}");
    assert_eq!(stats.ended(StatusKind::Complete), 1);
    assert_eq!((ended.progress.figures.pages, ended.progress.figures.accounts), (PAGES, PAGES));
}
