//! `qopen init`: collects the settings, checks them at the platform, and writes the settings file.

mod callback_url;
mod file;
mod gateway;
mod interview;
mod next;
mod terminal;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use qopen::types::RobotId;
use zeroize::Zeroizing;

use crate::args::{Common, InitArgs};
use crate::doctor;
use crate::exit::{Exit, Failure};
use crate::robots;
use crate::say::say;
use crate::settings::{Answers, CALLBACK_PATH, Settings};
use crate::values::trim;
use crate::wiring;
use callback_url::CallbackUrl;
use file::NewFile;
use interview::Interview;
use next::Next;
use terminal::Terminal;

pub(crate) async fn run(args: InitArgs, common: Common) -> Result<Exit, Failure> {
    let interrupted = wiring::stops_with("interrupted");
    // The file is written between two polls.
    tokio::select! {
        biased;
        done = set_up(args, common) => done,
        () = wiring::told(interrupted) => Err(Failure::new(Exit::Interrupted, "nothing was written")),
    }
}

/// What is collected besides the settings.
#[derive(Default)]
struct Chosen {
    callback_url: Option<CallbackUrl>,
    robot: Option<RobotId>,
    out: Option<PathBuf>,
}

async fn set_up(args: InitArgs, common: Common) -> Result<Exit, Failure> {
    let path = common.config.as_deref().unwrap_or(Path::new("qopen.toml"));
    let file = NewFile::at(path)?;
    let mut settings = Settings::collect(&common.given, answers(&args)?)?;
    settings.warn();
    let mut chosen = Chosen::of(&args)?;
    if let Some(url) = &chosen.callback_url {
        take_path(&mut settings, url)?;
    }
    if let Some(out) = &chosen.out {
        check_out(out.clone()).await?;
    }
    let is_asked = !args.no_input && args.answers.as_deref() != Some(Path::new("-"));
    let terminal = Terminal::of_process().filter(|_| is_asked);
    let mut faults = settings.all_faults();
    if terminal.is_some() {
        faults.retain(|it| !it.is_missing());
    }
    let is_short = faults.iter().any(Failure::is_missing);
    if let Some(failure) = Failure::of_settings(faults) {
        return Err(match is_short {
            true => Failure::usage(format!(
                "{failure}\n  on a terminal, `qopen init` asks for what is missing"
            )),
            false => failure,
        });
    }
    if let Some(terminal) = &terminal {
        say!(
            "qopen: the settings go to {}; Enter takes the value in [brackets], Ctrl-C ends without a file",
            path.display()
        );
        Interview { terminal, settings: &mut settings, chosen: &mut chosen }.of_requests().await?;
    }
    let robots = match args.offline {
        true => {
            say!("qopen: the platform was not asked, because of --offline");
            None
        }
        false => gateway::ask(&settings).await?,
    };
    chosen.robot = gateway::chosen(robots.as_deref(), chosen.robot)?;
    if let Some(terminal) = &terminal {
        let (settings, chosen) = (&mut settings, &mut chosen);
        let mut interview = Interview { terminal, settings, chosen };
        interview.of_robot(robots.as_deref()).await?;
        interview.of_the_rest().await?;
    }
    file.write(&file::text(&settings, &chosen)?)?;
    say!("qopen: wrote {} with mode 0600", path.display());
    Next { settings: &settings, chosen: &chosen, file: common.config.as_deref() }.print()?;
    Ok(Exit::Complete)
}

impl Chosen {
    fn of(args: &InitArgs) -> Result<Self, Failure> {
        let wrong =
            |flag: &'static str| move |why: String| Failure::usage(format!("{flag}: {why}"));
        let callback_url = args.callback_url.as_deref().map(CallbackUrl::parse).transpose();
        let robot = args.robot.as_deref().map(|it| robots::one(trim(it))).transpose();
        Ok(Self {
            callback_url: callback_url.map_err(wrong("--callback-url"))?,
            robot: robot.map_err(wrong("--robot"))?,
            out: args.out.clone(),
        })
    }

    /// Returns the place of lists if none was chosen.
    fn default_out(&self) -> &'static str {
        if self.robot.is_some() { "customers.jsonl" } else { "lists/" }
    }
}

/// Reads the file of `--answers`.
fn answers(args: &InitArgs) -> Result<Option<Answers>, Failure> {
    /// Maximum size of answers, in bytes.
    const MOST: u64 = 1 << 20;

    let Some(path) = &args.answers else { return Ok(None) };
    let name = match path == Path::new("-") {
        true => Path::new("standard input"),
        false => path,
    };
    let mut text = Zeroizing::new(Vec::new());
    let read = match path == Path::new("-") {
        true => std::io::stdin().take(MOST).read_to_end(&mut text),
        false => std::fs::File::open(path).and_then(|it| it.take(MOST).read_to_end(&mut text)),
    };
    read.map_err(|error| Failure::usage_of(&format!("--answers: {}", name.display()), &error))?;
    Ok(Some(Answers { place: name.to_owned(), text }))
}

/// Makes the path of the public URL the callback path, unless that is given.
fn take_path(settings: &mut Settings, url: &CallbackUrl) -> Result<(), Failure> {
    match settings.is_given(&CALLBACK_PATH) {
        true => Ok(()),
        false => settings.answer(&CALLBACK_PATH, &url.path().into()).map(drop),
    }
}

/// Checks that lists can be published to a place.
async fn check_out(out: PathBuf) -> Result<(), Failure> {
    // It waits for files and servers.
    let checked = tokio::task::spawn_blocking(move || doctor::output(&out)).await;
    checked.map_err(|error| Failure::unexpected("the check of the output", &error))?.map(drop)
}
