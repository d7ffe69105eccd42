//! The one door between strings of a run and markup.
//!
//! Header values, error texts and labels come from the network. Escaping the five characters that HTML gives a meaning
//! makes them text, in element content and in quoted attributes alike; this page uses no other place to put them.
//! Control characters are shown as what they are, since a browser would drop some and obey others.

use std::fmt::{Display, Formatter, Result, Write};

/// Text that is safe to write into the page.
pub(super) struct Escaped<'a>(&'a str);

/// `text`, as text and nothing else.
pub(super) fn escape(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for char in self.0.chars() {
            match char {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                '\n' | '\t' => out.write_char(' ')?,
                control if control.is_control() => out.write_char('\u{fffd}')?,
                plain => out.write_char(plain)?,
            }
        }
        Ok(())
    }
}
