package findings

import (
	"strings"
	"testing"

	"meridian/integration/istio/internal/manifest"
)

const service = `
apiVersion: v1
kind: Service
metadata: {name: page, namespace: shop}
spec: {selector: {app: page}, ports: [{name: http, port: 80}]}
`

func judge(t *testing.T, text string) []Finding {
	t.Helper()
	findings, err := Judge(manifest.Split("m.yaml", service+"---\n"+text), "")
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

func expect(t *testing.T, findings []Finding, severity Severity, code, message string, line int) {
	t.Helper()
	for _, f := range findings {
		if f.Severity == severity && f.Code == code && strings.Contains(f.Message, message) && f.File == "m.yaml" && f.Line == line {
			return
		}
	}
	t.Errorf("no %s %s with %q at line %d in %+v", severity, code, message, line, findings)
}

func TestARouteToASubsetThatNobodyDefinesIsAnErrorAtItsLine(t *testing.T) {
	found := judge(t, `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: page, namespace: shop}
spec:
  hosts: [page]
  http:
  - route:
    - destination: {host: page, subset: nowhere}
`)
	expect(t, found, Error, "IST0101", "page+nowhere", 14)
}

func TestAMisspeltFieldIsAnErrorAlthoughNoAnalyzerSeesIt(t *testing.T) {
	found := judge(t, "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: page, subset: []}\n")
	expect(t, found, Error, "decode", `unknown field "subset"`, 7)
}

func TestInsideAnEnvoyFilterOnlyWhatIsWrongIsAWarning(t *testing.T) {
	filter := func(field string) string {
		return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: f, namespace: shop}
spec:
  priority: 10
  configPatches:
  - applyTo: NETWORK_FILTER
    match: {context: GATEWAY}
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          ` + field + ": true\n"
	}
	expect(t, judge(t, filter("no_such_field")), Warning, "IST0133", `unknown field "no_such_field"`, 7)
	for _, f := range judge(t, filter("merge_slashes")) {
		if f.Severity != Info {
			t.Errorf("%+v", f)
		}
	}
}
