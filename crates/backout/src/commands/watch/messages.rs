//! What other systems say: alerts go to the watch, reports about stages into the log.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};

use backout_core::command::{Command, Request};
use backout_core::event::Evidence;
use backout_core::ids::RunId;
use backout_core::people::Account;
use backout_core::plan::{Action, Plan, Receive};
use backout_core::record::Actor;
use backout_engine::command::{Sender, Submitted, submit};
use backout_exec::secrets::Secrets;
use backout_watch::Ear;
use backout_watch::receive::{
    self, Alert, Message, Once, Receiver, StageReport, StageResult, Take, Taken,
};

use crate::app::App;
use crate::failure::Failure;
use crate::foresight::HistoryForecaster;
use crate::view::refusals;

/// A report and where its answer goes.
type Asked = (StageReport, oneshot::Sender<Result<(), String>>);

/// Where messages of other systems come in, if the plan says where.
pub(super) fn receive(
    app: &App,
    plan: &Plan,
    folder: &str,
    run: Option<&RunId>,
    ear: Ear,
) -> Result<Option<Receiver>, Failure> {
    let Some(receive) = plan.watch.as_ref().and_then(|watch| watch.receive.as_ref()) else {
        return Ok(None);
    };
    let secret = secret_of(receive, folder)?;
    let (tell, told) = mpsc::channel::<Asked>(64);
    let in_run = run.is_some();
    if let Some(run) = run {
        tokio::spawn(stages(app.clone(), run.clone(), told));
    }
    let signatures = ear.clone();
    let once: Once = Arc::new(move |signature, now| signatures.first(signature, now));
    let take: Take = Arc::new(move |message| match message {
        Message::Alerts(alerts) => match ear.heard(&alerts) {
            Ok(0) => Taken::NotOurs(nobody_waits(&alerts)),
            Ok(_) => Taken::In,
            Err(error) => Taken::Failed(error.to_string()),
        },
        Message::Stage(_) if !in_run => {
            Taken::Refused("no deployment is under way here".to_owned())
        }
        Message::Stage(report) => {
            let (answer, answered) = oneshot::channel();
            let told = tell.blocking_send((report, answer)).ok();
            match told.and_then(|()| answered.blocking_recv().ok()) {
                Some(Ok(())) => Taken::In,
                Some(Err(why)) => Taken::Refused(why),
                None => Taken::Failed("the coordinator is leaving".to_owned()),
            }
        }
    });
    Receiver::listen(&receive.listen, &secret, take, once).map(Some).map_err(unheard)
}

/// Whether messages could come in, as long as nothing has begun.
pub(in crate::commands) fn ready(plan: &Plan, folder: &str) -> Result<(), Failure> {
    let Some(receive) = plan.watch.as_ref().and_then(|watch| watch.receive.as_ref()) else {
        return Ok(());
    };
    secret_of(receive, folder)?;
    receive::bind(&receive.listen).map(drop).map_err(unheard)
}

fn secret_of(receive: &Receive, folder: &str) -> Result<String, Failure> {
    let said = |why: String| {
        Failure::refused(format!("messages of other systems cannot be told from others: {why}"))
            .hint("`watch.receive.secret` in the plan says where the secret is")
    };
    let secret = Secrets::default().resolve(&receive.secret, folder);
    let secret = secret.map_err(|error| said(error.to_string()))?;
    receive::is_secret(&secret).map_err(said)?;
    Ok(secret)
}

fn unheard(why: String) -> Failure {
    Failure::refused(format!("nothing can be received: {why}"))
        .hint("is the coordinator of another run, or one that hangs, at work there? `ss -ltnp` shows who is; `watch.receive.listen` in the plan says where to listen")
}

fn nobody_waits(alerts: &[Alert]) -> String {
    match alerts {
        [alert] => format!("no trigger of this plan waits for the alert `{}`", alert.name),
        _ => "no trigger of this plan waits for any of these alerts".to_owned(),
    }
}

/// Writes down what other systems report, until nobody can report any more.
async fn stages(app: App, run: RunId, mut told: mpsc::Receiver<Asked>) {
    while let Some((report, answer)) = told.recv().await {
        let said = stage(&app, &run, &report).await;
        let _ = answer.send(said);
    }
}

async fn stage(app: &App, run: &RunId, report: &StageReport) -> Result<(), String> {
    let mut log = app.open(run).await.map_err(|failure| failure.message().to_owned())?;
    let state = log.state();
    let found = state.steps().iter().find(|step| step.id.as_str() == report.stage);
    let Some(step) = found.filter(|step| matches!(step.action, Action::External(_))) else {
        return Err(format!("`{}` is no stage that another system carries out", report.stage));
    };
    let (step, role) = (step.id.clone(), step.owner.clone());
    // The one who knows the secret reports for the owner of the stage, and is not them.
    let actor = Actor::System { name: "signed webhook".to_owned(), role };
    let (account, note) = (Account::default(), report.note.clone());
    let command = match report.result {
        StageResult::Done => {
            Command::Acknowledge { step, note: note.clone(), attached: Vec::new() }
        }
        StageResult::Failed => Command::Fail { step, evidence: Evidence::default() },
    };
    let reason = note.unwrap_or_else(|| "reported as failed".to_owned());
    let request = Request::new(command, reason);
    let location = app.location();
    let sender =
        Sender { actor: &actor, account: &account, at: app.moment(), location: Some(&location) };
    let policy = app.policy_tonight();
    match submit(&mut log, sender, &request, &HistoryForecaster::default(), &policy).await {
        Ok(Submitted::Done(_)) => Ok(()),
        Ok(Submitted::Proposed { more, .. }) => Err(format!("it takes {more} more people")),
        Ok(Submitted::Refused(refusal)) => {
            let (plan, zone) = (&log.state().planned().plan, TimeZone::UTC);
            Err(refusals::text(&refusal, Some(plan), Some(log.state()), &zone))
        }
        Err(error) => Err(error.to_string()),
    }
}
