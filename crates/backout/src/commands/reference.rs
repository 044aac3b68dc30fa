//! `completions`, `man`, and the CLI reference: all from the definition itself.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use super::Done;
use crate::cli::definition;
use crate::failure::Exit;

pub(super) fn completions(shell: Shell) -> Done {
    clap_complete::generate(shell, &mut definition(), "backout", &mut std::io::stdout());
    Ok(Exit::Done)
}

pub(super) fn man(folder: &Path) -> Done {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(definition(), folder)?;
    Ok(Exit::Done)
}

pub(super) fn reference() -> Done {
    let mut text = String::from("# Command line\n\nMade from the program's own help.\n");
    let mut root = definition();
    root.build();
    page(&root, &mut text);
    anstream::print!("{text}");
    Ok(Exit::Done)
}

fn page(command: &Command, text: &mut String) {
    let mut command = command.clone().term_width(88);
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    // The folder of this machine's user must not end up in the document.
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    for sub in
        command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
    {
        page(sub, text);
    }
}
