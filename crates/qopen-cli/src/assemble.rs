//! `qopen assemble`: captured callbacks in, lists out, without any network.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use qopen::callback::{Freshness, Keyring, OpenError, RejectReason};
use qopen::types::EventType;
use qopen::{Outcome, Replay, ReplayError};

use crate::args::AssembleArgs;
use crate::exit::{Exit, Failure, chain};
use crate::output::{self, Output};
use crate::pull::publish;
use crate::report::Reporter;
use crate::settings::Settings;

pub(crate) async fn run(args: AssembleArgs, settings: Settings) -> Result<Exit, Failure> {
    let mut capture = Capture {
        settings,
        ring: None,
        replay: Replay::default(),
        rejected: BTreeMap::new(),
        others: 0,
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
        eprintln!("qopen: {} callbacks of other events were left out", capture.others);
    }
    let rejections: Vec<_> = capture.rejected.into_iter().collect();
    // What is signed by somebody else is no page of ours; the rest may have been one.
    let strangers = [RejectReason::Signature, RejectReason::AppKey];
    let damaged = rejections.iter().filter(|(reason, _)| !strangers.contains(reason));
    let damaged: u64 = damaged.map(|(_, count)| count).sum();
    let wanted = |outcome: &Outcome| {
        let id = &outcome.progress.pull;
        args.robot.as_deref().is_none_or(|robot| id.robot_id.as_str() == robot)
            && args.mark.as_deref().is_none_or(|mark| id.mark_id.as_str() == mark)
    };
    let outcomes: Vec<Outcome> = capture.replay.finish().into_iter().filter(wanted).collect();
    if outcomes.is_empty() {
        eprintln!("qopen: no page of the wanted lists is in the input");
        return Ok(Exit::NoCallback);
    }
    one_pull_a_robot(&outcomes)?;
    if let Some(url) = output::database(&args.out) {
        output::refuse_password("--out", url)?;
    }
    let output = Output::new(&args.out, args.format)?;
    let robots: Vec<String> =
        outcomes.iter().map(|it| it.progress.pull.robot_id.to_string()).collect();
    output.check(&robots.iter().map(String::as_str).collect::<Vec<_>>())?;
    let reporter = Reporter::new(args.json, output.is_stdout());
    let groups: Vec<Vec<Outcome>> = match output.is_per_robot() {
        true => outcomes.into_iter().map(|it| vec![it]).collect(),
        false => vec![outcomes],
    };
    let mut exits = Vec::new();
    if damaged > 0 {
        eprintln!(
            "qopen: {damaged} lines could not be read; what they held is missing, so no list is complete"
        );
        exits.push(Exit::Incomplete);
    }
    for group in groups {
        let summaries = publish(&output, &group, damaged == 0, &rejections).await;
        for (summary, outcome) in summaries.iter().zip(&group) {
            exits.push(summary.exit);
            reporter.summary(summary, &outcome.progress.pull);
        }
    }
    Ok(Exit::worst(exits))
}

/// Two pulls of one robot are two lists of the same customers; which is wanted is not ours to say.
fn one_pull_a_robot(outcomes: &[Outcome]) -> Result<(), Failure> {
    for pair in outcomes.windows(2) {
        let (one, other) = (&pair[0].progress.pull, &pair[1].progress.pull);
        if one.robot_id == other.robot_id {
            return Err(Failure::usage(format!(
                "the input holds several pulls of robot {}, marks {} and {}; choose one with --mark",
                one.robot_id, one.mark_id, other.mark_id
            )));
        }
    }
    Ok(())
}

struct Capture {
    settings: Settings,
    /// Made when the first envelope is seen: opened callbacks need no keys.
    ring: Option<Keyring>,
    replay: Replay,
    rejected: BTreeMap<RejectReason, u64>,
    others: u64,
}

impl Capture {
    fn read(&mut self, name: &str, input: impl BufRead) -> Result<(), Failure> {
        for (number, line) in input.lines().enumerate() {
            let line =
                line.map_err(|error| Failure::usage_of(&format!("{name}:{}", number + 1), &error))?;
            if !line.trim().is_empty() {
                self.take(&format!("{name}:{}", number + 1), line)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, place: &str, line: String) -> Result<(), Failure> {
        let payload = match EventType::of_payload(&line) {
            EventType::Absent => match self.open(&line)? {
                Ok(payload) => payload,
                Err(error) => {
                    self.reject(place, error.reason(), &error);
                    return Ok(());
                }
            },
            _ => line,
        };
        match self.replay.add(payload) {
            Ok(()) => {}
            Err(ReplayError::Other(_)) => self.others += 1,
            Err(error @ ReplayError::NotJson(_)) => {
                self.reject(place, RejectReason::Payload, &error)
            }
            Err(error) => return Err(Failure::unexpected(place, &error)),
        }
        Ok(())
    }

    fn open(&mut self, line: &str) -> Result<Result<String, OpenError>, Failure> {
        let ring = match self.ring.take() {
            Some(ring) => ring,
            None => self.settings.ring()?,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let opened = ring.open(line.as_bytes(), now, Freshness::default());
        self.ring = Some(ring);
        Ok(opened.map(qopen::callback::OpenedCallback::into_payload))
    }

    fn reject(&mut self, place: &str, reason: RejectReason, error: &dyn std::error::Error) {
        eprintln!("qopen: {}", chain(place, error));
        *self.rejected.entry(reason).or_default() += 1;
    }
}
