import { expect, test } from 'vitest'
import type { ResolvedContainer } from '../../runtime.ts'
import { rewriteMountPaths } from './literal-mounts.ts'

const base: ResolvedContainer = {
  name: 'c',
  image: 'host',
  restartCount: 0,
  command: [],
  env: {},
  limits: {},
  mounts: [
    { hostPath: '/pod/data', mountPath: '/data', readOnly: false },
    { hostPath: '/pod/cache', mountPath: '/data/cache/', readOnly: false },
    { hostPath: '/pod/app.conf', mountPath: '/etc/app.conf', readOnly: true },
  ],
}

test.each([
  ['/data', '/pod/data'],
  ['/data/x', '/pod/data/x'],
  ['/data/cache/x', '/pod/cache/x'],
  ['/database', '/database'],
  ['/data-old', '/data-old'],
  ['/my/data', '/my/data'],
  ['./data', './data'],
  ['--dir=/data,/etc/app.conf', '--dir=/pod/data,/pod/app.conf'],
  ['cat "/data/a" >/data/b', 'cat "/pod/data/a" >/pod/data/b'],
  ['/etc/appXconf', '/etc/appXconf'],
  ['PATH=/bin:/data/bin', 'PATH=/bin:/pod/data/bin'],
])('%j becomes %j', (text, expected) => {
  const { command, env, workingDir } = rewriteMountPaths({ ...base, command: [text], env: { A: text }, workingDir: text })
  expect([command[0], env['A'], workingDir]).toEqual([expected, expected, expected])
})

test('variables tell where the volumes are, and a variable of the pod wins', () => {
  const { env } = rewriteMountPaths({ ...base, command: ['x'], env: { BIPLANE_MOUNT_DATA: 'own' } })
  expect(env).toEqual({ BIPLANE_MOUNT_DATA: 'own', BIPLANE_MOUNT_DATA_CACHE: '/pod/cache', BIPLANE_MOUNT_ETC_APP_CONF: '/pod/app.conf' })
})
