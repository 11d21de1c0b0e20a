/**
 * The fake runtime: pods without processes, for hollow nodes and for tests. `fake-runtime` keeps states and timers on an injected clock; `fake-log`
 * holds what a container was told to print. Tests play the containers' part with `exit` and `print`; hollow nodes give a `plan`.
 */
export { createFakeRuntime, type FakePlan, type FakeRuntime, type FakeRuntimeOptions } from './fake-runtime.ts'
