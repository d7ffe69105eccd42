// Package plane is a control plane: Istio's discovery server over a mesh that is a folder.
//
// It is the server of Istio's own tests, which is the real one (the same generators, the same service registry per cluster, the same
// push queue) over Kubernetes clients that hold their objects in memory. One control plane sits in one cluster and sees all of them, as
// in a multi-primary mesh; a mesh with two control planes is two of these.
package plane

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/schema/gatewayapi"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
	"meridian/integration/istio/internal/quiet"
)

// Options say which control plane to be.
type Options struct {
	// Folder is the mesh.
	Folder string
	// Cluster is the one that the control plane sits in.
	Cluster string
	// Listener is where proxies ask, over plain gRPC.
	Listener net.Listener
	// Debounce is how long changes are collected before they are pushed.
	Debounce time.Duration
}

// Plane is a control plane that serves.
type Plane struct {
	server  *xds.FakeDiscoveryServer
	clients map[cluster.ID]kube.Client
	// One change at a time: a change is read, then written.
	changing sync.Mutex
	unscaled map[string]endpoints
}

// Start serves until the program ends.
func Start(options Options) (*Plane, error) {
	// Warnings stay: who reads the log of a failed test wants them.
	if err := quiet.Logs(log.WarnLevel); err != nil {
		return nil, err
	}
	// Filters of Istio's own build of Envoy, which others refuse, and with them all that was sent beside.
	features.MetadataExchange, features.ALPNFilter = false, false
	// The CRDs of the clients here carry no version, which is an error in the log for each.
	clear(gatewayapi.MinimumCRDVersions)
	own := cluster.ID(options.Cluster)
	mesh, err := load(options.Folder, own)
	if err != nil {
		return nil, err
	}
	clients := &clients{owners: owners(mesh.clusters), built: map[cluster.ID]kube.Client{}}
	server := xds.NewFakeDiscoveryServer(fatal{}, xds.FakeOptions{
		DefaultClusterName:         own,
		KubernetesObjectsByCluster: mesh.clusters,
		Configs:                    mesh.config,
		MeshConfig:                 mesh.mesh,
		DebounceTime:               options.Debounce,
		DisableSecretAuthorization: true,
		KubeClientBuilder:          clients.build,
		ListenerBuilder:            func() (net.Listener, error) { return options.Listener, nil },
	})
	return &Plane{server: server, clients: clients.built, unscaled: map[string]endpoints{}}, nil
}

// Debug is istiod's own debugging interface: /debug/syncz, /debug/config_dump and so on.
func (p *Plane) Debug() http.Handler { return p.server.DiscoveryDebug }

// Clusters says how many clusters the mesh has.
func (p *Plane) Clusters() int { return len(p.clients) }

func (p *Plane) client(id string) (kube.Client, error) {
	client, known := p.clients[cluster.ID(id)]
	if !known {
		return nil, fmt.Errorf("the mesh has no cluster %q", id)
	}
	return client, nil
}

// clients tells which client was made for which cluster. The server asks for clients by their objects alone.
type clients struct {
	owners map[runtime.Object]cluster.ID
	built  map[cluster.ID]kube.Client
}

func (c *clients) build(objects ...runtime.Object) kube.Client {
	client := kube.NewFakeClient(objects...)
	for _, object := range objects {
		c.built[c.owners[object]] = client
	}
	return client
}

func owners(clusters map[cluster.ID][]runtime.Object) map[runtime.Object]cluster.ID {
	owners := map[runtime.Object]cluster.ID{}
	for id, objects := range clusters {
		for _, object := range objects {
			owners[object] = id
		}
	}
	return owners
}
