import { expect, test } from 'vitest'
import type { Mount } from '../../runtime.ts'
import { type MountFacts, type PathFacts, planMounts } from './plan-mounts.ts'

const DIRS = ['/', '/etc', '/run', '/var', '/var/lib', '/tmp', '/proc', '/data', '/pod/vol', '/pod/other']
const FILES = ['/etc/hosts', '/pod/hosts', '/pod/key']
const LINKS: Record<string, string> = { '/var/run': '/run', '/etc/resolv.conf': '/run/resolv.conf' }

function look(path: string): PathFacts {
  for (const [link, real] of Object.entries(LINKS)) {
    if (path === link || path.startsWith(`${link}/`)) return look(real + path.slice(link.length))
  }
  if (DIRS.includes(path)) return { real: path, kind: 'dir' }
  return FILES.includes(path) ? { real: path, kind: 'file' } : { real: path }
}

function plan(mounts: readonly Mount[], mountPoints: readonly string[] = ['/', '/proc']): ReturnType<typeof planMounts> {
  return planMounts(mounts, { look, mountPoints, rootfs: '/c/rootfs' } satisfies MountFacts)
}

function mount(hostPath: string, mountPath: string, readOnly = false): Mount {
  return { hostPath, mountPath, readOnly }
}

test('without mounts nothing is done', () => {
  expect(plan([])).toEqual({ mode: 'none', root: '/', placeholders: [], fstab: [] })
})

test('over what exists, bind mounts do', () => {
  expect(plan([mount('/pod/hosts', '/etc/hosts'), mount('/pod/vol', '/data/', true)])).toEqual({
    mode: 'bind',
    root: '/',
    placeholders: [],
    fstab: ['/pod/vol /data none rbind,ro 0 0', '/pod/hosts /etc/hosts none rbind 0 0'],
  })
})

test('a mount that would hide the directory of the pod leaves that in place, in a root of its own', () => {
  const facts: MountFacts = { look, mountPoints: ['/'], rootfs: '/c/rootfs', keep: ['/data/pod'] }
  const { mode, placeholders, fstab } = planMounts([mount('/pod/vol', '/data'), mount('/pod/other', '/tmp')], {
    ...facts,
    look: (path) => (path === '/data/pod' ? { real: path, kind: 'dir' } : look(path)),
  })
  expect(mode).toBe('root')
  expect(placeholders).toContainEqual({ like: '/pod/vol/pod', path: '/pod/vol/pod', kind: 'dir' })
  expect(fstab.slice(1)).toEqual([
    '/pod/vol /c/rootfs/root/data none rbind 0 0',
    '/pod/other /c/rootfs/root/tmp none rbind 0 0',
    '/data/pod /c/rootfs/root/data/pod none rbind 0 0',
  ])
  expect(planMounts([mount('/pod/other', '/tmp')], facts).mode).toBe('bind')
})

test('in a root of its own, a container sees the kept directories as they are on the machine', () => {
  const keep = ['/agent/pod', '/agent/mesh', '/agent/missing']
  const there = new Set(['/agent/pod', '/agent/mesh'])
  const { fstab } = planMounts([mount('/pod/vol', '/new')], {
    look: (path) => (there.has(path) ? { real: path, kind: 'dir' } : look(path)),
    mountPoints: ['/'],
    rootfs: '/c/rootfs',
    keep,
  })
  expect(fstab.slice(1)).toEqual([
    '/pod/vol /c/rootfs/root/new none rbind 0 0',
    '/agent/pod /c/rootfs/root/agent/pod none rbind 0 0',
    '/agent/mesh /c/rootfs/root/agent/mesh none rbind 0 0',
  ])
})

