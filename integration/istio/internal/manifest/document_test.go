package manifest

import (
	"strings"
	"testing"
)

func TestDocumentsAreSplitAsYAMLSplitsThem(t *testing.T) {
	documents := Split("f", "# only a comment\n--- \na: 1\n--- # why\n\n---\nb: |\n  ----\n---\n")
	if len(documents) != 2 || documents[0].Line != 3 || documents[1].Line != 7 {
		t.Fatalf("%+v", documents)
	}
	if !strings.Contains(documents[1].Text, "----") {
		t.Error("a longer row of dashes is no separator")
	}
}

func TestAFieldThatNobodyKnowsIsAnErrorWithItsPlace(t *testing.T) {
	misspelt := map[string]string{
		"istio.yaml":      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: n}\nspec: {host: h, subset: []}\n",
		"kubernetes.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selektor: {app: x}}\n",
	}
	for file, text := range misspelt {
		_, err := DecodeAll(Split(file, text))
		if err == nil || !strings.HasPrefix(err.Error(), file+":1: ") || !strings.Contains(err.Error(), "unknown field") {
			t.Errorf("%v", err)
		}
	}
}

func TestEveryErrorIsToldAtOnce(t *testing.T) {
	_, err := DecodeAll(Split("f", "kind: [\n---\nkind: Nothing\napiVersion: networking.istio.io/v1\n"))
	if err == nil || !strings.Contains(err.Error(), "f:1: ") || !strings.Contains(err.Error(), "f:3: Istio has no Nothing") {
		t.Errorf("%v", err)
	}
}
