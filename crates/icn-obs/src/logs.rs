//! The log of the process: format, filter and set-up.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The environment variable whose directives, when it is set and not empty, replace the filter of [`Config`].
pub const FILTER_VARIABLE: &str = "RUST_LOG";

/// The filter of a node that was told nothing: what an operator would tell a colleague, and worse.
pub const DEFAULT_FILTER: &str = "info";

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line for people: time, level, target, message, fields.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl FromStr for Format {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(LogError::UnknownFormat { format: text.to_owned() }),
        }
    }
}

/// What the log looks like and what it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How a line is written.
    pub format: Format,
    /// A level (`info`) or directives for single modules (`info,icn_net=debug`), as [`EnvFilter`] reads them.
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: Format::default(), filter: DEFAULT_FILTER.to_owned() }
    }
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The word names no format.
    ///
    /// Blame: us; it stands in the configuration.
    #[error("log format `{format}` is unknown: write `text` or `json`")]
    UnknownFormat {
        /// The word as written.
        format: String,
    },
    /// The directives cannot be read.
    ///
    /// Blame: us; they stand in the configuration or the environment.
    #[error("log filter `{filter}` cannot be read: write a level such as `info`, or `info,icn_net=debug`")]
    BadFilter {
        /// The directives as written.
        filter: String,
        /// What the parser says.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The process has a log already; it has one, however many nodes it runs.
    ///
    /// Blame: us.
    #[error("the log of this process is already set up: call `logs::init` once, in `main`")]
    AlreadySetUp(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the log of the process on standard error, in colour only on a terminal and without `NO_COLOR`.
///
/// [`FILTER_VARIABLE`] overrides the filter. Messages of libraries that use the `log` crate are included.
///
/// # Errors
///
/// [`LogError::BadFilter`] when the directives cannot be read, [`LogError::AlreadySetUp`] at a second call.
pub fn init(config: &Config) -> Result<(), LogError> {
    let filter = filter(&config.filter, std::env::var(FILTER_VARIABLE).ok().as_deref())?;
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    subscriber(config.format, filter, colour, io::stderr).try_init().map_err(LogError::AlreadySetUp)
}

/// Reads the directives of the environment if there are any, else the configured ones.
fn filter(configured: &str, environment: Option<&str>) -> Result<EnvFilter, LogError> {
    let directives = match environment.filter(|text| !text.trim().is_empty()) {
        Some(text) => text.to_owned(),
        None => own_level(configured),
    };
    EnvFilter::try_new(&directives).map_err(|source| LogError::BadFilter { filter: directives, source })
}

/// Takes a bare level to be about this program: what its libraries say below a warning is of use to their developers.
/// A lone node always has too few peers for Kademlia, which is no reason to wake anybody.
fn own_level(configured: &str) -> String {
    match configured.parse::<tracing::level_filters::LevelFilter>() {
        Ok(level) => format!("warn,libp2p_kad=error,icn={level}"),
        Err(_) => configured.to_owned(),
    }
}

fn subscriber<W>(
    format: Format,
    filter: EnvFilter,
    colour: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(writer);
    match format {
        Format::Text => Box::new(builder.finish()),
        // Fields beside `message`, not below it: collectors index the top level.
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Collects what the log writes.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs the same three events under `directives` and returns what was written.
    fn written(format: Format, directives: &str, colour: bool) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber =
            subscriber(format, filter(directives, None).unwrap(), colour, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("small turn");
            tracing::info!(jobs = 3, "ready");
            tracing::warn!(text = "a\u{1b}[31mb", "from a peer");
        });
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_is_one_line_an_event_and_the_filter_holds() {
        let text = written(Format::Text, "info", false);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("INFO") && text.contains("ready jobs=3"), "{text}");
        assert_eq!(written(Format::Text, "debug", false).lines().count(), 3);
        assert_eq!(written(Format::Text, "off", false), "");
    }

    #[test]
    fn json_is_one_object_a_line_with_fields_at_the_top() {
        let text = written(Format::Json, "info", false);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["message"], &first["jobs"]), (&"ready".into(), &3.into()));
        assert_eq!(first["level"], "INFO");
    }

    #[test]
    fn colour_is_ours_alone() {
        assert!(written(Format::Text, "info", true).contains("\u{1b}["));
        // What a peer wrote must not reach the operator's terminal as a control sequence.
        assert!(!written(Format::Text, "info", false).contains('\u{1b}'));
        assert!(!written(Format::Json, "info", false).contains('\u{1b}'));
    }

    #[test]
    fn environment_wins_unless_it_is_empty() {
        let check = |environment, expected: &str| {
            assert_eq!(filter("warn", environment).unwrap().to_string(), expected);
        };
        let own = "libp2p_kad=error,icn=warn,warn";
        check(None, own);
        check(Some(""), own);
        check(Some("  "), own);
        check(Some("debug"), "debug");
        check(Some("icn_net=trace"), "icn_net=trace");
    }

    #[test]
    fn bad_filter_is_quoted() {
        let error = filter("info,icn_net=loud", None).unwrap_err();
        assert!(error.to_string().contains("`info,icn_net=loud`"), "{error}");
    }

    #[test]
    fn format_is_read_and_printed_alike() {
        for format in [Format::Text, Format::Json] {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
            assert_eq!(serde_json::to_value(format).unwrap(), format.to_string());
        }
        assert!("xml".parse::<Format>().unwrap_err().to_string().contains("`xml`"));
    }

    #[test]
    fn second_log_is_refused() {
        let config = Config { filter: "off".into(), ..Config::default() };
        // Another test of this process may have been first; the second call here never is.
        let _ = init(&config);
        assert!(matches!(init(&config), Err(LogError::AlreadySetUp(_))));
    }
}
