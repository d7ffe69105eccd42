//! What only the mesh's own configuration can say, as a file to read and copy from.

/// The tags of the filter's metrics, as the static Envoy declares them.
const TAGS: [&str; 12] =
    ["service", "region", "from", "to", "reason", "cause", "rule", "call", "worker", "chosen", "served", "result"];

/// The file, every line a comment: it belongs into the mesh's installation, and applying it alone would replace that.
pub(super) fn text() -> String {
    let text = format!(
        "\
Put this into the mesh's configuration (IstioOperator, or the Helm value `meshConfig`). Proxies read it when they start.

meshConfig:
  defaultConfig:
    # Makes Prometheus labels of what the filter writes into the names of its metrics.
    extraStatTags: [{}]
    proxyStatsMatcher:
      # What Envoy does with each plan (requests, retries, ejected hosts), and whether the filter arrived. Istio leaves both out by default.
      inclusionRegexps: ['cluster\\..*(only|prefer)-.*\\.(upstream_rq|outlier_detection).*', 'extension_config_discovery\\..*meridian.*']
  extensionProviders:
  # An access log that says what was decided, wherever that was not simply what the routes say.
  - name: meridian
    envoyFileAccessLog:
      path: /dev/stdout
      logFormat:
        labels:
          authority: '%REQ(:AUTHORITY)%'
          path: '%REQ(:PATH)%'
          status: '%RESPONSE_CODE%'
          cluster: '%UPSTREAM_CLUSTER_RAW%'
          decision: '%FILTER_STATE(wasm.meridian_decision:PLAIN)%'

And this beside what is rendered, so that gateways write that log:

apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: meridian, namespace: istio-system}}
spec:
  selector: {{matchLabels: {{istio: ingressgateway}}}}
  accessLogging: [{{providers: [{{name: meridian}}]}}]

`istio_requests_total` says by itself which cluster served a request (`destination_cluster`). The Telemetry API and EnvoyFilters that
configure telemetry must not be mixed.
",
        TAGS.join(", ")
    );
    text.lines().map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::istio::testing::POLICY;
    use crate::{render, site};

    #[test]
    fn the_tags_are_those_of_a_static_envoy() {
        let site = "{node: {id: e, cluster: a}, listen: '127.0.0.1:1', admin: '127.0.0.1:2', endpoints: []}";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.yaml");
        std::fs::write(&path, site).unwrap();
        let bootstrap = render::gateway(POLICY, &site::Site::load(&path).unwrap()).unwrap();
        let value = serde_json::to_value(bootstrap).unwrap();
        let tags = value["stats_config"]["stats_tags"].as_array().unwrap();
        assert_eq!(tags.iter().map(|tag| tag["tag_name"].as_str().unwrap()).collect::<Vec<_>>(), TAGS);
    }
}
