import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Home, type Ended, type Running } from './cli-support/biplane.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: host
          command: [sh, -c, 'echo hello from web; sleep 600']
`

let home: Home
let up: Running
const run = (...args: readonly string[]): Promise<Ended> => home.run(...args)

beforeAll(async () => {
  home = new Home()
  up = home.start('up', '--data-dir', home.dataDir, '--listen', '127.0.0.1:0', '--wait', '-f', home.write('web.yaml', DEPLOYMENT))
  await up.says('ready (')
})

afterAll(async () => {
  up.signal('SIGINT')
  expect((await up.ended).exitCode).toBe(0)
  expect(home.remove()).toEqual([])
})

describe('apply', () => {
  test('says what became of each object, and is stable', async () => {
    expect((await run('apply', '-f', 'web.yaml')).stdout).toBe('deployment.apps/web unchanged\n')
    home.write('scaled.yaml', DEPLOYMENT.replace('replicas: 1', 'replicas: 2'))
    expect((await run('apply', '-f', 'scaled.yaml', '--dry-run', 'server')).stdout).toBe(
      'deployment.apps/web configured (server dry run)\n',
    )
    expect((await run('apply', '-f', 'web.yaml')).stdout).toBe('deployment.apps/web unchanged\n')
  })

  test.each([
    [
      'a field that does not exist',
      DEPLOYMENT.replace('replicas: 1', 'replicsa: 1'),
      /at: {2}bad\.yaml:5:3\n {2}why: unknown field "spec\.replicsa"\n {2}fix: did you mean "replicas"\?/,
    ],
    ['a value of the wrong type', DEPLOYMENT.replace('replicas: 1', 'replicas: many'), /at: {2}bad\.yaml:5:3\n {2}why: spec\.replicas: /],
    [
      'a value that is refused',
      DEPLOYMENT.replace('app: web } }\n  template', 'app: other } }\n  template'),
      /at: {2}bad\.yaml:\d+:\d+\n {2}why: spec\.template\.metadata\.labels: /,
    ],
    [
      'a kind that does not exist',
      DEPLOYMENT.replace('kind: Deployment', 'kind: Deploymet'),
      /no kind "Deploymet" in apps\/v1\n {2}at: {2}bad\.yaml:1:1\n {2}fix: did you mean "Deployment"\?/,
    ],
    ['another version of a kind', DEPLOYMENT.replace('apps/v1', 'apps/v1beta1'), /fix: use apiVersion: apps\/v1/],
    [
      'a namespace that does not exist',
      DEPLOYMENT.replace('name: web }', 'name: web, namespace: nowhere }'),
      /fix: make the namespace first/,
    ],
    [
      'no name',
      DEPLOYMENT.replace('metadata: { name: web }', 'metadata: {}'),
      /the Deployment has no name\n {2}at: {2}bad\.yaml:1:1\n {2}fix: add metadata\.name/,
    ],
  ])('%s: exit code 1, what, where, why and how to fix', async (_, text, expected) => {
    home.write('bad.yaml', text)
    const { exitCode, stderr } = await run('apply', '-f', 'bad.yaml')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(expected)
  })
})

describe('get', () => {
  test('prints tables, names and data', async () => {
    expect((await run('get', 'deploy')).stdout).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +1\/1 +1 +1 +\S+\n$/)
    expect((await run('get', 'deploy', '-A', '--show-labels')).stdout).toMatch(/^NAMESPACE +NAME .* +LABELS\ndefault +web /)
    expect((await run('get', 'deploy', '-o', 'name')).stdout).toBe('deployment.apps/web\n')
    expect(JSON.parse((await run('get', 'deploy/web', '-o', 'json')).stdout)).toMatchObject({
      kind: 'Deployment',
      metadata: { name: 'web' },
    })
    expect(JSON.parse((await run('get', 'deploy', '-o', 'json')).stdout)).toMatchObject({ kind: 'List', items: [{ kind: 'Deployment' }] })
    expect((await run('get', 'deploy/web', '-o', 'yaml')).stdout).toMatch(/^apiVersion: apps\/v1\nkind: Deployment\n/)
    expect((await run('get', 'deploy,pods', '--no-headers')).stdout).toMatch(/^deployment\.apps\/web .*\n\npod\/web-/)
  })

  test('says what is not there and what was meant', async () => {
    expect(await run('get', 'pod', 'nothing')).toMatchObject({ exitCode: 1, stderr: 'error: pods "nothing" not found\n' })
    expect((await run('get', 'pdos')).stderr).toBe('error: the server has no kind "pdos"\n  fix: did you mean "pods"?\n')
    expect(await run('get', 'secrets')).toMatchObject({ exitCode: 0, stderr: 'No resources found in default namespace.\n' })
  })

  test('-w goes on with changes until it is interrupted', async () => {
    const watch = home.start('get', 'configmaps', '-w')
    await watch.says('NAME')
    home.write('cm.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: later }\n')
    await run('apply', '-f', 'cm.yaml')
    await watch.says(/^later /m)
    watch.signal('SIGINT')
    expect((await watch.ended).exitCode).toBe(0)
    expect((await run('delete', '-f', 'cm.yaml')).stdout).toBe('configmap/later deleted\n')
  })
})

test('logs, describe, wait', async () => {
  expect((await run('logs', 'deploy/web')).stdout).toBe('hello from web\n')
  expect((await run('logs', 'deploy/web', '-c', 'mian')).stderr).toContain('did you mean "main"?')
  const described = (await run('describe', 'pods')).stdout
  expect(described).toMatch(/^Name: +web-/)
  expect(described).toMatch(/Normal +Scheduled +\S+ +default-scheduler +Successfully assigned default\/web-/)
  expect((await run('describe', 'deploy', 'web')).stdout).toContain('NewReplicaSet:')
  expect((await run('describe', 'nodes')).stdout).toContain('Non-terminated Pods: (1 in total)')
  expect((await run('describe', 'service', 'kubernetes')).stdout).toMatch(/Endpoints: +127\.0\.0\.1:\d+/)
  expect((await run('wait', 'deploy/web', '--for=condition=Available')).stdout).toBe('deployment.apps/web condition met\n')
  expect(await run('wait', 'deploy/web', '--for=delete', '--timeout', '1s')).toMatchObject({ exitCode: 1 })
})

test('scale, set, roll out, roll back', async () => {
  expect((await run('scale', 'deploy/web', '--replicas', '2')).stdout).toBe('deployment.apps/web scaled\n')
  await run('set', 'env', 'deploy/web', 'A=1')
  expect((await run('rollout', 'status', 'deploy/web', '--timeout', '60s')).stdout).toMatch(/successfully rolled out\n$/)
  expect((await run('rollout', 'history', 'deploy/web')).stdout).toMatch(/\n1 .*\n2 /)
  expect((await run('rollout', 'undo', 'deploy/web')).stdout).toContain('rolled back to revision 1')
  await run('rollout', 'status', 'deploy/web', '--timeout', '60s')
  expect((await run('get', 'deploy/web', '-o', 'yaml')).stdout).not.toContain('name: A')
})

test('completion gives live names within its budget, also when there is no server', async () => {
  expect((await run('__complete', '--', 'get', 'deploy', '')).stdout).toBe('web\t\n')
  expect((await run('__complete', '--', 'get', 'deploy/')).stdout).toBe('deploy/web\t\n')
  const context = home.write(
    'dead',
    'clusters: [{name: a, cluster: {server: "https://192.0.2.1:1"}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n',
  )
  const before = performance.now()
  expect(await run('__complete', '--', 'get', '--kubeconfig', context, 'pods', '')).toMatchObject({ exitCode: 0, stdout: '' })
  // 300 ms for the answer and the start of Node
  expect(performance.now() - before).toBeLessThan(2_000)
})

test('a second node joins with a token and the hash of the CA', async () => {
  const token = JSON.parse((await run('token', 'create', '--data-dir', home.dataDir, '-o', 'json')).stdout) as {
    token: string
    server: string
    caHash: string
  }
  const dir = join(home.dir, 'second')
  const flags = ['--data-dir', dir, '--server', token.server, '--name', 'second', '--pod-cidr', '127.95.7.0/24', '--token', token.token]
  const wrong = await run('node', ...flags, '--ca-hash', `sha256:${'0'.repeat(64)}`)
  expect(wrong.exitCode).toBe(1)
  expect(wrong.stderr).toContain('is not the one that --ca-hash names')
  const node = home.start('node', ...flags, '--ca-hash', token.caHash)
  try {
    await poll('the second node is Ready', async () => (/^second +Ready/m.test((await run('get', 'nodes')).stdout) ? true : undefined))
  } finally {
    node.signal('SIGTERM')
    expect((await node.ended).exitCode).toBe(0)
  }
})

test('children whose supervisor dies while they are starting end too', async () => {
  const other = new Home()
  const dying = other.start('up', '--data-dir', other.dataDir, '--listen', '127.0.0.1:0', '--no-kubeconfig')
  await dying.says('joining')
  dying.signal('SIGKILL')
  await dying.ended
  await poll('nothing is left', () => (other.processes().length === 0 ? true : undefined), { withinMs: 20_000 })
  expect(other.remove()).toEqual([])
})

test('the reference of commands and flags is that of this tree', async () => {
  const { stderr } = await promisify(execFile)(process.execPath, [join(REPOSITORY, 'scripts/generate-cli-reference.mjs'), '--check'])
  expect(stderr).toBe('')
})

test('down refuses to delete what is no data directory', async () => {
  home.write('precious/thesis.txt', 'years of work')
  const { exitCode, stderr } = await run('down', '--data-dir', join(home.dir, 'precious'), '--data', '--yes')
  expect(exitCode).toBe(1)
  expect(stderr).toContain('is no data directory of biplane')
})

test('the tour ends by itself with 0, shows what it says, and leaves nothing behind', async () => {
  const { exitCode, stdout, stderr } = await run('demo', '-f', join(REPOSITORY, 'examples/shop'))
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toMatch(/\$ kill -9 \d+\n\(api-\S+ was ready again after \d+\.\d s\)/)
  expect(stdout).toMatch(/web \(web 2,|\(web 2, /)
  expect(stdout).toMatch(/# \d+ requests were sent meanwhile, 0 failed/)
  expect(stdout).toContain('deployment.apps/web rolled back to revision 1')
  const dir = /--data-dir (\S+)/.exec(stdout)?.[1] ?? ''
  expect(dir).toContain('biplane-demo-')
})
