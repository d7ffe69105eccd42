// Package istio is Istio's own code, standing alone.
//
// What Meridian installs is only as good as what a real istiod makes of it, and a cluster is a slow and heavy place to find that out.
// So these programs link the very packages that istiod is built from, pinned in go.mod, and run them without Kubernetes: istiod serves
// the xDS that a mesh of several clusters would get, analyze judges manifests as the API server's webhook and istioctl would, record
// writes down what a proxy is told, sds gives proxies the certificates that Istio's agent would give them. Nothing here decides anything of its own; where the real thing and this differ, this is wrong.
//
// A mesh is a folder:
//
//	mesh.yaml                  MeshConfig, if the default will not do
//	clusters/<id>/*.yaml       the Kubernetes objects of a cluster
//	config/*.yaml              Istio's resources, as every control plane of the mesh sees them
//	config/<id>/*.yaml         Istio's resources that only the control plane in cluster <id> sees
package istio
