import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { labProblem } from '../src/testing/network-lab/index.ts'
import type { Agent } from './service-proxy-support/agents.ts'
import { service, slicesOf } from './service-proxy-support/objects.ts'
import { RunningProxy } from './service-proxy-support/running-proxy.ts'
import { buildServiceLab, NODE, PODS, type ServiceLab } from './service-proxy-support/service-lab.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()
const PORTS = [
  { name: 'tcp', port: 80, nodePort: 30080 },
  { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30080 },
]

describe.skipIf(missing !== '')(`kernel services live through trouble${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: ServiceLab
  let agents: Record<'node' | 'client' | 'p1' | 'p2' | 'r1', Agent>
  let running: RunningProxy
  let dir: string

  beforeAll(async () => {
    lab = await buildServiceLab()
    agents = lab.agents
    dir = mkdtempSync(join(tmpdir(), 'service-proxy-'))
  })
  afterAll(async () => {
    await lab?.lab.remove()
    rmSync(dir, { recursive: true, force: true })
  })
  const statePath = (): string => join(dir, 'state')
  beforeEach(async () => {
    rmSync(statePath(), { force: true })
    running = new RunningProxy(lab, { statePath: statePath() })
    await running.have([service('web', 1, { type: 'NodePort', ports: PORTS })], [slicesOf('web', Object.values(PODS))])
  })
  afterEach(() => running.stop())

  const nft = (...argv: readonly string[]): Promise<string> => lab.node.must(['nft', ...argv])
  /** The transactions that nf_tables has seen: a name in the kernel that moves with each. */
  const marker = async (): Promise<string> =>
    /elements = \{ ([^}]*) \}/.exec(await nft('list', 'map', 'ip', 'biplane-services', 'generation'))?.[1] ?? ''

  /** Asks without pause from two sides while `work` runs. @returns how many were answered; what failed is an error of the test */
  async function underTraffic(work: () => Promise<void>): Promise<number> {
    await agents.client.startTraffic('TCP', NODE.v4, 30080)
    await agents.p1.startTraffic('TCP', 'fd00:10:96::1', 80)
    await poll('traffic flows', async () => ((await agents.client.progress()) > 20 && (await agents.p1.progress()) > 20 ? true : undefined))
    await work()
    const [outside, pod] = await Promise.all([agents.client.stopTraffic(), agents.p1.stopTraffic()])
    expect([outside.failures, pod.failures]).toEqual([[], []])
    return outside.answered + pod.answered
  }

  test('tables replaced as a whole 30 times under traffic: no request fails', async () => {
    const repairs = (): number => running.metric('biplane_service_proxy_repairs_total')
    const answered = await underTraffic(async () => {
      for (let i = 0; i < 30; i++) {
        const before = await marker()
        // a fresh proxy that knows of nothing replaces everything
        const fresh = new RunningProxy(lab, { services: running.services, slices: running.slices })
        await poll('it has replaced the tables', async () => ((await marker()) === before ? undefined : true), { everyMs: 5 })
        await fresh.stop()
      }
    })
    expect(answered).toBeGreaterThan(100)
    expect(repairs()).toBeLessThan(30)
  })

  test('endpoints come and go 200 times under traffic: no request fails', async () => {
    const pods = Object.values(PODS)
    const answered = await underTraffic(async () => {
      for (let i = 0; i < 200; i++) {
        const stay = pods.filter((_, index) => ((1 + (i % 7)) >> index) & 1)
        running.slices.set(slicesOf('web', stay).flat())
        await running.synced()
      }
    })
    expect(answered).toBeGreaterThan(100)
  })

  test('the proxy stops: the kernel goes on; it starts again: nothing is written, and changes made meanwhile arrive', async () => {
    const before = await marker()
    const { services, slices } = running
    const again = (): RunningProxy => new RunningProxy(lab, { services, slices, statePath: statePath() })
    await underTraffic(async () => {
      await running.stop()
      expect(await agents.p2.askers('TCP', '10.96.0.1', 80)).toBe('p1 p2 r1')
      running = again()
      await running.synced()
    })
    expect(await marker()).toBe(before)
    // what may have been its own backend stays known to the kernel when it is none any more, and is not taken for a stranger's
    slices.set(slicesOf('web', [PODS.r1]).flat())
    await running.synced()
    const fewer = await marker()
    await running.stop()
    running = again()
    await running.synced()
    expect(await marker()).toBe(fewer)
    await running.stop()
    services.set([...services.list(), service('more', 2)])
    slices.set([...slices.list(), ...slicesOf('more', [PODS.r1])])
    running = again()
    await running.synced()
    expect((await marker()).split(' ')[0]).toBe(before.split(' ')[0])
    expect(await agents.p2.askers('TCP', '10.96.0.2', 80)).toBe('r1')
    // what went while nobody looked goes at the start
    await running.stop()
    services.set(services.list().slice(0, 1))
    running = again()
    await running.synced()
    await poll('it is gone', async () => ((await agents.p2.ask('TCP', '10.96.0.2', 80)) === 'refused' ? true : undefined))
  })

  test('tables that another boot, node or version left are replaced', async () => {
    await running.stop()
    await nft('add', 'element', 'ip', 'biplane-services', 'frontend', '{ 10.96.0.77 . tcp . 80 : a000:1 }')
    rmSync(statePath())
    running = new RunningProxy(lab, { services: running.services, slices: running.slices, statePath: statePath() })
    await running.synced()
    await poll('it is replaced', async () =>
      (await nft('list', 'map', 'ip', 'biplane-services', 'frontend')).includes('10.96.0.77') ? undefined : true,
    )
    expect(await agents.p2.askers('TCP', '10.96.0.1', 80)).toBe('p1 p2 r1')
  })

  test('services of every sort are found whole at a start: nothing is written', async () => {
    const spec = { type: 'LoadBalancer', ports: PORTS } as const
    const many = Array.from({ length: 70 }, (_, i) => ({ v4: `10.244.9.${i + 1}`, v6: `fd00:10:244:9::${(i + 1).toString(16)}` }))
    await running.have(
      [
        service('web', 1, { type: 'NodePort', ports: PORTS }),
        service('sticky', 2, { sessionAffinity: 'ClientIP' }),
        service('guarded', 3, { ...spec, loadBalancerSourceRanges: ['192.0.2.0/25', '192.0.2.192/26', '2001:db8::/33'] }, [
          '198.51.100.3',
          '2001:db8:3::3',
        ]),
        service('local', 4, { ...spec, ports: [{ name: 'tcp', port: 80, nodePort: 30084 }], externalTrafficPolicy: 'Local' }, [
          '198.51.100.4',
        ]),
        service('nobody', 5),
        service('many', 6),
      ],
      [
        slicesOf('web', Object.values(PODS)),
        slicesOf('sticky', Object.values(PODS)),
        slicesOf('guarded', [PODS.r1]),
        slicesOf('local', [PODS.r1]),
        slicesOf('many', many),
      ],
    )
    expect(await agents.p2.askers('TCP', '10.96.0.2', 80)).toMatch(/^(p1|p2|r1)$/)
    const before = await marker()
    await running.stop()
    running = new RunningProxy(lab, { services: running.services, slices: running.slices, statePath: statePath() })
    await running.synced()
    expect(await marker()).toBe(before)
  })

  test('affinity times that nobody has any more leave no chains for ever', async () => {
    const withTimeout = (timeoutSeconds: number): ReturnType<typeof service> =>
      service('web', 1, {
        type: 'NodePort',
        ports: PORTS,
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds } },
      })
    const chains = async (): Promise<number> => (await nft('list', 'chains', 'ip')).match(/chain pick-.*keep-/g)?.length ?? 0
    for (let i = 1; i <= 300; i++) {
      running.services.set([withTimeout(i)])
      await running.synced()
    }
    await poll('the chains are few', async () => ((await chains()) < 260 ? true : undefined))
    const [askers, again] = [await agents.p2.askers('TCP', '10.96.0.1', 80), await agents.p2.askers('TCP', '10.96.0.1', 80)]
    expect(askers).toMatch(/^(p1|p2|r1)$/)
    expect(again).toBe(askers)
  })

  test.each([
    ['takes an element away', ['delete', 'element', 'ip', 'biplane-services', 'frontend', '{ 10.96.0.1 . tcp . 80 }']],
    ['adds one', ['add', 'element', 'ip6', 'biplane-services', 'no-endpoints', '{ fd00:10:96::1 . tcp . 80 }']],
    ['empties a chain', ['flush', 'chain', 'ip', 'biplane-services', 'translate-prerouting']],
    ['adds a rule', ['insert', 'rule', 'ip', 'biplane-services', 'early', 'drop']],
  ])('a stranger %s while no proxy runs: repaired at the start', async (_name, argv) => {
    await running.stop()
    await nft(...argv)
    const { services, slices } = running
    running = new RunningProxy(lab, { services, slices, statePath: statePath() })
    await running.synced()
    expect(await agents.p2.askers('TCP', '10.96.0.1', 80)).toBe('p1 p2 r1')
    expect(await agents.p2.askers('TCP', 'fd00:10:96::1', 80)).toBe('p1 p2 r1')
    expect(running.metric('biplane_service_proxy_repairs_total')).toBe(0)
  })

  test.each([
    ['an element is taken away', ['delete', 'element', 'ip', 'biplane-services', 'frontend', '{ 10.96.0.1 . tcp . 80 }']],
    ['a chain is emptied', ['flush', 'chain', 'ip', 'biplane-services', 'translate-prerouting']],
    ['a table is deleted', ['delete', 'table', 'ip', 'biplane-services']],
    ['everything is flushed', ['flush', 'ruleset']],
  ])('a stranger is at the tables (%s): repaired and reported', async (_name, argv) => {
    await nft(...argv)
    await poll('it is repaired', async () => ((await agents.p2.askers('TCP', '10.96.0.1', 80)) === 'p1 p2 r1' ? true : undefined))
    await poll('it is reported', () => (running.reports.length > 0 ? true : undefined))
    expect(running.reports[0]).toMatch(/^ForeignChange: nft \(pid \d+\) changed the nf_tables table ip6? biplane-services/)
    expect(running.metric('biplane_service_proxy_repairs_total')).toBe(1)
    expect(running.metrics.render()).toMatch(/biplane_service_proxy_foreign_changes_total\{process="nft"\} [1-9]/)
  })

  test('whoever comes back at once has to wait for the next repair', async () => {
    const break_ = (): Promise<string> => nft('flush', 'chain', 'ip', 'biplane-services', 'translate-prerouting')
    await break_()
    await poll('it is repaired', () => (running.metric('biplane_service_proxy_repairs_total') === 1 ? true : undefined))
    await poll('it serves', async () => ((await agents.p2.ask('TCP', '10.96.0.1', 80)) === 'refused' ? undefined : true))
    await break_()
    await poll('it is noticed', () => (running.reports.length > 1 ? true : undefined))
    expect(running.metric('biplane_service_proxy_repairs_total')).toBe(1)
  })

  test('a UDP client that never falls silent moves on when its endpoint goes, and keeps it when another does', async () => {
    const ask = (): Promise<string> => agents.p2.ask('UDP', '10.96.0.1', 80, { localPort: 5353 })
    const first = (await ask()).split(' ')[0] as keyof typeof PODS
    const without = (name: string): ReturnType<typeof slicesOf> =>
      slicesOf(
        'web',
        Object.entries(PODS).flatMap(([other, pod]) => (other === name ? [] : [pod])),
      )
    const other = first === 'p1' ? 'r1' : 'p1'
    running.slices.set(without(other))
    await running.synced()
    expect((await ask()).split(' ')[0]).toBe(first)
    running.slices.set(without(first))
    await running.synced()
    await poll('it is sent elsewhere', async () => ((await ask()).split(' ')[0] === first ? undefined : true))
    expect(running.metric('biplane_service_proxy_stale_flows_total')).toBeGreaterThan(0)
  })

  test('a change that the kernel refuses is carried out by a replacement', async () => {
    await running.stop()
    running = new RunningProxy(lab, { services: running.services, slices: running.slices, isDeaf: true })
    await running.synced()
    await nft('delete', 'element', 'ip', 'biplane-services', 'endpoint', '{ 10.96.0.1 . tcp . 80 . 0:1 }')
    running.slices.set(slicesOf('web', [PODS.p1]).flat())
    await running.synced()
    expect(await agents.p2.askers('TCP', '10.96.0.1', 80)).toBe('p1')
    expect(running.metric('kubeproxy_sync_proxy_rules_nftables_sync_failures_total')).toBe(1)
  })
})
