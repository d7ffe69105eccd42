package findings

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/local"
	"istio.io/istio/pkg/config/resource"
	"meridian/integration/istio/internal/manifest"
)

// systemNamespace is where Istio is installed. The analyzers look there for what holds in all namespaces.
const systemNamespace resource.Namespace = "istio-system"

// standing is what Istio says of every EnvoyFilter there is, so nothing can be done about it.
const standing = "EnvoyFilter exposes internal implementation details"

// analyze runs every analyzer over all namespaces: with only one of them, references into others are taken on trust.
func analyze(documents []manifest.Document, meshConfig string) ([]Finding, error) {
	analyzer := local.NewSourceAnalyzer(analyzers.AllCombined(), "", systemNamespace, nil)
	var sources []local.ReaderSource
	for i, document := range documents {
		sources = append(sources, local.ReaderSource{Name: sourceName(i, document), Reader: strings.NewReader(document.Text)})
	}
	// Including what is there only at run time (pods, nodes, services): a folder that holds a whole mesh is judged as one.
	if err := analyzer.AddTestReaderKubeSource(sources); err != nil {
		return nil, fmt.Errorf("the manifests cannot be analyzed: %w", err)
	}
	if meshConfig != "" {
		if err := analyzer.AddFileKubeMeshConfig(meshConfig); err != nil {
			return nil, fmt.Errorf("%s: %w", meshConfig, err)
		}
	}
	cancel := make(chan struct{})
	defer close(cancel)
	result, err := analyzer.Analyze(cancel)
	if err != nil {
		return nil, fmt.Errorf("the manifests cannot be analyzed: %w", err)
	}
	var findings []Finding
	for _, message := range result.Messages {
		findings = append(findings, of(message, documents))
	}
	return findings, nil
}

// sourceName is a name that leads back to the document, for Istio knows sources by name only.
func sourceName(index int, document manifest.Document) string {
	return fmt.Sprintf("%d/%s", index, filepath.Base(document.File))
}

func of(message diag.Message, documents []manifest.Document) Finding {
	finding := Finding{
		Severity: Severity(strings.ToLower(message.Type.Level().String())),
		Code:     message.Type.Code(),
		Message:  fmt.Sprintf(message.Type.Template(), message.Parameters...),
	}
	if strings.Contains(finding.Message, standing) {
		finding.Severity = Info
	}
	if message.Resource == nil {
		return finding
	}
	finding.Resource = message.Resource.Origin.FriendlyName()
	reference := message.Resource.Origin.Reference()
	if reference == nil {
		return finding
	}
	index, line, ok := position(reference.String(), message.Line)
	if ok && index < len(documents) {
		document := documents[index]
		finding.File, finding.Line = document.File, document.Line+line-1
	}
	return finding
}

// position reads `<source name>:<line>` back; the line is that of the fault where the analyzer knows it, else that of the resource.
func position(reference string, known int) (index, line int, ok bool) {
	number, rest, _ := strings.Cut(reference, "/")
	index, err := strconv.Atoi(number)
	if _, last, found := strings.Cut(rest, ":"); found {
		line, _ = strconv.Atoi(last)
	}
	if known > 0 {
		line = known
	}
	return index, max(line, 1), err == nil
}
