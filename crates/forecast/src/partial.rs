//! What could stay, against until when.

/// One way to go back in part.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<T> {
    /// What goes back.
    pub back: Vec<T>,
    /// What stays.
    pub kept: Vec<T>,
    /// How long going back takes, with the confidence wanted, seconds.
    pub needed: f64,
    /// The latest invocation that is in time, seconds from now, if there is one.
    pub latest: Option<f64>,
}

/// The choices nothing beats: for each, no other keeps as much and takes less
/// time, or keeps more in the same time (the Pareto front). Most kept first.
#[must_use]
pub fn front<T: Clone + Ord>(mut choices: Vec<Choice<T>>) -> Vec<Choice<T>> {
    choices.sort_by(|a, b| {
        b.kept
            .len()
            .cmp(&a.kept.len())
            .then(a.needed.total_cmp(&b.needed))
            .then(a.back.cmp(&b.back))
    });
    let all = choices.clone();
    choices.retain(|one| {
        !all.iter().any(|other| {
            // Keeping other things is not keeping more.
            let keeps_all = one.kept.iter().all(|kept| other.kept.contains(kept));
            keeps_all
                && (other.kept.len() > one.kept.len() && other.needed <= one.needed
                    || other.kept.len() == one.kept.len() && other.needed < one.needed)
        })
    });
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beaten_is_left_out() {
        let choice = |back: &[&'static str], kept: &[&'static str], needed| Choice {
            back: back.to_vec(),
            kept: kept.to_vec(),
            needed,
            latest: None,
        };
        let found = front(vec![
            choice(&["a"], &["b", "c"], 10.0),
            choice(&["a", "b"], &["c"], 9.0),
            choice(&["a", "c"], &["b"], 30.0),
            choice(&["a", "b", "c"], &[], 40.0),
        ]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].back, ["a"]);
        assert_eq!(found[1].back, ["a", "b"]);
    }
}
