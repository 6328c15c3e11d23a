//! The spans of pulls, as a subscriber sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use qopen_engine::Engine;
use qopen_journal::MemoryJournal;
use qopen_sink::{FileSink, Format};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Instrument as _, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::support::{
    Answer, MARK, Platform, ROBOT, builder_on, engine_on, id, page, request, still,
};

/// A span that was closed.
#[derive(Clone, Debug, Default)]
struct Closed {
    name: &'static str,
    parent: Option<&'static str>,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Closed {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

/// Keeps the spans of the engine, in the order in which they close.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Closed>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let (name, parent) = (span.name(), span.parent().map(|it| it.name()));
        let mut closed = Closed { name, parent, fields: BTreeMap::new() };
        attributes.record(&mut closed);
        span.extensions_mut().insert(closed);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<Closed>().unwrap());
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        let closed = span.extensions().get::<Closed>().cloned();
        if span.metadata().target() == "qopen_engine" {
            self.0.lock().unwrap().extend(closed);
        }
    }
}

impl Spans {
    /// The closed spans as lines.
    fn lines(&self) -> Vec<String> {
        let spans = self.0.lock().unwrap();
        let line = |Closed { name, parent, fields }: &Closed| {
            let fields = fields.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{} > {name}{}", parent.unwrap_or("-"), fields.collect::<String>())
        };
        spans.iter().map(line).collect()
    }
}

async fn lines_of(answer: Answer, pages: &[(usize, bool)]) -> Vec<String> {
    let spans = Spans::default();
    let _subscribed = tracing_subscriber::registry().with(spans.clone()).set_default();
    let engine = builder_on(&Platform::new(answer)).build().unwrap();
    let pull = engine.pull(request()).instrument(tracing::info_span!("of the caller")).await;
    let pull = pull.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    for (account, has_more) in pages {
        engine.accept(page(*account, *has_more)).await.unwrap();
    }
    let outcome = pull.outcome().await.unwrap();
    if outcome.progress.figures.pages > 0 {
        let folder = tempfile::tempdir().unwrap();
        let place = FileSink::new(folder.path().join("list"), Format::Jsonl);
        still(outcome.publish(Arc::new(place))).await.unwrap();
    }
    drop((pull, outcome));
    spans.lines()
}

#[tokio::test(start_paused = true)]
async fn a_pull_has_a_span_for_each_of_its_parts_below_that_of_its_caller() {
    let named = format!("mark_id={MARK}");
    let robot = format!("robot_id={ROBOT}");
    assert_eq!(
        lines_of(Answer::Accepts, &[(1, true), (2, true), (3, false)]).await,
        [
            "pull > request outcome=accepted".to_owned(),
            "pull > receive accounts=3 pages=3".to_owned(),
            "pull > settle accounts=3 pages=3".to_owned(),
            format!(
                "pull > publish accounts=3 kind=complete lists=1 {named} outcome=published pages=3 {robot}"
            ),
            format!(
                "of the caller > pull accounts=3 {named} origin=new outcome=complete pages=3 {robot}"
            ),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_without_a_list_has_no_more_spans_than_parts() {
    let last = |lines: Vec<String>| lines.last().unwrap().clone();
    let refused = lines_of(Answer::Refuses, &[]).await;
    assert_eq!(refused[0], "pull > request outcome=refused");
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(last(refused).contains(" outcome=refused"));
    assert!(last(lines_of(Answer::IsAway, &[]).await).contains(" outcome=not_sent"));
    let incomplete = lines_of(Answer::Accepts, &[(1, true)]).await;
    assert_eq!(incomplete[1], "pull > receive accounts=1 pages=1");
    assert!(incomplete[2].contains(" kind=partial "), "{incomplete:?}");
    assert!(last(incomplete).contains(" outcome=incomplete"));
    assert!(last(lines_of(Answer::Accepts, &[]).await).contains(" outcome=no_callback"));
}

#[tokio::test(start_paused = true)]
async fn a_resumed_pull_has_a_span_of_its_own_and_no_request() {
    let journal = Arc::new(MemoryJournal::default());
    let first: Engine = engine_on(&journal);
    let pull = first.pull(request()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    first.accept(page(1, true)).await.unwrap();
    pull.leave();
    drop(first);

    let spans = Spans::default();
    let _subscribed = tracing_subscriber::registry().with(spans.clone()).set_default();
    let second = engine_on(&journal);
    let pull = second.resume(&id()).await.unwrap();
    second.accept(page(2, false)).await.unwrap();
    assert!(pull.outcome().await.unwrap().status.is_complete());
    drop(pull);
    let lines = spans.lines();
    let last = lines.last().unwrap();
    assert!(last.starts_with("- > pull accounts=2 "), "{lines:?}");
    assert!(last.contains(" origin=resumed outcome=complete pages=2 "), "{lines:?}");
    assert!(!lines.iter().any(|it| it.contains("request")), "{lines:?}");
}
