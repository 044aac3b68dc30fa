//! The application: it serves what its files, its configuration and its database say.

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::json;
use tiny_http::{Header, Request, Response, Server};

use crate::Any;
use crate::layout::Layout;

pub(crate) fn serve(layout: &Layout) -> Result<(), Any> {
    let port = layout.ports()?.application;
    let server = Server::http(("127.0.0.1", port))?;
    for request in server.incoming_requests() {
        answer(layout, request);
    }
    Ok(())
}

fn answer(layout: &Layout, request: Request) {
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    let (status, body) = match path {
        "/health" => health(layout),
        "/login" => login(layout, number(query)),
        "/order" => order(layout, number(query)),
        "/" => match page(layout) {
            Ok(page) => (200, page),
            Err(error) => (500, format!("{error}\n")),
        },
        _ => (404, "there is nothing here\n".to_owned()),
    };
    let kind: &[u8] =
        if body.starts_with('{') { b"application/json" } else { b"text/plain; charset=utf-8" };
    let mut response = Response::from_string(body).with_status_code(status);
    if let Ok(header) = Header::from_bytes(&b"Content-Type"[..], kind) {
        response.add_header(header);
    }
    // A client that went away is none of the server's business.
    let _ = request.respond(response);
}

struct Facts {
    version: String,
    schema: String,
    customers: i64,
    orders: i64,
    unpaid: i64,
}

/// The number in `name=number`; 0 if there is none, which nobody has.
fn number(query: &str) -> i64 {
    query.split_once('=').and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

fn open(layout: &Layout) -> Result<Connection, Any> {
    Ok(Connection::open_with_flags(layout.database(), OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Whoever is a customer is let in.
fn login(layout: &Layout, customer: i64) -> (u16, String) {
    let name = open(layout).and_then(|database| {
        let query = "SELECT name FROM customers WHERE id = ?1";
        Ok(database.query_row(query, [customer], |row| row.get::<_, String>(0)).optional()?)
    });
    match name {
        Ok(Some(name)) => (200, format!("Welcome, {name}\n")),
        Ok(None) => (403, "nobody of that number is a customer\n".to_owned()),
        Err(error) => (500, format!("{error}\n")),
    }
}

/// What an order costs.
fn order(layout: &Layout, id: i64) -> (u16, String) {
    let total = open(layout).and_then(|database| {
        let query = "SELECT total_cents FROM orders WHERE id = ?1";
        Ok(database.query_row(query, [id], |row| row.get::<_, i64>(0)).optional()?)
    });
    match total {
        Ok(Some(total)) if total > 0 => (200, format!("{}.{:02}\n", total / 100, total % 100)),
        Ok(_) => (422, "the order has no total\n".to_owned()),
        Err(error) => (500, format!("{error}\n")),
    }
}

fn look(layout: &Layout) -> Result<Facts, Any> {
    let version = std::fs::read_to_string(layout.application().join("VERSION"))?;
    let database = open(layout)?;
    let text = |query: &str| database.query_row(query, [], |row| row.get::<_, String>(0));
    let number = |query: &str| database.query_row(query, [], |row| row.get::<_, i64>(0));
    Ok(Facts {
        version: version.trim().to_owned(),
        schema: text("SELECT version FROM system_info")?,
        customers: number("SELECT count(*) FROM customers")?,
        orders: number("SELECT count(*) FROM orders")?,
        unpaid: number("SELECT count(*) FROM orders WHERE total_cents = 0")?,
    })
}

/// Healthy means: files and schema are of one version, and the data makes sense.
fn health(layout: &Layout) -> (u16, String) {
    let facts = match look(layout) {
        Ok(facts) => facts,
        Err(error) => {
            return (500, json!({"status": "down", "why": error.to_string()}).to_string());
        }
    };
    let mut wrong = Vec::new();
    if facts.version != facts.schema {
        wrong.push(format!("files are {}, schema is {}", facts.version, facts.schema));
    }
    if facts.unpaid > 0 {
        wrong.push(format!("{} orders without a total", facts.unpaid));
    }
    let status = if wrong.is_empty() { "up" } else { "failing" };
    let body = json!({
        "status": status, "version": facts.version, "schema": facts.schema,
        "customers": facts.customers, "orders": facts.orders, "wrong": wrong,
    });
    (if wrong.is_empty() { 200 } else { 500 }, body.to_string())
}

fn page(layout: &Layout) -> Result<String, Any> {
    let facts = look(layout)?;
    let welcome = std::fs::read_to_string(layout.application().join("templates/welcome.txt"))?;
    Ok(format!("{}\n{} customers, {} orders\n", welcome.trim(), facts.customers, facts.orders))
}
