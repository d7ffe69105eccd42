package xdsclient

import (
	"encoding/json"
	"fmt"
	"sort"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// Record is everything that a proxy is told, as JSON values.
type Record struct {
	Listeners  []any `json:"listeners"`
	Routes     []any `json:"routes"`
	Clusters   []any `json:"clusters"`
	Endpoints  []any `json:"endpoints"`
	Extensions []any `json:"extensions"`
}

// Record asks as an Envoy does: for all listeners and clusters, then for what these refer to by name.
func (c *Client) Record() (Record, error) {
	var record Record
	var err error
	ask := func(kind string, names []string) []any {
		if err != nil || names != nil && len(names) == 0 {
			return []any{}
		}
		var resources []*anypb.Any
		var values []any
		if resources, err = c.Ask(kind, names); err == nil {
			values, err = canonical(resources)
		}
		return values
	}
	record.Clusters = ask(Clusters, nil)
	record.Listeners = ask(Listeners, nil)
	record.Endpoints = ask(Endpoints, eds(record.Clusters))
	record.Routes = ask(Routes, referred(record.Listeners, "rds", "route_config_name"))
	record.Extensions = ask(Extensions, extensions(record.Listeners))
	return record, err
}

// canonical is the same for the same resources: sorted by name, keys in order, Envoy's own names of fields.
func canonical(resources []*anypb.Any) ([]any, error) {
	values := make([]any, 0, len(resources))
	for _, resource := range resources {
		message, err := resource.UnmarshalNew()
		if err != nil {
			return nil, fmt.Errorf("a resource of type %s is not known here: %w", resource.TypeUrl, err)
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
		if err != nil {
			return nil, err
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	sort.SliceStable(values, func(i, j int) bool { return name(values[i]) < name(values[j]) })
	return values, nil
}

func name(resource any) string {
	if name := text(resource, "name"); name != "" {
		return name
	}
	return text(resource, "cluster_name")
}

// eds are the clusters whose endpoints are asked for.
func eds(clusters []any) []string {
	names := []string{}
	for _, cluster := range clusters {
		if text(cluster, "type") != "EDS" {
			continue
		}
		service := text(member(cluster, "eds_cluster_config"), "service_name")
		if service == "" {
			service = name(cluster)
		}
		names = append(names, service)
	}
	return names
}

// extensions are the filters whose configuration is asked for.
func extensions(listeners []any) []string {
	names := []string{}
	walk(listeners, func(object map[string]any) {
		if _, discovered := object["config_discovery"]; discovered {
			names = append(names, text(object, "name"))
		}
	})
	return unique(names)
}

// referred are the names that are in a member of every object called `holder`.
func referred(resources []any, holder, key string) []string {
	names := []string{}
	walk(resources, func(object map[string]any) {
		if name := text(object[holder], key); name != "" {
			names = append(names, name)
		}
	})
	return unique(names)
}

func walk(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			walk(item, visit)
		}
	case map[string]any:
		visit(value)
		for _, item := range value {
			walk(item, visit)
		}
	}
}

func member(value any, key string) any {
	object, _ := value.(map[string]any)
	return object[key]
}

func text(value any, key string) string {
	text, _ := member(value, key).(string)
	return text
}

func unique(names []string) []string {
	sort.Strings(names)
	kept := names[:0]
	for i, name := range names {
		if i == 0 || name != names[i-1] {
			kept = append(kept, name)
		}
	}
	return kept
}
