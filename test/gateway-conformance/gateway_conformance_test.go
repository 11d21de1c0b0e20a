// Package gatewayconformance runs the conformance suite of Gateway API against the cluster that the kubeconfig names.
package gatewayconformance

import (
	"flag"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

// TestConformance runs the profiles that the flags name; all flags are the suite's own (-help lists them). The class is ours unless they say otherwise.
func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	if !isSet("gateway-class") {
		options.GatewayClassName = "biplane"
	}
	conformance.RunConformanceWithOptions(t, options)
}

// isSet tells whether the command line names a flag.
func isSet(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}
