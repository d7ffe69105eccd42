// Package findings judges manifests with Istio's own rules, as the API server's webhook would when they are applied and `istioctl
// analyze` would afterwards, and says where each fault is.
package findings

import (
	"cmp"
	"slices"
	"strings"

	"meridian/integration/istio/internal/manifest"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Error means that a cluster refuses it or traffic breaks.
	Error Severity = "error"
	// Warning means that it is taken and does not do what it says.
	Warning Severity = "warning"
	// Info means that it is as it is.
	Info Severity = "info"
)

// Finding is one thing that was found.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Severity Severity `json:"severity"`
	// Code is Istio's (IST0101), or `decode` for what cannot be read at all.
	Code     string `json:"code"`
	Resource string `json:"resource,omitempty"`
	Message  string `json:"message"`
}

// Judge finds all there is to find in documents that are applied together, under the MeshConfig in a file, if one is named.
func Judge(documents []manifest.Document, meshConfig string) ([]Finding, error) {
	var findings []Finding
	var readable []manifest.Document
	for _, document := range documents {
		if finding, ok := judgeOne(document); ok {
			readable = append(readable, document)
		} else {
			findings = append(findings, finding)
		}
	}
	analyzed, err := analyze(readable, meshConfig)
	findings = append(findings, analyzed...)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Code, b.Code))
	})
	return findings, err
}

// judgeOne is what no analyzer does: it reads strictly, for analyzers never see a field that they do not know.
func judgeOne(document manifest.Document) (Finding, bool) {
	_, err := manifest.Decode(document)
	if err == nil {
		return Finding{}, true
	}
	message := strings.TrimPrefix(err.Error(), document.String()+": ")
	return Finding{File: document.File, Line: document.Line, Severity: Error, Code: "decode", Message: message}, false
}
