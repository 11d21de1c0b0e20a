import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import type { PodCgroup } from '../runtime.ts'
import { cgroupProblem, compileCgroupInterception, type CgroupPod } from './plan-cgroup-interception.ts'

const pod = (annotations: Record<string, string> = {}): Pod => ({ metadata: { name: 'p', annotations }, spec: { containers: [] } })
const at = (path: string): PodCgroup => ({ path, level: 3 })

/** Rules of a chain. */
function rules(text: string, chain: string): readonly string[] | undefined {
  return new RegExp(`chain ${chain} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n  \\}`)
    .exec(text)?.[1]
    ?.split('\n')
    .map((line) => line.trim())
}

test('the last pod takes the table along, whether there is one or not', () => {
  expect(compileCgroupInterception('t', [])).toBe('table ip t\ndelete table ip t\n')
})

test.each<[string, CgroupPod, string[]]>([
  [
    'of a machine with version 2 alone',
    { pod: pod(), ip: '127.64.1.2', cgroup: at('/sys/fs/cgroup/biplane/n/u') },
    ['socket cgroupv2 level 3 "biplane/n/u" return', 'tcp dport { 15021, 15008 } return', 'meta l4proto tcp dnat to :15006'],
  ],
  [
    'of a machine with both versions',
    { pod: pod(), ip: '127.64.1.2', cgroup: at('/sys/fs/cgroup/unified/biplane/n/u') },
    ['socket cgroupv2 level 3 "unified/biplane/n/u" return', 'tcp dport { 15021, 15008 } return', 'meta l4proto tcp dnat to :15006'],
  ],
  [
    'whose tree is mounted elsewhere',
    { pod: pod(), ip: '127.64.1.2', cgroup: at('/mnt/cg/biplane/n/u') },
    [
      'socket cgroupv2 level 3 "../../../mnt/cg/biplane/n/u" return',
      'tcp dport { 15021, 15008 } return',
      'meta l4proto tcp dnat to :15006',
    ],
  ],
  [
    'that leaves ports alone',
    {
      pod: pod({ 'traffic.kuma.io/exclude-inbound-ports': '22, 9000,x', 'traffic.kuma.io/exclude-outbound-ports': '5' }),
      ip: '127.64.1.2',
      cgroup: at('/sys/fs/cgroup/biplane/n/u'),
    },
    ['socket cgroupv2 level 3 "biplane/n/u" return', 'tcp dport { 15021, 15008, 22, 9000 } return', 'meta l4proto tcp dnat to :15006'],
  ],
  [
    'that has no process: nobody is let past',
    { pod: pod(), ip: '127.64.1.2' },
    ['tcp dport { 15021, 15008 } return', 'meta l4proto tcp dnat to :15006'],
  ],
])('a pod %s', (_what, one, expected) => {
  const text = compileCgroupInterception('t', [one])
  expect(rules(text, 'in-127.64.1.2')).toEqual(expected)
})

test('all pods of a node are one transaction, in a table that replaces what was there', () => {
  const text = compileCgroupInterception('biplane-mesh-0', [
    { pod: pod({ 'traffic.kuma.io/exclude-outbound-ports': '5432' }), ip: '127.64.1.2', cgroup: at('/sys/fs/cgroup/biplane/n/a') },
    { pod: pod(), ip: '127.64.1.3', cgroup: at('/sys/fs/cgroup/biplane/n/b') },
    { pod: pod(), ip: '127.64.1.4' },
  ])
  expect(text.split('\n').slice(0, 3)).toEqual(['table ip biplane-mesh-0', 'delete table ip biplane-mesh-0', 'table ip biplane-mesh-0 {'])
  expect(text.match(/^table|^delete/gm)).toHaveLength(3)
  expect(rules(text, 'output')).toEqual([
    'type nat hook output priority -100; policy accept;',
    'meta l4proto != tcp return',
    'tcp flags & (fin | syn | rst | ack) != syn return',
    'meta skuid != 5678 ip daddr 127.64.0.0/16 socket cgroupv2 level 3 vmap { "biplane/n/a" : jump out-127.64.1.2, "biplane/n/b" : jump out-127.64.1.3 }',
    'ip daddr vmap { 127.64.1.2 : goto in-127.64.1.2, 127.64.1.3 : goto in-127.64.1.3, 127.64.1.4 : goto in-127.64.1.4 }',
  ])
  expect(rules(text, 'out-127.64.1.2')).toEqual([
    'ip daddr 127.64.1.2 return',
    'tcp dport { 5432 } return',
    'meta l4proto tcp dnat to 127.64.1.2:15001',
  ])
  expect(rules(text, 'out-127.64.1.3')).toEqual(['ip daddr 127.64.1.3 return', 'meta l4proto tcp dnat to 127.64.1.3:15001'])
  expect(rules(text, 'out-127.64.1.4')).toBeUndefined()
})

test('a node none of whose pods has a process has nothing to lead out', () => {
  expect(rules(compileCgroupInterception('t', [{ pod: pod(), ip: '127.64.1.4' }]), 'output')).toEqual([
    'type nat hook output priority -100; policy accept;',
    'meta l4proto != tcp return',
    'tcp flags & (fin | syn | rst | ack) != syn return',
    'ip daddr vmap { 127.64.1.4 : goto in-127.64.1.4 }',
  ])
})

const mount = (root: string, fsType = 'cgroup2'): Parameters<typeof cgroupProblem>[0]['mounts'][number] => ({
  mountPoint: '/sys/fs/cgroup',
  root,
  fsType,
  options: [],
})
const HOST = 'cgroup:[4026531835]'
const OTHER = 'cgroup:[4026532215]'

test.each<[string, Parameters<typeof cgroupProblem>[0], RegExp | undefined]>([
  ['the machine itself', { mounts: [mount('/')], namespace: HOST, release: '5.15.0-91-generic' }, undefined],
  ['version 1 alone', { mounts: [mount('/', 'cgroup')], namespace: HOST, release: '6.18.44' }, /no cgroup2 is mounted/],
  ['a part of the tree', { mounts: [mount('/docker/1')], namespace: HOST, release: '6.18.44' }, /only a part .*\/docker\/1/],
  ['a namespace that the kernel does not count from', { mounts: [mount('/')], namespace: OTHER, release: '6.10.9' }, /6\.11/],
  ['a namespace that the kernel counts from', { mounts: [mount('/')], namespace: OTHER, release: '6.11.0' }, undefined],
  ['a namespace, the next major', { mounts: [mount('/')], namespace: OTHER, release: '7.0.0' }, undefined],
])('levels of cgroups: %s', (_what, machine, expected) => {
  const problem = cgroupProblem(machine)
  if (expected) expect(problem).toMatch(expected)
  else expect(problem).toBeUndefined()
})
