// The peer of bench/mesh-push: go-control-plane with as many EndpointSlices as our side has, changed by commands on standard input.
// Arguments: unix socket, cache ("linear" or "snapshot"), services, endpoints of each.
// A line "N" on standard input toggles the last endpoint of resource N.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

const group = "all"

// everyNode puts all proxies into one group: they have the same configuration.
type everyNode struct{}

func (everyNode) ID(*corev3.Node) string { return group }

func name(service int) string { return fmt.Sprintf("default/s%d/80", service) }

func address(service, endpoint int) string {
	number := service*10 + endpoint
	return fmt.Sprintf("10.%d.%d.%d", 1+number>>16, number>>8&255, number&255)
}

func assignment(service, endpoints int) *endpointv3.ClusterLoadAssignment {
	list := make([]*endpointv3.LbEndpoint, 0, endpoints)
	for i := 0; i < endpoints; i++ {
		list = append(list, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address:       address(service, i),
				PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 8080},
			}}},
		}}})
	}
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name(service),
		Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: list}},
	}
}

func main() {
	path, kind := os.Args[1], os.Args[2]
	services, _ := strconv.Atoi(os.Args[3])
	endpoints, _ := strconv.Atoi(os.Args[4])
	ctx := context.Background()
	resources := map[string]types.Resource{}
	for i := 0; i < services; i++ {
		resources[name(i)] = assignment(i, endpoints)
	}
	var cache cachev3.Cache
	var set func(changed string)
	if kind == "linear" {
		linear := cachev3.NewLinearCache(resourcev3.EndpointType, cachev3.WithInitialResources(resources))
		cache = linear
		set = func(changed string) {
			if err := linear.UpdateResource(changed, resources[changed]); err != nil {
				panic(err)
			}
		}
	} else {
		snapshots := cachev3.NewSnapshotCache(false, everyNode{}, nil)
		cache = snapshots
		version := 0
		set = func(string) {
			version++
			list := make([]types.Resource, 0, len(resources))
			for _, one := range resources {
				list = append(list, one)
			}
			snapshot, err := cachev3.NewSnapshot(strconv.Itoa(version), map[resourcev3.Type][]types.Resource{resourcev3.EndpointType: list})
			if err == nil {
				err = snapshots.SetSnapshot(ctx, group, snapshot)
			}
			if err != nil {
				panic(err)
			}
		}
		set("")
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(100_000))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, serverv3.NewServer(ctx, cache, nil))
	go func() { panic(server.Serve(listener)) }()
	fmt.Println("ready")
	fewer := map[int]bool{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		service, err := strconv.Atoi(lines.Text())
		if err != nil {
			panic(err)
		}
		fewer[service] = !fewer[service]
		count := endpoints
		if fewer[service] {
			count--
		}
		resources[name(service)] = assignment(service, count)
		set(name(service))
	}
}
