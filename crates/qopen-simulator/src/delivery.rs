//! Sending callbacks until they are answered `success`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_types::{MarkId, RobotId};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::chance::Dice;
use crate::dataset::Dataset;
use crate::platform::Shared;
use crate::schedule::ErrorFault;

/// A callback that is to be sent.
struct Callback {
    payload: String,
    forged: bool,
    delay: Duration,
    /// How many answers of `success` get lost.
    lost_acks: u32,
    /// What came of it does not matter: it is tried once.
    once: bool,
}

/// Sends everything that a request brings about. Ends when all of it was taken or given up.
pub(crate) async fn deliver(
    shared: Arc<Shared>,
    robot: RobotId,
    mark: MarkId,
    need_tag_info: bool,
) {
    let callbacks = plan(&shared, &robot, &mark, need_tag_info);
    let places = Arc::new(Semaphore::new(shared.config.schedule.parallel.max(1)));
    let mut tasks = JoinSet::new();
    for (number, callback) in callbacks.into_iter().enumerate() {
        // What waits on purpose waits without holding up the others; the rest leave in order.
        let permit = match callback.delay {
            Duration::ZERO => Arc::clone(&places).acquire_owned().await.ok(),
            _ => None,
        };
        let (shared, places) = (Arc::clone(&shared), Arc::clone(&places));
        tasks.spawn(async move {
            tokio::time::sleep(callback.delay).await;
            let _permit = match permit {
                Some(permit) => Some(permit),
                None => places.acquire_owned().await.ok(),
            };
            send(&shared, callback, number).await;
        });
    }
    while tasks.join_next().await.is_some() {}
}

fn plan(shared: &Shared, robot: &RobotId, mark: &MarkId, need_tag_info: bool) -> Vec<Callback> {
    let schedule = &shared.config.schedule;
    if schedule.silent {
        return Vec::new();
    }
    let mut dice = Dice::new(schedule.seed, &format!("delivery/{robot}"));
    let pages = Dataset::new(schedule, robot, need_tag_info).pages(mark);
    let mut pages: Vec<_> = pages
        .into_iter()
        .filter(|page| {
            !(schedule.lost_pages.contains(&page.number) || page.last && schedule.lost_last_page)
        })
        .collect();
    if schedule.shuffle {
        dice.shuffle(&mut pages);
    }
    if schedule.last_page_first {
        pages.sort_by_key(|page| !page.last);
    }
    let mut out = Vec::new();
    for page in pages {
        let late = schedule.late_page.filter(|(number, _)| *number == page.number);
        let copies = 1 + usize::from(dice.happens(schedule.duplicates));
        for _ in 0..copies {
            let mut callback = genuine(page.payload.clone());
            callback.lost_acks = u32::from(dice.happens(schedule.lost_acks));
            callback.delay = Duration::from_millis(
                late.map_or_else(|| dice.below(schedule.max_delay_ms + 1), |(_, delay)| delay),
            );
            out.push(callback);
        }
    }
    if let Some(error) = &schedule.error {
        out.truncate(error.after_pages);
        out.push(genuine(report(error, robot, mark)));
    }
    let mut strangers = Vec::new();
    for number in 0..schedule.foreign_events {
        strangers.push(genuine(json!({"event_type": 20001, "number": number}).to_string()));
    }
    for number in 0..schedule.foreign_marks {
        let data = json!({"has_more": false, "mark_id": format!("stranger-{number}"), "account_list": [
            {"account_id": format!("stranger-{number}")}]});
        let page = json!({"event_type": 42016, "err_code": 0, "robot_id": robot, "data": data});
        strangers.push(genuine(page.to_string()));
    }
    for number in 0..schedule.forged {
        let data = json!({"has_more": false, "mark_id": mark, "account_list": [
            {"account_id": format!("forged-{number}")}]});
        let page = json!({"event_type": 42016, "err_code": 0, "robot_id": robot, "data": data});
        strangers.push(Callback { forged: true, once: true, ..genuine(page.to_string()) });
    }
    for stranger in strangers {
        let at = usize::try_from(dice.below(out.len() as u64 + 1)).unwrap_or(0);
        out.insert(at, stranger);
    }
    out
}

fn genuine(payload: String) -> Callback {
    Callback { payload, forged: false, delay: Duration::ZERO, lost_acks: 0, once: false }
}

fn report(error: &ErrorFault, robot: &RobotId, mark: &MarkId) -> String {
    let data = if error.with_data {
        json!({"has_more": false, "mark_id": mark, "account_list": null})
    } else {
        json!(null)
    };
    json!({
        "event_type": 42016, "err_code": error.code, "err_msg": error.message,
        "robot_id": robot, "data": data,
    })
    .to_string()
}

async fn send(shared: &Shared, callback: Callback, number: usize) {
    let schedule = &shared.config.schedule;
    let mut lost_acks = callback.lost_acks;
    let attempts = if callback.once { 1 } else { schedule.max_attempts };
    for attempt in 0..attempts {
        // Asked for anew each time, as a re-sent callback may have a new nonce and timestamp.
        let body = seal(shared, &callback, &format!("n{number}-{attempt}"));
        shared.counts.attempts.fetch_add(1, Ordering::Relaxed);
        let taken = post(shared, body).await;
        if taken && lost_acks == 0 {
            shared.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if taken {
            lost_acks -= 1;
        } else if !callback.once {
            // Doubling, up to half a second.
            let delay = Duration::from_millis(10 << attempt.min(6)).min(Duration::from_millis(500));
            tokio::time::sleep(delay).await;
        }
    }
    if !callback.once {
        shared.counts.given_up.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(attempts, "a callback was given up");
    }
}

fn seal(shared: &Shared, callback: &Callback, nonce: &str) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let timestamp =
        if shared.config.schedule.stale_timestamps { now.saturating_sub(86_400) } else { now };
    let mut envelope = shared.ring.seal(&callback.payload, nonce, timestamp);
    if callback.forged {
        envelope.signature = "0".repeat(32);
    }
    serde_json::to_vec(&envelope).unwrap_or_default()
}

async fn post(shared: &Shared, body: Vec<u8>) -> bool {
    let request = shared.client.post(&shared.config.callback_url).body(body);
    let answer = match request.header("content-type", "application/json").send().await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a callback was not answered"
            );
            return false;
        }
    };
    let status = answer.status();
    status == 200 && answer.text().await.is_ok_and(|text| text.contains("success"))
}
