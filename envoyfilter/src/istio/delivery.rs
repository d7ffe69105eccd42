//! How the module gets into the proxies: a `ConfigMap`, and the patches that mount it.
//!
//! A `ConfigMap` holds 1 MiB and needs nothing that a cluster does not have. It is mounted by patches over workloads that belong to
//! somebody else, so they are a Kustomize component to be used there, and no resource of their own. A gateway takes a volume; a sidecar
//! is not in anybody's manifest, and takes it by annotation.

use super::filter::Module;
use serde_json::{Map, Value, json};

/// The `ConfigMap`'s name, and the volume's.
const NAME: &str = "meridian-module";
/// Of 1 MiB, names and metadata need some.
const LIMIT: usize = 1_000_000;

/// Whether the module fits.
pub(super) fn fits(module: &Module) -> bool {
    module.bytes().len() <= LIMIT
}

/// The module, in a namespace whose proxies need it.
pub(super) fn config_map(module: &Module, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace},
        "binaryData": {module.file_name(): base64(module.bytes())},
    })
}

/// The patches that mount it, into gateways and into the sidecars of namespaces.
pub(super) fn mounts(module: &Module, gateways: (&str, &Map<String, Value>), sidecars: &[&str]) -> Value {
    let (namespace, labels) = gateways;
    let labels: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let volume = json!({"name": NAME, "configMap": {"name": NAME}});
    let mount = json!({"name": NAME, "mountPath": module.folder(), "readOnly": true});
    let pod = json!({"containers": [{"name": "istio-proxy", "volumeMounts": [mount]}], "volumes": [volume]});
    let mut patches = vec![json!({
        "target": {"kind": "Deployment", "namespace": namespace, "labelSelector": labels.join(",")},
        "patch": super::yaml::document(&deployment(&json!({"spec": pod}))).trim_end(),
    })];
    for namespace in sidecars {
        let annotations = json!({
            "sidecar.istio.io/userVolume": json!([volume]).to_string(),
            "sidecar.istio.io/userVolumeMount": json!([mount]).to_string(),
        });
        patches.push(json!({
            "target": {"kind": "Deployment", "namespace": namespace},
            "patch": super::yaml::document(&deployment(&json!({"metadata": {"annotations": annotations}}))).trim_end(),
        }));
    }
    super::kustomize::component(&patches)
}

/// A patch of a Deployment's pods; Kustomize takes the name from the target.
pub(super) fn deployment(template: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "any"}, "spec": {"template": template}})
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0, |group, at| (group << 8) | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = ALPHABET.get((group >> shift) & 0x3f).copied().unwrap_or(b'=');
            text.push(char::from(if at <= chunk.len() { digit } else { b'=' }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_where_the_filter_looks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.wasm");
        std::fs::write(&path, b"\0asm\x01\0\0\0\x07\x11\x01\x0dproxy_on_tick\x00\x05").unwrap();
        let module = Module::load(&path, "/etc/meridian").unwrap();
        let keys = config_map(&module, "shop")["binaryData"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys, [module.file_name()]);
        let labels = Map::from_iter([("istio".to_owned(), json!("ingressgateway"))]);
        let component = mounts(&module, ("istio-ingress", &labels), &["shop"]);
        let patches = component["patches"].as_array().unwrap();
        assert_eq!(patches[0]["target"]["labelSelector"], "istio=ingressgateway");
        assert!(patches[0]["patch"].as_str().unwrap().contains("mountPath: /etc/meridian\n"));
        assert!(patches[1]["patch"].as_str().unwrap().contains("sidecar.istio.io/userVolumeMount"));
    }

    #[test]
    fn the_published_vectors_of_base64_hold() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
