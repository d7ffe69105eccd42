package manifest

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
	"istio.io/istio/pkg/kube"
)

// clusterDomain is what a cluster's services are under unless somebody changed it.
const clusterDomain = "cluster.local"

// Manifest is what a document says: a Kubernetes object or one of Istio's resources, and never both.
type Manifest struct {
	Document
	Kubernetes runtime.Object
	Istio      *config.Config
	schema     resource.Schema
}

var kubernetes = serializer.NewCodecFactory(kube.IstioScheme, serializer.EnableStrict).UniversalDeserializer()

// Decode reads a document, every field of it.
func Decode(document Document) (Manifest, error) {
	manifest := Manifest{Document: document}
	var object crd.IstioKind
	if err := yaml.Unmarshal([]byte(document.Text), &object); err != nil {
		return manifest, fmt.Errorf("%s: this is not YAML: %w", document, err)
	}
	kind := object.GroupVersionKind()
	if !strings.HasSuffix(kind.Group, ".istio.io") {
		decoded, _, err := kubernetes.Decode([]byte(document.Text), nil, nil)
		if err != nil {
			return manifest, fmt.Errorf("%s: %w", document, err)
		}
		manifest.Kubernetes = decoded
		return manifest, nil
	}
	schema, known := collections.PilotGatewayAPI().FindByGroupVersionAliasesKind(resource.FromKubernetesGVK(&kind))
	if !known {
		return manifest, fmt.Errorf("%s: Istio has no %s in %s", document, kind.Kind, kind.GroupVersion())
	}
	// `kubectl` without a namespace means this one.
	if object.Namespace == "" {
		object.Namespace = "default"
	}
	// Without a domain the short names that people write for hosts would be nobody's.
	decoded, err := crd.ConvertObjectInternal(schema, &object, clusterDomain, strict)
	if err != nil {
		return manifest, fmt.Errorf("%s: %s %s: %w", document, kind.Kind, object.Name, err)
	}
	manifest.Istio, manifest.schema = decoded, schema
	return manifest, nil
}

// DecodeAll reads documents and tells every error at once.
func DecodeAll(documents []Document) ([]Manifest, error) {
	var manifests []Manifest
	var errs []error
	for _, document := range documents {
		manifest, err := Decode(document)
		if err == nil {
			_, err = manifest.Validate()
		}
		manifests, errs = append(manifests, manifest), append(errs, err)
	}
	return manifests, errors.Join(errs...)
}

// Validate asks what Istio's admission webhook would say of it: warnings, and the reason to refuse it.
func (m Manifest) Validate() (warning, refusal error) {
	if m.Istio == nil {
		return nil, nil
	}
	warning, refusal = m.schema.ValidateConfig(*m.Istio)
	if refusal != nil {
		refusal = fmt.Errorf("%s: %s: %w", m.Document, m.Name(), refusal)
	}
	return warning, refusal
}

// Name is the resource's kind, namespace and name, for people.
func (m Manifest) Name() string {
	if m.Istio != nil {
		return fmt.Sprintf("%s %s/%s", m.Istio.GroupVersionKind.Kind, m.Istio.Namespace, m.Istio.Name)
	}
	return kubernetesName(m.Kubernetes)
}

func strict(schema resource.Schema, text string) (config.Spec, error) {
	spec, err := schema.NewInstance()
	if err != nil {
		return nil, err
	}
	return spec, config.ApplyJSONStrict(spec, text)
}
