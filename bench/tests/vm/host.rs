//! The host's side: what the module can ask for, and what it left behind.

use std::collections::{BTreeMap, HashMap};

/// Header lines, in order.
pub(crate) type Lines = Vec<(String, String)>;

/// Some time that is not the epoch, in nanoseconds.
const START: u64 = 1_000_000_000_000;

/// What a module sees of its host.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// The plugin configuration.
    pub(crate) configuration: Vec<u8>,
    /// Attributes, by their paths with a zero byte between the parts.
    pub(crate) attributes: HashMap<Vec<u8>, Vec<u8>>,
    /// The time in nanoseconds.
    pub(crate) now: u64,
    /// What the module logged.
    pub(crate) log: Vec<String>,
    /// What the module set on the request under way, by name.
    pub(crate) written: HashMap<String, Vec<u8>>,
    /// The status of the module's own answer to the request under way.
    pub(crate) refused: Option<u32>,
    /// What the stream under way asks.
    pub(crate) asks: Asks,
    pub(super) request: Lines,
    pub(super) response: Lines,
    pub(super) shared: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    pub(super) numbers: HashMap<Vec<u8>, u32>,
}

/// What passes between the host and the module in one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// How often the host enters the module.
    pub(crate) entries: u64,
    /// How many blocks the host asks it for, to put an answer there.
    pub(crate) blocks: u64,
    /// How often the module makes each call.
    pub(crate) calls: BTreeMap<String, u64>,
}

impl Asks {
    pub(super) fn count(&mut self, call: &str) {
        match self.calls.get_mut(call) {
            Some(times) => *times += 1,
            None => drop(self.calls.insert(call.to_owned(), 1)),
        }
    }
}

impl Host {
    pub(super) fn new(configuration: Vec<u8>) -> Self {
        Self { configuration, now: START, ..Self::default() }
    }

    pub(super) fn begin(&mut self, request: Lines, response: Lines) {
        (self.request, self.response) = (request, response);
        self.written.clear();
        self.refused = None;
        self.asks = Asks::default();
        // As on a worker that is not busy, which is the dearer case.
        self.now += 1_000_000;
    }

    /// The lines of a map by its number in the ABI.
    pub(super) fn lines(&self, map: u32) -> &[(String, String)] {
        match map {
            0 => &self.request,
            2 => &self.response,
            _ => &[],
        }
    }

    /// The number of a metric or a queue, the same for the same name.
    pub(super) fn number(&mut self, name: &[u8]) -> u32 {
        let next = u32::try_from(self.numbers.len() + 1).unwrap_or(u32::MAX);
        *self.numbers.entry(name.to_owned()).or_insert(next)
    }
}

/// Lines as the ABI has them: their number, the lengths, and every text with a zero byte behind it.
pub(super) fn encoded(lines: &[(String, String)]) -> Vec<u8> {
    let length = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(lines.len()).to_vec();
    for (name, value) in lines {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in lines.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}
