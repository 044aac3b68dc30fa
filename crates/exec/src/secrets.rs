//! Secrets: looked up at the moment they are needed, masked wherever they would show.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use backout_core::plan::{Secret, Text};

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {reference} cannot be had: {why}")]
pub struct NoSecret {
    /// The reference, which is no secret.
    pub reference: String,
    /// Why.
    pub why: String,
}

/// What replaces a secret.
pub const MASK: &str = "***";

/// The secrets that were looked up, to be masked.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.values.len())
    }
}

impl Secrets {
    /// The value of a text. A secret is remembered, so that it can be masked.
    ///
    /// # Errors
    /// [`NoSecret`], which names the reference and never the value.
    pub fn resolve(&mut self, text: &Text, folder: &str) -> Result<String, NoSecret> {
        match text {
            Text::Plain(text) => Ok(text.clone()),
            Text::Secret(secret) => {
                let value = look_up(secret, folder)?;
                self.remember(&value);
                Ok(value)
            }
        }
    }

    /// Masks a value from now on, and each of its lines.
    pub fn remember(&mut self, value: &str) {
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= 4);
        for part in std::iter::once(value).chain(lines) {
            if !part.is_empty() && !self.values.iter().any(|known| known == part) {
                self.values.push(part.to_owned());
            }
        }
        // The longest first: a secret may hold another one.
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    /// The text with every secret masked.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for value in &self.values {
            masked = masked.replace(value, MASK);
        }
        masked
    }

    /// A filter for a stream of bytes.
    #[must_use]
    pub fn stream(&self) -> MaskedStream {
        let values: Vec<Vec<u8>> =
            self.values.iter().map(|value| value.clone().into_bytes()).collect();
        let longest = values.first().map_or(0, Vec::len);
        MaskedStream { values, longest, held: Vec::new() }
    }
}

/// Masks secrets in a stream, also where one is cut in two by a read.
pub struct MaskedStream {
    values: Vec<Vec<u8>>,
    longest: usize,
    held: Vec<u8>,
}

impl MaskedStream {
    /// What can be shown after these bytes arrived.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.values.is_empty() {
            return bytes.to_vec();
        }
        self.held.extend_from_slice(bytes);
        // The tail may be the beginning of a secret: it waits.
        let keep = self.longest.saturating_sub(1);
        self.release(self.held.len().saturating_sub(keep))
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        self.release(self.held.len())
    }

    /// Masks and hands out what starts before `until`.
    fn release(&mut self, until: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(until);
        let mut at = 0;
        while at < until {
            match self.values.iter().find(|value| self.held[at..].starts_with(value)) {
                Some(value) => {
                    out.extend_from_slice(MASK.as_bytes());
                    at += value.len();
                }
                None => {
                    out.push(self.held[at]);
                    at += 1;
                }
            }
        }
        self.held.drain(..at.min(self.held.len()));
        out
    }
}

/// How long a command may take to hand out a secret.
const PATIENCE: Duration = Duration::from_secs(30);

fn within_time(command: &mut Command) -> std::io::Result<Output> {
    let mut child = command.spawn()?;
    let until = Instant::now() + PATIENCE;
    // Secrets are short: nothing fills a pipe before the command ends.
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(std::io::Error::other(format!(
                "the command gave no answer within {PATIENCE:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output()
}

fn look_up(secret: &Secret, folder: &str) -> Result<String, NoSecret> {
    let failed = |why: String| NoSecret { reference: secret.to_string(), why };
    let value = match secret {
        Secret::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => failed("the variable is not set".to_owned()),
            std::env::VarError::NotUnicode(_) => failed("it is not text".to_owned()),
        })?,
        Secret::File(path) => {
            let path = std::path::Path::new(folder).join(path);
            std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?
        }
        Secret::Exec(command) => {
            let mut words = command.split_whitespace();
            let program = words.next().ok_or_else(|| failed("the command is empty".to_owned()))?;
            let output = within_time(
                Command::new(program)
                    .args(words)
                    .current_dir(folder)
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped()),
            )
            .map_err(|error| failed(error.to_string()))?;
            if !output.status.success() {
                // What it says about errors may hold anything; its first line is
                // what people need, and never its output.
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let said = crate::terminal::printable(said.lines().next().unwrap_or_default());
                return Err(failed(format!("the command ended with {}: {said}", output.status)));
            }
            String::from_utf8(output.stdout).map_err(|_| failed("it is not text".to_owned()))?
        }
    };
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_the_stream_is_cut() {
        let mut secrets = Secrets::default();
        secrets.remember("hunter2");
        secrets.remember("hunter2-long");
        let text = b"x hunter2 y hunter2-long z hunter2";
        for cut in 0..=text.len() {
            let mut stream = secrets.stream();
            let mut out = stream.push(&text[..cut]);
            out.extend(stream.push(&text[cut..]));
            out.extend(stream.finish());
            assert_eq!(String::from_utf8_lossy(&out), "x *** y *** z ***", "cut at {cut}");
        }
        assert_eq!(secrets.mask("a hunter2 b"), "a *** b");
    }

    #[test]
    fn a_missing_secret_names_its_reference_only() {
        let text = Text::from("env:BACKOUT_NO_SUCH_VARIABLE".to_owned());
        let error = Secrets::default().resolve(&text, "/").expect_err("not set");
        assert!(error.to_string().contains("env:BACKOUT_NO_SUCH_VARIABLE"));
    }
}
