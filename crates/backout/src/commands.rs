//! One function per verb.

mod answer;
mod baseline;
mod calibrate;
mod decide;
mod demo;
mod deploy;
mod forecast;
mod import;
mod invoke;
mod look;
mod open_runs;
mod people;
mod plans;
mod recover;
mod reference;
mod render;
mod results;
mod submit;
mod take_over;
mod verify;
mod watch;

use crate::app::App;
use crate::cli::{Cli, Command, StageCommand};
use crate::failure::{Exit, Failure};

pub(crate) type Done = Result<Exit, Failure>;

pub(crate) fn dispatch(cli: Cli) -> Done {
    // It forks, so it must stay without the threads that a runtime starts.
    if let Command::Spawner = cli.command {
        return backout_exec::spawner::serve().map(|()| Exit::Done).map_err(Failure::from);
    }
    // Several workers: a verification that blocks on a dead disk must not hold up
    // the others, or the answer to Ctrl-C.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let app = || App::new(cli.state.clone());
    let looking = || app().map(App::looking);
    let done = runtime.block_on(async {
        match cli.command {
            Command::New(args) => plans::new(&args),
            Command::Import(args) => import::import(&app, &args).await,
            Command::Render(args) => render::render(&looking()?, &args).await,
            Command::Schema => plans::schema(),
            Command::Check(args) => plans::check(&args),
            Command::Explain(args) => plans::explain(&args.code),
            Command::Forecast(args) => forecast::forecast(&looking()?, &args).await,
            Command::History(args) => forecast::show_history(&looking()?, args.json).await,
            Command::Calibrate(args) => calibrate::calibrate(&looking()?, &args).await,
            Command::Baseline(args) => baseline::baseline(&app()?, &args).await,
            Command::Deploy(args) => deploy::deploy(&app()?, args).await,
            Command::Decide(args) if args.explain => decide::decide(&looking()?, &args).await,
            Command::Decide(args) => decide::decide(&app()?, &args).await,
            Command::Stage(StageCommand::Done(args)) => people::ack(&app()?, &args).await,
            Command::Stage(StageCommand::Failed(args)) => people::fail(&app()?, &args).await,
            Command::Stage(StageCommand::Approve(args)) => decide::approve(&app()?, &args).await,
            Command::Defect(args) => decide::defect(&app()?, &args).await,
            Command::Watch(args) => watch::watch(&app()?, &args).await,
            Command::Invoke(args) => invoke::invoke(&app()?, args).await,
            Command::Resume(args) => invoke::resume(&app()?, args).await,
            Command::Recover(args) => recover::recover(&app()?, &args).await,
            Command::Status(args) => look::status(&looking()?, &args).await,
            Command::Log(args) => look::log(&looking()?, &args).await,
            Command::Runs(args) => look::runs(&looking()?, &args).await,
            Command::Tail(args) => look::tail(&looking()?, &args).await,
            Command::Verify(args) => verify::verify(&looking()?, &args).await,
            Command::Ack(args) => people::ack(&app()?, &args).await,
            Command::Fail(args) => people::fail(&app()?, &args).await,
            Command::Stop(args) => people::stop(&app()?, &args).await,
            Command::Retry(args) => people::retry(&app()?, &args).await,
            Command::Skip(args) => people::skip(&app()?, &args).await,
            Command::Add(args) => people::add(&app()?, &args).await,
            Command::Replace(args) => people::replace(&app()?, &args).await,
            Command::Resolve(args) => people::resolve(&app()?, &args).await,
            Command::CheckAgain(args) => people::check_again(&app()?, &args).await,
            Command::Assign(args) => people::assign(&app()?, &args).await,
            Command::Hold(args) => people::hold(&app()?, &args).await,
            Command::SwitchOption(args) => people::switch_option(&app()?, &args).await,
            Command::Escalate { rest } => {
                Err(Failure::usage("`escalate` is called `switch-option` now")
                    .hint(format!("`backout switch-option {}`", rest.join(" "))))
            }
            Command::Abandon(args) => people::abandon(&app()?, &args).await,
            Command::Demo(args) => demo::demo(&app()?, args).await,
            Command::Completions { shell } => reference::completions(shell),
            Command::Man { folder } => reference::man(&folder),
            Command::Reference => reference::reference(),
            Command::Portal(command) => backout_demo::portal(command)
                .map(|()| Exit::Done)
                .map_err(|error| Failure::new(Exit::Failed, error)),
            Command::Spawner => Err(Failure::usage("a spawner has no threads")),
        }
    });
    // A question to a source that nobody waits for any more holds nobody up.
    runtime.shutdown_background();
    done
}
