import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inNetworkNamespace } from '../../src/base/linux/network-namespace.ts'
import { removeNamespaces } from '../../src/data-plane/node/network/index.ts'
import type { CommandResult } from '../../src/testing/network-lab/index.ts'
import { poll } from './poll.ts'
import { processesWith } from './processes.ts'

/** Directories of lab clusters begin so, then comes the pid of their test. */
export const LAB_PREFIX = 'biplane-lab-'

export interface RunOptions {
  readonly input?: string
  /** Default 10,000 ms. */
  readonly timeoutMs?: number
}

/** Runs a command to its end; never rejects for an exit code. @param options namespace: path of a network namespace */
export function run(argv: readonly string[], options: RunOptions & { readonly namespace?: string }): Promise<CommandResult> {
  return new Promise((resolve) => {
    const start = (): void => {
      const limits = { timeout: options.timeoutMs ?? 10_000, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 } as const
      const child = execFile(argv[0] as string, argv.slice(1), limits, (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
        resolve({ code, stdout, stderr: stderr || (code === -1 ? String(error?.message) : '') })
      })
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
    }
    if (options.namespace === undefined) start()
    else inNetworkNamespace(options.namespace, start)
  })
}

/** Ends what runs in pods below `dir`, takes their networks away, and removes it. */
export async function removeAll(dir: string): Promise<void> {
  await poll('nothing of the cluster runs', () => {
    const left = processesWith(dir)
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // ended by itself
      }
    }
    return left.length === 0 ? true : undefined
  })
  for (const name of readdirSync(dir)) {
    const nodesDir = join(dir, name, 'nodes')
    if (!existsSync(nodesDir)) continue
    for (const node of readdirSync(nodesDir)) removeNamespaces(join(nodesDir, node, 'runtime/netns'))
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
}

/** Clusters of test processes that were killed. */
export function sweep(): void {
  mkdirSync(tmpdir(), { recursive: true })
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${LAB_PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) void removeAll(join(tmpdir(), name)).catch(() => {})
  }
}
