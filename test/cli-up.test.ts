import { existsSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { afterEach, describe, expect, test } from 'vitest'
import { Home, type Running } from './cli-support/biplane.ts'
import { poll } from './support/poll.ts'
import { commandLineOf, processesWith } from './support/processes.ts'

const SLEEPERS = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: sleeper }
spec:
  replicas: 2
  selector: { matchLabels: { app: sleeper } }
  template:
    metadata: { labels: { app: sleeper } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - { name: main, image: host, command: [sleep, '600'] }
`

const homes: Home[] = []
const runs: Running[] = []

function newHome(): Home {
  const home = new Home()
  homes.push(home)
  return home
}

const upArgs = (home: Home): readonly string[] => ['up', '--listen', '127.0.0.1:0', '--data-dir', home.dataDir]

function start(home: Home, ...args: readonly string[]): Running {
  const run = home.start(...args)
  runs.push(run)
  return run
}

afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.signal('SIGKILL')
    await run.ended
  }
  for (const home of homes.splice(0)) home.remove()
})

/** Processes of the sleepers, sorted. */
async function sleepers(home: Home): Promise<readonly number[]> {
  const { stdout } = await home.run('get', 'pods', '-o', 'json', '--context', 'biplane-data')
  const { items } = JSON.parse(stdout) as { items: { metadata: { uid: string } }[] }
  return items
    .flatMap(({ metadata }) => processesWith(`BIPLANE_POD_UID=${metadata.uid}`))
    .filter((pid) => commandLineOf(pid).startsWith('sleep'))
    .sort((a, b) => a - b)
}

function isReady(server: string): Promise<true | undefined> {
  return new Promise((resolve) => {
    const asked = request(`${server}/readyz`, { rejectUnauthorized: false, timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200 ? true : undefined)
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(undefined))
    asked.end()
  })
}

describe('up', () => {
  test('runs manifests, replaces a killed process of its own without touching workloads, and ends with one SIGINT', async () => {
    const home = newHome()
    const up = start(home, ...upArgs(home), '-f', home.write('sleepers.yaml', SLEEPERS))
    await up.says('ready (')
    expect(up.output).toContain('A process is not a sandbox')
    expect(up.output).toMatch(/\[ +\d+\.\ds\] ok {3}deployment\/sleeper: 2\/2 ready/)
    expect((await home.run('get', 'nodes', '--no-headers')).stdout).toMatch(/^\S+ +Ready /)
    const server = /https:\/\/127\.0\.0\.1:\d+/.exec(up.output)?.[0] ?? ''
    const pids = await sleepers(home)
    expect(pids).toHaveLength(2)

    const controlPlane = await up.child('control-plane')
    const node = await up.child('node')
    process.kill(controlPlane, 'SIGKILL')
    await up.child('control-plane', controlPlane)
    await poll('the API server is back at its address', () => isReady(server))
    expect(await up.child('node')).toBe(node)
    expect(await sleepers(home)).toEqual(pids)

    process.kill(node, 'SIGKILL')
    const nextNode = await up.child('node', node)
    await poll('pods are still the same after the next agent adopted them', async () => {
      const { stdout } = await home.run('get', 'pods', '--no-headers')
      return /^(sleeper-\S+ +1\/1 +Running +0 .*\n){2}$/.test(stdout) ? true : undefined
    })
    expect(await sleepers(home)).toEqual(pids)
    expect(nextNode).not.toBe(node)

    const before = performance.now()
    up.signal('SIGINT')
    const { exitCode } = await up.ended
    expect(exitCode).toBe(0)
    expect(performance.now() - before).toBeLessThan(20_000)
    expect(pids.filter((pid) => commandLineOf(pid) !== '')).toEqual([])
    expect(home.processes()).toEqual([])
  })

  test('refuses a data directory that another up has', async () => {
    const home = newHome()
    const up = start(home, ...upArgs(home), '--no-kubeconfig')
    await up.says('ok   apiserver')
    const second = await home.run(...upArgs(home), '--no-kubeconfig')
    expect(second.exitCode).toBe(1)
    expect(second.stderr).toContain(`error: a cluster runs in ${home.dataDir} already (process ${up.pid})`)
    expect(second.stderr).toContain('fix: end it with "biplane down')
    expect(existsSync(home.kubeconfig)).toBe(false)
    up.signal('SIGTERM')
    expect((await up.ended).exitCode).toBe(0)
  })

  test('says so when the address is taken', async () => {
    const home = newHome()
    const up = start(home, ...upArgs(home), '--no-kubeconfig')
    await up.says('ok   apiserver')
    const address = /https:\/\/(\S+)/.exec(up.output)?.[1] ?? ''
    const second = await home.run('up', '--data-dir', `${home.dataDir}-other`, '--listen', address, '--no-kubeconfig')
    expect(second.exitCode).toBe(1)
    expect(second.stderr).toContain(`cannot listen on ${address}`)
    expect(second.stderr).toContain('why: another program listens there')
  })

  test('with --keep leaves workloads running even when it is killed itself; the next one adopts them, down ends everything', async () => {
    const home = newHome()
    home.write('.kube/config', FOREIGN)
    const up = start(home, ...upArgs(home), '--keep', '-f', home.write('sleepers.yaml', SLEEPERS))
    await up.says('ready (')
    expect(readFileSync(home.kubeconfig, 'utf8')).toContain('current-context: elsewhere')
    expect(statSync(home.kubeconfig).mode & 0o777).toBe(0o600)
    expect(readFileSync(`${home.kubeconfig}.bak`, 'utf8')).toBe(FOREIGN)
    const pids = await sleepers(home)
    expect(pids).toHaveLength(2)
    up.signal('SIGKILL')
    await up.ended
    await poll('both children end when their supervisor has gone', () => (remaining(home).length === 0 ? true : undefined))
    expect(pids.filter((pid) => commandLineOf(pid) === '')).toEqual([])

    const next = start(home, ...upArgs(home), '--keep')
    await next.says('deployment/sleeper: 2/2 ready')
    expect(await sleepers(home)).toEqual(pids)
    const down = await home.run('down', '--data-dir', home.dataDir, '--data', '--yes')
    expect(down).toMatchObject({ exitCode: 0, stderr: '' })
    expect(down.stdout).toContain('stopped 2 containers that were left running')
    expect((await next.ended).exitCode).toBe(0)
    expect(pids.filter((pid) => commandLineOf(pid) !== '')).toEqual([])
    expect(existsSync(home.dataDir)).toBe(false)
    const kubeconfig = readFileSync(home.kubeconfig, 'utf8')
    expect(kubeconfig).not.toContain('biplane')
    expect(kubeconfig).toContain('token: foreign-token')
    expect(home.processes()).toEqual([])
  })

  test('with --wait fails with the reason when workloads do not become ready', async () => {
    const home = newHome()
    const manifest = home.write(
      'bad.yaml',
      SLEEPERS.replace('image: host', 'image: no.such/image:1').replace("command: [sleep, '600']", ''),
    )
    const { exitCode, stderr } = await home.run(...upArgs(home), '--no-kubeconfig', '--wait', '--timeout', '5s', '-f', manifest)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('error: not ready within 5 s')
    expect(stderr).toContain('ImageNotRunnableAsProcess')
    expect(home.processes()).toEqual([])
  })

  test('ends at once with a second signal', async () => {
    const home = newHome()
    const stubborn = SLEEPERS.replace("[sleep, '600']", `[sh, -c, 'trap "" TERM; while :; do sleep 1; done']`).replace(
      'Seconds: 1',
      'Seconds: 60',
    )
    const up = start(home, ...upArgs(home), '-f', home.write('stubborn.yaml', stubborn))
    await up.says('ready (')
    up.signal('SIGINT')
    await up.says('ending, workloads first')
    const before = performance.now()
    up.signal('SIGINT')
    expect((await up.ended).exitCode).toBe(1)
    expect(performance.now() - before).toBeLessThan(3_000)
  })

  test('does not start anything when a manifest cannot be read', async () => {
    const home = newHome()
    const { exitCode, stderr } = await home.run(...upArgs(home), '-f', home.write('bad.yaml', 'a: 1\nb: [\n'))
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^error: the manifest cannot be read\n {2}at: {2}\S*bad\.yaml:3:1\n {2}why: /)
    expect(existsSync(home.dataDir)).toBe(false)
  })
})

const FOREIGN = `apiVersion: v1
kind: Config
current-context: elsewhere
clusters:
  - name: elsewhere
    cluster: { server: 'https://192.0.2.1:6443' }
users:
  - name: me
    user: { token: foreign-token }
contexts:
  - name: elsewhere
    context: { cluster: elsewhere, user: me }
`

function remaining(home: Home): readonly number[] {
  return home.processes().filter((pid) => commandLineOf(pid).startsWith('biplane '))
}
