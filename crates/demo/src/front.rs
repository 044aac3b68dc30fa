//! The traffic switch: users come in here. It reads its configuration for each
//! request, so whoever changes the file, or puts the old one back, is obeyed at once.

use std::io::Read;
use std::time::Duration;

use serde_json::json;
use tiny_http::{Method, Request, Response, Server};

use crate::Any;
use crate::layout::{Layout, setting};
use crate::traffic::{AccessLog, kind};

pub(crate) fn serve(layout: &Layout) -> Result<(), Any> {
    let server = Server::http(("127.0.0.1", layout.ports()?.front))?;
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .build()
        .into();
    let front = Front { layout, agent, log: AccessLog::open(&layout.traffic())? };
    for request in server.incoming_requests() {
        front.answer(request);
    }
    Ok(())
}

struct Front<'a> {
    layout: &'a Layout,
    agent: ureq::Agent,
    log: AccessLog,
}

struct Config {
    traffic: String,
    banner: String,
    upstream: String,
}

fn read(layout: &Layout) -> Result<Config, Any> {
    let text = std::fs::read_to_string(layout.front_config())?;
    let value = |key: &str| setting(&text, key).unwrap_or_default();
    Ok(Config { traffic: value("traffic"), banner: value("banner"), upstream: value("upstream") })
}

/// The configuration as a file. Written whole or not at all.
pub(crate) fn write(
    layout: &Layout,
    traffic: &str,
    banner: &str,
    upstream: &str,
) -> std::io::Result<()> {
    let path = layout.front_config();
    let new = path.with_extension("new");
    std::fs::write(
        &new,
        format!("traffic = {traffic}\nbanner = {banner}\nupstream = {upstream}\n"),
    )?;
    std::fs::rename(new, path)
}

impl Front<'_> {
    fn answer(&self, mut request: Request) {
        let mut body = String::new();
        let _ = request.as_reader().take(10_000).read_to_string(&mut body);
        let (status, text) = match self.respond(request.method(), request.url(), body.trim()) {
            Ok(answer) => answer,
            Err(error) => (500, format!("{error}\n")),
        };
        let _ = request.respond(Response::from_string(text).with_status_code(status));
    }

    fn respond(&self, method: &Method, url: &str, body: &str) -> Result<(u16, String), Any> {
        let layout = self.layout;
        let config = read(layout)?;
        let one_line = body.replace(['\n', '\r', '='], " ");
        Ok(match (method, url) {
            (Method::Get, "/admin/state") => {
                (200, json!({"traffic": config.traffic, "banner": config.banner}).to_string())
            }
            (Method::Put, "/admin/traffic") if matches!(body, "on" | "off") => {
                write(layout, body, &config.banner, &config.upstream)?;
                (200, format!("traffic is {body}\n"))
            }
            (Method::Put, "/admin/traffic") => (400, "on or off\n".to_owned()),
            (Method::Put, "/admin/banner") => {
                write(layout, &config.traffic, &one_line, &config.upstream)?;
                (200, "the banner is up\n".to_owned())
            }
            _ if config.traffic != "on" => {
                let banner =
                    if config.banner.is_empty() { "We will be back soon." } else { &config.banner };
                (503, format!("{banner}\n"))
            }
            (Method::Get, path) => {
                let answer = self.forward(&config.upstream, path);
                // Whoever was turned away at the door is not in it.
                if let Some(kind) = kind(path) {
                    self.log.note(kind, answer.0)?;
                }
                answer
            }
            _ => (405, "only GET\n".to_owned()),
        })
    }

    fn forward(&self, upstream: &str, path: &str) -> (u16, String) {
        match self.agent.get(format!("http://{upstream}{path}")).call() {
            Ok(mut answer) => {
                let status = answer.status().as_u16();
                (status, answer.body_mut().read_to_string().unwrap_or_default())
            }
            Err(_) => (502, "the application does not answer\n".to_owned()),
        }
    }
}
