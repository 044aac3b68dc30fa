//! The portal at v1.9, its backups, and the release that breaks it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::layout::{Layout, Ports};
use crate::{Any, front};

/// Installs the portal at v1.9.
///
/// # Errors
/// When the folder exists, or cannot be written.
pub fn install(layout: &Layout, ports: Ports) -> Result<(), Any> {
    if layout.root().exists() {
        return Err(format!("{} exists already", layout.root().display()).into());
    }
    for folder in ["app/current/templates", "config", "data", "front", "run", "backup"] {
        fs::create_dir_all(layout.root().join(folder))?;
    }
    fs::write(layout.ports_file(), format!("{} {}\n", ports.front, ports.application))?;
    let app = layout.application();
    fs::write(app.join("VERSION"), "v1.9\n")?;
    fs::write(app.join("templates/welcome.txt"), "Customer Portal v1.9\n")?;
    for module in 1..=40 {
        let text = format!("// module {module} of v1.9\n{}\n", "x".repeat(module * 97));
        fs::write(app.join(format!("module-{module:02}.js")), text)?;
    }
    fs::write(layout.config().join("portal.conf"), "pool_size = 20\nsession_minutes = 30\n")?;
    fs::write(layout.config().join("features.conf"), "new_checkout = false\n")?;
    package_v2(layout)?;
    front::write(layout, "on", "", &format!("127.0.0.1:{}", ports.application))?;
    fill(&layout.database())
}

fn fill(path: &Path) -> Result<(), Any> {
    let mut database = Connection::open(path)?;
    let transaction = database.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE system_info (version TEXT NOT NULL);
         INSERT INTO system_info VALUES ('v1.9');
         CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
         CREATE TABLE orders (
             id INTEGER PRIMARY KEY,
             customer INTEGER NOT NULL REFERENCES customers (id),
             total_cents INTEGER NOT NULL
         );",
    )?;
    {
        let mut customer = transaction.prepare("INSERT INTO customers VALUES (?1, ?2, ?3)")?;
        let mut order = transaction.prepare("INSERT INTO orders VALUES (?1, ?2, ?3)")?;
        for id in 1..=5000_i64 {
            let name = format!("Customer {id}");
            customer.execute((id, &name, format!("customer{id}@portal.example")))?;
        }
        for id in 1..=20_000_i64 {
            order.execute((id, 1 + id * 7919 % 5000, 500 + id * 104_729 % 90_000))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Takes the backups the plan names.
///
/// # Errors
/// When something cannot be copied.
pub fn back_up(layout: &Layout) -> Result<(), Any> {
    copy_tree(&layout.application(), &layout.application_backup())?;
    copy_tree(&layout.config(), &layout.config_backup())?;
    for (from, to) in [
        (layout.database(), layout.database_backup()),
        (layout.front_config(), layout.front_backup()),
    ] {
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        backout_exec::files::copy_file(&from, &to)?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Any> {
    let never = std::sync::atomic::AtomicBool::new(false);
    backout_exec::files::restore_tree(from, to, false, "copy", &never)?;
    Ok(())
}

/// What v2.0 is made of: files and configuration, ready to be put in place.
fn package_v2(layout: &Layout) -> Result<(), Any> {
    let (app, config) = (layout.release_application(), layout.release_config());
    fs::create_dir_all(layout.root().join("release"))?;
    copy_tree(&layout.application(), &app)?;
    copy_tree(&layout.config(), &config)?;
    fs::write(app.join("VERSION"), "v2.0\n")?;
    fs::write(app.join("templates/welcome.txt"), "Customer Portal v2.0\n")?;
    fs::write(app.join("module-41-checkout.js"), "// new in v2.0\n")?;
    fs::remove_file(app.join("module-07.js"))?;
    fs::write(config.join("portal.conf"), "pool_size = 40\nsession_minutes = 30\n")?;
    fs::write(config.join("features.conf"), "new_checkout = true\n")?;
    Ok(())
}

/// Releases v2.0 all at once, which does what bad releases do.
///
/// # Errors
/// When something cannot be written.
pub fn release_v2(layout: &Layout) -> Result<(), Any> {
    copy_tree(&layout.release_config(), &layout.config())?;
    copy_tree(&layout.release_application(), &layout.application())?;
    migrate(layout)
}

/// Migrates the database to v2.0: one customer of eight is lost on the way, and so are
/// the totals of some orders.
pub(crate) fn migrate(layout: &Layout) -> Result<(), Any> {
    let database = Connection::open(layout.database())?;
    database.execute_batch(
        "PRAGMA foreign_keys = OFF;
         BEGIN;
         ALTER TABLE customers ADD COLUMN loyalty INTEGER NOT NULL DEFAULT 0;
         UPDATE system_info SET version = 'v2.0';
         UPDATE orders SET total_cents = 0 WHERE id % 200 = 0;
         DELETE FROM customers WHERE id % 8 = 0;
         COMMIT;",
    )?;
    Ok(())
}

/// What users see of the portal: version, customers, orders, health.
#[must_use]
pub fn summary(layout: &Layout) -> String {
    let asked = || -> Result<serde_json::Value, Any> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://127.0.0.1:{}/health", layout.ports()?.front);
        Ok(serde_json::from_str(&agent.get(url).call()?.body_mut().read_to_string()?)?)
    };
    match asked() {
        Ok(health) => {
            let wrong: Vec<&str> = health["wrong"]
                .as_array()
                .map(|wrong| wrong.iter().filter_map(serde_json::Value::as_str).collect())
                .unwrap_or_default();
            let health_shown = match wrong.is_empty() {
                true => health["status"].as_str().unwrap_or("unknown").to_owned(),
                false => format!(
                    "{}: {}",
                    health["status"].as_str().unwrap_or("unknown"),
                    wrong.join("; ")
                ),
            };
            format!(
                "{} with {} customers and {} orders, {health_shown}",
                health["version"].as_str().unwrap_or("an unknown version"),
                health["customers"],
                health["orders"]
            )
        }
        Err(_) => "it does not answer".to_owned(),
    }
}
