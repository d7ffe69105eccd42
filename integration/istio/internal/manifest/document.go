// Package manifest reads the YAML that people apply to a cluster, and is as strict about it as a cluster that was asked to be.
//
// Istio's own readers drop fields that they do not know and split documents only on lines that are exactly `---`: a misspelt field and a
// trailing space are both silent there. Here both are found, because a fence that was written down and not read is no fence.
package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Document is one YAML document and where it is.
type Document struct {
	// File is the path as it was given.
	File string
	// Line is that of the document's first line, from 1.
	Line int
	// Text is the document without its separators.
	Text string
}

// String says where the document is, in the form that editors jump to.
func (d Document) String() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Split finds the documents of a file; those that hold nothing but comments are none.
func Split(file, text string) []Document {
	var documents []Document
	start := 1
	var lines []string
	end := func(next int) {
		if hasContent(lines) {
			documents = append(documents, Document{File: file, Line: start, Text: strings.Join(lines, "\n")})
		}
		start, lines = next, nil
	}
	for i, line := range strings.Split(text, "\n") {
		if isSeparator(line) {
			end(i + 2)
			continue
		}
		lines = append(lines, line)
	}
	end(0)
	return documents
}

// Read finds the documents of one file, or of every .yaml and .yml file of a folder and of the folders in it, in the order of their names.
func Read(path string) ([]Document, error) {
	var documents []Document
	err := filepath.WalkDir(path, func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || (file != path && !isYAML(file)) {
			return err
		}
		text, err := os.ReadFile(file)
		documents = append(documents, Split(file, string(text))...)
		return err
	})
	return documents, err
}

// ReadFiles finds the documents of the .yaml and .yml files that are in a folder itself. A folder that is not there has none.
func ReadFiles(folder string) ([]Document, error) {
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var documents []Document
	for _, name := range names(entries) {
		found, err := Read(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		documents = append(documents, found...)
	}
	return documents, nil
}

func names(entries []os.DirEntry) []string {
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && isYAML(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	sort.Strings(names)
	return names
}

func isYAML(file string) bool {
	extension := filepath.Ext(file)
	return extension == ".yaml" || extension == ".yml"
}

// isSeparator is true for a document's start as YAML has it: three dashes, then nothing or a blank.
func isSeparator(line string) bool {
	rest, found := strings.CutPrefix(line, "---")
	return found && (rest == "" || strings.ContainsAny(rest[:1], " \t\r"))
}

func hasContent(lines []string) bool {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return true
		}
	}
	return false
}
