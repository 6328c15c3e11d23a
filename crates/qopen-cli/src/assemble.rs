//! `qopen assemble`: folds captured callbacks into lists, without network.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use qopen::callback::{Keyring, OpenError, RejectReason, TimestampPolicy};
use qopen::journal::Layer;
use qopen::sink::Quarantine;
use qopen::{Outcome, PublishOptions, Replay, Replayed, quarantine_line};
use tracing::Level;

use crate::args::AssembleArgs;
use crate::database;
use crate::exit::{Exit, Failure, chain, chained};
use crate::format::{Layout, singer};
use crate::lang::{Phrase, phrase};
use crate::output::Output;
use crate::pull::{Pulled, publish};
use crate::report::{Came, Commands, Reporter};
use crate::say::{self, tell};
use crate::settings::Settings;
use crate::topics::{self, lists};
use crate::values::text_file::{self, BYTE_ORDER_MARK};

pub(crate) async fn run(args: AssembleArgs, settings: Settings) -> Result<Exit, Failure> {
    let layout = args.layout.at(&args.out, Layout::default())?;
    database::check_flag("--out", &args.out)?;
    let mut capture = Capture {
        settings,
        ring: None,
        replay: Replay::default().allow_unidentified(args.allow_unidentified),
        rejected: BTreeMap::new(),
        others: 0,
        unreadable: 0,
    };
    for file in &args.files {
        if file == Path::new("-") {
            capture.read("standard input", std::io::stdin().lock())?;
        } else {
            let name = file.display().to_string();
            let opened = File::open(file).map_err(|error| Failure::usage_of(&name, &error))?;
            capture.read(&name, BufReader::new(opened))?;
        }
    }
    if capture.others > 0 {
        tell!(
            "{n} callbacks of other events were left out",
            "略去了 {n} 条其他事件的回调",
            n = capture.others,
        );
    }
    let finished = capture.replay.finish();
    let finished = finished
        .map_err(|error| Failure::unexpected(phrase!("the capture", "抓取文件"), &error))?;
    let rejections: Vec<_> = capture.rejected.into_iter().collect();
    let damaged = rejections.iter().filter(|(reason, _)| reason.is_refusal());
    let damaged: u64 = damaged.map(|(_, count)| count).sum();
    let wanted = |outcome: &Outcome| {
        let id = &outcome.progress.pull;
        args.robot.as_deref().is_none_or(|robot| id.robot_id.as_str() == robot)
            && args.mark.as_deref().is_none_or(|mark| id.mark_id.as_str() == mark)
    };
    let outcomes: Vec<Outcome> = finished.into_iter().filter(wanted).collect();
    if outcomes.is_empty() {
        tell!("no page of the wanted lists is in the input", "输入中没有所需列表的分页");
        if capture.unreadable == 0 {
            return Ok(Exit::NoCallback);
        }
        set_aside(&Output::new(&args.out, layout)?, &capture.replay)?;
        return Ok(Exit::Incomplete);
    }
    let unattributed = capture.replay.unattributed().count();
    if unattributed > 0 {
        tell!(
            "{n} callbacks that cannot be read name pulls that are not in the input",
            "{n} 条无法读取的回调属于输入中没有的拉取",
            n = unattributed,
        );
    }
    let came = Came::captured(rejections, capture.replay.readings());
    let options = PublishOptions::default().allow_empty(args.allow_empty);
    let options = options.new_baseline(args.new_baseline);
    one_pull_a_robot(&outcomes)?;
    singer::prepare(&args.singer, layout.is_singer(), &[], args.new_baseline)?;
    let output = Output::new(&args.out, layout)?;
    let robots: Vec<String> =
        outcomes.iter().map(|it| it.progress.pull.robot_id.to_string()).collect();
    output.check_last(args.new_baseline)?;
    output.check(&robots.iter().map(String::as_str).collect::<Vec<_>>())?;
    let reporter = Reporter::new(args.json, output.is_stdout()).advising(Commands::Assemble);
    let pulled = outcomes.into_iter().map(Pulled::from);
    let groups: Vec<Vec<Pulled>> = match output.is_per_robot() {
        true => pulled.map(|it| vec![it]).collect(),
        false => vec![pulled.collect()],
    };
    let mut exits = Vec::new();
    if damaged > 0 {
        let said = phrase!(
            "{n} lines could not be read, so no list is complete",
            "{n} 行无法读取，因此没有列表算完整",
            n = damaged,
        );
        say::remark(Level::WARN, &lists::INPUT_DAMAGED, &said);
        exits.push(Exit::Incomplete);
    }
    for group in groups {
        let summaries = publish(&output, &group, damaged == 0, &came, &options).await;
        for (mut summary, Pulled { outcome, .. }) in summaries.into_iter().zip(&group) {
            if damaged > 0 && summary.exit == Exit::Complete {
                let why = phrase!(
                    "{n} lines of the input could not be read",
                    "输入中有 {n} 行无法读取",
                    n = damaged,
                );
                summary.keep_back(&lists::INPUT_DAMAGED, why);
            }
            exits.push(summary.exit);
            reporter.summary(summary, &outcome.progress.pull);
        }
    }
    Ok(Exit::worst(exits))
}

