//! The forecast for scripts.

use serde_json::{Value, json};

use backout_core::ids::OptionId;
use backout_forecast::finish::Figure;
use backout_forecast::fix::Patience;
use backout_forecast::learning::Basis;
use backout_forecast::outlook::{Now, Outlook};

use super::{Shown, spare};

/// The forecast for scripts. Fields are added, never changed. A time that never comes is
/// `null`.
pub(crate) fn json(shown: &Shown<'_>) -> Value {
    let mut value = outlook_json(shown.option.as_ref(), &shown.outlook);
    let outlook = &shown.outlook;
    value["change"] = json!(shown.plan.change.name());
    value["run"] = json!(shown.run);
    value["only"] = json!(shown.only);
    value["timezone"] = json!(shown.zone.iana_name());
    value["deploy_start"] = json!(shown.window.deploy_start);
    value["deploy_end"] = json!(shown.window.deploy_end);
    value["along"] = outlook
        .along
        .iter()
        .map(|moment| json!({"at": moment.at, "in_time": figure(moment.in_time)}))
        .collect();
    value["steps"] = outlook
        .rows
        .iter()
        .map(|row| {
            let step = &shown.steps[row.step];
            json!({
                "id": step.id,
                "title": step.title,
                "doer": shown.doer[row.step],
                "start": shown.after(row.start),
                "end": shown.after(row.end),
                "start_s": row.start,
                "end_s": row.end,
                "takes_s": {"p50": row.takes[0], "p80": row.takes[1], "p95": row.takes[2]},
                "rests_on": basis(row.basis),
                "criticality": row.critical,
                "time_out_s": row.time_out,
                "time_out_fails": row.stopped,
                "never_ends": row.unfinished,
                "on_critical_path": row.on_path,
                "outlasted": row.outlasted,
                "stuck": row.now == Now::Stuck,
            })
        })
        .collect();
    let ids = |steps: &[usize]| -> Value {
        steps.iter().map(|&step| json!(shown.steps[step].id)).collect()
    };
    value["responses"] = outlook
        .responses
        .iter()
        .map(|(who, middle, sure)| json!({"who": who, "p50_s": middle, "p95_s": sure}))
        .collect();
    value["critical_path"] = ids(&outlook.path);
    value["order"] = ids(&outlook.order);
    value["matters"] = outlook
        .weights
        .iter()
        .map(|weight| {
            json!({
                "step": shown.steps[weight.step].id,
                "criticality": weight.critical,
                "sensitivity": weight.sensitivity,
                "good_s": weight.good,
                "bad_s": weight.bad,
            })
        })
        .collect();
    value["one_more_person"] =
        shown.helpers.iter().map(|h| json!({"beside": h.who, "sooner_s": h.gain})).collect();
    value["rehearsals"] = shown
        .rehearsals
        .iter()
        .map(|(times, gain)| json!({"times": times, "sooner_s": gain}))
        .collect();
    value["options"] = std::iter::once((&shown.option, &shown.outlook))
        .chain(shown.others.iter().map(|(id, outlook)| (id, outlook)))
        .map(|(id, outlook)| outlook_json(id.as_ref(), outlook))
        .collect();
    let patience = |p: &Patience| json!({"seconds": p.seconds, "at": shown.after(p.seconds), "fixed": p.fixed, "late": p.late, "downtime_s": p.down});
    value["fix"] = json!(shown.fix.as_ref().map(|fix| json!({
        "back_out_now": patience(&fix.back),
        "give_up": fix.give_up.as_ref().map(patience),
        "curve": fix.curve.iter().step_by((fix.curve.len() / 60).max(1)).map(patience).collect::<Vec<_>>(),
    })));
    value["partial"] = json!(shown.partial.as_ref().map(|choices| {
        choices
            .iter()
            .map(|choice| {
                let until = choice.latest.map(|latest| shown.after(latest));
                json!({"keep": choice.kept, "back_out": choice.back, "needed_s": choice.needed, "point_of_no_return": until})
            })
            .collect::<Vec<_>>()
    }));
    value["assumed"] = json!({
        "stress": outlook.assumed.stress,
        "night_spread": outlook.night.0,
        "nights_measured": outlook.night.1,
        "one_figure_spread": outlook.assumed.point_spread,
        "help_s": outlook.assumed.help,
        "seed": outlook.seed,
        "nights": outlook.finish.nights(),
    });
    value
}

fn figure(figure: Figure) -> Value {
    json!({"value": figure.value, "low": figure.low, "high": figure.high})
}

fn basis(basis: Basis) -> Value {
    match basis {
        Basis::Nothing => json!({"kind": "nothing"}),
        Basis::Point => json!({"kind": "stated_point"}),
        Basis::Range => json!({"kind": "stated_range"}),
        Basis::Measured(count) => json!({"kind": "measured", "count": count}),
    }
}

fn outlook_json(option: Option<&OptionId>, outlook: &Outlook) -> Value {
    let quantile = |share: f64| {
        let found = outlook.finish.quantile(share);
        let at = found.value.is_finite().then(|| outlook.after(found.value));
        json!({"seconds": figure(found), "at": at})
    };
    json!({
        "option": option,
        "at": outlook.at,
        "confidence": outlook.confidence,
        "planned_end": outlook.after(outlook.planned_end),
        "planned_s": outlook.planned_end,
        "bound_s": outlook.bound,
        "optimal": outlook.is_shortest(),
        "finish": {"p50": quantile(0.5), "p80": quantile(0.8), "p95": quantile(0.95), "mean_s": outlook.finish.mean(), "never": outlook.finish.unfinished()},
        "backout_by": outlook.deadline,
        "in_time": outlook.in_time.map(figure),
        "point_of_no_return": outlook.point_of_no_return.map(|[value, low, high]| json!({"at": low, "value": value, "low": low, "high": high})),
        "never_in_time": outlook.never,
        "decide_by": outlook.decide_by,
        "deciding_s": outlook.deciding,
    })
}

/// What a run's forecast says in short.
pub(crate) fn one_line_json(outlook: &Outlook) -> Value {
    let mut value = outlook_json(None, outlook);
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| {
            ["at", "confidence", "finish", "backout_by", "in_time"].contains(&key.as_str())
        });
    }
    value["spare_s"] = json!(spare(outlook));
    value
}
