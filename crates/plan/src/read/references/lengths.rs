//! Lengths of time that must not be nothing.

use backout_core::duration::Span;

use super::Checker;
use crate::diagnostic::codes;
use crate::document::Path;

impl Checker<'_> {
    /// Refuses `0s` where it would mean never, always or without a pause.
    pub(super) fn lasts(&mut self, span: Option<Span>, at: &Path, hint: &str) {
        if span.is_some_and(|span| span.get().is_zero()) {
            let message = "no time at all cannot be meant here".to_owned();
            self.report(codes::WRONG_VALUE, message, at, hint.to_owned());
        }
    }

    /// How a release is watched.
    pub(super) fn watch(&mut self) {
        let watch = self.plan.watch.as_ref();
        let at = Path::root().key("watch").key("window");
        let hint = "say how long the release is watched, such as `4h`; without it, it is 4h";
        self.lasts(watch.and_then(|watch| watch.window), &at, hint);
    }
}
