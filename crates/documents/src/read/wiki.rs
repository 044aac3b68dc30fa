//! Jira's and Confluence's old wiki text, line by line into Markdown.

/// The same text as Markdown, and for each of its lines the line it comes from.
pub(super) fn to_markdown(text: &str) -> (String, Vec<usize>) {
    let mut out = String::new();
    let mut origin = Vec::new();
    let mut in_code = false;
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let bare = line.trim();
        origin.push(index + 1);
        // `{noformat}one line{noformat}` opens and closes where it stands.
        let inside = ["code", "noformat"].iter().find_map(|name| {
            let (mark, rest) = bare.strip_prefix('{')?.split_once('}')?;
            let text = rest.strip_suffix(&format!("{{{name}}}"))?;
            (mark.starts_with(name) && !in_code).then_some(text)
        });
        if let Some(text) = inside {
            out.push_str(&format!("```\n{text}\n```\n"));
            origin.extend([index + 1, index + 1]);
            continue;
        }
        // Frames say nothing themselves.
        let frame = ["{quote", "{panel", "{color", "{info", "{note", "{tip"];
        if !in_code
            && bare.ends_with('}')
            && bare.matches('}').count() == 1
            && frame.iter().any(|mark| bare.starts_with(mark))
        {
            match bare.split_once("title=") {
                Some((_, title)) => {
                    let title = title.split(['|', '}']).next().unwrap_or_default();
                    out.push_str(&format!("**{title}**\n"));
                }
                None => out.push('\n'),
            }
            continue;
        }
        let fence =
            ["{code", "{noformat"].iter().any(|mark| bare.starts_with(mark) && bare.ends_with('}'));
        if fence {
            in_code = !in_code;
            out.push_str("```\n");
        } else if in_code {
            out.push_str(line);
            out.push('\n');
        } else {
            if bare.starts_with('|') && index > 0 && lines[index - 1].trim_start().starts_with("||")
            {
                let columns = bare.trim_matches('|').split('|').count();
                out.push_str(&format!("|{}\n", "---|".repeat(columns)));
                origin.push(index + 1);
            }
            // A line behind a list is not part of its last entry.
            let marked = |line: &str| line.trim_start().starts_with(['#', '*', '-']);
            if index > 0 && marked(lines[index - 1]) && !bare.is_empty() && !marked(bare) {
                out.push('\n');
                origin.push(index + 1);
            }
            out.push_str(&converted(bare));
            out.push('\n');
        }
    }
    (out, origin)
}

fn converted(line: &str) -> String {
    let bytes = line.as_bytes();
    if bytes.len() > 3 && bytes[0] == b'h' && bytes[1].is_ascii_digit() && bytes[2] == b'.' {
        let level = usize::from(bytes[1] - b'0').clamp(1, 6);
        return format!("{} {}", "#".repeat(level), line[3..].trim());
    }
    if line.starts_with("||") {
        let cells: Vec<&str> = line.trim_matches('|').split("||").map(str::trim).collect();
        return format!("| {} |", cells.join(" | "));
    }
    if line.starts_with('|') {
        return line.to_owned();
    }
    let marks = line.chars().take_while(|c| matches!(c, '#' | '*' | '-')).count();
    if marks > 0 && line[marks..].starts_with(' ') {
        let mark = if line[..marks].ends_with('#') { "1." } else { "-" };
        return format!("{}{mark}{}", "   ".repeat(marks - 1), &line[marks..]);
    }
    line.replace("{{", "`").replace("}}", "`")
}
