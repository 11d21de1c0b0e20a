import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Pod } from '../src/api/generated/types.ts'
import { poll } from './support/poll.ts'
import { processesWith } from './support/processes.ts'
import { REPOSITORY } from './support/program.ts'
import { requirements } from './support/requirements.ts'

const { kubectl, missing, suffix } = await requirements()
// more than the ten seconds between two heartbeats
const GRACE_MS = 12_000

const DEPLOYMENT = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'spread' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'spread' } },
    template: {
      metadata: { labels: { app: 'spread' } },
      spec: {
        // the default is to wait five minutes for a node to come back
        tolerations: ['unreachable', 'not-ready'].map((condition) => ({
          key: `node.kubernetes.io/${condition}`,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 1,
        })),
        containers: [{ name: 'main', image: 'host', command: ['sleep', '600'] }],
      },
    },
  },
})

describe.skipIf(missing !== '')(`a second node${suffix}`, () => {
  let dir = ''
  const children = new Map<string, ChildProcess>()
  const start = (name: string, args: readonly string[], env: Record<string, string> = {}): void => {
    const child = spawn(process.execPath, [join(REPOSITORY, 'dist/biplane.js'), ...args], {
      cwd: dir,
      env: { PATH: process.env['PATH'], HOME: dir, ...env },
      stdio: 'ignore',
    })
    children.set(name, child)
  }
  const ask = (...args: readonly string[]): string =>
    execFileSync(kubectl, args, {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: dir, KUBECONFIG: join(dir, 'control/control-plane/admin.kubeconfig') },
      timeout: 20_000,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  const pods = (): Pod[] => (JSON.parse(ask('get', 'pods', '-l', 'app=spread', '-o', 'json')) as { items: Pod[] }).items
  const ready = (pod: Pod): boolean =>
    pod.metadata.deletionTimestamp === undefined &&
    pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
  const joinNode = (name: string): void => {
    const { token, caHash, server } = JSON.parse(
      execFileSync(
        process.execPath,
        [join(REPOSITORY, 'dist/biplane.js'), 'token', 'create', '--data-dir', join(dir, 'control'), '-o', 'json'],
        { encoding: 'utf8' },
      ),
    ) as Record<string, string>
    start(name, ['node', '--name', name, '--server', server ?? '', '--ca-hash', caHash ?? '', '--data-dir', join(dir, name)], {
      BIPLANE_TOKEN: token ?? '',
    })
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'biplane-second-'))
    chmodSync(dir, 0o755)
    start('control', [
      'control-plane',
      '--listen',
      '127.0.0.1:0',
      '--data-dir',
      join(dir, 'control'),
      '--node-grace-period',
      `${GRACE_MS}ms`,
    ])
    await poll(
      'control plane is ready',
      () => (existsSync(join(dir, 'control/control-plane/admin.kubeconfig')) && ask('get', '--raw', '/readyz') === 'ok' ? true : undefined),
      { withinMs: 30_000 },
    )
    joinNode('one')
    joinNode('two')
    await poll('both nodes are ready', () => (ask('get', 'nodes', '--no-headers').match(/ Ready /g)?.length === 2 ? true : undefined), {
      withinMs: 30_000,
    })
  })

  afterAll(async () => {
    for (const child of children.values()) child.kill('SIGKILL')
    // containers outlive their agents: that is what is promised
    await poll('nothing is left', () => {
      const left = dir === '' ? [] : processesWith(dir)
      for (const pid of left) process.kill(pid, 'SIGKILL')
      return left.length === 0 ? true : undefined
    })
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  })

  test('its pods run elsewhere after it has fallen silent', async () => {
    execFileSync(kubectl, ['apply', '-f', '-'], {
      input: DEPLOYMENT,
      env: { PATH: process.env['PATH'], HOME: dir, KUBECONFIG: join(dir, 'control/control-plane/admin.kubeconfig') },
    })
    await poll('four pods are ready', () => (pods().filter(ready).length === 4 ? true : undefined))
    const before = pods()
    expect(new Set(before.map((pod) => pod.spec?.nodeName))).toEqual(new Set(['one', 'two']))

    children.get('two')?.kill('SIGKILL')
    const begin = performance.now()
    await poll(
      'four ready pods on the node that is left',
      () => (pods().filter((pod) => ready(pod) && pod.spec?.nodeName === 'one').length === 4 ? true : undefined),
      { withinMs: 60_000 },
    )
    console.log(
      `node silent: its pods run elsewhere after ${((performance.now() - begin) / 1000).toFixed(1)} s (grace ${GRACE_MS / 1000} s)`,
    )
    expect(ask('get', 'nodes', 'two', '--no-headers')).toContain('NotReady')
    // the pods that were there all along were left alone
    const kept = before.filter((pod) => pod.spec?.nodeName === 'one').map((pod) => pod.metadata.uid)
    expect(pods().map((pod) => pod.metadata.uid)).toEqual(expect.arrayContaining(kept))
  })
})
