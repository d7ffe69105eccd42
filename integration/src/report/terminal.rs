//! The checks as a table for a terminal.
//!
//! Columns are as wide as what is in them, up to a limit past which words wrap, so that a table of long answers still
//! has columns. Colour says nothing that the marks do not, and is used only where somebody will see it: on a terminal,
//! and not when `NO_COLOR` asks for none. A control character from the network must not reach a terminal.

use std::io::IsTerminal as _;

use crate::timeline::Check;

/// The widest a column gets before its words wrap.
const WIDEST: usize = 34;

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31;1m";
const FAINT: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// The table of `checks`: proof, asked, seen, expected and whether it held.
#[must_use]
pub fn table(checks: &[Check]) -> String {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    draw(checks, !no_color && std::io::stdout().is_terminal())
}

/// The table, coloured or not.
pub(super) fn draw(checks: &[Check], coloured: bool) -> String {
    let heading = [" ", "proof", "asked", "seen", "expected"].map(|text| vec![text.to_owned()]);
    let rows: Vec<[Vec<String>; 5]> = checks.iter().map(cells).collect();
    let mut widths = [0; 5];
    for row in rows.iter().chain([&heading]) {
        for (width, lines) in widths.iter_mut().zip(row) {
            *width = lines.iter().map(|line| line.chars().count()).chain([*width]).max().unwrap_or_default();
        }
    }
    let mut text = lines(&heading, &widths, if coloured { FAINT } else { "" });
    for (check, row) in checks.iter().zip(&rows) {
        let colour = match (coloured, check.passed) {
            (false, _) => "",
            (true, true) => GREEN,
            (true, false) => RED,
        };
        text.push_str(&lines(row, &widths, colour));
    }
    text
}

fn cells(check: &Check) -> [Vec<String>; 5] {
    let mark = if check.passed { "✓" } else { "✗" };
    [mark, &check.name, &check.asked, &check.seen, &check.expected].map(wrap)
}

/// The lines of one row. Only the first column is coloured, unless the heading or a failure is.
fn lines(row: &[Vec<String>; 5], widths: &[usize; 5], colour: &str) -> String {
    let mut text = String::new();
    let height = row.iter().map(Vec::len).max().unwrap_or_default();
    for line in 0..height {
        let mut written = String::new();
        for (column, (lines, width)) in row.iter().zip(widths).enumerate() {
            let cell = lines.get(line).map_or("", String::as_str);
            let padded = format!("{cell:<width$}");
            if colour.is_empty() || (column > 0 && colour == GREEN) || cell.trim().is_empty() {
                written.push_str(&padded);
            } else {
                written.push_str(&format!("{colour}{padded}{PLAIN}"));
            }
            written.push_str("  ");
        }
        text.push_str(written.trim_end());
        text.push('\n');
    }
    text
}

/// `text` in lines no wider than a column, broken between words where it can be.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let harmless: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    for word in harmless.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(WIDEST) {
            let Some(line) = lines.last_mut() else { continue };
            let used = line.chars().count();
            if used > 0 && used + 1 + piece.len() > WIDEST {
                lines.push(piece.iter().collect());
            } else {
                if used > 0 {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
    }
    lines
}
