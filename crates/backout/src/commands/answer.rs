//! Answers typed at the terminal that shows a run: each is the command that would be
//! given from another terminal, and is carried out as one.

use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::App;
use crate::view::answering::Prompt;
use crate::view::keyboard::Keyboard;

/// Takes answers until the run ends.
pub(super) async fn answers(
    app: &App,
    keyboard: Option<Keyboard>,
    prompt: Arc<Mutex<Prompt>>,
    who: Option<&str>,
) -> Infallible {
    let Some(mut keyboard) = keyboard else { return std::future::pending().await };
    let prompt = || prompt.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let keys = keyboard.next().await;
        let Some(line) = prompt().take(&keys) else { continue };
        let command = prompt().command(&line, who);
        let said = match command {
            Err(why) => why,
            Ok(words) => {
                prompt().begins();
                let done = carried_out(app, &words);
                tokio::pin!(done);
                loop {
                    tokio::select! {
                        said = &mut done => break said,
                        // Taken now, so that it is no answer to what is asked then.
                        keys = keyboard.next() => drop(prompt().take(&keys)),
                    }
                }
            }
        };
        prompt().ended(&said);
    }
}

/// Carries a command out, and what it says.
async fn carried_out(app: &App, words: &[String]) -> String {
    let mut command = Command::new("/proc/self/exe");
    command.arg("--state").arg(app.state_folder()).args(words);
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    match done.unwrap_or_else(|error| Err(error.into())) {
        Ok(done) if done.status.success() => String::from_utf8_lossy(&done.stdout).into_owned(),
        Ok(done) => {
            let said = [&done.stdout[..], &done.stderr[..]].concat();
            String::from_utf8_lossy(&said).into_owned()
        }
        Err(error) => format!("the answer could not be given: {error}"),
    }
}
