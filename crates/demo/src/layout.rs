//! Where the portal keeps its things.

use std::path::{Path, PathBuf};

use crate::Any;

/// The portal's folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// The ports of the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Where users come in: the traffic switch.
    pub front: u16,
    /// Where the application listens.
    pub application: u16,
}

impl Ports {
    /// The ports the example's plan names.
    pub const OF_THE_EXAMPLE: Self = Self { front: 18_480, application: 18_481 };

    /// The example's ports if they are free, else two that are. Whoever gets the
    /// example's has them for as long as the process lives.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn free() -> std::io::Result<Self> {
        let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        let wanted = Self::OF_THE_EXAMPLE;
        // Two that begin at the same moment would both find them free.
        let file = std::env::temp_dir().join("backout-demo.lock");
        let lock = std::fs::File::options().create(true).append(true).open(file);
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
            && is_free(wanted.front)
            && is_free(wanted.application)
        {
            // Closed, and so unlocked, when the process ends.
            std::mem::forget(lock);
            return Ok(wanted);
        }
        // Both are held while the other is chosen, so that they differ.
        let one = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let other = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        Ok(Self { front: one.local_addr()?.port(), application: other.local_addr()?.port() })
    }
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> PathBuf {
            self.root.join($path)
        })*
    };
}

impl Layout {
    /// The portal in a folder.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    places! {
        /// The plan.
        plan = "portal.backout.yaml";
        /// The application's files.
        application = "app/current";
        /// The application's configuration.
        config = "config";
        /// The database.
        database = "data/portal.db";
        /// What users met: the access log of the traffic switch.
        traffic = "data/traffic.db";
        /// The release's application files.
        release_application = "release/app";
        /// The release's configuration.
        release_config = "release/config";
        /// The traffic switch's configuration.
        front_config = "front/front.conf";
        /// The backup of the database.
        database_backup = "backup/db/portal.db";
        /// The backup of the application.
        application_backup = "backup/app/portal_v1.9";
        /// The backup of the configuration.
        config_backup = "backup/config";
        /// The backup of the traffic switch's configuration.
        front_backup = "backup/lb/front.conf";
        /// One line for each time the restore of the database ran.
        restores = "restores.log";
        /// The process of the application.
        application_pid = "run/application.pid";
        /// The process of the traffic switch.
        front_pid = "run/front.pid";
        /// The process of the people who use it.
        traffic_pid = "run/traffic.pid";
        /// What they print.
        output = "run/output.log";
        /// The ports.
        ports_file = "run/ports";
    }

    /// The ports this portal was set up with.
    ///
    /// # Errors
    /// When there is no portal here.
    pub fn ports(&self) -> Result<Ports, Any> {
        let text = std::fs::read_to_string(self.ports_file())
            .map_err(|_| format!("there is no portal in {}", self.root.display()))?;
        let mut numbers = text.split_whitespace().map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(front)), Some(Ok(application))) => Ok(Ports { front, application }),
            _ => Err("the portal's ports cannot be read".into()),
        }
    }
}

/// The value of a key in `key = value` lines.
pub(crate) fn setting(text: &str, key: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().to_owned())
}
