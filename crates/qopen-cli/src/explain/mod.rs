//! `qopen explain`: explains an error, or diagnoses a captured callback step by step.

mod page;
mod words;

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use qopen::callback::{
    CallbackKeys, Keyring, OpenError, RejectReason, TimestampAge, TimestampPolicy,
};
use qopen::journal::Layer;
use qopen::types::{CallbackSkim, EventType, Json, PayloadText, Readings};
use qopen::{Classified, classify};

use words::{NEXT_TOKEN, OPENING, OTHER_KEY, WELL_FORMED, advice, form, meaning, step_of, steps};

use crate::args::ExplainArgs;
use crate::exit::{Exit, Failure, chained};
use crate::lang::{self, Phrase, Text, phrase};
use crate::say::{self, MORE, answer};
use crate::settings::Settings;
use crate::topics::Topic;
use crate::values::text_file::{self, BYTE_ORDER_MARK};
use crate::{terminal, topics};

pub(crate) fn run(
    args: &ExplainArgs,
    settings: impl FnOnce() -> Result<Settings, Failure>,
) -> Result<Exit, Failure> {
    let names: Vec<&str> = args.what.iter().map(|it| it.to_str().unwrap_or_default()).collect();
    let topics: Vec<_> = names.iter().filter_map(|it| topics::named(it)).collect();
    if topics.len() == names.len() {
        let width = terminal::columns(&console::Term::stdout()).min(WIDTH);
        let texts: Vec<_> = topics.iter().map(|it| it.to_text(lang::chosen(), width)).collect();
        say::to_reader(format_args!("{}", texts.join("\n")));
        return Ok(Exit::Complete);
    }
    let near = names.iter().find_map(|it| {
        let is_other = topics::named(it).is_none() && !Path::new(it).exists();
        Some((it, topics::nearest(it).filter(|_| is_other)?.name))
    });
    if let Some((name, near)) = near {
        return Err(Failure::usage(phrase!(
            "neither an error nor a file is called {name}; did you mean {near}?",
            "没有名为 {name} 的错误或文件；是否想输入 {near}？",
            name = name,
            near = near,
        )));
    }
    let [file] = &args.what[..] else {
        return Err(Failure::usage(phrase!(
            "only one callback can be diagnosed at once; docs/ERRORS.md has the names of all errors",
            "一次只能诊断一条回调；docs/ERRORS.zh.md 列出所有错误的名称",
        )));
    };
    let settings = settings()?;
    let body = read(file)?;
    let mut steps = Steps::default();
    let explained = steps.explain(&body, &settings);
    let exit = if steps.failed { Exit::Unexpected } else { Exit::Complete };
    steps.into_lines().iter().for_each(|it| answer!("{it}"));
    explained.map(|()| exit)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = match file {
        file if file == Path::new("-") => std::io::stdin().read_to_end(&mut body),
        file => std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut body)),
    };
    read.map_err(|error| Failure::usage_of(file.display().to_string(), &error))?;
    text_file::refuse_utf16(&body)
        .map_err(|what| Failure::usage(Phrase::about(file.display().to_string(), what)))?;
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
}

/// Columns of an explanation, at most.
const WIDTH: usize = 100;

/// The steps of reading a callback, as lines of text in the language of the process.
#[derive(Default)]
pub(crate) struct Steps {
    lines: Vec<String>,
    failed: bool,
}

impl Steps {
    /// Explains the body of a request, which may be anything.
    pub(crate) fn of(body: &[u8], ring: &Keyring) -> Self {
        let mut steps = Self::default();
        steps.body(body);
        if let Err(failure) = steps.envelope(body, || Ok(ring.clone())) {
            steps.fails(steps::ENVELOPE, failure.message());
        }
        steps
    }

    /// Whether a step failed.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// Adds where the callback was kept.
    pub(crate) fn kept(&mut self, place: Text) {
        self.holds(steps::JOURNAL, place);
    }

    fn holds(&mut self, step: impl Into<Phrase>, what: impl Into<Phrase>) {
        self.lines.push(format!("ok    {}", Phrase::about(step, what).shown()));
    }

