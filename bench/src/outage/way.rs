//! The ways in which a region is lost.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use integration::bookinfo::Fault;
use integration::mesh::Mesh;

/// Longer than a try may take, so that every try there times out, and all the same reaches the application.
const SLOW: Duration = Duration::from_millis(1500);

/// How every pod of a region is lost at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Nobody listens any more: connections are refused.
    Refused,
    /// The network swallows everything: not even a connection opens.
    Blackholed,
    /// Clocks stand: connections open, and nobody answers.
    Frozen,
    /// Applications answer 503.
    #[value(name = "503")]
    Answering503,
    /// Applications take longer than anybody waits.
    Slow,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Blackholed, Self::Frozen, Self::Answering503, Self::Slow];

    /// One word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Blackholed => "blackholed",
            Self::Frozen => "frozen",
            Self::Answering503 => "503",
            Self::Slow => "slow",
        }
    }

    /// What is done, as a sentence.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Refused => "Every process of the region is killed: connections are refused.",
            Self::Blackholed => "Not even a connection to the region opens, and open ones fall silent.",
            Self::Frozen => "Every process of the region is stopped: connections open, and nobody answers.",
            Self::Answering503 => "Every application of the region answers 503.",
            Self::Slow => {
                "Every application of the region answers after 1.5 s, which is longer than the second that a try has."
            }
        }
    }

    /// Takes the region away.
    ///
    /// # Errors
    /// When it does not go.
    pub async fn lose(self, mesh: &Mesh) -> Result<()> {
        let pods = mesh.cluster("primary")?.pods();
        match self {
            Self::Refused => pods.kill(),
            Self::Blackholed => pods.blackhole().await?,
            Self::Frozen => pods.freeze(),
            Self::Answering503 => pods.fault(&Fault::status(503)).await?,
            Self::Slow => pods.fault(&Fault::delay(SLOW)).await?,
        }
        Ok(())
    }

    /// Gives it back, and waits until it serves.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn give_back(self, mesh: &Mesh) -> Result<()> {
        let pods = mesh.cluster("primary")?.pods();
        match self {
            Self::Refused => pods.start().await,
            Self::Answering503 | Self::Slow => pods.fault(&Fault::none()).await,
            Self::Frozen | Self::Blackholed => {
                pods.thaw();
                Ok(())
            }
        }
    }
}
