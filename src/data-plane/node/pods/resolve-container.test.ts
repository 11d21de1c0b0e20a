import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Pod } from '../../../api/generated/types.ts'
import { builtinRecipes } from '../recipes/index.ts'
import { VolumeManager } from '../volumes/volume-manager.ts'
import { resolveContainer, type ResolveDeps } from './resolve-container.ts'

let dir: string
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'biplane-resolve-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const pod: Pod = {
  metadata: { name: 'p', namespace: 'shop', uid: 'u' },
  spec: { containers: [{ name: 'c', image: 'host', command: ['sleep', '1'] }] },
}
const sources = {
  configMap: async () => undefined,
  secret: async () => undefined,
  serviceAccountToken: () => Promise.reject(new Error('none here')),
}
const deps = (changes: Partial<ResolveDeps>): ResolveDeps => ({
  sources,
  volumes: new VolumeManager({
    sources,
    clock: new FakeClock(),
    random: () => 0,
    log: silentLogger,
    facts: { hostIPs: [], allocatable: { cpuMillis: 1, memoryBytes: 1 } },
  }),
  recipes: () => builtinRecipes(() => true),
  services: () => [],
  hostIPs: [],
  allocatable: { cpuMillis: 1, memoryBytes: 1 },
  mounts: true,
  clusterDomain: 'cluster.local',
  baseEnv: {},
  ...changes,
})
const mountsOf = async (changes: Partial<ResolveDeps>): Promise<Record<string, string>> => {
  const start = { sandbox: { podUid: 'u', ips: ['10.244.0.2'], dir }, name: 'c', restartCount: 0 }
  const { mounts } = await resolveContainer(pod, start, deps(changes))
  return Object.fromEntries(mounts.map(({ mountPath, hostPath }) => [mountPath, readFileSync(hostPath, 'utf8')]))
}

test('a pod gets the resolver file that is meant for it', async () => {
  const found = await mountsOf({ resolvConf: ({ metadata }) => `search ${metadata.namespace}.svc.cluster.local\n` })
  expect(found['/etc/resolv.conf']).toBe('search shop.svc.cluster.local\n')
  expect(found['/etc/hosts']).toContain('10.244.0.2\tp')
})

test.each<[string, Partial<ResolveDeps>]>([
  ['none is meant for it', {}],
  ['nothing can be mounted', { mounts: false, resolvConf: () => 'x' }],
])("the node's own where %s", async (_what, changes) => expect(Object.keys(await mountsOf(changes))).not.toContain('/etc/resolv.conf'))
