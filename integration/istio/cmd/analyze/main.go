// Command analyze judges manifests with Istio's own validation and analyzers: analyze FILE-OR-FOLDER...
//
// All that is named is judged together, as if it were in one mesh. Findings are JSON on standard output. It exits with 0 if there is
// nothing worse than information, with 1 if there is, and with 2 if it could not read what it was given.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"istio.io/istio/pkg/log"
	"meridian/integration/istio/internal/findings"
	"meridian/integration/istio/internal/manifest"
	"meridian/integration/istio/internal/quiet"
)

const (
	// meshFile holds MeshConfig, which is no manifest.
	meshFile = "mesh.yaml"
	// kustomization is read by kubectl and never by a cluster.
	kustomization = "kustomization.yaml"
)

func main() {
	found, err := judge(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(map[string]any{"findings": found}); err != nil {
		os.Exit(2)
	}
	if slices.ContainsFunc(found, func(f findings.Finding) bool { return f.Severity != findings.Info }) {
		os.Exit(1)
	}
}

func judge(paths []string) ([]findings.Finding, error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("say what to judge: analyze FILE-OR-FOLDER...")
	}
	// What Istio logs while it analyzes, it also finds.
	if err := quiet.Logs(log.NoneLevel); err != nil {
		return nil, err
	}
	var documents []manifest.Document
	var meshConfig string
	for _, path := range paths {
		found, err := manifest.Read(path)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", path, err)
		}
		for _, document := range found {
			switch filepath.Base(document.File) {
			case meshFile:
				meshConfig = document.File
			case kustomization:
			default:
				documents = append(documents, document)
			}
		}
	}
	found, err := findings.Judge(documents, meshConfig)
	if found == nil {
		found = []findings.Finding{}
	}
	return found, err
}
