/**
 * Public API `biplane/testing`: a cluster inside a test.
 *
 * `startTestCluster()` is a real API server (schemas, defaults, validation, watches, authorization) over a store in
 * memory, reached without sockets; it starts in milliseconds. Run your controllers on it with `cluster.manager()`. With a
 * `FakeClock` nothing happens but inside `clock.advance(ms)`, so that tests need not sleep. `FakeApi` is a much smaller
 * double for tests of client code alone: it breaks connections, forgets history and refuses on demand. `FakeKubelet` plays the
 * nodes: it runs what is bound to them, keeps their leases, and dies on demand.
 */
export { startTestCluster, type TestCluster, type TestClusterOptions } from './test-cluster.ts'
export { FakeClock } from '../base/fake-clock.ts'
export { FakeApi } from '../client/fake-api.ts'
export { FakeKubelet, type FakeKubeletOptions, type FakeNodeOptions } from './fake-kubelet.ts'
