//! What people do to a run, whether a coordinator is at work or not.

use std::io::Read;
use std::path::Path;

use backout_core::act::Answer;
use backout_core::command::{Command, Request};
use backout_core::event::{Attachment, Evidence};
use backout_core::ids::{Digest, OptionId, RoleId, StepId};
use backout_core::people::PersonId;
use backout_core::plan::Step;
use backout_core::state::{RunState, select};
use backout_plan::{read_step, times};

use super::Done;
use super::invoke::warn_of_missing_baselines;
use super::submit::{open, send, then};
use crate::app::App;
use crate::cli::{
    AckArgs, AddArgs, AssignArgs, OptionArgs, ReplaceArgs, ResolveArgs, RetryArgs, RunActArgs,
    SkipArgs, StepArgs, Verdict,
};
use crate::failure::{Exit, Failure, colour};

pub(super) fn step_of(state: &RunState, said: &str) -> Result<StepId, Failure> {
    let found = state.steps().iter().find(|step| step.id.as_str() == said);
    found.map(|step| step.id.clone()).ok_or_else(|| {
        let names: Vec<&str> = state.steps().iter().map(|step| step.id.as_str()).collect();
        Failure::usage(format!("there is no step `{said}` in {}", state.run()))
            .hint(format!("its steps are {}", names.join(", ")))
    })
}

pub(super) async fn ack(app: &App, args: &AckArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let attached = attach(app, log.state(), &args.attach)?;
    let note = args.note.clone();
    let command = Command::Acknowledge { step: step.clone(), note, attached };
    let request = Request { command, reason: None, confirmed: false };
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} is acknowledged."));
    }
    Ok(done)
}

/// Keeps attached files beside the log, under their digest.
pub(super) fn attach(
    app: &App,
    state: &RunState,
    files: &[std::path::PathBuf],
) -> Result<Vec<Attachment>, Failure> {
    let folder = app.ledger().run_folder(state.run()).join("attachments");
    let mut attached = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", file.display()))
        })?;
        let digest = Digest::of(&bytes);
        std::fs::create_dir_all(&folder)?;
        let kept = folder.join(digest.to_string().replace("sha256:", ""));
        let new = kept.with_extension("new");
        std::fs::write(&new, &bytes)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &kept)?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        attached.push(Attachment {
            name: name.unwrap_or_default(),
            digest,
            bytes: bytes.len() as u64,
        });
    }
    Ok(attached)
}

/// Sends a command about one step, and says what follows if it was carried out.
async fn about_step(
    app: &App,
    args: &StepArgs,
    command: impl FnOnce(StepId) -> Command,
    said: impl FnOnce(&StepId) -> String,
) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let request = Request::new(command(step.clone()), &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &said(&step));
    }
    Ok(done)
}

pub(super) async fn fail(app: &App, args: &StepArgs) -> Done {
    let command = |step| Command::Fail { step, evidence: Evidence::default() };
    about_step(app, args, command, |step| format!("{step} has failed.")).await
}

pub(super) async fn retry(app: &App, args: &RetryArgs) -> Done {
    let said = |step: &StepId| format!("{step} will run again.");
    let new_key = args.new_key;
    about_step(app, &args.step, |step| Command::Retry { step, new_key }, said).await
}

pub(super) async fn skip(app: &App, args: &SkipArgs) -> Done {
    let SkipArgs { step: args, yes } = args;
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let before = log.state().clone();
    let command = Command::Skip { step: step.clone() };
    let request = Request { confirmed: *yes, ..Request::new(command, &args.reason) };
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(
            app,
            log.state(),
            &format!("{step} is left out; {}", after_skip(&before, log.state(), &step)),
        );
    }
    Ok(done)
}

/// What becomes ready by leaving a step out, or what is still waited for.
fn after_skip(before: &RunState, state: &RunState, step: &StepId) -> String {
    let became = state.ready_steps().filter(|ready| !before.is_ready(&ready.id));
    let became: Vec<&str> = became.map(|ready| ready.id.as_str()).collect();
    if !became.is_empty() {
        return format!("ready by that: {}", became.join(", "));
    }
    let index = state.position(step).unwrap_or_default();
    let waits = state.waits_for(index);
    let waits: Vec<&str> = waits.iter().map(|&first| state.steps()[first].id.as_str()).collect();
    match (waits.is_empty(), state.graph().behind[index].is_empty()) {
        (_, true) => "nothing waited for it".to_owned(),
        (true, false) => "nothing becomes ready by that".to_owned(),
        (false, false) => format!("what waited for it waits for {}", waits.join(", ")),
    }
}

pub(super) async fn check_again(app: &App, args: &StepArgs) -> Done {
    let said = |step: &StepId| format!("the verifications of {step} will be asked again.");
    about_step(app, args, |step| Command::CheckAgain { step }, said).await
}

pub(super) async fn stop(app: &App, args: &StepArgs) -> Done {
    let said = |step: &StepId| format!("{step} is being stopped, with everything it started.");
    about_step(app, args, |step| Command::Stop { step }, said).await
}

