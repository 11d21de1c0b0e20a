import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { inNetworkNamespace } from '../../../../base/linux/network-namespace.ts'
import type { SpawnPlan } from './launch.ts'

/**
 * Starts a process in a session of its own, in the network namespace at a path. A child begins where the thread is that forks it, so
 * no program has to be run that enters the namespace first. @param namespace absent: the machine's
 */
export function spawnIn(namespace: string | undefined, plan: SpawnPlan, stdio: StdioOptions): ChildProcess {
  const start = (): ChildProcess => spawn(plan.file, [...plan.args], { env: { ...plan.env }, cwd: '/', detached: true, stdio })
  return namespace === undefined ? start() : inNetworkNamespace(namespace, start)
}
