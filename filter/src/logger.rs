//! What is logged, into Envoy's log: by the `log` crate's macros, and a panic's last words.

use crate::abi::{self, Level};
use log::{LevelFilter, Log, Metadata, Record};

struct EnvoysLog;

impl Log for EnvoysLog {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug | log::Level::Trace => Level::Debug,
        };
        abi::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Before the first line.
pub(crate) fn start() {
    if log::set_logger(&EnvoysLog).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
    std::panic::set_hook(Box::new(|panic| abi::log(Level::Critical, &panic.to_string())));
}