    fn fails(&mut self, step: impl Into<Phrase>, what: impl Into<Phrase>) {
        self.failed = true;
        self.lines.push(format!("FAIL  {}", Phrase::about(step, what).shown()));
    }

    /// What a failed step may come from.
    fn remark(&mut self, what: impl Into<Phrase>) {
        self.lines.push(format!("      {}", what.into().shown()));
    }

    /// Names the entry that tells more about a failed step.
    fn explained_by(&mut self, topic: &Topic) {
        self.remark(format!("{}qopen explain {}", MORE.shown(), topic.name));
    }

    fn explain(&mut self, body: &[u8], settings: &Settings) -> Result<(), Failure> {
        self.body(body);
        if !crate::assemble::is_envelope(body) && self.is_payload(body) {
            let opened = phrase!("none: the callback is already opened", "无：回调已解开");
            self.holds(steps::ENVELOPE, opened);
            self.payload(body);
            return Ok(());
        }
        self.envelope(body, || settings.ring())
    }

    fn body(&mut self, body: &[u8]) {
        self.holds(steps::BODY, phrase!("{n} bytes", "{n} 字节", n = body.len()));
    }

    fn envelope(
        &mut self,
        body: &[u8],
        ring: impl FnOnce() -> Result<Keyring, Failure>,
    ) -> Result<(), Failure> {
        // Checks without keys come first.
        if let Err(error) = Keyring::new("", no_keys()?).verify(body)
            && error.reason() == RejectReason::Malformed
        {
            self.fails(steps::ENVELOPE, chained("", &error));
            form(body).into_iter().for_each(|it| self.remark(it));
            self.explained_by(topics::of_rejection(error.reason()));
            return Ok(());
        }
        let ring = ring()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match ring.open(body, now, TimestampPolicy::default()) {
            Ok(opened) => {
                let is_next = opened.matched_key() > 0;
                for (step, held) in OPENING {
                    let is_signature = step.en == steps::SIGNATURE.en;
                    self.holds(step, if is_signature && is_next { NEXT_TOKEN } else { held });
                }
                self.timestamp(opened.timestamp_age());
                self.readings(opened.readings());
                self.payload(opened.payload());
            }
            Err(error) => self.opening_failed(&error),
        }
        Ok(())
    }

    /// Explains why a callback was not opened.
    pub(crate) fn opening_failed(&mut self, error: &OpenError) {
        for (step, held) in OPENING {
            // Wrong padding puts the length in doubt, too.
            let held = if step.en == steps::LENGTH.en && matches!(error, OpenError::Padding) {
                Text::new(
                    "a whole number of AES blocks, whatever they hold",
                    "整数个 AES 块，无论内容如何",
                )
            } else {
                held
            };
            if step.en == step_of(error).en {
                self.fails(step, chained("", error));
                advice(error).into_iter().for_each(|it| self.remark(it));
                self.explained_by(topics::of_rejection(error.reason()));
                return;
            }
            self.holds(step, held);
        }
    }

    fn timestamp(&mut self, timestamp_age: TimestampAge) {
        match timestamp_age {
            TimestampAge::Fresh => self.holds(
                steps::TIMESTAMP,
                phrase!("within five minutes of this clock", "与本机时钟相差不超过五分钟"),
            ),
            TimestampAge::Stale { away } => self.holds(
                steps::TIMESTAMP,
                phrase!(
                    "{s} s from this clock; reported, not refused",
                    "与本机时钟相差 {s} 秒；只报告，不拒绝",
                    s = away.as_secs(),
                ),
            ),
            _ => self.holds(
                steps::TIMESTAMP,
                phrase!(
                    "not a number of seconds; reported, not refused",
                    "不是以秒计的数字；只报告，不拒绝",
                ),
            ),
        }
    }

    fn readings(&mut self, readings: Readings) {
        for reading in readings.iter() {
            let said = phrase!(
                "{reading}: a tolerated spelling",
                "{reading}：容许的写法",
                reading = reading,
            );
            self.holds(steps::READING, said);
        }
    }

