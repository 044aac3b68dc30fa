//! One page that needs nothing else: no script, no font, no picture from elsewhere.
//! Reads on a phone, prints on A4.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::figure::svg;
use crate::tree::{Block, Cell, Document, Inline, Item, Kind, Style, Table, Tone, text_of};

/// How a page is meant to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// To be read.
    Reading,
    /// To be worked with when nothing else works: boxes can be ticked, lines filled in.
    Working,
}

const STYLE: &str = "
:root{--ink:#14202e;--quiet:#4a5b6d;--line:#c9d3dd;--head:#123a63;--wash:#f1f5f9;--warn:#9a3412;--warnwash:#fff4e6}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:58rem;padding:1.5rem clamp(1rem,4vw,3rem) 4rem;color:var(--ink);background:#fff;
font:16px/1.5 Ubuntu,system-ui,-apple-system,'Segoe UI',sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:.2em 0 .1em;color:var(--head)}
h2{font-size:1.35rem;margin:2.2em 0 .6em;padding-bottom:.2em;border-bottom:2px solid var(--head);color:var(--head)}
h3{font-size:1.1rem;margin:1.6em 0 .4em;color:var(--head)}
h4{font-size:1rem;margin:1.2em 0 .3em}
p{margin:.5em 0}
.quiet{color:var(--quiet)}
a{color:#0b5394}
nav{margin:1.2em 0;padding:.8em 1.2em;background:var(--wash);border-radius:6px;columns:2 16rem}
nav a{display:block;text-decoration:none;padding:.15em 0}
.scroll{overflow-x:auto;margin:.7em 0}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{border:1px solid var(--line);padding:.4em .6em;text-align:left;vertical-align:top;white-space:pre-line;overflow-wrap:break-word}
thead th{background:var(--head);color:#fff;font-weight:600;white-space:nowrap}
tbody tr:nth-child(even){background:var(--wash)}
pre{background:#0f1c2b;color:#e8eef5;padding:.8em 1em;border-radius:6px;overflow-x:auto;font:.85rem/1.45 ui-monospace,Consolas,'DejaVu Sans Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:.9em ui-monospace,Consolas,'DejaVu Sans Mono',monospace;background:var(--wash);padding:.05em .3em;border-radius:3px;overflow-wrap:anywhere}
aside,blockquote{margin:1em 0;padding:.5em 1.1em;border-left:5px solid var(--head);background:var(--wash)}
aside{border-color:var(--warn);background:var(--warnwash)}
figure{margin:1.2em 0;text-align:center;overflow-x:auto}
figure svg{max-width:100%;height:auto}
figcaption{font-size:.88rem;color:var(--quiet);margin-top:.4em}
ul.boxes{list-style:none;padding-left:.2em}
input[type=checkbox]{width:1.15em;height:1.15em;vertical-align:-.15em;margin:0 .5em 0 0}
footer{margin-top:3em;padding-top:.8em;border-top:1px solid var(--line);font-size:.85rem;color:var(--quiet);overflow-wrap:anywhere}
@media (max-width:40rem){
 body{font-size:17px}
 table.rows,table.rows tbody{display:block}
 table.rows thead{position:absolute;left:-999rem}
 table.rows tr{display:block;border:1px solid var(--line);border-radius:6px;margin:.7em 0;padding:.2em 0}
 table.rows td{display:grid;grid-template-columns:7.5rem 1fr;gap:.6em;border:0;padding:.3em .7em}
 table.rows td:empty{display:none}
 table.rows td::before{content:attr(data-name);font-weight:600;color:var(--quiet)}
}
@page{size:A4;margin:18mm 16mm}
@media print{
 body{max-width:none;padding:0;font-size:10pt}
 nav{display:none}
 .scroll{overflow:visible}
 th,td{overflow-wrap:anywhere}
 .form td{height:2.6em}
 h2,h3,h4{break-after:avoid}
 tr,figure,aside,li{break-inside:avoid}
 thead{display:table-header-group}
 .page{break-before:page}
 figure svg{max-height:230mm}
 pre{background:#f4f6f8;color:#14202e;border:1px solid var(--line)}
 thead th{-webkit-print-color-adjust:exact;print-color-adjust:exact}
 a{color:inherit;text-decoration:none}
}";

/// A document as a page of its own.
#[must_use]
pub fn html(document: &Document, page: Page) -> String {
    let title = document.title.as_deref().unwrap_or("Document");
    let heads: Vec<(usize, &[Inline])> = document
        .blocks
        .iter()
        .enumerate()
        .filter_map(|(index, block)| match &block.kind {
            Kind::Heading(2, text) => Some((index, text.as_slice())),
            _ => None,
        })
        .collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    @if document.title.is_some() { h1 { (title) } }
                    @for (index, block) in document.blocks.iter().enumerate() {
                        @if heads.len() > 3 && heads[0].0 == index {
                            nav aria-label="Contents" {
                                @for (index, text) in &heads { a href={ "#s" (index) } { (text_of(text)) } }
                            }
                        }
                        (self::block(block, Some(index), page))
                    }
                }
            }
        }
    };
    let mut text = markup.into_string();
    text.push('\n');
    text
}

