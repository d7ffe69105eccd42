package plane

import (
	"context"
	"fmt"

	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// endpoints are those that a slice had before it was scaled for the first time.
type endpoints []discovery.Endpoint

// Scale leaves a service the first `count` of its endpoints in a cluster, as if the other pods had gone, or gives it back those it had.
func (p *Plane) Scale(clusterID, namespace, service string, count int) error {
	client, err := p.client(clusterID)
	if err != nil {
		return err
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	slices := client.Kube().DiscoveryV1().EndpointSlices(namespace)
	found, err := slices.List(context.Background(), metav1.ListOptions{LabelSelector: discovery.LabelServiceName + "=" + service})
	if err != nil {
		return err
	}
	left, had := count, 0
	for _, slice := range found.Items {
		key := clusterID + "/" + namespace + "/" + slice.Name
		all, scaled := p.unscaled[key]
		if !scaled {
			all = slice.Endpoints
			p.unscaled[key] = all
		}
		here := min(left, len(all))
		left, had = left-here, had+len(all)
		slice.Endpoints = all[:here]
		if _, err := slices.Update(context.Background(), &slice, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%s/%s has %d endpoints in %s and cannot have %d", namespace, service, had, clusterID, count)
	}
	return nil
}
