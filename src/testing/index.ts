/**
 * Public API `biplane/testing`: a cluster inside a test.
 *
 * `startTestCluster()` is a real API server (schemas, defaults, validation, watches, authorization) over a store in
 * memory, reached without sockets; it starts in milliseconds. Run your controllers on it with `cluster.manager()`. With a
 * `FakeClock` nothing happens but inside `clock.advance(ms)`, so that tests need not sleep. `FakeApi` is a much smaller
 * double for tests of client code alone: it breaks connections, forgets history and refuses on demand. `FakeKubelet` plays the
 * nodes: it runs what is bound to them, keeps their leases, and dies on demand. `createNetworkLab()` makes several machines of one: hosts are network
 * namespaces (Linux, root), joined by wires that can be cut, silenced and healed.
 */
export { startTestCluster, type TestCluster, type TestClusterOptions } from './test-cluster.ts'
export { FakeClock } from '../base/fake-clock.ts'
export { FakeApi } from '../client/fake-api.ts'
export { FakeKubelet, type FakeKubeletOptions, type FakeNodeOptions } from './fake-kubelet.ts'
export { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment, type SegmentPort } from './network-lab/index.ts'
