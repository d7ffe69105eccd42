//! An ingress whose policy is replaced while it runs, as a control plane does it: the listener comes from a file that Envoy watches.
//!
//! The clusters stay what they were, so the policies that follow one another must name the same services and regions.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use meridian::envoy::ConfigSource;
use meridian::site::Site;
use serde_json::{Value, json};

use super::FrontBuilder;

const LISTENERS: &str = "/static_resources/listeners";

/// What a policy is rendered with, and where its listener goes.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) builder: FrontBuilder,
    pub(super) site: Site,
    pub(super) file: PathBuf,
}

impl Live {
    /// Moves the listener out of a bootstrap into the file.
    pub(super) fn detach(&self, bootstrap: &mut Value) -> Result<()> {
        let listeners = bootstrap.pointer_mut(LISTENERS).map(Value::take);
        self.write(listeners)?;
        let members = bootstrap.as_object_mut().context("The bootstrap is not an object.")?;
        let lds_config = ConfigSource::file(self.file.display().to_string());
        members.insert("dynamic_resources".to_owned(), json!({"lds_config": lds_config}));
        bootstrap.pointer_mut("/static_resources").and_then(Value::as_object_mut).map(|all| all.remove("listeners"));
        Ok(())
    }

    /// Gives Envoy the listener of another policy.
    pub(super) fn replace(&self, policy: &str) -> Result<()> {
        self.write(self.builder.bootstrap(policy, &self.site)?.pointer_mut(LISTENERS).map(Value::take))
    }

    /// Under another name first: nobody may see half a file.
    fn write(&self, listeners: Option<Value>) -> Result<()> {
        let mut listeners = listeners.context("The bootstrap has no listeners.")?;
        for listener in listeners.as_array_mut().into_iter().flatten() {
            let members = listener.as_object_mut().context("A listener is not an object.")?;
            members.insert("@type".to_owned(), json!("type.googleapis.com/envoy.config.listener.v3.Listener"));
        }
        ensure!(listeners.as_array().is_some_and(|all| all.len() == 1), "There is not one listener: {listeners}");
        let new = self.file.with_extension("new");
        std::fs::write(&new, json!({"resources": listeners}).to_string())?;
        Ok(std::fs::rename(new, &self.file)?)
    }
}
