import { expect, test } from 'vitest'
import type { Host } from './host.ts'
import { planExec, planShim, type Surroundings } from './launch.ts'

const tools = Object.fromEntries(
  ['sh', 'mv', 'env', 'setpriv', 'unshare', 'nsenter', 'mount', 'fallocate'].map((name) => [name, `/bin/${name}`]),
) as unknown as Host['tools']
const host: Host = {
  ok: true,
  capabilities: { limits: true, mounts: true, users: true },
  problems: [],
  tools,
  bootId: 'b',
  self: { uid: 0, gid: 0 },
  cgroups: undefined,
  rootfsBase: '/r',
}
const plain: Surroundings = {
  user: { uid: 0, gid: 0 },
  env: { A: '1' },
  cwd: '/srv',
  mode: 'none',
  rootDir: '/',
  cgroups: ['/cg/a', '/cg/b'],
}
const files = { shim: '/r/shim.sh', dir: '/d', marker: '/m', fstab: '/d/fstab', oomFile: '/cg/oom' }
const command = ['app', 'a b', '$X']

test('the plain way is one shell', () => {
  expect(planShim(host, plain, { files, command })).toEqual({
    file: '/bin/sh',
    args: ['/r/shim.sh', '/d', '/m', '/bin/mv', '/cg/a /cg/b', '/cg/oom', '/srv', '/bin/mount', '', ...command],
    env: { A: '1' },
  })
})

test('private mounts come before the shim, the own root after it', () => {
  const { file, args } = planShim(host, { ...plain, mode: 'root', rootDir: '/d/root' }, { files, command })
  expect([file, ...args.slice(0, 5)]).toEqual(['/bin/unshare', '--mount', '--propagation', 'private', '--', '/bin/sh'])
  expect(args.slice(-10)).toEqual(['/', '/bin/mount', '/d/fstab', '/bin/unshare', '--root=/d/root', '--wd=/srv', '--', ...command])
  expect(planShim(host, { ...plain, mode: 'bind' }, { files, command }).args.slice(-6)).toEqual([
    '/srv',
    '/bin/mount',
    '/d/fstab',
    ...command,
  ])
})

test('another user than root loses all rights but binding low ports', () => {
  const { args } = planShim(host, { ...plain, user: { uid: 1000, gid: 100 } }, { files, command })
  expect(args.slice(9)).toEqual([
    '/bin/setpriv',
    '--reuid=1000',
    '--regid=100',
    '--clear-groups',
    '--no-new-privs',
    '--inh-caps=-all,+net_bind_service',
    '--ambient-caps=-all,+net_bind_service',
    '--bounding-set=-all,+net_bind_service',
    '--',
    ...command,
  ])
  const unable = { ...host, capabilities: { ...host.capabilities, users: false } }
  expect(planShim(unable, { ...plain, user: { uid: 1000, gid: 100 } }, { files, command }).args.slice(9)).toEqual(command)
})

test('variables that a shell would drop, or that would change what runs before the program, are set behind it', () => {
  const { args, env } = planShim(
    host,
    { ...plain, env: { A: '1', 'my.var': 'x y', 'a-b': '', LD_PRELOAD: '/x.so', IFS: '' } },
    { files, command },
  )
  expect(env).toEqual({ A: '1' })
  expect(args.slice(9)).toEqual(['/bin/env', 'my.var=x y', 'a-b=', 'LD_PRELOAD=/x.so', 'IFS=', ...command])
})

test('a command beside a container enters its namespace, cgroups and directory', () => {
  const { file, args } = planExec(host, { ...plain, mode: 'root', rootDir: '/d/root' }, { pid: 7, command })
  expect([file, ...args.slice(0, 7)]).toEqual(['/bin/nsenter', '-t', '7', '--mount', '--root', '--', '/bin/sh', '-c'])
  expect(args.slice(-6)).toEqual(['exec', '/cg/a /cg/b', '/srv', ...command])
  expect(planExec(host, plain, { pid: 7, command }).file).toBe('/bin/sh')
})

test('a command beside a container that has no private mounts finds its volumes as the program does', () => {
  const { args } = planExec(
    host,
    { ...plain, places: { '/data': '/pod/data' } },
    { pid: 7, command: ['sh', '-c', 'cat /data/x >/database'] },
  )
  expect(args.at(-1)).toBe('cat /pod/data/x >/database')
})
