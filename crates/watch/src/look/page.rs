//! Figures of web pages.

use std::sync::Arc;
use std::time::Instant;

use backout_core::plan::{Gauge, Method};
use backout_exec::http::{self, Answer, Request};
use backout_exec::secrets::Secrets;
use backout_trigger::machine::Sample;
use backout_trigger::rule::beyond;

use super::{Looked, Looker, TIMEOUT};

impl Looker {
    /// A figure of a page.
    pub(super) async fn page(self: &Arc<Self>, gauge: &Gauge, url: &str) -> Looked {
        let (this, asked, source) = (Arc::clone(self), url.to_owned(), gauge.source.clone());
        let began = Instant::now();
        let answered = tokio::task::spawn_blocking(move || {
            let request = Request {
                url: &asked,
                source: source.as_ref(),
                method: Method::Get,
                headers: Vec::new(),
                key: None,
                body: None,
                timeout: TIMEOUT,
            };
            let mut secrets = Secrets::default();
            let answer =
                http::send(&request, &this.world.sources, &this.world.folder, &mut secrets);
            (answer, began.elapsed().as_secs_f64())
        })
        .await;
        let looked = match answered {
            Err(error) => Looked::failed(None, error.to_string()),
            Ok((Err(error), _)) => Looked::failed(gauge.source.as_ref(), error.to_string()),
            Ok((Ok(answer), seconds)) => of_answer(gauge, &answer, seconds),
        };
        looked.asking([url])
    }
}

fn of_answer(gauge: &Gauge, answer: &Answer, seconds: f64) -> Looked {
    let expression = gauge.value.as_deref().unwrap_or("seconds");
    // How soon a page says that it is broken, or elsewhere, is nothing to go by; nor is what
    // stands on it. Whoever asks for the status means it.
    if !(200..300).contains(&answer.status) && !http::sees(expression, "status") {
        return Looked::failed(gauge.source.as_ref(), format!("it answered {}", answer.status));
    }
    match http::figure(expression, answer, seconds) {
        Ok(value) => Looked::of(Sample::Value { value, beyond: beyond(&gauge.limit, value) }),
        Err(why) => Looked::of(Sample::Nothing).saying(format!("status {}: {why}", answer.status)),
    }
}
