import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { deployments } from '../../src/api/apps/v1/deployment.ts'
import { nodes } from '../../src/api/core/v1/node.ts'
import { pods } from '../../src/api/core/v1/pod.ts'
import { isPodReady } from '../../src/api/pod-status.ts'
import type { Client } from '../../src/client/client.ts'
import { adminAccess, connectClient, freePort, stopProcess } from './control-plane.ts'

/** A `biplane up` with its children. */
export interface Cluster {
  /** From the spawn until the node, and all pods of all deployments, were ready. */
  readonly readyMs: number
  readonly pods: number
  /** `up`, `control-plane` and `node`. */
  roles(): readonly { readonly name: string; readonly pid: number }[]
  stop(): Promise<void>
}

const POLL_MS = 50
const TIMEOUT_MS = 120_000

/** Leaves the user's kubeconfig alone. @param options.files manifests with at least one deployment, or none */
export async function startCluster(bin: string, options: { dataDir: string; files: readonly string[] }): Promise<Cluster> {
  const { dataDir, files } = options
  const port = await freePort()
  // workloads run as other users and have to get through
  mkdirSync(dataDir, { recursive: true })
  chmodSync(dirname(dataDir), 0o755)
  chmodSync(dataDir, 0o755)
  const args = ['up', ...files.flatMap((file) => ['-f', file]), '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`, '--no-kubeconfig']
  const begin = performance.now()
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-10_000)))
  const stop = async (): Promise<void> => void (await stopProcess(child, 'SIGTERM'))
  try {
    let client: Client | undefined
    for (let found = -1; ; await delay(POLL_MS)) {
      if (child.exitCode !== null) throw new Error(`up ended with ${child.exitCode}\n${log}`)
      if (performance.now() - begin > TIMEOUT_MS) throw new Error(`not ready in time\n${log}`)
      client ??= access(dataDir)
      if (client) found = await readyPods(client, files.length > 0).catch(() => -1)
      if (!client || found < 0) continue
      await client.transport.close()
      return { readyMs: performance.now() - begin, pods: found, roles: () => rolesOf(child.pid as number), stop }
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function access(dataDir: string): Client | undefined {
  try {
    return connectClient(adminAccess(dataDir))
  } catch {
    // not written yet
    return undefined
  }
}

/** How many pods there are when all that is wanted is ready; -1 before. */
async function readyPods(client: Client, wantsWorkloads: boolean): Promise<number> {
  const list = (await client.of(nodes).list()).items
  const nodeReady = list.some((node) => node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
  if (!nodeReady) return -1
  const wanted = (await client.of(deployments).list()).items
  const settled = wanted.every(
    ({ metadata, spec, status }) => status?.observedGeneration === metadata.generation && status?.readyReplicas === (spec?.replicas ?? 1),
  )
  const all = (await client.of(pods).list()).items
  if (wantsWorkloads && (wanted.length === 0 || all.length === 0)) return -1
  return settled && all.every(isPodReady) ? all.length : -1
}

function rolesOf(up: number): { name: string; pid: number }[] {
  const found = [{ name: 'up', pid: up }]
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (parent !== up) continue
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ')
      const name = /(?:^biplane|biplane\.js) (\S+)/.exec(command)?.[1] ?? command
      found.push({ name, pid: Number(entry) })
    } catch {
      // gone meanwhile
    }
  }
  return found
}
