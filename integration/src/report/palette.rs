//! One colour for a region, on the whole page.
//!
//! The hues are those of Okabe and Ito, which stay apart for the common kinds of colour blindness; their vermilion is
//! left out because red is kept for failures. Six regions can be told apart by colour, more cannot by anybody: from the
//! seventh on they share a grey, and the tables tell them apart. Colours are classes, so that light and dark each have
//! their own shades of the same hues.

use std::collections::BTreeSet;

use crate::timeline::Sample;

/// How many regions have a colour of their own.
const HUES: usize = 6;

/// The name of the series of answers that nobody signed.
const UNSIGNED: &str = "no tag";

/// Who served a request: a region by its tag, or none that says so.
pub(super) type Server<'r> = Option<&'r str>;

/// The regions of a run, in the order of their names: the same run, and another of the same mesh, get the same colours.
pub(super) struct Palette<'r> {
    regions: Vec<&'r str>,
    unsigned: bool,
}

impl<'r> Palette<'r> {
    /// The palette for all who served one of `samples`.
    pub(super) fn of(samples: &'r [Sample]) -> Self {
        let served = || samples.iter().filter(|sample| sample.succeeded());
        let regions: BTreeSet<&str> = served().filter_map(|sample| sample.served_by.as_deref()).collect();
        Self { regions: regions.into_iter().collect(), unsigned: served().any(|sample| sample.served_by.is_none()) }
    }

    /// Everyone who served, in drawing order from the bottom; the unsigned last.
    pub(super) fn servers(&self) -> impl Iterator<Item = Server<'r>> {
        self.regions.iter().copied().map(Some).chain(self.unsigned.then_some(None))
    }

    /// The class that colours `server`.
    pub(super) fn class(&self, server: Server<'_>) -> String {
        match server.and_then(|name| self.regions.iter().position(|region| *region == name)) {
            Some(hue) if hue < HUES => format!("r{hue}"),
            Some(_) => "rest".into(),
            None => "unsigned".into(),
        }
    }
}

/// What `server` is called on the page.
pub(super) fn name(server: Server<'_>) -> &str {
    server.unwrap_or(UNSIGNED)
}
