//! One request of HTTP/1.1 at a time, read within bounds: so many bytes, so much time.
//! Whoever sends is not known yet.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a request may take to arrive.
const ARRIVES: Duration = Duration::from_secs(10);
/// How long an answer may take to be read.
const LEAVES: Duration = Duration::from_secs(5);
/// How long a sender may go on sending what nobody reads.
const LINGERS: Duration = Duration::from_secs(1);
/// The most a request may say before its body.
const HEAD: usize = 16 * 1024;
/// The most headers.
const HEADERS: usize = 64;
/// The largest body.
const LARGEST: usize = 1024 * 1024;

/// Why a request is not taken: the status of the answer, and the words.
pub(super) type Refusal = (u16, String);

fn no<T>(status: u16, why: &str) -> Result<T, Refusal> {
    Err((status, why.to_owned()))
}

/// What stands before the body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// A header; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value)
    }
}

/// A request on its way in.
pub(super) struct Incoming {
    stream: TcpStream,
    until: Instant,
    /// What has arrived and is not used yet.
    rest: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, until: Instant::now() + ARRIVES, rest: Vec::new() }
    }

    /// Waits for more of it.
    fn more(&mut self) -> Result<(), Refusal> {
        let left = self.until.saturating_duration_since(Instant::now());
        // No time at all would mean for ever.
        if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
            return no(408, "the message took too long");
        }
        let mut bytes = [0; 8192];
        match self.stream.read(&mut bytes) {
            Ok(0) => no(400, "the message is not complete"),
            Ok(count) => {
                self.rest.extend_from_slice(&bytes[..count]);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(_) => no(408, "the message took too long"),
        }
    }

    /// What stands before the body.
    pub(super) fn head(&mut self) -> Result<Head, Refusal> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&self.rest) {
                Ok(httparse::Status::Complete(length)) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let headers = request.headers.iter();
                    let head = Head {
                        method: request.method.unwrap_or_default().to_owned(),
                        path: request.path.unwrap_or_default().to_owned(),
                        headers: headers.map(|h| (h.name.to_owned(), text(h.value))).collect(),
                    };
                    self.rest.drain(..length);
                    return Ok(head);
                }
                Ok(httparse::Status::Partial) if self.rest.len() > HEAD => {
                    return no(431, "the headers are too large");
                }
                Ok(httparse::Status::Partial) => self.more()?,
                Err(_) => return no(400, "this is no request"),
            }
        }
    }

    /// The body, however its length is said.
    pub(super) fn body(&mut self, head: &Head) -> Result<Vec<u8>, Refusal> {
        let length = head.header("Content-Length").trim();
        let coding = head.header("Transfer-Encoding").trim();
        if head.header("Expect").eq_ignore_ascii_case("100-continue") {
            let _ = self.stream.set_write_timeout(Some(LEAVES));
            let _ = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        match (length.is_empty(), coding.is_empty()) {
            (true, true) => Ok(Vec::new()),
            (true, false) if coding.eq_ignore_ascii_case("chunked") => self.chunks(),
            (false, true) => match length.parse() {
                Ok(length) => self.exactly(length),
                Err(_) => no(400, "the length of the message is no number"),
            },
            _ => no(400, "the length of the message is not clear"),
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Refusal> {
        if length > LARGEST {
            return no(413, "the message is too large");
        }
        while self.rest.len() < length {
            self.more()?;
        }
        Ok(self.rest.drain(..length).collect())
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut body = Vec::new();
        loop {
            let (start, size) = match httparse::parse_chunk_size(&self.rest) {
                Ok(httparse::Status::Complete(found)) => found,
                Ok(httparse::Status::Partial) if self.rest.len() <= HEAD => {
                    self.more()?;
                    continue;
                }
                _ => return no(400, "the message is not in pieces as it says"),
            };
            // What may follow the last piece is nothing that is needed.
            if size == 0 {
                return Ok(body);
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > LARGEST - body.len() {
                return no(413, "the message is too large");
            }
            self.rest.drain(..start);
            body.extend(self.exactly(size)?);
            if self.exactly(2)? != b"\r\n" {
                return no(400, "the message is not in pieces as it says");
            }
        }
    }

    /// Answers, and is done with this sender.
    pub(super) fn answer(mut self, status: u16, said: &str) {
        let reason = if status < 400 { "OK" } else { "No" };
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}\n",
            said.len() + 1
        );
        let _ = self.stream.set_write_timeout(Some(LEAVES));
        // A sender that went away is none of our business.
        if self.stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
        let _ = self.stream.shutdown(Shutdown::Write);
        // Closed with something unread, the answer could be lost on its way.
        self.until = Instant::now() + LINGERS;
        let mut unread = 0;
        while unread <= LARGEST && self.more().is_ok() {
            unread += std::mem::take(&mut self.rest).len();
        }
    }
}
