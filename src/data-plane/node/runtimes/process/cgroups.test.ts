import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Cgroups, findHierarchies, type Hierarchy, planLimits } from './cgroups.ts'
import { parseMountInfo } from './mountinfo.ts'

const line = (point: string, type: string, options: string): string =>
  `31 23 0:28 / ${point} rw,relatime shared:9 - ${type} none ${options}`
const mounts = (...lines: readonly string[]): ReturnType<typeof parseMountInfo> => parseMountInfo(`${lines.join('\n')}\n`)

test('mount points are unescaped, and of stacked mounts the last counts', () => {
  expect(mounts(line('/a\\040b', 'ext4', 'rw'), line('/pts', 'devpts', 'rw'), line('/a\\040b', 'tmpfs', 'rw,size=1'))).toEqual([
    { mountPoint: '/pts', root: '/', fsType: 'devpts', options: ['rw'] },
    { mountPoint: '/a b', root: '/', fsType: 'tmpfs', options: ['rw', 'size=1'] },
  ])
})

test.each<[string, string[], string[], Hierarchy[]]>([
  ['nothing mounted', [], [], []],
  [
    'version 1 alone, two controllers on one mount',
    [
      line('/cg/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct'),
      line('/cg/memory', 'cgroup', 'rw,memory'),
      line('/cg/x', 'cgroup', 'rw,name=systemd'),
    ],
    [],
    [
      { version: 1, path: '/cg/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
      { version: 1, path: '/cg/memory', controllers: ['memory'] },
    ],
  ],
  [
    'version 2 alone',
    [line('/cg', 'cgroup2', 'rw')],
    ['cpuset', 'cpu', 'io', 'memory', 'pids'],
    [{ version: 2, path: '/cg', controllers: ['cpu', 'cpuacct', 'memory', 'pids'] }],
  ],
  [
    'both, where version 2 controls nothing of use, but knows whose sockets are',
    [line('/cg/unified', 'cgroup2', 'rw'), line('/cg/memory', 'cgroup', 'rw,memory'), line('/cg/cpu', 'cgroup', 'rw,cpu')],
    ['hugetlb'],
    [
      { version: 1, path: '/cg/memory', controllers: ['memory'] },
      { version: 1, path: '/cg/cpu', controllers: ['cpu'] },
      { version: 2, path: '/cg/unified', controllers: [] },
    ],
  ],
  [
    'both, each with a part',
    [line('/cg/unified', 'cgroup2', 'rw'), line('/cg/cpu', 'cgroup', 'rw,cpu')],
    ['memory', 'pids'],
    [
      { version: 1, path: '/cg/cpu', controllers: ['cpu'] },
      { version: 2, path: '/cg/unified', controllers: ['cpuacct', 'memory', 'pids'] },
    ],
  ],
])('hierarchies: %s', (_name, lines, unified, expected) => {
  expect(findHierarchies(mounts(...lines), () => unified)).toEqual(expected)
})

const all = ['cpu', 'memory', 'pids'] as const

test.each<[Hierarchy, Parameters<typeof planLimits>[1], [string, string][]]>([
  [{ version: 1, path: '/', controllers: all }, {}, []],
  [
    { version: 1, path: '/', controllers: all },
    { cpuMillis: 250, memoryBytes: 1024, pids: 9 },
    [
      ['cpu.cfs_period_us', '100000'],
      ['cpu.cfs_quota_us', '25000'],
      ['memory.limit_in_bytes', '1024'],
      ['pids.max', '9'],
    ],
  ],
  [
    { version: 2, path: '/', controllers: all },
    { cpuMillis: 1500, memoryBytes: 1024 },
    [
      ['cpu.max', '150000 100000'],
      ['memory.max', '1024'],
    ],
  ],
  [{ version: 2, path: '/', controllers: ['cpu'] }, { cpuMillis: 1, memoryBytes: 1024 }, [['cpu.max', '1000 100000']]],
])('limits %#', (hierarchy, limits, expected) => {
  expect(planLimits(hierarchy, limits).map(({ file, text }) => [file, text])).toEqual(expected)
})

describe("a pod's own cgroup", () => {
  const root = mkdtempSync(join(tmpdir(), 'biplane-cgroups-'))
  afterAll(() => rmSync(root, { recursive: true }))
  // plain directories do as long as nothing is limited
  const tree = (name: string, version: 1 | 2): Hierarchy => ({ version, path: join(root, name), controllers: [] })
  const below = (path: string): readonly string[] => (existsSync(join(root, path)) ? readdirSync(join(root, path)) : [])

  test('is there before its first container and after its last, in the tree of version 2 alone', () => {
    const cgroups = new Cgroups([tree('one', 1), tree('two', 2)], 'n')
    cgroups.prepare()
    cgroups.createPod('u')
    expect([below('one/biplane/n'), below('two/biplane/n')]).toEqual([[], ['u']])
    expect(cgroups.podDir('u')).toBe(join(root, 'two/biplane/n/u'))
    const { ino } = statSync(join(root, 'two/biplane/n/u'))
    for (const name of ['main.0', 'main.1']) {
      cgroups.create('u', name, {})
      expect(cgroups.dirs('u', name)).toEqual([join(root, 'one/biplane/n/u', name), join(root, 'two/biplane/n/u', name)])
      cgroups.remove('u', name)
    }
    expect([below('one/biplane/n'), below('two/biplane/n')]).toEqual([[], ['u']])
    expect(statSync(join(root, 'two/biplane/n/u')).ino).toBe(ino)
    expect(cgroups.listPods()).toEqual(['u'])
    cgroups.removePod('u')
    cgroups.removePod('u')
    expect([cgroups.listPods(), below('two/biplane/n')]).toEqual([[], []])
    cgroups.removeParents()
    expect([below('one'), below('two')]).toEqual([[], []])
  })

  test('of a pod that has processes left stays', () => {
    const cgroups = new Cgroups([tree('busy', 2)], 'n')
    cgroups.create('u', 'main.0', {})
    cgroups.removePod('u')
    cgroups.removeParents()
    expect(cgroups.list()).toEqual([{ podUid: 'u', name: 'main.0' }])
  })

  test('is done without where its tree controls nothing and cannot be written', () => {
    writeFileSync(join(root, 'file'), '')
    const cgroups = new Cgroups([tree('only', 1), tree('file', 2)], 'n')
    cgroups.prepare()
    expect(cgroups.podDir('u')).toBeUndefined()
    cgroups.createPod('u')
    cgroups.removePod('u')
    expect([cgroups.listPods(), cgroups.dirs('u', 'main.0')]).toEqual([[], [join(root, 'only/biplane/n/u/main.0')]])
    expect(() => new Cgroups([{ ...tree('file', 2), controllers: ['cpu'] }], 'n').prepare()).toThrow('ENOTDIR')
  })
})
