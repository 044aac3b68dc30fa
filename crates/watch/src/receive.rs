//! Messages of other systems: alerts of Alertmanager, signed alerts of anybody, and
//! signed reports about stages.
//!
//! | request | carries | who may |
//! |---|---|---|
//! | `POST /alertmanager` | Alertmanager's webhook, version 4 | `Authorization: Bearer SECRET` |
//! | `POST /alert` | `{"alert": "Name", "firing": true, "labels": {}}` | signed |
//! | `POST /stage` | `{"stage": "open", "result": "done", "note": "build 4711"}` | signed |
//!
//! Signed: `X-Backout-Timestamp`, seconds since 1970 and no more than five minutes old,
//! and `X-Backout-Signature: sha256=HEX`, the HMAC-SHA256 of `TIMESTAMP.BODY` with the
//! secret. A message without it is answered with 401 and has no effect. A signature counts
//! once, whatever became of its message.

mod door;
mod http;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::Sha256;

use self::door::Door;
use self::http::{Incoming, Refusal};

/// How old a signed message may be, in seconds.
pub(crate) const OLDEST: u64 = 300;

/// A message that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Alerts that fire, or do no more.
    Alerts(Vec<Alert>),
    /// What became of a stage.
    Stage(StageReport),
}

/// The labels of an alert, which tell it from any other.
pub type Labels = BTreeMap<String, String>;

/// An alert that fires, or does no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// All its labels.
    pub labels: Labels,
    /// Whether it fires.
    pub firing: bool,
    /// Since when, or when it was over, as its sender says. What does not say so is taken to
    /// come in the right order.
    pub at: Option<Timestamp>,
}

/// What another system says became of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageReport {
    /// The stage.
    pub stage: String,
    /// What became of it.
    pub result: StageResult,
    /// What there is to say.
    #[serde(default)]
    pub note: Option<String>,
}

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageResult {
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

/// What became of a message that was let in, as its sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    In,
    /// It is about nothing that is waited for here.
    NotOurs(String),
    /// It makes no sense now.
    Refused(String),
    /// It could not be taken in; it may be sent again.
    Failed(String),
}

/// Takes what was let in.
pub type Take = Arc<dyn Fn(Message) -> Taken + Send + Sync>;

/// Whether a signature comes for the first time, at this second of the clock. From then on
/// it has come.
pub type Once = Arc<dyn Fn(&str, i64) -> std::io::Result<bool> + Send + Sync>;