    /// Whether a body without an envelope is a payload: it has an event type or the fields of a page.
    fn is_payload(&self, body: &[u8]) -> bool {
        let text = PayloadText::of(body);
        EventType::of_payload(text.as_str()) != EventType::Absent
            || matches!(classify(body), Classified::Page(_) | Classified::Report { .. })
    }

    fn payload(&mut self, payload: &[u8]) {
        let text = PayloadText::of(payload);
        let strict = std::str::from_utf8(payload).is_ok_and(|text| Json::parse(text).is_ok());
        let classified = classify(payload);
        match &classified {
            Classified::Unreadable(it) => {
                let is_text = matches!(it.layer, Layer::Text | Layer::Json);
                let step = match it.layer {
                    Layer::Text => steps::UTF_8,
                    Layer::Json => steps::JSON,
                    _ => {
                        self.holds(steps::JSON, WELL_FORMED);
                        steps::SHAPE
                    }
                };
                let said = phrase!(
                    "{reason}; it would go to quarantine",
                    "{reason}；会被隔离",
                    reason = it.reason,
                );
                self.fails(step, said);
                if is_text {
                    form(payload).into_iter().for_each(|it| self.remark(it));
                    self.remark(OTHER_KEY);
                }
                self.explained_by(topics::of_layer(it.layer));
                return;
            }
            _ if strict => self.holds(steps::JSON, WELL_FORMED),
            _ => self.holds(
                steps::JSON,
                phrase!("not strict JSON; read tolerantly", "不是严格的 JSON；宽容地读取"),
            ),
        }
        match classified {
            Classified::Other(event_type) => {
                let meaning =
                    meaning(&event_type).map(|it| phrase!(" ({it})", "（{it}）", it = it));
                let said = phrase!(
                    "{event}{meaning}: not a customer list; handed on, never an error",
                    "{event}{meaning}：不是客户列表；会转交，不算错误",
                    event = event_type,
                    meaning = meaning.unwrap_or_default(),
                );
                self.holds(steps::EVENT, said);
            }
            Classified::Report { code, message, mark_id, .. } => {
                let said = phrase!("42016: the platform reports an error", "42016：平台报告错误");
                self.holds(steps::EVENT, said);
                let mark = match mark_id {
                    None => phrase!("without a mark", "没有标记"),
                    Some(mark) => phrase!("for mark {mark}", "标记 {mark}", mark = mark),
                };
                let said = phrase!(
                    "code {code}, message {message}, {mark}",
                    "错误码 {code}，信息 {message}，{mark}",
                    code = code,
                    message = format!("{message:?}"),
                    mark = mark,
                );
                self.holds(steps::REPORT, said);
            }
            Classified::Page(page) => {
                match page.declared {
                    true => self.holds(
                        steps::EVENT,
                        phrase!("42016: a page of a customer list", "42016：客户列表的分页"),
                    ),
                    false => self.holds(
                        steps::EVENT,
                        phrase!(
                            "absent; a page if its pull is known",
                            "缺失；若其拉取已知则为分页"
                        ),
                    ),
                }
                let said =
                    phrase!("a page, with robot, mark and list", "分页，含机器人、标记与列表");
                self.holds(steps::SHAPE, said);
                self.holds(steps::PULL, page.pull.to_string());
                self.readings(page.readings);
                text.skim(|_, skim, _| {
                    if let Ok(CallbackSkim { page: Some(page), .. }) = skim {
                        self.page(&page);
                    }
                });
            }
            _ => self.fails(
                steps::PAYLOAD,
                phrase!("of a kind that this command does not know", "本命令不认识的种类"),
            ),
        }
    }
}

/// Keys that open nothing, for checks of an envelope's form.
fn no_keys() -> Result<CallbackKeys, Failure> {
    CallbackKeys::new("", &"0".repeat(16).into())
        .map_err(|error| Failure::unexpected("keys of zeros", &error))
}
