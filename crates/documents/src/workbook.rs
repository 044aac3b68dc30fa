//! The checklist workbook: what people fill in by hand when nothing else works, and
//! what an importer reads back. One sheet per list, each with its head frozen,
//! lists to choose from, colours that follow the status, and set to print.

use backout_core::plan::{Plan, RestoreTested};
use rust_xlsxwriter::{
    Color, ConditionalFormatCell, ConditionalFormatCellRule, DataValidation, DocProperties,
    ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use crate::saying;

/// The sheet with the steps.
pub const STEPS: &str = "Backout steps";
/// The sheet with the plan file, a line of it per row.
pub const FILE: &str = "Plan file";
/// What a step's status can be, as people choose it.
pub const STATUSES: [&str; 3] = ["done", "failed", "skipped"];
/// A cell holds no more characters than this.
const CELL: usize = 32_000;

/// What is known of a step already, as the cells people fill in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filled {
    /// One of [`STATUSES`], or nothing.
    pub status: String,
    /// When it began, on the plan's clock.
    pub started: String,
    /// When it ended.
    pub ended: String,
    /// Who did it.
    pub name: String,
}

/// The plan as a checklist workbook; `filled` holds what is known of each step, in
/// the plan's order, or nothing; `not_ready` is what the first sheet says of a plan
/// with errors, as [`crate::board::not_ready`] puts it.
///
/// # Errors
/// When the workbook cannot be made, which takes more rows than Excel has.
pub fn workbook(
    plan: &Plan,
    source: &str,
    digest: &str,
    filled: &[Filled],
    not_ready: Option<&str>,
) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // Always the same: what is the same plan is the same file.
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    book.set_properties(
        &DocProperties::new()
            .set_title(&plan.change.title)
            .set_author("backout")
            .set_creation_datetime(&made),
    );
    let mut maker =
        Maker { book, looks: Looks::new(), foot: format!("{} · {}", plan.change.title, digest) };
    overview(&mut maker, plan, digest, not_ready)?;
    steps(&mut maker, plan, filled)?;
    lists(&mut maker, plan)?;
    file(&mut maker, source)?;
    maker.book.save_to_buffer()
}

struct Looks {
    head: Format,
    text: Format,
    fill: Format,
    time: Format,
    title: Format,
    code: Format,
    good: Format,
    bad: Format,
    quiet: Format,
    warn: Format,
}

impl Looks {
    fn new() -> Self {
        let base = || {
            Format::new()
                .set_text_wrap()
                .set_align(FormatAlign::Top)
                .set_border(FormatBorder::Thin)
                .set_border_color(Color::RGB(0x00C9_D3DD))
        };
        // What people fill in stands out, and is the only thing that does.
        let fill = || base().set_background_color(Color::RGB(0x00FF_FBE6)).set_unlocked();
        let status = |ink: u32, ground: u32| {
            Format::new()
                .set_font_color(Color::RGB(ink))
                .set_background_color(Color::RGB(ground))
                .set_bold()
        };
        Self {
            head: base()
                .set_bold()
                .set_font_color(Color::White)
                .set_background_color(Color::RGB(0x0012_3A63)),
            text: base(),
            fill: fill(),
            time: fill().set_num_format("yyyy-mm-dd hh:mm"),
            title: Format::new()
                .set_bold()
                .set_font_size(18)
                .set_font_color(Color::RGB(0x0012_3A63)),
            code: Format::new().set_font_name("Consolas").set_font_size(9),
            good: status(0x0005_2E16, 0x00DC_FCE7),
            bad: status(0x0045_0A0A, 0x00FD_E2E2),
            quiet: status(0x0047_5569, 0x00E2_E8F0),
            warn: status(0x0045_0A0A, 0x00FD_E2E2).set_text_wrap().set_align(FormatAlign::Top),
        }
    }
}

struct Maker {
    book: Workbook,
    looks: Looks,
    foot: String,
}