test('what does not exist needs a root of its own, and nothing is made outside of it', () => {
  const { mode, root, placeholders, fstab } = plan([mount('/pod/vol', '/var/run/secrets/sa', true), mount('/pod/key', '/etc/app/key')])
  expect({ mode, root }).toEqual({ mode: 'root', root: '/c/rootfs/root' })
  expect(placeholders.map(({ path, kind, like }) => [path, kind, like])).toEqual([
    ['/c/rootfs/root', 'dir', '/'],
    ['/c/rootfs/upper', 'dir', '/'],
    ['/c/rootfs/work', 'dir', '/'],
    ['/c/rootfs/upper/etc', 'dir', '/etc'],
    ['/c/rootfs/upper/etc/app', 'dir', '/etc/app'],
    ['/c/rootfs/upper/etc/app/key', 'file', '/etc/app/key'],
    ['/c/rootfs/upper/run', 'dir', '/run'],
    ['/c/rootfs/upper/run/secrets', 'dir', '/run/secrets'],
    ['/c/rootfs/upper/run/secrets/sa', 'dir', '/run/secrets/sa'],
  ])
  expect(fstab).toEqual([
    'overlay /c/rootfs/root overlay lowerdir=/,upperdir=/c/rootfs/upper,workdir=/c/rootfs/work 0 0',
    '/proc /c/rootfs/root/proc none rbind 0 0',
    '/pod/key /c/rootfs/root/etc/app/key none rbind 0 0',
    '/pod/vol /c/rootfs/root/run/secrets/sa none rbind,ro 0 0',
  ])
})

test('a file system in which something is missing gets an overlay too, and what is mounted in it comes along', () => {
  const { fstab, placeholders } = plan([mount('/pod/vol', '/var/lib/app/data')], ['/', '/proc', '/var', '/var/lib', '/run', '/gone'])
  expect(fstab).toEqual([
    'overlay /c/rootfs/root overlay lowerdir=/,upperdir=/c/rootfs/upper,workdir=/c/rootfs/work 0 0',
    '/proc /c/rootfs/root/proc none rbind 0 0',
    '/var /c/rootfs/root/var none rbind 0 0',
    'overlay /c/rootfs/root/var/lib overlay lowerdir=/var/lib,upperdir=/c/rootfs/upper-1,workdir=/c/rootfs/work-1 0 0',
    '/run /c/rootfs/root/run none rbind 0 0',
    '/pod/vol /c/rootfs/root/var/lib/app/data none rbind 0 0',
  ])
  expect(placeholders.filter(({ path }) => path.includes('-1')).map(({ path, like }) => [path, like])).toEqual([
    ['/c/rootfs/upper-1', '/var/lib'],
    ['/c/rootfs/work-1', '/'],
    ['/c/rootfs/upper-1/app', '/var/lib/app'],
    ['/c/rootfs/upper-1/app/data', '/var/lib/app/data'],
  ])
})

test('a volume inside a volume is mounted after it, at a place made in the outer one', () => {
  const { mode, placeholders, fstab } = plan([mount('/pod/other', '/data/cache'), mount('/pod/vol', '/data')])
  expect(mode).toBe('bind')
  expect(placeholders).toEqual([{ like: '/pod/vol/cache', path: '/pod/vol/cache', kind: 'dir' }])
  expect(fstab).toEqual(['/pod/vol /data none rbind 0 0', '/pod/other /data/cache none rbind 0 0'])
})

test('odd characters are escaped as fstab wants it', () => {
  DIRS.push('/pod/a b')
  expect(plan([mount('/pod/a b', '/data')]).fstab).toEqual(['/pod/a\\040b /data none rbind 0 0'])
})

test.each([
  ['/', /absolute path below/],
  ['data', /absolute path below/],
  ['/data/../etc', /without "\.\."/],
  ['/etc/hosts', /is a file on this machine, but the volume is a directory/],
  ['/proc/app', /cannot hold new directories/],
])('mountPath %j is refused', (mountPath, message) => {
  expect(() => plan([mount('/pod/vol', mountPath)])).toThrow(message)
})

test('a volume that is not there is refused', () => {
  expect(() => plan([mount('/pod/gone', '/data')])).toThrow(/nothing at \/pod\/gone/)
})
