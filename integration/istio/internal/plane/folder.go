package plane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/runtime"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"meridian/integration/istio/internal/manifest"
)

// stock is the MeshConfig under which an Envoy that is not Istio's own build accepts all it is sent, and what a folder's is merged into.
// Metrics need istio.stats, which only Istio's build has; automatic mTLS needs an SDS server, and without one an Envoy waits for ever
// and says nothing.
const stock = `
enableAutoMtls: false
enablePrometheusMerge: false
defaultProviders: {metrics: []}
accessLogFile: /dev/stdout
trustDomain: cluster.local
`

// folder is a mesh as it was written down.
type folder struct {
	mesh     *meshconfig.MeshConfig
	clusters map[cluster.ID][]runtime.Object
	config   []config.Config
}

// load reads what the control plane in one cluster sees of the mesh.
func load(path string, own cluster.ID) (folder, error) {
	clusters, err := loadClusters(filepath.Join(path, "clusters"))
	if err != nil {
		return folder{}, err
	}
	if _, known := clusters[own]; !known {
		return folder{}, fmt.Errorf("%s has no cluster %q: add a folder of that name to its clusters, or name another with -cluster", path, own)
	}
	config, errConfig := loadConfig(filepath.Join(path, "config"), filepath.Join(path, "config", string(own)))
	mesh, errMesh := loadMesh(filepath.Join(path, "mesh.yaml"))
	return folder{mesh: mesh, clusters: clusters, config: config}, errors.Join(errConfig, errMesh)
}

func loadClusters(path string) (map[cluster.ID][]runtime.Object, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("a mesh is a folder with a folder `clusters` in it: %w", err)
	}
	clusters := map[cluster.ID][]runtime.Object{}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		documents, err := manifest.Read(filepath.Join(path, entry.Name()))
		if err != nil {
			return nil, err
		}
		manifests, err := manifest.DecodeAll(documents)
		if err != nil {
			return nil, err
		}
		if len(manifests) == 0 {
			return nil, fmt.Errorf("%s holds no manifest: a cluster needs at least its Node", filepath.Join(path, entry.Name()))
		}
		for _, found := range manifests {
			if found.Kubernetes == nil {
				return nil, fmt.Errorf("%s: %s is Istio's: put it into config", found.Document, found.Name())
			}
			id := cluster.ID(entry.Name())
			clusters[id] = append(clusters[id], found.Kubernetes)
		}
	}
	return clusters, nil
}

func loadConfig(folders ...string) ([]config.Config, error) {
	var configs []config.Config
	for _, path := range folders {
		documents, err := manifest.ReadFiles(path)
		if err != nil {
			return nil, err
		}
		manifests, err := manifest.DecodeAll(documents)
		if err != nil {
			return nil, err
		}
		for _, found := range manifests {
			if found.Istio == nil {
				return nil, fmt.Errorf("%s: %s is not Istio's: put it into the folder of its cluster", found.Document, found.Name())
			}
			configs = append(configs, *found.Istio)
		}
	}
	return configs, nil
}

func loadMesh(path string) (*meshconfig.MeshConfig, error) {
	base, err := mesh.ApplyMeshConfigDefaults(stock)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return base, nil
	}
	if err != nil {
		return nil, err
	}
	merged, err := mesh.ApplyMeshConfig(string(text), base)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return merged, nil
}
