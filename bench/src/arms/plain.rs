//! The arms that are not Meridian's: their routes and filters.

use anyhow::{Context, Result};
use meridian::envoy::{
    HeaderMatcher, HeaderValueOption, HttpFilter, StringValue, WasmCode, WasmCodeLocal, WasmPlugin, WasmVm,
};
use meridian::render;
use serde_json::{Value, json};

use super::{Name, Region, Surroundings, TAG, policy};

const LUA: &str = include_str!("region.lua");
/// As the routes of Meridian have.
const TIMEOUT: &str = "15s";

/// An arm, and the clusters that it chooses from.
pub(super) struct Arm<'a> {
    pub(super) name: Name,
    pub(super) home: &'a str,
    pub(super) away: &'a str,
}

/// The last of the spellings in a table of so many routes.
pub(super) fn last_spelling(routes: u16) -> String {
    format!("spelling-{}", routes.saturating_sub(1))
}

impl Arm<'_> {
    /// The filters; the router is last.
    pub(super) fn http_filters(&self, around: &Surroundings, id: &str) -> Result<Value> {
        let router = serde_json::to_value(HttpFilter::router())?;
        let filter = match self.name {
            Name::Lua => Some(self.lua()),
            Name::Empty => {
                let filename = around.empty.to_str().context("The path of the empty filter is not text.")?.to_owned();
                let code = WasmCode { local: WasmCodeLocal { filename } };
                let vm_config = WasmVm { vm_id: "empty".to_owned(), runtime: "envoy.wasm.runtime.v8", code };
                Some(serde_json::to_value(HttpFilter::wasm(WasmPlugin {
                    name: "empty".to_owned(),
                    root_id: "empty".to_owned(),
                    vm_config,
                    configuration: StringValue::any(String::new()),
                    fail_open: true,
                }))?)
            }
            Name::Step(step) => Some(step.filter(id, &around.folder)?),
            Name::Size(regions, hosts) => {
                let module = around.module.to_str().context("The path of the module is not text.")?;
                let mut plugin = render::plugin(id, module, &policy::of_size(regions, hosts)?);
                id.clone_into(&mut plugin.vm_config.vm_id);
                Some(serde_json::to_value(HttpFilter::wasm(plugin))?)
            }
            _ => None,
        };
        Ok(filter.into_iter().chain([router]).collect())
    }

    fn lua(&self) -> Value {
        let code = LUA.replace("HOME", self.home).replace("AWAY", self.away);
        json!({"name": "envoy.filters.http.lua", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": code},
        }})
    }

    /// The routes, in order.
    pub(super) fn routes(&self) -> Vec<Value> {
        let home = || route("home", &json!([]), &json!({"cluster": self.home, "timeout": TIMEOUT}), None);
        let asked = |spelling: &str, tag| {
            let matches = json!([HeaderMatcher::exact("region", spelling)]);
            route("away", &matches, &json!({"cluster": self.away, "timeout": TIMEOUT}), tag)
        };
        match self.name {
            Name::Native => {
                let home = json!({"cluster": self.home, "timeout": TIMEOUT});
                let home = route("home", &json!([]), &home, Some(Region::West));
                vec![asked(Region::East.name(), Some(Region::East)), home]
            }
            Name::Routes(count) => {
                let spellings = (1..count).map(|number| asked(&format!("spelling-{number}"), None));
                spellings.chain([home()]).collect()
            }
            Name::Lua => {
                let chosen = json!([{"name": "x-region-cluster", "present_match": true}]);
                let action = json!({"cluster_header": "x-region-cluster", "timeout": TIMEOUT});
                vec![route("away", &chosen, &action, None), home()]
            }
            Name::Size(..) => {
                let plan = json!([{"name": "x-region-route", "present_match": true}]);
                vec![route("away", &plan, &json!({"cluster": self.away, "timeout": TIMEOUT}), None), home()]
            }
            _ => vec![home()],
        }
    }
}

fn route(name: &str, headers: &Value, action: &Value, tag: Option<Region>) -> Value {
    let tag: Vec<_> = tag.map(|region| HeaderValueOption::overwrite(TAG, region.tag())).into_iter().collect();
    let matches = json!({"prefix": "/", "headers": headers});
    json!({"name": name, "match": matches, "route": action, "response_headers_to_add": tag})
}
