//! Colours for people who read in a terminal.
//!
//! Text is composed with the styles of a [`Palette`]; [`PLAIN`] has none, so that whatever is logged, compared or sent on stays plain.
//! Whether a terminal is there and whether `NO_COLOR` forbids colour is decided where text is printed, by `anstream`, and nowhere else.

use anstyle::{AnsiColor, Style};

/// The styles of one piece of text.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// What is wrong.
    pub bad: Style,
    /// What may be wrong.
    pub doubtful: Style,
    /// What is right, and what to write.
    pub good: Style,
    /// Where it stands.
    pub place: Style,
    /// Words that matter more than those around them.
    pub strong: Style,
}

/// No style at all.
pub const PLAIN: Palette = {
    let none = Style::new();
    Palette { bad: none, doubtful: none, good: none, place: none, strong: none }
};

/// For a terminal.
pub const COLOURED: Palette = Palette {
    bad: AnsiColor::Red.on_default().bold(),
    doubtful: AnsiColor::Yellow.on_default().bold(),
    good: AnsiColor::Green.on_default(),
    place: AnsiColor::Blue.on_default().bold(),
    strong: Style::new().bold(),
};

impl Palette {
    /// The style for a severity's name.
    #[must_use]
    pub fn severity(&self, severity: &str) -> Style {
        if severity == "error" { self.bad } else { self.doubtful }
    }
}
