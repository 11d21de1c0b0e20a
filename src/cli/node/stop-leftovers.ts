import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '../../base/log.ts'
import { createProcessRuntime } from '../../data-plane/node/runtimes/process/index.ts'
import { removeNamespaces, removePodNetwork } from '../../data-plane/node/network/index.ts'
import { dataLayout } from '../compose/layout.ts'
import { claimKernelNetwork } from '../compose/network-mode.ts'
import type { CliContext } from '../context.ts'

const GRACE_MS = 5_000

/** Ends the containers that the nodes of a data directory left running; no agent may run there. @returns how many there were */
export async function stopLeftoverWorkloads(context: CliContext, dataDir: string): Promise<number> {
  const nodes = join(dataDir, 'nodes')
  if (!existsSync(nodes)) return 0
  let stopped = 0
  for (const name of readdirSync(nodes)) {
    const { pods } = dataLayout(dataDir).node(name)
    if (!existsSync(pods)) continue
    stopped += await stopAt(context, pods, name)
    await removeNetwork(join(pods, 'netns'))
  }
  return stopped
}

async function stopAt({ clock }: CliContext, rootDir: string, nodeName: string): Promise<number> {
  const runtime = createProcessRuntime({ rootDir, nodeName, clock, log: silentLogger, podCidr: '127.64.0.0/24' })
  try {
    const running = (await runtime.listPods()).flatMap(({ containers }) => containers.filter(({ state }) => state === 'running'))
    await Promise.all(running.map(({ id }) => runtime.stopContainer(id, { graceMs: GRACE_MS })))
    return running.length
  } finally {
    await runtime.close()
  }
}

/** Of a node in kernel mode; only its pods' where another node of this machine has taken its place. */
async function removeNetwork(namespacesDir: string): Promise<void> {
  if (!existsSync(namespacesDir)) return
  const claim = await claimKernelNetwork().catch(() => undefined)
  if (!claim) return removeNamespaces(namespacesDir)
  try {
    await removePodNetwork(namespacesDir)
  } finally {
    await claim.release()
  }
}
