import { expect, test } from 'vitest'
import { findHierarchies, type Hierarchy, planLimits } from './cgroups.ts'
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
