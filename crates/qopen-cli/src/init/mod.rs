//! `qopen init`: collects the settings, checks them at the platform, and writes the settings file.

mod callback_url;
mod chosen;
mod file;
mod gateway;
mod interview;
mod next;
mod terminal;

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::args::{Common, InitArgs};
use crate::exit::{Exit, Failure};
use crate::lang::{Phrase, Text, phrase};
use crate::say::tell;
use crate::settings::{Answers, Settings};
use crate::wiring;
use chosen::{Chosen, check_out, take_path};
use file::NewFile;
use interview::Interview;
use next::Next;
use terminal::Terminal;

/// What a failure leaves.
const NOTHING: Text = Text::new("nothing was written", "没有写入任何内容");

pub(crate) async fn run(args: InitArgs, common: Common) -> Result<Exit, Failure> {
    let interrupted = wiring::stops_with(Text::new("interrupted", "已中断"));
    // The file is written between two polls.
    tokio::select! {
        biased;
        done = set_up(args, common) => done,
        () = wiring::told(interrupted) => Err(Failure::new(Exit::Interrupted, NOTHING)),
    }
}

async fn set_up(args: InitArgs, common: Common) -> Result<Exit, Failure> {
    let path = common.config.as_deref().unwrap_or(Path::new("qopen.toml"));
    let file = NewFile::at(path)?;
    let answers = match args.answers.clone() {
        Some(file) => {
            // It may wait for a person or a pipe.
            let read = tokio::task::spawn_blocking(move || answers(&file)).await;
            Some(read.map_err(|error| Failure::unexpected("the reading of answers", &error))??)
        }
        None => None,
    };
    let mut settings = Settings::collect(&common.given, answers)?;
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
            true => Failure::usage(phrase!(
                "{failure}\n  on a terminal, `qopen init` asks for what is missing",
                "{failure}\n  在终端上，`qopen init` 会询问缺少的内容",
                failure = failure.message(),
            )),
            false => failure,
        });
    }
    if let Some(terminal) = &terminal {
        tell!(
            "the settings go to {path}; Enter takes the value in [brackets], Ctrl-C ends without a file",
            "设置将写入 {path}；按回车采用 [方括号] 中的值，按 Ctrl-C 结束，不留下文件",
            path = path.display(),
        );
        Interview { terminal, settings: &mut settings, chosen: &mut chosen }.of_requests().await?;
    }
    let robots = match args.offline {
        true => {
            tell!(
                "the platform was not asked, because of --offline",
                "使用了 --offline，没有询问平台"
            );
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
    tell!("wrote {path} with mode 0600", "已写入 {path}，权限 0600", path = path.display());
    Next { settings: &settings, chosen: &chosen, file: common.config.as_deref() }.print()?;
    Ok(Exit::Complete)
}

/// Reads the file of `--answers`, or standard input.
fn answers(file: &Path) -> Result<Answers, Failure> {
    /// Maximum size of answers, in bytes.
    const MOST: u64 = 1 << 20;

    let mut text = Zeroizing::new(Vec::new());
    let (place, name, read) = match file == Path::new("-") {
        true => {
            let name = phrase!("the answers on standard input", "标准输入中的回答");
            let read = std::io::stdin().take(MOST + 1).read_to_end(&mut text);
            (Path::new("standard input"), name, read)
        }
        false => {
            let name = phrase!("the answers in {file}", "{file} 中的回答", file = file.display());
            let opened = std::fs::File::open(file);
            (file, name, opened.and_then(|it| it.take(MOST + 1).read_to_end(&mut text)))
        }
    };
    match read {
        Err(error) => Err(Failure::usage_of(name, &error)),
        Ok(bytes) if bytes as u64 > MOST => {
            let why = phrase!(
                "more than {most} bytes are no answers",
                "内容超过 {most} 字节，不会是回答",
                most = MOST,
            );
            Err(Failure::usage(Phrase::about(name, why)))
        }
        Ok(_) => Ok(Answers { name, place: place.to_owned(), text }),
    }
}
