//! Sends callbacks until they are answered `success`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qopen_types::{MarkId, RobotId};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::chance::Dice;
use crate::dataset::Dataset;
use crate::odd;
use crate::robot::Known;
use crate::schedule::{ErrorFault, Odd};
use crate::state::Shared;

/// A callback to send.
struct Callback {
    payload: Vec<u8>,
    odd: Option<Odd>,
    /// The time of its signature, if every attempt has the same bytes.
    signed: Option<u64>,
    forged: bool,
    delay: Duration,
    /// How many answers of `success` are lost.
    lost_acks: u32,
    /// Whether it is tried once only, and its answer ignored.
    once: bool,
}

/// Sends every callback of a request, which has this number among those of its robot. Returns when each was accepted or given up.
pub(crate) async fn deliver(
    shared: Arc<Shared>,
    robot: RobotId,
    mark: MarkId,
    need_tag_info: bool,
    number: usize,
) {
    let callbacks = plan(&shared, &robot, &mark, need_tag_info, number);
    let places = Arc::new(Semaphore::new(shared.config.schedule.parallel.max(1)));
    let mut tasks = JoinSet::new();
    for (number, callback) in callbacks.into_iter().enumerate() {
        // A delayed callback does not hold up the others; the rest leave in order.
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

fn plan(
    shared: &Shared,
    robot: &RobotId,
    mark: &MarkId,
    need_tag_info: bool,
    number: usize,
) -> Vec<Callback> {
    let schedule = &shared.config.schedule;
    if schedule.silent || schedule.known(robot) == Known::Offline {
        return Vec::new();
    }
    let mut dice = Dice::new(schedule.seed, &format!("delivery/{robot}"));
    let loses = schedule.lost_pages_on.as_ref().is_none_or(|it| it.contains(&number));
    let pages = Dataset::of_generation(schedule, robot, need_tag_info, number).pages(mark);
    let mut pages: Vec<_> = pages
        .into_iter()
        .filter(|page| {
            let is_lost =
                schedule.lost_pages.contains(&page.number) || page.last && schedule.lost_last_page;
            !(loses && is_lost)
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
        let odd = schedule.odd_pages.iter().find(|(number, _)| *number == page.number);
        let odd = odd.map(|(_, odd)| *odd).or(schedule.odd);
        let payload = match odd {
            Some(odd) => odd::payload(odd, &page.payload, mark.as_str()),
            None => page.payload.clone().into_bytes(),
        };
        for _ in 0..copies {
            let mut callback = genuine(payload.clone());
            callback.odd = odd;
            callback.lost_acks = u32::from(dice.happens(schedule.lost_acks));
            callback.delay = Duration::from_millis(
                late.map_or_else(|| dice.below(schedule.max_delay_ms + 1), |(_, delay)| delay),
            );
            out.push(callback);
        }
    }
    if let Some((copies, every)) = schedule.copies
        && let Some(first) = out.first()
    {
        let (payload, odd) = (first.payload.clone(), first.odd);
        for n in 1..=copies as u64 {
            let delay = Duration::from_millis(n * every);
            out.push(Callback { odd, delay, ..genuine(payload.clone()) });
        }
    }
    if let Some(error) = &schedule.error {
        out.truncate(error.after_pages);
        let mut report = genuine(report(error, robot, mark).into_bytes());
        if let Some(after) = schedule.repeated_report_ms {
            report.signed = Some(now());
            let delay = Duration::from_millis(after);
            out.push(Callback { delay, signed: report.signed, ..genuine(report.payload.clone()) });
        }
        out.push(report);
    }
    let mut strangers = Vec::new();
    for number in 0..schedule.foreign_events {
        let event = json!({"event_type": 20001, "number": number});
        strangers.push(genuine(event.to_string().into_bytes()));
    }
    for number in 0..schedule.damaged_events {
        let event =
            format!("{{\"event_type\": 40023, \"number\": {number}, \"text\": \"half an emoj");
        strangers.push(genuine(event.into_bytes()));
    }
    for number in 0..schedule.foreign_marks {
        let data = json!({"has_more": false, "mark_id": format!("stranger-{number}"), "account_list": [
            {"account_id": format!("stranger-{number}")}]});
        let page = json!({"event_type": 42016, "err_code": 0, "robot_id": robot, "data": data});
        strangers.push(genuine(page.to_string().into_bytes()));
    }
    for number in 0..schedule.forged {
        let data = json!({"has_more": false, "mark_id": mark, "account_list": [
            {"account_id": format!("forged-{number}")}]});
        let page = json!({"event_type": 42016, "err_code": 0, "robot_id": robot, "data": data});
        strangers.push(Callback {
            forged: true,
            once: true,
            ..genuine(page.to_string().into_bytes())
        });
    }
    for stranger in strangers {
        let at = usize::try_from(dice.below(out.len() as u64 + 1)).unwrap_or(0);
        out.insert(at, stranger);
    }
    out
}

fn genuine(payload: Vec<u8>) -> Callback {
    let (odd, signed) = (None, None);
    let delay = Duration::ZERO;
    Callback { payload, odd, signed, forged: false, delay, lost_acks: 0, once: false }
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
        // Signed anew for each attempt, as a repeated callback may have a new nonce and timestamp,
        // unless the schedule demands the same bytes.
        let nonce = match callback.signed {
            Some(_) => "again".to_owned(),
            None => format!("n{number}-{attempt}"),
        };
        let body = seal(shared, &callback, &nonce);
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
    let now = callback.signed.unwrap_or_else(now);
    let stale = shared.config.schedule.stale_timestamps;
    let timestamp = if stale { now.saturating_sub(86_400) } else { now };
    let body = odd::body(&shared.ring, callback.odd, &callback.payload, nonce, timestamp);
    if !callback.forged {
        return body;
    }
    let mut envelope: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    envelope["signature"] = "0".repeat(32).into();
    envelope.to_string().into_bytes()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
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
