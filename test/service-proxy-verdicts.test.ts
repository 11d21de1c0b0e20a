import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceSpec } from '../src/api/generated/types.ts'
import { resolveService, type ServiceTable } from '../src/policy/packet/services/index.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import type { Agent, Protocol } from './service-proxy-support/agents.ts'
import { service, slicesOf, type EndpointOf } from './service-proxy-support/objects.ts'
import { RunningProxy } from './service-proxy-support/running-proxy.ts'
import { RawSocket, sctpInit } from './service-proxy-support/sctp.ts'
import { buildServiceLab, CLIENT, NODE, PODS, type ServiceLab } from './service-proxy-support/service-lab.ts'

const missing = labProblem()
const SENDERS = { p1: PODS.p1, node: NODE, client: CLIENT } as const
type Sender = keyof typeof SENDERS

const drawnService = fc.record({
  type: fc.constantFrom('NodePort', 'LoadBalancer', 'ClusterIP'),
  external: fc.constantFrom('Cluster', 'Local'),
  internal: fc.constantFrom('Cluster', 'Local'),
  ranges: fc.constantFrom([], [], [`${CLIENT.v4}/32`, `${CLIENT.v6}/128`], ['10.244.0.0/16', 'fd00:10::/32']),
  affinity: fc.constantFrom(undefined, 600),
  endpoints: fc.subarray(['p1', 'p2', 'r1'] as const),
  ending: fc.subarray(['p1', 'p2', 'r1'] as const),
  zones: fc.constantFrom('none', 'all', 'some'),
})
type DrawnService = typeof drawnService extends fc.Arbitrary<infer T> ? T : never

