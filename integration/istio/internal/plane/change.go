package plane

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/testing"

	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/kube"
	"meridian/integration/istio/internal/manifest"
)

// Change is what is to be done with manifests.
type Change int

const (
	// Apply makes them so.
	Apply Change = iota
	// Delete takes them away.
	Delete
)

// Change does it to every manifest of a text, or to none if one of them is wrong, and says what it did. Kubernetes objects are those of
// `clusterID`; Istio's resources belong to the control plane.
func (p *Plane) Change(change Change, clusterID, text string) ([]string, error) {
	manifests, err := manifest.DecodeAll(manifest.Split("manifest", text))
	if err != nil {
		return nil, err
	}
	if len(manifests) == 0 {
		return nil, fmt.Errorf("there is no manifest in this")
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	var done []string
	for _, found := range manifests {
		if found.Istio != nil {
			err = p.changeConfig(change, *found.Istio)
		} else {
			err = p.changeObject(change, clusterID, found.Kubernetes)
		}
		if err != nil {
			return done, fmt.Errorf("%s: %w", found.Name(), err)
		}
		done = append(done, found.Name())
	}
	return done, nil
}

func (p *Plane) changeConfig(change Change, wanted config.Config) error {
	store := p.server.Store()
	there := store.Get(wanted.GroupVersionKind, wanted.Name, wanted.Namespace)
	switch {
	case change == Delete && there == nil:
		return fmt.Errorf("it is not there")
	case change == Delete:
		return store.Delete(wanted.GroupVersionKind, wanted.Name, wanted.Namespace, nil)
	case there == nil:
		_, err := store.Create(wanted)
		return err
	default:
		wanted.ResourceVersion, wanted.CreationTimestamp = there.ResourceVersion, there.CreationTimestamp
		_, err := store.Update(wanted)
		return err
	}
}

func (p *Plane) changeObject(change Change, clusterID string, object runtime.Object) error {
	client, err := p.client(clusterID)
	if err != nil {
		return err
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	objects, namespace := tracker(client), accessor.GetNamespace()
	resource, _ := meta.UnsafeGuessKindToResource(object.GetObjectKind().GroupVersionKind())
	if change == Delete {
		return objects.Delete(resource, namespace, accessor.GetName())
	}
	err = objects.Update(resource, object, namespace)
	if errors.IsNotFound(err) {
		return objects.Create(resource, object, namespace)
	}
	return err
}

func tracker(client kube.Client) testing.ObjectTracker {
	return client.Kube().(*fake.Clientset).Tracker()
}
