import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../../src/base/clock.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import { accessOf, createClient, createHttpsTransport, loadKubeconfig, type ServerAccess } from '../../src/client/index.ts'
import type { Client } from '../../src/client/client.ts'
import { usageOf, type Usage } from './usage.ts'

const ROOT = process.env['BIPLANE_ROOT'] ?? '.'
const POLL_MS = 3
const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 30_000

/** A `biplane control-plane` in a process of its own, as a user starts it. */
export interface ControlPlane {
  readonly process: ChildProcess
  /** From the spawn until it took connections. */
  readonly listeningMs: number
  /** From the spawn to the first 200 of /readyz. */
  readonly readyMs: number
  readonly access: ServerAccess
  usage(): Usage
  /** SIGTERM, or what is given; waits for the end. @returns milliseconds until the process was gone */
  stop(signal?: NodeJS.Signals): Promise<number>
}

export interface StartOptions {
  readonly dataDir: string
  readonly args?: readonly string[]
  readonly nodeArgs?: readonly string[]
}

/** The bundle users run: `dist/biplane.js`, built if it is older than the source; or what `BIPLANE_BIN` names. */
export function biplaneBin(): string {
  const given = process.env['BIPLANE_BIN']
  if (given) return given
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--if-stale'], { stdio: 'inherit' })
  return join(ROOT, 'dist/biplane.js')
}

/** @param bin see `biplaneBin`. Standard error of the process is shown only when it fails. */
export async function startControlPlane(bin: string, options: StartOptions): Promise<ControlPlane> {
  const { dataDir, args = [], nodeArgs = [] } = options
  const port = await freePort()
  const begin = performance.now()
  const argv = [...nodeArgs, bin, 'control-plane', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`, ...args]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-10_000)))
  const listening = await untilReady(port, () => {
    if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}\n${log}`)
  })
  const readyMs = performance.now() - begin
  return {
    process: child,
    listeningMs: listening - begin,
    readyMs,
    access: adminAccess(dataDir),
    usage: () => usageOf(child.pid as number),
    stop: (signal = 'SIGTERM') => stopProcess(child, signal),
  }
}

/** Credentials of the administrator, from the data directory. */
export function adminAccess(dataDir: string): ServerAccess {
  const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
  return accessOf(loadKubeconfig([dataLayout(dataDir).adminKubeconfig], readFile), { readFile, clock: systemClock })
}

/** A client with a connection of its own. */
export function connectClient(access: ServerAccess): Client {
  return createClient(createHttpsTransport({ ...access, clock: systemClock, random: Math.random }))
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Asks /readyz until it says 200; first only for the port, which costs nothing. @returns when the port was open */
async function untilReady(port: number, check: () => void): Promise<number> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  while (!(await isOpen(port))) await pause(deadline, check)
  const open = performance.now()
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false })
  while ((await statusOf(port, agent)) !== 200) await pause(deadline, check)
  agent.destroy()
  return open
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return 0
  const begin = performance.now()
  const ended = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
  return performance.now() - begin
}

async function pause(deadline: number, check: () => void): Promise<void> {
  check()
  if (performance.now() > deadline) throw new Error('not ready in time')
  await delay(POLL_MS)
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const answer = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => answer(true)).once('error', () => answer(false))
  })
}

function statusOf(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', agent }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', () => resolve(0))
  })
}