/// A column: its name, its width, and what people fill in there.
struct Column<'a> {
    name: &'a str,
    width: u16,
    fill: Fill<'a>,
}

enum Fill<'a> {
    Nothing,
    Text,
    Time,
    Choice(&'a [&'a str]),
}

fn told(name: &str, width: u16) -> Column<'_> {
    Column { name, width, fill: Fill::Nothing }
}

impl Maker {
    fn sheet(&mut self, name: &str) -> Result<&mut Worksheet, XlsxError> {
        let foot = self.foot.replace('&', "&&");
        let sheet = self.book.add_worksheet();
        sheet.set_name(name)?;
        sheet.set_landscape();
        sheet.set_paper_size(9);
        sheet.set_print_fit_to_pages(1, 0);
        sheet.set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3);
        sheet.set_footer(format!(
            "&L&8{}&R&8&A, page &P of &N",
            foot.chars().take(180).collect::<String>()
        ));
        Ok(sheet)
    }

    /// A sheet that is a table: a frozen head, a filter, lists to choose from.
    fn table(
        &mut self,
        name: &str,
        columns: &[Column<'_>],
        rows: &[Vec<String>],
    ) -> Result<(), XlsxError> {
        if rows.is_empty() {
            return Ok(());
        }
        let looks = Looks::new();
        let sheet = self.sheet(name)?;
        let last_row = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let last_column = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
        for (at, column) in columns.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            sheet.set_column_width(at, f64::from(column.width))?;
            sheet.write_string_with_format(0, at, column.name, &looks.head)?;
            if let Fill::Choice(choices) = column.fill {
                let list = DataValidation::new()
                    .allow_list_strings(choices)?
                    .set_error_title("One of the list")?
                    .set_error_message(format!("Choose: {}", choices.join(", ")))?;
                sheet.add_data_validation(1, at, last_row, at, &list)?;
                for (choice, format) in [
                    ("done", &looks.good),
                    ("yes", &looks.good),
                    ("failed", &looks.bad),
                    ("no", &looks.bad),
                    ("skipped", &looks.quiet),
                ] {
                    if choices.contains(&choice) {
                        let rule = ConditionalFormatCell::new()
                            .set_rule(ConditionalFormatCellRule::EqualTo(choice))
                            .set_format(format);
                        sheet.add_conditional_format(1, at, last_row, at, &rule)?;
                    }
                }
            }
        }
        for (index, row) in rows.iter().enumerate() {
            let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
            sheet.set_row_height(line, height(columns, row))?;
            for (at, column) in columns.iter().enumerate() {
                let text = row.get(at).map_or("", String::as_str);
                let at = u16::try_from(at).unwrap_or(u16::MAX);
                let look = match column.fill {
                    Fill::Nothing => &looks.text,
                    Fill::Text | Fill::Choice(_) => &looks.fill,
                    Fill::Time => &looks.time,
                };
                let text: String = text.chars().take(CELL).collect();
                if text.is_empty() {
                    sheet.write_blank(line, at, look)?;
                } else {
                    sheet.write_string_with_format(line, at, text, look)?;
                }
            }
        }
        sheet.set_freeze_panes(1, 0)?;
        sheet.set_repeat_rows(0, 0)?;
        sheet.autofilter(0, 0, last_row, last_column)?;
        Ok(())
    }
}

