import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { ConfigMap, Pod, Secret, Volume } from '../../../api/generated/types.ts'
import { publishFiles } from './atomic-files.ts'
import { fieldValue, resourceFieldValue } from './downward.ts'
import { planVolume, type VolumeFile, type VolumeSources } from './plan-volume.ts'
import { VolumeManager } from './volume-manager.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'biplane-volumes-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const file = (path: string, text: string, mode = 0o644): VolumeFile => ({ path, content: Buffer.from(text), mode })
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('publishFiles', () => {
  test('swaps all files at once; a name that went away is gone', async () => {
    expect(await publishFiles(dir, [file('a', '1'), file('deep/b', '2', 0o400)], { stamp: '1' })).toBe(true)
    expect([readFileSync(join(dir, 'a'), 'utf8'), readFileSync(join(dir, 'deep/b'), 'utf8')]).toEqual(['1', '2'])
    expect(statSync(join(dir, 'deep/b')).mode & 0o777).toBe(0o400)
    expect(readlinkSync(join(dir, 'a'))).toBe('..data/a')
    expect(await publishFiles(dir, [file('a', '1'), file('deep/b', '2', 0o400)], { stamp: '2' })).toBe(false)
    expect(await publishFiles(dir, [file('a', '3')], { stamp: '3' })).toBe(true)
    expect(readdirSync(dir).sort()).toEqual(['..3', '..data', 'a'])
    expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('3')
  })

  test('a reader never sees files of two sets', async () => {
    const sets = Array.from({ length: 20 }, (_, i) => [file('a', String(i)), file('b', String(i))])
    await publishFiles(dir, sets[0] as VolumeFile[], { stamp: 's0' })
    const seen: string[] = []
    const stop = new AbortController()
    const reading = (async () => {
      while (!stop.signal.aborted) {
        // through one resolution of ..data, as a program reads its mount
        const now = join(dir, readlinkSync(join(dir, '..data')))
        try {
          seen.push(`${readFileSync(join(now, 'a'), 'utf8')}=${readFileSync(join(now, 'b'), 'utf8')}`)
        } catch {
          // removed between two reads: as good as old
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    for (const [i, set] of sets.entries()) await publishFiles(dir, set, { stamp: `t${i}` })
    stop.abort()
    await reading
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter((pair) => pair.split('=')[0] !== pair.split('=')[1])).toEqual([])
  })

  test('goes on where a crash stopped it, and changes a mode', async () => {
    await publishFiles(dir, [file('a', '1')], { stamp: '1' })
    mkdirSync(join(dir, '..2'))
    writeFileSync(join(dir, '..2/half'), '')
    symlinkSync('..2', join(dir, '..data_tmp'))
    expect(await publishFiles(dir, [file('a', '1', 0o600)], { stamp: '2' })).toBe(true)
    expect(statSync(join(dir, 'a')).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir).sort()).toEqual(['..2', '..data', 'a'])
  })

  test.each(['', '/etc/passwd', '../x', 'a/../../x', '..data', '..2/x', 'a\0b'])('refuses %j and writes nothing', async (path) => {
    await expect(publishFiles(dir, [file('ok', ''), file(path, 'x')], { stamp: '1' })).rejects.toThrow('must be relative')
    expect(readdirSync(dir)).toEqual([])
  })

  test('any accepted path stays inside', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[a./~-]{1,12}$/), async (path) => {
        const outer = mkdtempSync(join(dir, 'p'))
        const inner = join(outer, 'volume')
        await publishFiles(inner, [file(path, 'x')], { stamp: '1' }).catch(() => {})
        expect(readdirSync(outer).filter((name) => name !== 'volume')).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})

const maps: Record<string, ConfigMap> = {
  conf: { metadata: { name: 'conf' }, data: { a: '1', b: '2' }, binaryData: { bin: base64('\x01') } },
}
const secrets: Record<string, Secret> = { key: { metadata: { name: 'key' }, data: { pass: base64('pw') } } }
const sources: VolumeSources = {
  configMap: async (_namespace, name) => maps[name],
  secret: async (_namespace, name) => secrets[name],
  serviceAccountToken: async (_pod, account, { expirationSeconds }) => `token of ${account} for ${expirationSeconds}`,
}
const pod: Pod = {
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', labels: { b: '2', a: '"1"' }, annotations: { note: 'x' } },
  spec: {
    nodeName: 'n1',
    serviceAccountName: 'robot',
    containers: [{ name: 'main', resources: { limits: { memory: '64Mi', cpu: '1500m' }, requests: { cpu: '250m' } } }, { name: 'other' }],
  },
}
const facts = { podIPs: ['10.1.2.3', 'fd00::3'], hostIPs: ['10.0.0.1'], allocatable: { cpuMillis: 4000, memoryBytes: 1024 ** 3 } }

async function planned(volume: Partial<Volume>): Promise<Record<string, string>> {
  const plan = await planVolume({ name: 'v', ...volume }, pod, { sources, facts })
  if (plan.type !== 'files') throw new Error(plan.type)
  return Object.fromEntries(plan.files.map(({ path, content, mode }) => [path, `${content.toString()} ${mode.toString(8)}`]))
}

describe('planVolume', () => {
  test.each<[string, Partial<Volume>, Record<string, string>]>([
    ['a ConfigMap', { configMap: { name: 'conf' } }, { a: '1 644', b: '2 644', bin: '\x01 644' }],
    ['items of it', { configMap: { name: 'conf', items: [{ key: 'a', path: 'x/y', mode: 0o400 }] } }, { 'x/y': '1 400' }],
    ['an optional one that is missing', { configMap: { name: 'nope', optional: true } }, {}],
    ['an optional key that is missing', { configMap: { name: 'conf', optional: true, items: [{ key: 'zz', path: 'zz' }] } }, {}],
    ['a Secret', { secret: { secretName: 'key', defaultMode: 0o400 } }, { pass: 'pw 400' }],
    [
      'the downward API',
      {
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } },
          ],
        },
      },
      { labels: 'a="\\"1\\""\nb="2" 644', cpu: '2 644' },
    ],
    [
      'all of it projected, later ones winning',
      {
        projected: {
          sources: [
            { configMap: { name: 'conf', items: [{ key: 'a', path: 'token' }] } },
            { serviceAccountToken: { path: 'token' } },
            { secret: { name: 'key' } },
            { downwardAPI: { items: [{ path: 'ns', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
          ],
        },
      },
      { token: 'token of robot for 3600 644', pass: 'pw 644', ns: 'shop 644' },
    ],
  ])('%s', async (_name, volume, want) => expect(await planned(volume)).toEqual(want))

  test.each<[Partial<Volume>, string]>([
    [{ configMap: { name: 'nope' } }, 'configmap "nope" not found'],
    [{ secret: { secretName: 'nope' } }, 'secret "nope" not found'],
    [{ configMap: { name: 'conf', items: [{ key: 'zz', path: 'zz' }] } }, 'configmap "conf" references non-existent key: zz'],
    [{ persistentVolumeClaim: { claimName: 'c' } }, 'volumes of kind persistentVolumeClaim cannot be mounted by process pods'],
  ])('%j fails', async (volume, text) => await expect(planned(volume)).rejects.toThrow(text))
})

test.each([
  ['metadata.name', 'web'],
  ['metadata.namespace', 'shop'],
  ['metadata.uid', 'u1'],
  ["metadata.labels['b']", '2'],
  ["metadata.annotations['none']", ''],
  ['metadata.annotations', 'note="x"'],
  ['spec.nodeName', 'n1'],
  ['spec.serviceAccountName', 'robot'],
  ['status.podIP', '10.1.2.3'],
  ['status.podIPs', '10.1.2.3,fd00::3'],
  ['status.hostIP', '10.0.0.1'],
])('downward %s is %j', (path, want) => expect(fieldValue(pod, path, facts)).toBe(want))

test.each([
  ['limits.cpu', undefined, 'main', '2'],
  ['limits.cpu', '1m', 'main', '1500'],
  ['requests.cpu', '1m', 'main', '250'],
  ['limits.memory', '1Mi', 'main', '64'],
  ['limits.memory', '0', 'main', String(64 * 1024 ** 2)],
  ['limits.memory', '1Mi', 'other', '1024'],
  ['limits.cpu', undefined, 'other', '4'],
  ['requests.memory', undefined, 'other', '0'],
])('downward %s by %s of %s is %s', (resource, divisor, containerName, want) => {
  expect(resourceFieldValue(pod, { resource, containerName, ...(divisor ? { divisor } : {}) }, 'main', facts)).toBe(want)
})

describe('VolumeManager', () => {
  const clock = new FakeClock()
  const made = (own: Partial<VolumeSources> = {}): VolumeManager =>
    new VolumeManager({ sources: { ...sources, ...own }, clock, random: () => 0.5, log: silentLogger, facts })
  const sandboxOf = (): { podUid: string; ips: string[]; dir: string } => ({ podUid: 'u1', ips: ['10.1.2.3'], dir })
  const withVolumes = (...volumes: Volume[]): Pod => ({ ...pod, spec: { ...pod.spec!, volumes } })
  const conf: Volume = { name: 'c', configMap: { name: 'conf' } }

  test('makes volumes, three callers at once', async () => {
    const volumes = made()
    const wanted = withVolumes(conf, { name: 'e', emptyDir: {} }, { name: 'h', hostPath: { path: dir, type: 'Directory' } })
    await Promise.all([1, 2, 3].map(() => volumes.prepare(wanted, sandboxOf())))
    const mounts = await volumes.mounts(
      wanted,
      [
        { name: 'c', mountPath: '/c', readOnly: true },
        { name: 'e', mountPath: '/e', subPathExpr: '$(WHO)/x' },
        { name: 'h', mountPath: '/h' },
        { name: 'c', mountPath: '/one', subPath: 'a' },
      ],
      { WHO: 'me' },
    )
    expect(mounts).toEqual([
      { hostPath: join(dir, 'volumes/c'), mountPath: '/c', readOnly: true },
      { hostPath: join(dir, 'volumes/e/me/x'), mountPath: '/e', readOnly: false },
      { hostPath: dir, mountPath: '/h', readOnly: false },
      { hostPath: join(dir, 'volumes/c/a'), mountPath: '/one', readOnly: false },
    ])
    expect(statSync(join(dir, 'volumes/e')).mode & 0o777).toBe(0o777)
    expect(statSync(join(dir, 'volumes/e/me/x')).isDirectory()).toBe(true)
  })

  test.each<[Volume, object, string]>([
    [conf, { subPath: '../x' }, 'must not contain ".."'],
    [conf, { subPath: 'zz' }, 'failed to prepare subPath for volumeMount "c": it has no "zz"'],
    [conf, { name: 'zz' }, 'volumeMount "zz" names no volume of this pod'],
  ])('refuses a mount of %j with %j', async (volume, mount, text) => {
    const volumes = made()
    await volumes.prepare(withVolumes(volume), sandboxOf())
    await expect(volumes.mounts(withVolumes(volume), [{ name: 'c', mountPath: '/c', ...mount }], {})).rejects.toThrow(text)
  })

  test('names the volume that cannot be made', async () => {
    await expect(
      made().prepare(withVolumes({ name: 'h', hostPath: { path: '/nonexistent', type: 'File' } }), sandboxOf()),
    ).rejects.toMatchObject({
      name: 'VolumeError',
      volume: 'h',
      reason: 'ContainerCreating',
      message: 'hostPath type check failed: /nonexistent is not a file',
    })
  })

  test('a refresh follows the source; a source that is gone or away leaves the files alone, also for a restart', async () => {
    let answer: () => ConfigMap | undefined = () => maps['conf']
    const volumes = made({ configMap: async () => answer() })
    const wanted = withVolumes(conf)
    await volumes.prepare(wanted, sandboxOf())
    expect(volumes.isDue('u1')).toBe(false)
    await clock.advance(60_000)
    expect(volumes.isDue('u1')).toBe(true)
    answer = () => ({ metadata: { name: 'conf' }, data: { a: 'new' } })
    await volumes.refresh(wanted, sandboxOf())
    const read = (): string => readFileSync(join(dir, 'volumes/c/a'), 'utf8')
    expect([read(), volumes.isDue('u1')]).toEqual(['new', false])
    for (const broken of [
      () => undefined,
      () => {
        throw new Error('away')
      },
    ]) {
      answer = broken
      await volumes.refresh(wanted, sandboxOf())
      await made({ configMap: async () => answer() }).prepare(wanted, sandboxOf())
      expect(read()).toBe('new')
    }
  })

  test('a refresh makes nothing that was not there', async () => {
    await made().refresh(withVolumes(conf), sandboxOf())
    expect(readdirSync(dir)).toEqual([])
  })
})
