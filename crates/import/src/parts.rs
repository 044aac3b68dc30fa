//! The parts of the system a document names, under whatever name.

use backout_core::ids::ComponentId;
use backout_core::plan::Component;
use backout_documents::Place;

use crate::reading::Reading;
use crate::words::{plain, slug, unique};

impl Reading<'_> {
    /// The component a text names: a known one that shares its telling words, or a new one.
    pub(crate) fn component(
        &mut self,
        name: &str,
        field: &str,
        place: &Place,
    ) -> Option<ComponentId> {
        let name = name.trim().trim_end_matches('.');
        if name.is_empty() || name.chars().count() > 60 {
            return None;
        }
        if let Some(id) = self.known_component(name) {
            let exact = plain(id.as_str()) == plain(name);
            if exact {
                self.report.found(field, place);
            } else {
                self.report.guessed(
                    field,
                    place,
                    format!("`{name}` is taken for the component {id}: they share their words"),
                );
            }
            return Some(id);
        }
        let free = unique(&slug(name), "component", |id| {
            self.plan.components.keys().any(|known| known.as_str() == id)
        });
        let id = ComponentId::new(free).ok()?;
        let title =
            (plain(id.as_str()) != plain(name) || name != id.as_str()).then(|| name.to_owned());
        self.plan.components.insert(id.clone(), Component { title, ..Component::default() });
        self.report.found(format!("components[{id}]"), place);
        Some(id)
    }

    /// A component whose telling words are these.
    pub(crate) fn known_component(&self, name: &str) -> Option<ComponentId> {
        let wanted = telling(name);
        if wanted.is_empty() {
            return None;
        }
        let mut fits = self.plan.components.iter().filter(|(id, component)| {
            let known = telling(component.title.as_deref().unwrap_or(id.as_str()));
            wanted.iter().all(|word| known.contains(word))
                || known.iter().all(|word| wanted.contains(word))
        });
        match (fits.next(), fits.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        }
    }
}

/// The words that tell one component from another.
fn telling(name: &str) -> Vec<String> {
    const SAID_OF_MANY: [&str; 16] = [
        "the",
        "a",
        "of",
        "file",
        "files",
        "config",
        "configuration",
        "server",
        "servers",
        "system",
        "backup",
        "component",
        "restore",
        "previous",
        "tier",
        "layer",
    ];
    let short = |word: &str| match word {
        "db" | "databases" => "database".to_owned(),
        "app" | "apps" | "applications" => "application".to_owned(),
        "config" | "configs" | "configurations" => "configuration".to_owned(),
        "lb" | "balancers" => "balancer".to_owned(),
        word => word.to_owned(),
    };
    let words: Vec<String> =
        plain(name).split(' ').filter(|word| !word.is_empty()).map(short).collect();
    let telling: Vec<String> =
        words.iter().filter(|word| !SAID_OF_MANY.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() {
        words
            .into_iter()
            .filter(|word| !matches!(word.as_str(), "the" | "a" | "of" | "restore"))
            .collect()
    } else {
        telling
    }
}