/// Writes unreadable content that belongs to no list beside the place of a list.
fn set_aside(output: &Output, replay: &Replay) -> Result<(), Failure> {
    let fails = |error: &(dyn std::error::Error + 'static)| Failure::output("", error);
    let mut quarantine = Quarantine::default();
    for item in replay.unattributed() {
        let (layer, raw) = (item.layer.as_str(), item.payload.as_bytes());
        let line =
            quarantine_line(None, layer, &item.reason, raw).map_err(|error| fails(&error))?;
        quarantine.push(&line).map_err(|error| fails(&error))?;
    }
    if let Output::Database(_) = output {
        return Ok(());
    }
    let file = output.unattributed();
    if file.write_quarantine(quarantine).map_err(|error| fails(&error))? {
        tell!(
            "what could not be read is kept in {file}",
            "无法读取的内容保存在 {file}",
            file = file.quarantine_path().display(),
        );
    }
    Ok(())
}

/// Refuses two pulls of one robot: they are two lists of the same customers, and the user selects one.
fn one_pull_a_robot(outcomes: &[Outcome]) -> Result<(), Failure> {
    for pair in outcomes.windows(2) {
        let (one, other) = (&pair[0].progress.pull, &pair[1].progress.pull);
        if one.robot_id == other.robot_id {
            return Err(Failure::usage(phrase!(
                "the input holds several pulls of robot {robot}, marks {one} and {other}; choose one with --mark",
                "输入中有机器人 {robot} 的多次拉取，标记为 {one} 与 {other}；请用 --mark 选择一个",
                robot = one.robot_id,
                one = one.mark_id,
                other = other.mark_id,
            )));
        }
    }
    Ok(())
}

struct Capture {
    settings: Settings,
    /// Built at the first envelope: opened callbacks need no keys.
    ring: Option<Keyring>,
    replay: Replay,
    rejected: BTreeMap<RejectReason, u64>,
    others: u64,
    unreadable: u64,
}

impl Capture {
    fn read(&mut self, name: &str, input: impl BufRead) -> Result<(), Failure> {
        for (number, line) in input.split(b'\n').enumerate() {
            let place = format!("{name}:{}", number + 1);
            let mut line = line.map_err(|error| Failure::usage_of(&place, &error))?;
            if number == 0 {
                text_file::refuse_utf16(&line)
                    .map_err(|what| Failure::usage(Phrase::about(name, what)))?;
                if line.starts_with(BYTE_ORDER_MARK) {
                    line.drain(..BYTE_ORDER_MARK.len());
                }
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if !line.trim_ascii().is_empty() {
                self.take(&place, line)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, place: &str, line: Vec<u8>) -> Result<(), Failure> {
        let payload = match is_envelope(&line) {
            true => match self.open(place, &line)? {
                Some(payload) => payload,
                None => return Ok(()),
            },
            false => line,
        };
        let replayed = self.replay.add(payload);
        match replayed.map_err(|error| Failure::unexpected(place, &error))? {
            Replayed::Other(_) => self.others += 1,
            Replayed::Unreadable { layer, reason } => {
                self.unreadable += 1;
                unreadable(place, layer, &reason);
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the payload of an envelope, or `None` if it cannot be read.
    fn open(&mut self, place: &str, line: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let ring = match self.ring.take() {
            Some(ring) => ring,
            None => self.settings.ring()?,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let payload = match ring.verify(line) {
            Err(error) => {
                self.reject(place, &error);
                None
            }
            Ok(verified) => match verified.open(now, TimestampPolicy::default()) {
                Ok(opened) => {
                    self.replay.count(opened.readings());
                    Some(opened.into_payload())
                }
                Err(error) => {
                    self.unreadable += 1;
                    let reason = chain("", &error);
                    unreadable(place, Layer::Content, &reason);
                    self.replay.add_undecrypted(verified.encoding_content(), reason);
                    None
                }
            },
        };
        self.ring = Some(ring);
        Ok(payload)
    }

    fn reject(&mut self, place: &str, error: &OpenError) {
        let said = chained(place, error);
        say::remark(Level::INFO, topics::of_rejection(error.reason()), &said);
        *self.rejected.entry(error.reason()).or_default() += 1;
    }
}

fn unreadable(place: &str, layer: Layer, reason: &str) {
    let said = phrase!(
        "{place}: cannot be read ({layer}): {reason}",
        "{place}：无法读取（{layer}）：{reason}",
        place = place,
        layer = layer,
        reason = reason,
    );
    say::remark(Level::INFO, topics::of_layer(layer), &said);
}

/// Whether a captured line is an envelope rather than a payload.
pub(crate) fn is_envelope(line: &[u8]) -> bool {
    let name = b"\"encoding_content\"";
    line.windows(name.len()).any(|it| it == name)
}
