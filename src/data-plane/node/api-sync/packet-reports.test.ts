import { afterEach, beforeEach, expect, test } from 'vitest'
import { findCondition } from '../../../api/conditions.ts'
import { leases } from '../../../api/coordination/v1/lease.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { appliedAnnotations, parseApplied, refusalsOf, type AppliedReport } from '../../../policy/applied.ts'
import { startTestCluster, type TestCluster } from '../../../testing/index.ts'
import { runRegistration } from './node-registration.ts'
import { nodeStatus, type NodeDescription } from './node-status.ts'

const node: NodeDescription = {
  name: 'n1',
  addresses: [{ type: 'InternalIP', address: '192.168.0.1' }],
  capacity: { cpuMillis: 1000, memoryBytes: 1024 ** 3, pods: 110 },
  labels: {},
  info: {
    machineID: 'm1',
    bootID: 'b',
    kernelVersion: '6.1',
    osImage: 'Linux',
    runtimeVersion: 'process://0',
    kubeletVersion: 'v1',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
}

let clock: FakeClock
let cluster: TestCluster
let stop: AbortController
beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startTestCluster({ clock })
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await clock.advance(0)
  await cluster.stop()
})

test('what is in force goes with the heartbeat; the Node changes only when something is refused', async () => {
  const asNode = cluster.clientAs({ name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] })
  let applied: AppliedReport[] = [
    { component: 'services', revision: '10' },
    { component: 'policies', revision: '9' },
  ]
  let networkProblem: string | undefined
  void runRegistration(
    {
      client: asNode,
      clock,
      log: silentLogger,
      node,
      problem: () => undefined,
      packets: () => ({ networkProblem, refusals: refusalsOf(applied) }),
      leaseAnnotations: () => appliedAnnotations(applied),
    },
    stop.signal,
  )
  await clock.advance(0)
  const read = async (): Promise<{ version: string | undefined; unavailable: string; degraded: string; applied: unknown }> => {
    const found = await cluster.client.of(nodes).get('n1')
    const lease = await cluster.client.of(leases).get('n1', { namespace: 'kube-node-lease' })
    const told = (type: string): string => {
      const condition = findCondition(found.status?.conditions, type)
      return `${condition?.status} ${condition?.reason} ${condition?.message}`
    }
    return {
      version: found.metadata.resourceVersion,
      unavailable: told('NetworkUnavailable'),
      degraded: told('PacketPlaneDegraded'),
      applied: parseApplied(lease.metadata.annotations),
    }
  }
  const first = await read()
  expect(first).toMatchObject({
    unavailable: 'False KernelNetworkReady pods have their network in the kernel',
    degraded: 'False EverythingInForce services and policies are in force as they are known',
    applied,
  })
  applied = [{ component: 'services', revision: '25' }]
  await clock.advance(10_000)
  expect(await read()).toMatchObject({ version: first.version, applied })
  applied = [{ component: 'services', revision: '25', refused: { revision: '30', reason: 'no such table' } }]
  networkProblem = 'no pod range yet'
  await clock.advance(10_000)
  expect(await read()).toMatchObject({
    unavailable: 'True KernelNetworkNotReady no pod range yet',
    degraded: 'True RevisionRefused services: revision 30 was refused: no such table',
    applied,
  })
})

test('a node that has no packet plane any more says nothing of it', () => {
  const before = nodeStatus(node, undefined, { nowMs: 0, packets: { networkProblem: 'x' } })
  const types = (status: ReturnType<typeof nodeStatus>): string[] => (status.conditions ?? []).map(({ type }) => type)
  expect(types(before)).toContain('NetworkUnavailable')
  const others = { type: 'NetworkUnavailable', status: 'True', reason: 'NoRouteCreated' }
  const after = nodeStatus(node, before, { nowMs: 1 })
  expect(types(after)).not.toContain('NetworkUnavailable')
  expect(types(after)).not.toContain('PacketPlaneDegraded')
  expect(nodeStatus(node, { ...before, conditions: [others] }, { nowMs: 1 }).conditions).toContain(others)
})
