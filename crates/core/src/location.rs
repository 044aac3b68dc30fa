//! Where the state folder of a run is: on which machine, and which folder.
//!
//! A run goes on from its log, wherever that lies. A copy of the folder is a second log, with
//! which the same run could go on twice: neither one's locks nor its records are seen by the
//! other. On another machine the processes of an attempt cannot be seen at all. So each
//! coordinator notes where it is, and one that is elsewhere begins only when a person has said so.

use serde::{Deserialize, Serialize};

/// Where a state folder is. What cannot be told is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The machine, by a digest of its machine id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// This running of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// The folder: its inode and when that was made, which a copy has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// What is another than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relocation {
    /// The machine; the folder is the same one, as on a shared disk.
    Machine,
    /// The folder: it was copied, or moved to another disk.
    Folder,
    /// Both.
    Both,
}

impl Relocation {
    /// What is another after both.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        if self == next { self } else { Self::Both }
    }

    /// Whether it is another machine.
    #[must_use]
    pub fn is_of_machine(self) -> bool {
        self != Self::Folder
    }

    /// Whether it is another folder: what is said in one is not seen in the other.
    #[must_use]
    pub fn is_of_folder(self) -> bool {
        self != Self::Machine
    }
}

impl Location {
    /// What is another here than it was there.
    #[must_use]
    pub fn change_since(&self, before: &Self) -> Option<Relocation> {
        let differs = |now: &Option<String>, then: &Option<String>| match (now, then) {
            (Some(now), Some(then)) => now != then,
            // Where one of them cannot be told there is nothing to compare.
            _ => false,
        };
        match (!self.is_same_machine(before), differs(&self.folder, &before.folder)) {
            (false, false) => None,
            (true, false) => Some(Relocation::Machine),
            (false, true) => Some(Relocation::Folder),
            (true, true) => Some(Relocation::Both),
        }
    }

    /// Whether it is on the same machine, started anew or not. A machine that does not say which
    /// one it is, as most containers do not, is the same one while it runs, and not known to be
    /// the same afterwards.
    #[must_use]
    pub fn is_same_machine(&self, before: &Self) -> bool {
        let is_noted = |there: &Self| there.machine.is_some() || there.boot.is_some();
        // Earlier versions noted nothing.
        if !is_noted(before) || !is_noted(self) {
            return true;
        }
        let is_known = self.machine.is_some() && self.machine == before.machine;
        let is_running_on = self.boot.is_some() && self.boot == before.boot;
        // The number of a running is given once, by the kernel.
        is_known || is_running_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(machine: &str, boot: &str, folder: &str) -> Location {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Location { machine: known(machine), boot: known(boot), folder: known(folder) }
    }

    /// Every combination of what is the same, another, or not known.
    #[test]
    fn what_is_another_is_noticed_and_what_was_never_known_is_not() {
        let before = at("m", "b", "f");
        let change = |machine, boot, folder| at(machine, boot, folder).change_since(&before);
        assert_eq!(change("m", "b", "f"), None);
        assert_eq!(change("m", "other", "f"), None, "started anew");
        assert_eq!(change("other", "other", "f"), Some(Relocation::Machine));
        assert_eq!(change("m", "b", "other"), Some(Relocation::Folder));
        assert_eq!(change("m", "other", "other"), Some(Relocation::Folder));
        assert_eq!(change("other", "other", "other"), Some(Relocation::Both));
        // A container has another machine id, or none, on the same machine.
        assert_eq!(change("other", "b", "f"), None);
        assert_eq!(change("", "b", "f"), None);
        assert_eq!(change("", "other", "f"), Some(Relocation::Machine), "not known to be the same");
        assert_eq!(change("m", "b", ""), None);
        assert_eq!(Location::default().change_since(&before), None);
        assert_eq!(before.change_since(&Location::default()), None);
        let nameless = at("", "b", "f");
        assert_eq!(at("", "b", "f").change_since(&nameless), None);
        assert_eq!(at("", "c", "f").change_since(&nameless), Some(Relocation::Machine));
    }
}
