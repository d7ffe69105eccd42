package manifest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
)

func kubernetesName(object runtime.Object) string {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	accessor, err := meta.Accessor(object)
	switch {
	case err != nil:
		return kind
	case accessor.GetNamespace() == "":
		return fmt.Sprintf("%s %s", kind, accessor.GetName())
	default:
		return fmt.Sprintf("%s %s/%s", kind, accessor.GetNamespace(), accessor.GetName())
	}
}