#[derive(Deserialize)]
struct Alertmanager {
    version: String,
    alerts: Vec<Notified>,
    /// How many alerts it left out.
    #[serde(default, rename = "truncatedAlerts")]
    truncated: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notified {
    status: String,
    labels: Labels,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
}

impl Notified {
    /// Since when it fires, or when it was over: an alert that ends later than another one
    /// began is that one, wherever two servers disagree about its beginning.
    fn at(&self, firing: bool) -> Option<Timestamp> {
        let moment = |text: &Option<String>| text.as_ref()?.parse().ok();
        let began: Option<Timestamp> = moment(&self.starts_at);
        let ended = moment(&self.ends_at).filter(|_| !firing);
        began.map(|began| ended.map_or(began, |ended| began.max(ended)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    alert: String,
    firing: bool,
    #[serde(default)]
    labels: Labels,
}

/// A place where messages come in, until it is dropped.
pub struct Receiver(Door);

/// Takes an address of this machine for messages.
///
/// # Errors
/// Why it cannot be had, for people.
pub fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => format!("another program listens at {address} already"),
        ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine"),
        ErrorKind::PermissionDenied => format!("this account may not listen at {address}"),
        kind => format!("{address}: {kind}"),
    })
}

/// Whether a secret keeps anybody out.
///
/// # Errors
/// Why it does not.
pub fn is_secret(secret: &str) -> Result<(), String> {
    match secret.trim().is_empty() {
        true => Err("the secret of `receive` is empty: anybody could send messages".to_owned()),
        false => Ok(()),
    }
}

impl Receiver {
    /// Listens at an address of this machine.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn listen(address: &str, secret: &str, take: Take, once: Once) -> Result<Self, String> {
        is_secret(secret)?;
        let (listener, secret) = (bind(address)?, secret.to_owned());
        let door = Door::open(
            listener,
            Arc::new(move |incoming, arrived| {
                let served = answer(incoming, &secret, &take, &once, arrived);
                served.unwrap_or_else(|refusal| refusal)
            }),
        );
        door.map(Self).map_err(|error| format!("{address}: {}", error.kind()))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// Nothing is read of a message before its sender has shown as much as can be shown
/// without it.
fn answer(
    incoming: &mut Incoming,
    secret: &str,
    take: &Take,
    once: &Once,
    arrived: &dyn Fn() -> Result<(), Refusal>,
) -> Result<(u16, String), Refusal> {
    let refused = |status: u16, why: &str| Err((status, why.to_owned()));
    let head = incoming.head()?;
    if head.method != "POST" {
        return refused(405, "only POST");
    }
    let (at, signature) = (head.header("X-Backout-Timestamp"), head.header("X-Backout-Signature"));
    let now = Timestamp::now();
    let may_be = match head.path.as_str() {
        "/alertmanager" => {
            is_same(head.header("Authorization"), &format!("Bearer {secret}"), secret)
        }
        "/alert" | "/stage" => is_recent(at, now) && signature_of(signature).is_some(),
        _ => return refused(404, "there is /alertmanager, /alert and /stage"),
    };
    if !may_be {
        return refused(401, "not let in");
    }
    let body = incoming.body(&head)?;
    if head.path != "/alertmanager" && !is_signed(at, &body, signature, secret, now) {
        return refused(401, "not let in");
    }
    arrived()?;
    let (message, left_out) = read(&head.path, at, &body).map_err(|why| (400, why))?;
    // Whoever has seen a signed message could send it again.
    if head.path != "/alertmanager" {
        // However it was written, it is the same.
        let bytes = signature_of(signature).unwrap_or_default();
        match once(&shown(&bytes), now.as_second()) {
            Ok(true) => {}
            Ok(false) => {
                return refused(409, "this message came before; sign it again to say it again");
            }
            Err(error) => return refused(503, &error.to_string()),
        }
    }
    Ok(match take(message) {
        // Nobody knows what the others say: its sender counts that as a failure.
        Taken::In | Taken::NotOurs(_) if left_out > 0 => {
            let why = "alerts were left out of this message; what is in it was taken in";
            (422, format!("{left_out} {why}: take `max_alerts` out of this receiver"))
        }
        Taken::In => (200, "taken in".to_owned()),
        // Alertmanager sends whatever its routes say: that is no mistake of anybody's.
        Taken::NotOurs(why) if head.path == "/alertmanager" => (200, why),
        Taken::NotOurs(why) | Taken::Refused(why) => (409, why),
        Taken::Failed(why) => (503, why),
    })
}

/// A message, signed at a moment if it is, and how many alerts its sender left out of it.
fn read(url: &str, at: &str, body: &[u8]) -> Result<(Message, u64), String> {
    let wrong = |error: serde_json::Error| format!("this is no such message: {error}");
    match url {
        "/alertmanager" => {
            let message: Alertmanager = serde_json::from_slice(body).map_err(wrong)?;
            if message.version != "4" {
                return Err(format!("version 4 is understood, not {}", message.version));
            }
            let alert = |alert: Notified| {
                let firing = match alert.status.as_str() {
                    "firing" => true,
                    "resolved" => false,
                    other => return Err(format!("an alert is firing or resolved, not `{other}`")),
                };
                let (at, labels) = (alert.at(firing), alert.labels);
                let name = labels.get("alertname").cloned().unwrap_or_default();
                Ok(Alert { name, labels, firing, at })
            };
            let alerts: Result<_, String> = message.alerts.into_iter().map(alert).collect();
            Ok((Message::Alerts(alerts?), message.truncated))
        }
        "/alert" => {
            let said: Signed = serde_json::from_slice(body).map_err(wrong)?;
            let at = at.parse().ok().and_then(|at| Timestamp::from_second(at).ok());
            let (name, labels, firing) = (said.alert, said.labels, said.firing);
            Ok((Message::Alerts(vec![Alert { name, labels, firing, at }]), 0))
        }
        _ => Ok((Message::Stage(serde_json::from_slice(body).map_err(wrong)?), 0)),
    }
}

fn mac(secret: &str, parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}

/// Compares in a time that says nothing about where two texts differ.
fn is_same(one: &str, other: &str, secret: &str) -> bool {
    let (Some(one), Some(other)) =
        (mac(secret, &[one.as_bytes()]), mac(secret, &[other.as_bytes()]))
    else {
        return false;
    };
    one.verify_slice(&other.finalize().into_bytes()).is_ok()
}

fn is_signed(at: &str, body: &[u8], signature: &str, secret: &str, now: Timestamp) -> bool {
    let Some(given) = signature_of(signature) else { return false };
    let signed = mac(secret, &[at.as_bytes(), b".", body]);
    is_recent(at, now) && signed.is_some_and(|mac| mac.verify_slice(&given).is_ok())
}

fn is_recent(at: &str, now: Timestamp) -> bool {
    at.parse().is_ok_and(|at: i64| now.as_second().abs_diff(at) <= OLDEST)
}

fn signature_of(header: &str) -> Option<Vec<u8>> {
    header.strip_prefix("sha256=").and_then(unhex)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` would take a sign, too.
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The signature a sender has to give, for tests and for those who write one.
#[must_use]
pub fn sign(secret: &str, at: i64, body: &[u8]) -> String {
    let mac = mac(secret, &[at.to_string().as_bytes(), b".", body]);
    let digest = mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
    shown(&digest)
}

/// A signature in the one way it is written here.
fn shown(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, over `TIMESTAMP.BODY` as it is built here.
    #[test]
    fn the_signature_is_the_standards() {
        let mac = mac("Jefe", &[b"what do ya want ", b"for nothing?"]).expect("a key");
        let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn only_what_is_signed_and_recent_is_let_in() {
        let now = Timestamp::from_second(1_780_000_000).expect("a time");
        let (secret, body) = ("s3cret", br#"{"alert":"X","firing":true}"#);
        let good = sign(secret, 1_780_000_000, body);
        assert!(is_signed("1780000000", body, &good, secret, now));
        assert!(!is_signed("1780000001", body, &good, secret, now), "another time");
        assert!(!is_signed("1780000000", b"{}", &good, secret, now), "another body");
        assert!(!is_signed("1780000000", body, &good, "other", now), "another secret");
        assert!(!is_signed("1780000000", body, "sha256=zz", secret, now));
        assert!(!is_signed("", body, "", secret, now));
        let old = sign(secret, 1_779_999_699, body);
        assert!(!is_signed("1779999699", body, &old, secret, now), "five minutes and one second");
        let never = i64::MIN.to_string();
        let far = sign(secret, i64::MIN, body);
        assert!(!is_signed(&never, body, &far, secret, now), "before any clock");
    }
}