describe.skipIf(missing !== '')(`the kernel and the evaluator${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: ServiceLab
  let running: RunningProxy
  let agents: Record<Sender, Agent>

  beforeAll(async () => {
    lab = await buildServiceLab()
    agents = lab.agents
    running = new RunningProxy(lab)
  })
  afterAll(async () => {
    await running?.stop()
    await lab?.lab.remove()
  })

  test('agree on random services and packets', async () => {
    const seen: Record<string, number> = {}
    await fc.assert(
      fc.asyncProperty(fc.array(drawnService, { minLength: 4, maxLength: 4 }), async (drawn) => {
        await running.have(
          drawn.map((one, index) => serviceOf(one, index + 1)),
          drawn.map((one, index) => slicesOf(`s${index + 1}`, endpointsOf(one))),
        )
        const { table } = running.proxy
        const questions = [...table.frontends.values()].flatMap(({ address, port, protocol }) =>
          (Object.keys(SENDERS) as Sender[]).map((sender) => ({ sender, to: address, port, protocol: protocol as Protocol })),
        )
        await Promise.all(
          questions.map(async (question) => {
            const action = await compare(table, question)
            seen[action] = (seen[action] ?? 0) + 1
          }),
        )
      }),
      { numRuns: 12, seed: 20_260_101, endOnFailure: true },
    )
    // every kind of verdict was among them
    expect(Object.keys(seen).sort()).toEqual(['drop', 'forward', 'reject'])
  })

  /** Asks until all endpoints that may answer have, or one that may not. @returns the evaluator's action */
  async function compare(table: ServiceTable, question: Question): Promise<string> {
    const { sender, to, port, protocol } = question
    const from = SENDERS[sender][to.includes(':') ? 'v6' : 'v4']
    const verdict = resolveService(table, { from, to, port, protocol })
    if (verdict.action !== 'forward') {
      const answer = await agents[sender].ask(protocol, to, port, { timeoutMs: verdict.action === 'drop' ? 250 : 2000 })
      expect([question, verdict.explanation, answer]).toEqual([
        question,
        verdict.explanation,
        verdict.action === 'drop' ? 'timeout' : 'refused',
      ])
      return verdict.action
    }
    const allowed = new Map(verdict.backends.map((backend) => [nameOf(backend.address), backend.masquerade]))
    const missing = new Set(allowed.keys())
    const isSticky = verdict.frontend?.affinitySeconds !== undefined
    for (let round = 0; round < 12 && missing.size > 0; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => agents[sender].ask(protocol, to, port, { timeoutMs: 5000 })))
      for (const answer of answers) {
        const [name = '', peer] = answer.split(' ')
        expect([question, verdict.explanation, [...allowed.keys()], allowed.has(name) ? name : answer]).toEqual([
          question,
          verdict.explanation,
          [...allowed.keys()],
          name,
        ])
        expect([question, name, peer === from]).toEqual([question, name, !allowed.get(name)])
        missing.delete(name)
      }
      if (isSticky) break
    }
    if (!isSticky) expect([question, [...missing]]).toEqual([question, []])
    return verdict.action
  }

  describe.each([4, 6] as const)('SCTP over IPv%i, packets made by hand', (family) => {
    const key = family === 4 ? 'v4' : 'v6'
    const vip = family === 4 ? '10.96.0.9' : 'fd00:10:96::9'
    const spec: ServiceSpec = { ports: [{ name: 'sctp', port: 80, protocol: 'SCTP' }] }

    test('reaches the endpoint, and the answer comes from the service', async () => {
      await running.have([service('assoc', 9, spec)], [slicesOf('assoc', [PODS.p2])])
      const [client, endpoint] = [new RawSocket(lab.agents.p1.host, family), new RawSocket(lab.agents.p2.host, family)]
      client.send(vip, sctpInit(5000 + family, 80))
      const got = await endpoint.receive()
      expect([got?.payload.readUInt16BE(0), got?.payload.readUInt16BE(2), got?.payload[12]]).toEqual([5000 + family, 8080, 1])
      if (family === 4) expect(got?.from).toBe(PODS.p1.v4)
      endpoint.send(PODS.p1[key], sctpInit(8080, 5000 + family, 'INIT ACK'))
      const answer = await client.receive()
      expect([answer?.payload.readUInt16BE(0), answer?.payload[12]]).toEqual([80, 2])
      if (family === 4) expect(answer?.from).toBe(vip)
      client.close()
      endpoint.close()
    })

    test.skipIf(family === 6)('is rejected without endpoints', async () => {
      await running.have([service('assoc', 9, spec)], [])
      const [client, icmp] = [new RawSocket(lab.agents.p1.host, family), new RawSocket(lab.agents.p1.host, family, 'ICMP')]
      client.send(vip, sctpInit(6000, 80))
      const refusal = await icmp.receive()
      // destination unreachable, port unreachable
      expect([refusal?.payload[0], refusal?.payload[1]]).toEqual([3, 3])
      client.close()
      icmp.close()
    })
  })
})

interface Question {
  readonly sender: Sender
  readonly to: string
  readonly port: number
  readonly protocol: Protocol
}

function serviceOf({ type, external, internal, ranges, affinity }: DrawnService, index: number) {
  const nodePort = type === 'ClusterIP' ? {} : { nodePort: 30_100 + index }
  const spec: ServiceSpec = {
    type,
    ports: [
      { name: 'tcp', port: 80, ...nodePort },
      { name: 'udp', port: 80, protocol: 'UDP', ...nodePort },
    ],
    externalIPs: [`198.51.100.${index}`, `2001:db8:7::${index}`],
    externalTrafficPolicy: external,
    internalTrafficPolicy: internal,
    loadBalancerSourceRanges: [...ranges],
    ...(affinity === undefined ? {} : { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
  }
  return service(`s${index}`, index, spec, [`198.51.100.10${index}`, `2001:db8:7::10${index}`])
}

function endpointsOf({ endpoints, ending, zones }: DrawnService): EndpointOf[] {
  return endpoints.map((name) => ({
    ...PODS[name],
    conditions: ending.includes(name) ? { ready: false, serving: true, terminating: true } : { ready: true },
    ...(zones === 'all' || (zones === 'some' && name === 'p1') ? { hints: { forZones: [{ name: name === 'r1' ? 'b' : 'a' }] } } : {}),
  }))
}

function nameOf(address: string): string {
  return Object.entries(PODS).find(([, pod]) => pod.v4 === address || pod.v6 === address)?.[0] ?? address
}