/// High enough for the longest of its texts, and for a hand to write in: printed
/// sheets are filled in with a pen. In points; Excel's rows end at 409.
fn height(columns: &[Column<'_>], row: &[String]) -> f64 {
    let lines = columns.iter().zip(row).map(|(column, text)| {
        // A proportional letter takes a little more than its share of the width.
        let width = usize::from(column.width).saturating_sub(1).max(1);
        text.lines().map(|line| line.chars().count().div_ceil(width).max(1)).sum::<usize>()
    });
    let lines = lines.max().unwrap_or(1).max(2);
    (u16::try_from(lines).map_or(409.0, f64::from) * 15.0).min(409.0)
}

fn overview(
    maker: &mut Maker,
    plan: &Plan,
    digest: &str,
    not_ready: Option<&str>,
) -> Result<(), XlsxError> {
    let window = plan.window.as_ref();
    let change = &plan.change;
    let title = maker.looks.title.clone();
    let (head, text) = (maker.looks.head.clone(), maker.looks.text.clone());
    let warn = maker.looks.warn.clone();
    let sheet = maker.sheet("Overview")?;
    sheet.set_column_width(0, 26)?;
    sheet.set_column_width(1, 90)?;
    sheet.write_string_with_format(0, 0, &change.title, &title)?;
    if let Some(said) = not_ready {
        let said: String = said.chars().take(CELL).collect();
        sheet.merge_range(1, 0, 1, 1, &said, &warn)?;
        sheet.set_row_height(1, height(&[told("", 116)], &[said]))?;
    }
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut add =
        |name: &'static str, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    add("Change", change.id.clone());
    add("What is being deployed", Some(change.title.clone()));
    add("Release from", change.release.as_ref().map(|release| release.from.clone()));
    add("Release to", change.release.as_ref().map(|release| release.to.clone()));
    add("Environment", change.environment.clone());
    add("Plan version", change.plan_version.clone());
    add("Plan owner", change.owner.as_ref().map(ToString::to_string));
    add(
        "Deployment window",
        window.and_then(|window| window.deploy).map(|range| {
            format!(
                "{} to {}",
                range.start.at.strftime("%Y-%m-%d %H:%M"),
                range.end.at.strftime(if range.start.at.date() == range.end.at.date() {
                    "%H:%M"
                } else {
                    "%Y-%m-%d %H:%M"
                })
            )
        }),
    );
    add(
        "Backout finished by",
        window
            .and_then(|window| window.backout_by)
            .map(|by| by.at.strftime("%Y-%m-%d %H:%M").to_string()),
    );
    add("Time zone", window.and_then(|window| window.timezone.clone()));
    add(
        "Confidence",
        window.and_then(|window| window.confidence).map(|confidence| confidence.to_string()),
    );
    add("Stated total", window.and_then(|window| window.stated_total).map(saying::span));
    add("Plan digest", Some(digest.to_owned()));
    sheet.write_string_with_format(2, 0, "Field", &head)?;
    sheet.write_string_with_format(2, 1, "Content", &head)?;
    let mut line = 3;
    for (name, value) in rows {
        sheet.write_string_with_format(line, 0, name, &text)?;
        sheet.write_string_with_format(line, 1, value, &text)?;
        line += 1;
    }
    for (offset, said) in [
        "Fill in the yellow cells. On the sheet \"Backout steps\", choose a status, write who did it, and when it began and ended.",
        "Times are on the clock of the plan's time zone: 2026-06-06 03:10, or 03:10 on the night of the deployment.",
        "Afterwards: backout import --results THIS-FILE RUN brings them into the run's log, as attested after the fact.",
    ]
    .into_iter()
    .enumerate()
    {
        sheet.write_string(line + 1 + u32::try_from(offset).unwrap_or(0), 0, said)?;
    }
    Ok(())
}

fn steps(maker: &mut Maker, plan: &Plan, filled: &[Filled]) -> Result<(), XlsxError> {
    let rows: Vec<Vec<String>> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let after = match &step.after {
                None => String::new(),
                Some(after) if after.is_empty() => "start at once".to_owned(),
                Some(after) => after
                    .iter()
                    .map(|id| {
                        plan.steps
                            .iter()
                            .position(|step| step.id == *id)
                            .map_or_else(|| id.to_string(), |at| (at + 1).to_string())
                    })
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let known = filled.get(index).cloned().unwrap_or_default();
            let verify: Vec<String> = step
                .verify
                .iter()
                .map(|verification| match &verification.check {
                    backout_core::plan::Check::Confirm(text) => text.trim().to_owned(),
                    check => check.shown(),
                })
                .collect();
            vec![
                (index + 1).to_string(),
                step.label().to_owned(),
                saying::action(step).join("\n"),
                step.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
                step.takes.map(saying::estimate).unwrap_or_default(),
                after,
                step.component.as_ref().map(ToString::to_string).unwrap_or_default(),
                verify.join("\n"),
                known.status.clone(),
                known.started.clone(),
                known.ended.clone(),
                known.name.clone(),
                String::new(),
                step.id.to_string(),
            ]
        })
        .collect();
    let fill = |name, width, fill| Column { name, width, fill };
    let columns = [
        told("Step", 6),
        told("Action", 22),
        told("Command", 36),
        told("Owner", 14),
        told("Duration", 16),
        told("After", 8),
        told("Component", 14),
        told("Verify", 28),
        fill("Status", 10, Fill::Choice(&STATUSES)),
        fill("Started", 16, Fill::Time),
        fill("Ended", 16, Fill::Time),
        fill("Done by", 18, Fill::Text),
        fill("Notes", 26, Fill::Text),
        told("Step key", 12),
    ];
    maker.table(STEPS, &columns, &rows)
}

