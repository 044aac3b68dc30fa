//! Times that exist, and figures to count time with.

use backout_core::plan::Step;

use super::Checker;
use crate::diagnostic::codes;
use crate::document::Path;
use crate::lower::did_you_mean;
use crate::times;

impl Checker<'_> {
    pub(super) fn times(&mut self) {
        self.assumed();
        let waiting = |step: &Step| step.not_before.is_some();
        let named = self.plan.window.as_ref().and_then(|window| window.timezone.as_ref());
        let (Some(window), Some(timezone)) = (&self.plan.window, named) else {
            if let Some(index) = self.plan.steps.iter().position(waiting) {
                let message = "a local time needs a time zone".to_owned();
                let hint = "add `window: {timezone: …}`".to_owned();
                let at = Path::step(index).key("not_before");
                self.report(codes::MISSING_KEY, message, &at, hint);
            }
            return;
        };
        let at = Path::root().key("window");
        let Some(zone) = times::zone(timezone) else {
            let message = format!("there is no time zone `{timezone}`");
            let known = jiff::tz::db().available().map(|name| name.to_string()).collect::<Vec<_>>();
            // An abbreviation is not a misspelling: `BST` is not `EST`.
            let spelt_out = timezone.contains('/');
            let near =
                did_you_mean(timezone, known.iter().map(String::as_str)).filter(|_| spelt_out);
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "use an IANA name such as `Europe/London` or `UTC`".to_owned(),
            };
            self.report(codes::NO_SUCH_TIME, message, &at.key("timezone"), hint);
            return;
        };
        let deploy = window.deploy.map(|range| [range.start, range.end]);
        let deploy = deploy.iter().flatten().map(|time| (time, "deploy"));
        let times = deploy.chain(window.backout_by.iter().map(|time| (time, "backout_by")));
        let mut places: Vec<_> = times.map(|(time, key)| (*time, at.key(key))).collect();
        for (index, step) in self.plan.steps.iter().enumerate() {
            places.extend(step.not_before.map(|time| (time, Path::step(index).key("not_before"))));
        }
        for (time, at) in places {
            if let Err(error) = times::instant(time.at, &zone) {
                let hint = "choose a time that the clock shows exactly once".to_owned();
                self.report(codes::NO_SUCH_TIME, error.to_string(), &at, hint);
            }
        }
    }

    /// Figures a forecast can count with.
    fn assumed(&mut self) {
        let stress = self.plan.forecast.and_then(|assumed| assumed.stress);
        if stress.is_some_and(|stress| !(0.1..=10.0).contains(&stress)) {
            let message = "this factor makes no sense".to_owned();
            let hint = "write a number from 0.1 to 10; 1 means as stated".to_owned();
            let at = Path::root().key("forecast").key("stress");
            self.report(codes::WRONG_VALUE, message, &at, hint);
        }
    }
}
