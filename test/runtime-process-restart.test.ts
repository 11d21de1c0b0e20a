import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sleep, systemClock } from '../src/base/clock.ts'
import type { ContainerStatus, Runtime } from '../src/data-plane/node/runtime.ts'
import { readProcess } from '../src/data-plane/node/runtimes/process/proc.ts'
import { ended, logsOf, RuntimeFixture, until } from './runtime-process-fixture.ts'

let fixture: RuntimeFixture
let agent: ChildProcess | undefined

beforeEach(() => {
  fixture = new RuntimeFixture()
})
afterEach(async () => {
  agent?.kill('SIGKILL')
  await fixture.close()
})

const OBEY = 'exec 3<>"$CONTROL"; i=0; while read -r verb rest <&3; do case $verb in print) echo "$rest";; exit) exit "$rest";; esac; done'

/** Starts containers from an agent in a process of its own, and kills that with -9. */
async function startAndKillAgent(names: readonly string[]): Promise<void> {
  const outfile = join(fixture.dir, 'agent.mjs')
  const entry = join(import.meta.dirname, 'runtime-process-agent.ts')
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' })
  const containers = names.map((name) => ({ name, command: ['sh', '-c', OBEY], env: { CONTROL: fixture.fifo(name) } }))
  const argument = JSON.stringify({ rootDir: fixture.rootDir, podCidr: '127.64.1.0/24', containers })
  agent = spawn(process.execPath, [outfile, argument], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(agent.stdout ?? agent, 'data')
  agent.kill('SIGKILL')
  await once(agent, 'exit')
}

function tell(name: string, text: string): Promise<void> {
  return appendFile(fixture.fifo(name), `${text}\n`)
}

async function adopted(runtime: Runtime): Promise<Record<string, ContainerStatus>> {
  return Object.fromEntries((await runtime.listPods()).map(({ sandbox, containers }) => [sandbox.podUid, containers[0] as ContainerStatus]))
}

function claimOf(name: string): string {
  return join(fixture.rootDir, 'pods', name, 'containers', 'main', '0', 'claim')
}

test('kill -9 of the agent harms nothing, and the next one reports what happened meanwhile', async () => {
  await startAndKillAgent(['stays', 'prints', 'leaves', 'dies'])
  const [stays, dies] = ['stays', 'dies'].map((name) => Number(readFileSync(claimOf(name).replace(/claim$/, 'pid'), 'utf8').split(' ')[0]))
  await tell('prints', 'print nobody listens')
  await tell('leaves', 'print last words')
  await tell('leaves', 'exit 42')
  process.kill(dies ?? 0, 'SIGTERM')
  await until(
    () => readProcess(dies ?? 0) === undefined,
    (gone) => gone,
  )
  const diedMs = systemClock.now()
  await sleep(systemClock, 300)

  const runtime = fixture.runtime()
  const pods = await adopted(runtime)
  expect(pods['stays']).toMatchObject({ state: 'running', pid: stays, restartCount: 0 })
  expect(pods['prints']).toMatchObject({ state: 'running' })
  expect(pods['leaves']).toMatchObject({ state: 'exited', exitCode: 42, reason: 'Error' })
  expect(pods['dies']).toMatchObject({ state: 'exited', exitCode: 143 })
  expect(Math.abs((pods['dies']?.finishedAtMs ?? 0) - diedMs)).toBeLessThan(250)
  expect(await logsOf(runtime, 'prints/main/0')).toBe('nobody listens\n')
  expect(await logsOf(runtime, 'leaves/main/0')).toBe('last words\n')

  // adopted containers are as good as own ones: ends are heard of, commands run, stop works
  const events = runtime.events(new AbortController().signal)[Symbol.asyncIterator]()
  const heard = events.next()
  await tell('prints', 'exit 3')
  expect(await heard).toMatchObject({ value: { podUid: 'prints' } })
  expect(await ended(runtime, 'prints/main/0')).toMatchObject({ exitCode: 3 })
  expect((await runtime.execSync('stays/main/0', ['sh', '-c', 'echo "$CONTROL"'], 10_000)).stdout.toString()).toBe(
    `${fixture.fifo('stays')}\n`,
  )
  await runtime.stopContainer('stays/main/0', { graceMs: 10_000 })
  expect(await runtime.status('stays/main/0')).toMatchObject({ exitCode: 143 })
})

test('when the shim is killed too, the program is kept, and its end is unknown', async () => {
  await startAndKillAgent(['orphan', 'gone'])
  for (const name of ['orphan', 'gone']) process.kill(Number(readFileSync(claimOf(name), 'utf8').split(' ')[0]), 'SIGKILL')
  await tell('gone', 'exit 0')
  await until(
    () => readProcess(Number(readFileSync(claimOf('gone').replace(/claim$/, 'pid'), 'utf8').split(' ')[0])) === undefined,
    (gone) => gone,
  )
  const runtime = fixture.runtime()
  const { orphan, gone } = await adopted(runtime)
  expect(orphan).toMatchObject({ state: 'running' })
  expect(gone).toMatchObject({ state: 'exited', exitCode: 137, reason: 'ContainerStatusUnknown' })
  await runtime.stopContainer('orphan/main/0', { graceMs: 10_000 })
  expect(await runtime.status('orphan/main/0')).toMatchObject({ state: 'exited', reason: 'ContainerStatusUnknown' })
})

test('after a restart of the machine everything has ended, whoever has the process numbers now', async () => {
  await startAndKillAgent(['old'])
  const text = readFileSync(claimOf('old'), 'utf8')
  process.kill(Number(text.split(' ')[0]), 'SIGKILL')
  // another boot, but a process with the very same number is there
  writeFileSync(claimOf('old'), text.replace(/\S+\n/, '00000000-0000-0000-0000-000000000000\n'))
  const pid = Number(readFileSync(claimOf('old').replace(/claim$/, 'pid'), 'utf8').split(' ')[0])
  const first = fixture.runtime()
  const { old } = await adopted(first)
  expect(old).toMatchObject({ state: 'exited', exitCode: 137, reason: 'ContainerStatusUnknown' })
  await first.close()
  expect((await adopted(fixture.runtime()))['old']).toEqual(old)
  // no restart has happened here: what seems to be left over is swept
  await until(
    () => readProcess(pid) === undefined,
    (gone) => gone,
  )
})

test('a crash in the middle of writing leaves nothing half', async () => {
  const first = fixture.runtime()
  const created = await fixture.create(first, ['sleep', '1000'], { uid: 'created' })
  await fixture.start(first, ['sleep', '1000'], { uid: 'whole' })
  await fixture.create(first, ['sleep', '1000'], { uid: 'half' })
  await fixture.create(first, ['sleep', '1000'], { uid: 'damaged' })
  await first.close()
  const dir = (uid: string): string => join(fixture.rootDir, 'pods', uid)
  rmSync(join(dir('half'), 'containers', 'main', '0', 'config.json'))
  writeFileSync(join(dir('damaged'), 'pod.json'), '{"metada')

  const second = fixture.runtime()
  const pods = await second.listPods()
  expect(Object.fromEntries(pods.map(({ sandbox, containers }) => [sandbox.podUid, containers.map(({ state }) => state)]))).toEqual({
    created: ['created'],
    half: [],
    whole: ['running'],
  })
  await second.startContainer(created)
  expect(await second.status(created)).toMatchObject({ state: 'running' })
})

test('two agents that start one container start it once', async () => {
  const first = fixture.runtime()
  const id = await fixture.create(first, ['sh', '-c', 'echo started; exec sleep 1000'], { uid: 'p' })
  const second = fixture.runtime()
  await second.listPods()
  await Promise.all([first.startContainer(id), second.startContainer(id)])
  const [one, other] = [await first.status(id), await second.status(id)]
  expect(one?.pid).toBe(other?.pid)
  await until(
    () => logsOf(first, id),
    (text) => text !== '',
  )
  await sleep(systemClock, 200)
  expect(await logsOf(first, id)).toBe('started\n')
})
