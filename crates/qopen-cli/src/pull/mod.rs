//! `qopen pull`: from request to file.

mod confirm;
mod publish;
mod wanted;
mod work;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use qopen::journal::{Note, PullState, Store};
use qopen::{Client, ForwardTo};

use crate::args::PullArgs;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::format::{Layout, singer};
use crate::lang::{Phrase, THE_OUTPUT, phrase};
use crate::output::room;
use crate::report::{Came, Commands, Reporter};
use crate::robot_events::RobotEvents;
use crate::say;
use crate::settings::Settings;
use crate::{app_robots, robots, wiring};
pub(crate) use publish::{Pulled, add_written, publish, say_left_out};
use wanted::Wanted;
use work::{Begun, Work};

pub(crate) async fn run(args: PullArgs, settings: Settings) -> Result<Exit, Failure> {
    say::by_thread();
    // Checked before anything is created. The options of a resumed pull are known later.
    if let Some(out) = args.out.as_deref().filter(|_| args.resume.is_empty()) {
        args.layout.at(out, Layout::default())?;
        database::check_flag("--out", out)?;
    }
    if args.json && args.out.as_deref() == Some(Path::new("-")) {
        // The reader of standard error expects objects.
        say::in_json();
    }
    settings.check_receiving()?;
    let location = settings.journal()?;
    if location.is_shared() {
        return Err(Failure::usage(phrase!(
            "the journal in {location} is shared: ask a `qopen serve` that uses it for a pull (POST /v1/pulls), or pull by a journal in a folder, without --journal",
            "{location} 中的持久化存储是共享的：请向使用它的 `qopen serve` 请求拉取（POST /v1/pulls），或不用 --journal，以文件夹中的持久化存储拉取",
            location = location,
        )));
    }
    let sender = wiring::sender(&args.receiving, &settings)?;
    let robots = match (args.all_robots, args.resume.is_empty()) {
        (true, _) => app_robots::wanted(&sender).await?,
        (false, true) => robots::wanted(&args)?,
        (false, false) => Vec::new(),
    };
    let journal = crate::journal::open_at(&location).await?;
    let wanted = Wanted::of(&args, robots, &*journal).await?;
    let place = wanted.place(&args)?;
    let layout = place.layout();
    let known = match layout.is_singer() || layout.has_limit() {
        true => crate::journal::all(&*journal).await?,
        false => Vec::new(),
    };
    singer::prepare(&args.singer, layout.is_singer(), &known, args.receiving.new_baseline)?;
    let output = place.output()?.in_folder(location.as_folder());
    args.receiving.check_guards(&output, layout)?;
    output.check_last(args.receiving.new_baseline)?;
    let too_long = || room::too_long(&output, layout, &wanted.robots(), &known);
    if let Some(why) = tokio::task::block_in_place(too_long) {
        return Err(Failure::usage(Phrase::about(THE_OUTPUT, why)));
    }
    drop(known);
    let receiving = &args.receiving;
    let (listener, _) = settings.listener()?;
    let socket = wiring::listen(settings.listen()?, wiring::CALLBACKS, "--listen").await?;
    let mut builder = wiring::client(sender, receiving, &settings, &journal)?;
    if let Some(forwarder) = settings.forwarder(receiving.forward.as_deref())? {
        // The process ends with the list, so an event that its listener refused must wait at the platform.
        let forward = ForwardTo::from(forwarder);
        builder = builder.other_event_handler(Arc::new(forward));
    }
    let events = Arc::new(RobotEvents::default());
    let observed = Arc::clone(&events);
    let builder = builder.other_event_observer(move |event| drop(observed.take(event)));
    let client = builder
        .build()
        .map_err(|error| Failure::unexpected(phrase!("the client", "客户端"), &error))?;
    output.check(&wanted.robots())?;
    let spare = wanted.resumed.iter().chain(&wanted.replaced).map(|it| it.pull.clone()).collect();
    let gone = crate::journal::expire(&*journal, receiving.retain, &spare).await;
    if let Some(database) = output.clone().into_database().filter(|_| !gone.is_empty()) {
        crate::journal::forget(database, gone).await;
    }
    let router = wiring::router(&client);
    let listener = listener.refusals(client.stats().refusals().clone());
    let serving = listener.clone();
    tokio::spawn(async move { serving.serve(socket, router, pending()).await });
    let together = || wanted.robots().into_iter().map(str::to_owned).collect();
    let together = (!output.is_per_robot()).then(together);
    let mut begun = Vec::new();
    for state in &wanted.resumed {
        begun.push(Begun::resume(&client, state, &args).await?);
    }
    for state in &wanted.replaced {
        end(&client, &*journal, state).await?;
    }
    begun.extend(wanted.new.into_iter().map(Begun::New));
    let path = settings.callback_path()?;
    let (stats, came_to) = (client.stats().clone(), listener.clone());
    let came = move || Came::of(&stats, &came_to, &path);
    let label = place.label();
    let reporter = Reporter::new(args.json, output.is_stdout()).watching(came.clone());
    let reporter = Arc::new(reporter.advising(Commands::Pull { place, together }));
    let (reporting, interrupted) = (Arc::clone(&reporter), wiring::interruption());
    let work = Work {
        client,
        events,
        output,
        reporter: reporting,
        interrupted,
        label,
        came: Box::new(came),
    };
    let tick = async {
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            reporter.tick();
        }
    };
    tokio::select! {
        exit = work.run(begun, &args) => Ok(exit),
        () = tick => Ok(Exit::Unexpected),
    }
}

/// Ends an interrupted pull, which a new one replaces.
async fn end(client: &Client, journal: &dyn Store, state: &PullState) -> Result<(), Failure> {
    let fails = |error: &(dyn std::error::Error + 'static)| {
        let what = phrase!("{pull} cannot be ended", "{pull} 无法结束", pull = state.pull);
        Failure::unexpected(what, error)
    };
    if state.ended().is_some() {
        return Ok(());
    }
    let requested = journal.note(&state.pull, Note::CancelRequested).await;
    requested.map_err(|error| fails(&error))?;
    let pull = client.resume(&state.pull).await.map_err(|error| fails(&error))?;
    pull.outcome().await.map(drop).map_err(|error| fails(&error))
}