fn lists(maker: &mut Maker, plan: &Plan) -> Result<(), XlsxError> {
    let name = |role: Option<&backout_core::ids::RoleId>| {
        role.map(ToString::to_string).unwrap_or_default()
    };
    let fill = |name, width, fill| Column { name, width, fill };
    let rows: Vec<Vec<String>> = plan
        .readiness
        .values()
        .map(|ready| vec![ready.attest.clone(), name(ready.owner.as_ref())])
        .collect();
    let columns = [
        told("Requirement", 60),
        told("Owner", 18),
        fill("Status", 10, Fill::Choice(&["yes", "no"])),
        fill("Attested by", 20, Fill::Text),
        fill("Attested at", 18, Fill::Time),
        fill("Notes", 40, Fill::Text),
    ];
    maker.table("Readiness", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .roles
        .iter()
        .map(|(id, role)| {
            let reach = role.reach.clone().unwrap_or_default();
            let deputies: Vec<&str> = role.deputies.iter().map(|deputy| deputy.as_str()).collect();
            vec![
                id.to_string(),
                role.name.clone().unwrap_or_default(),
                reach.phone.unwrap_or_default(),
                reach.email.unwrap_or_default(),
                reach.chat.unwrap_or_default(),
                reach.pager.unwrap_or_default(),
                role.availability.clone().unwrap_or_default(),
                deputies.join(", "),
            ]
        })
        .collect();
    let columns = [
        told("Role", 20),
        told("Name", 24),
        told("Phone", 22),
        told("E-mail", 28),
        told("Chat", 18),
        told("Pager", 18),
        told("Availability", 18),
        told("Deputies", 24),
    ];
    maker.table("Contacts", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .triggers
        .values()
        .map(|trigger| {
            vec![
                saying::watched_from(trigger.label(), trigger),
                trigger.shown_limit().unwrap_or_default(),
                trigger.lasting.map(saying::span).unwrap_or_default(),
                trigger.severity.map(saying::severity).unwrap_or_default().to_owned(),
                name(trigger.owner.as_ref()),
            ]
        })
        .collect();
    let columns = [
        told("Trigger", 50),
        told("Threshold", 18),
        told("For how long", 16),
        told("Severity", 16),
        told("Owner", 18),
        fill("Status", 10, Fill::Choice(&["yes", "no"])),
        fill("Seen at", 18, Fill::Time),
        fill("Notes", 40, Fill::Text),
    ];
    maker.table("Triggers", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .decision
        .iter()
        .map(|(severity, rule)| {
            let tell: Vec<&str> = rule.tell.iter().map(|role| role.as_str()).collect();
            vec![
                saying::severity(*severity).to_owned(),
                saying::rule(rule),
                name(rule.by.as_ref()),
                rule.within.map(saying::span).unwrap_or_default(),
                tell.join(", "),
            ]
        })
        .collect();
    let columns = [
        told("Severity", 16),
        told("Action", 40),
        told("Decision maker", 22),
        told("Deadline", 14),
        told("Notification", 34),
    ];
    maker.table("Decision matrix", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .messages
        .values()
        .map(|message| {
            let when = match (message.when, message.within) {
                (Some(moment), Some(within)) => {
                    format!("{}, within {}", saying::moment(moment), saying::span(within))
                }
                (Some(moment), None) => saying::moment(moment).to_owned(),
                (None, Some(within)) => format!("within {}", saying::span(within)),
                (None, None) => String::new(),
            };
            vec![
                message.audience.clone(),
                message.text.clone(),
                message.channel.clone().unwrap_or_default(),
                name(message.owner.as_ref()),
                when,
            ]
        })
        .collect();
    let columns = [
        told("Audience", 22),
        told("Message", 60),
        told("Channel", 18),
        told("Owner", 18),
        told("When", 30),
        fill("Status", 10, Fill::Choice(&["yes", "no"])),
        fill("Sent at", 18, Fill::Time),
    ];
    maker.table("Communication", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .components
        .iter()
        .filter_map(|(id, component)| {
            let backup = component.backup.as_ref()?;
            Some(vec![
                id.to_string(),
                backup.location.clone(),
                backup.max_age.map(saying::span).unwrap_or_default(),
                backup
                    .restore_tested
                    .map(|tested| match tested {
                        RestoreTested::On(day) => day.to_string(),
                        RestoreTested::Rehearsal => "rehearsal".to_owned(),
                    })
                    .unwrap_or_default(),
            ])
        })
        .collect();
    let columns = [
        told("Component", 24),
        told("Backup location", 60),
        told("At most old", 14),
        told("Restore tested", 18),
        fill("Status", 10, Fill::Choice(&["yes", "no"])),
        fill("Checked by", 20, Fill::Text),
    ];
    maker.table("Backups", &columns, &rows)?;

    let rows: Vec<Vec<String>> = plan
        .follow_up
        .iter()
        .map(|later| {
            let within = later
                .within
                .map(|within| format!("within {}", saying::span(within)))
                .unwrap_or_default();
            vec![later.what.clone(), name(later.owner.as_ref()), within]
        })
        .collect();
    let columns = [
        told("Action", 60),
        told("Owner", 18),
        told("Timeframe", 18),
        fill("Status", 10, Fill::Choice(&["yes", "no"])),
        fill("Notes", 40, Fill::Text),
    ];
    maker.table("After the backout", &columns, &rows)?;

    let questions = plan.review.iter().flat_map(|review| review.questions.iter());
    let rows: Vec<Vec<String>> = questions.map(|question| vec![question.clone()]).collect();
    maker.table("Review", &[told("Question", 60), fill("Answer", 90, Fill::Text)], &rows)
}

/// The plan file, so that the workbook can be read back without loss.
fn file(maker: &mut Maker, source: &str) -> Result<(), XlsxError> {
    let code = maker.looks.code.clone();
    let sheet = maker.sheet(FILE)?;
    sheet.set_column_width(0, 120)?;
    for (index, line) in source.split('\n').enumerate() {
        let row = u32::try_from(index).unwrap_or(u32::MAX);
        let chars: Vec<char> = line.chars().collect();
        // Longer lines than a cell holds go on in the next column.
        for (at, piece) in chars.chunks(CELL).enumerate() {
            let text: String = piece.iter().collect();
            sheet.write_string_with_format(
                row,
                u16::try_from(at).unwrap_or(u16::MAX),
                text,
                &code,
            )?;
        }
    }
    Ok(())
}