fn block(block: &Block, index: Option<usize>, page: Page) -> Markup {
    match &block.kind {
        Kind::Heading(level, text) => {
            let id = index.map(|index| format!("s{index}"));
            html! {
                @match level {
                    1 => h1 id=[id] { (inlines(text)) },
                    2 => h2 id=[id] { (inlines(text)) },
                    3 => h3 id=[id] { (inlines(text)) },
                    _ => h4 id=[id] { (inlines(text)) },
                }
            }
        }
        Kind::Paragraph(text) => html! { p { (inlines(text)) } },
        Kind::List(ordered, items) => list(*ordered, items, page),
        Kind::Table(data) => table(data, page),
        Kind::Code(language, text) => {
            let class = language.as_ref().map(|language| format!("language-{language}"));
            // A line break right behind the tag does not count; one more makes the first one count.
            let first = if text.starts_with('\n') { "\n" } else { "" };
            html! { pre { (first) code class=[class] { (text) } } }
        }
        Kind::Notice(tone, inside) => {
            let inside = html! { @for part in inside { (self::block(part, None, page)) } };
            match tone {
                Tone::Note => html! { blockquote { (inside) } },
                Tone::Warning => html! { aside { (inside) } },
            }
        }
        Kind::Figure(figure) => html! {
            figure {
                (PreEscaped(svg(&figure.scene, &figure.caption, &figure.description)))
                figcaption { (figure.caption) }
            }
        },
        Kind::PageBreak => html! { div class="page" {} },
    }
}

fn list(ordered: bool, items: &[Item], page: Page) -> Markup {
    let boxes = items.iter().any(|item| item.ticked.is_some());
    let entries = html! {
        @for item in items {
            li {
                @match item.ticked {
                    Some(on) if page == Page::Working => { input type="checkbox" checked[on] aria-label="done"; },
                    Some(on) => { input type="checkbox" disabled checked[on] aria-label=(if on { "done" } else { "open" }); },
                    None => {},
                }
                @for part in &item.blocks {
                    @match &part.kind {
                        Kind::Paragraph(text) => { span { (inlines(text)) } },
                        _ => { (block(part, None, page)) },
                    }
                }
            }
        }
    };
    match (ordered, boxes) {
        (true, _) => html! { ol { (entries) } },
        (false, true) => html! { ul class="boxes" { (entries) } },
        (false, false) => html! { ul { (entries) } },
    }
}

fn table(data: &Table, page: Page) -> Markup {
    let columns =
        data.head.len().max(data.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0));
    let names: Vec<String> = data.head.iter().map(|cell| text_of(cell)).collect();
    let empty = Cell::new();
    let all: u32 = data.widths.iter().map(|width| u32::from(*width)).sum::<u32>().max(1);
    // Tables of two columns read well on a phone as they are.
    let class = (columns > 2).then_some("rows");
    html! {
        div class="scroll" {
            table class=[class] {
                @if data.widths.len() == columns {
                    colgroup { @for width in &data.widths { col style={ "width:" (u32::from(*width) * 100 / all) "%" }; } }
                }
                @if !data.head.is_empty() {
                    thead { tr { @for column in 0..columns { th scope="col" { (inlines(data.head.get(column).unwrap_or(&empty))) } } } }
                }
                tbody {
                    @for row in &data.rows {
                        tr {
                            @for column in 0..columns {
                                td data-name=[names.get(column).filter(|_| class.is_some())] { (cell(row.cells.get(column).unwrap_or(&empty), page)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(cell: &Cell, page: Page) -> Markup {
    let lone_box = text_of(cell) == "☐";
    html! {
        @if lone_box && page == Page::Working { input type="checkbox" aria-label="done"; } @else { (inlines(cell)) }
    }
}

fn inlines(all: &[Inline]) -> Markup {
    html! {
        @for inline in all {
            @match &inline.style {
                Style::Plain => (lines(&inline.text)),
                Style::Strong => strong { (lines(&inline.text)) },
                Style::Code => code { (inline.text) },
                Style::Quiet => span class="quiet" { (lines(&inline.text)) },
                Style::Link(url) => a href=(url) { (lines(&inline.text)) },
            }
        }
    }
}

fn lines(text: &str) -> Markup {
    html! { @for (index, line) in text.split('\n').enumerate() { @if index > 0 { br; } (line) } }
}