fn read_step_file(path: &Path, state: &RunState) -> Result<Step, Failure> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", path.display()))
        })?;
    }
    let file = path.display().to_string();
    read_step(&bytes, &state.planned().plan, state.steps()).map_err(|(text, problems)| {
        for problem in &problems {
            crate::warn!("{}\n", problem.render(&file, &text, colour(&std::io::stderr())));
        }
        Failure::new(Exit::Failed, format!("{file} is not a step; nothing was changed"))
    })
}

pub(super) async fn add(app: &App, args: &AddArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = read_step_file(&args.step, log.state())?;
    let after = args.after.as_deref().map(|after| step_of(log.state(), after)).transpose()?;
    let before: Vec<StepId> =
        args.before.iter().map(|before| step_of(log.state(), before)).collect::<Result<_, _>>()?;
    let id = step.id.clone();
    let not_before = times::release(&step, log.state().planned().plan.window.as_ref());
    let command = Command::Add { step: Box::new(step), after, before, not_before };
    let request = Request::new(command, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{id} is added."));
    }
    Ok(done)
}

pub(super) async fn replace(app: &App, args: &ReplaceArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let old = step_of(log.state(), &args.step)?;
    let mut step = read_step_file(&args.file, log.state())?;
    step.id = old.clone();
    let not_before = times::release(&step, log.state().planned().plan.window.as_ref());
    let command = Command::Replace { step: Box::new(step), not_before };
    let request = Request::new(command, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{old} is replaced."));
    }
    Ok(done)
}

pub(super) async fn resolve(app: &App, args: &ResolveArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let step = step_of(log.state(), &args.step)?;
    let answer = match args.answer {
        Verdict::Happened => Answer::Happened,
        Verdict::DidNotHappen => Answer::DidNotHappen,
        Verdict::Hold => Answer::Hold,
    };
    let request = Request::new(Command::Resolve { step: step.clone(), answer }, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        then(app, log.state(), &format!("{step} is resolved."));
    }
    Ok(done)
}

pub(super) async fn assign(app: &App, args: &AssignArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let state = log.state();
    let plan = &state.planned().plan;
    let role_of = |said: &str| RoleId::new(said).ok().filter(|role| plan.roles.contains_key(role));
    // A role stands for its holder.
    let to = match role_of(&args.to) {
        Some(role) => PersonId::of_role(plan, &role),
        None => PersonId::of_name(plan, &args.to),
    };
    let is_step = state.steps().iter().any(|step| step.id.as_str() == args.what);
    let steps: Vec<StepId> = match role_of(&args.what).filter(|_| !is_step) {
        Some(role) => {
            let open = |i: &usize| {
                state.selected()[*i]
                    && state.steps()[*i].owner.as_ref() == Some(&role)
                    && !state.states()[*i].status.is_settled()
            };
            (0..state.steps().len()).filter(open).map(|i| state.steps()[i].id.clone()).collect()
        }
        None => vec![step_of(state, &args.what)?],
    };
    let name = to.name(plan);
    let Some((step, also)) = steps.split_first() else {
        return Err(Failure::usage(format!("{} has no open steps", args.what))
            .hint(format!("`backout status {}` shows which are open", state.run())));
    };
    let command = Command::Assign { step: step.clone(), also: also.to_vec(), to };
    let request = Request::new(command, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        let names: Vec<&str> = steps.iter().map(StepId::as_str).collect();
        then(app, log.state(), &format!("{name} now has {}.", names.join(", ")));
    }
    Ok(done)
}

pub(super) async fn hold(app: &App, args: &RunActArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let request = Request::new(Command::Hold, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        crate::say!(
            "{0} is held: running steps finish, no new ones start. `backout resume {0}` goes on.",
            log.state().run()
        );
    }
    Ok(done)
}

pub(super) async fn switch_option(app: &App, args: &OptionArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let options = &log.state().planned().plan.options;
    let option: OptionId =
        options.keys().find(|id| id.as_str() == args.option).cloned().ok_or_else(|| {
            let names: Vec<&str> = options.keys().map(|id| id.as_str()).collect();
            Failure::usage(format!("the plan has no option `{}`", args.option))
                .hint(format!("its options are {}", names.join(", ")))
        })?;
    let request = Request::new(Command::SwitchOption { option: option.clone() }, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        let planned = log.state().planned();
        let selected = select(&planned.plan, Some(&option), &planned.only)?;
        warn_of_missing_baselines(&planned.plan, &selected, planned.baselines.as_ref());
        then(
            app,
            log.state(),
            &format!("The run goes on with option {option}; what is done stays done."),
        );
    }
    Ok(done)
}

pub(super) async fn abandon(app: &App, args: &RunActArgs) -> Done {
    let mut log = open(app, &args.run).await?;
    let request = Request::new(Command::Abandon, &args.reason);
    let done = send(app, &mut log, args.who.who.as_deref(), &request).await?;
    if done == Exit::Done {
        crate::say!("{} is abandoned. What was done stays as it is.", log.state().run());
    }
    Ok(done)
}
