//! The traffic switch: users come in here. It reads its configuration for each
//! request, so whoever changes the file, or puts the old one back, is obeyed at once.

use std::io::Read;
use std::time::Duration;

use serde_json::json;
use tiny_http::{Method, Request, Response, Server};

use crate::Any;
use crate::layout::{Layout, setting};

pub(crate) fn serve(layout: &Layout) -> Result<(), Any> {
    let server = Server::http(("127.0.0.1", layout.ports()?.front))?;
    for request in server.incoming_requests() {
        answer(layout, request);
    }
    Ok(())
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

fn answer(layout: &Layout, mut request: Request) {
    let mut body = String::new();
    let _ = request.as_reader().take(10_000).read_to_string(&mut body);
    let (status, text) = match respond(layout, request.method(), request.url(), body.trim()) {
        Ok(answer) => answer,
        Err(error) => (500, format!("{error}\n")),
    };
    let _ = request.respond(Response::from_string(text).with_status_code(status));
}

fn respond(layout: &Layout, method: &Method, url: &str, body: &str) -> Result<(u16, String), Any> {
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
        (Method::Get, path) => forward(&config.upstream, path),
        _ => (405, "only GET\n".to_owned()),
    })
}

fn forward(upstream: &str, path: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .build()
        .into();
    match agent.get(format!("http://{upstream}{path}")).call() {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            (status, answer.body_mut().read_to_string().unwrap_or_default())
        }
        Err(_) => (502, "the application does not answer\n".to_owned()),
    }
}
