import { createHash } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { openNft } from '../../data-plane/forwarding/nft/index.ts'
import { CgroupInterception, cgroupInterceptionProblem } from '../../data-plane/node/mesh/index.ts'
import type { Runtime } from '../../data-plane/node/runtime.ts'

/**
 * For a node whose pods share its network. @param pods directory of its runtime
 * @returns undefined where the machine or the agent's rights do not do: what an earlier agent has left there stays
 */
export async function openCgroupInterception(options: {
  readonly runtime: Pick<Runtime, 'probe'>
  readonly pods: string
  readonly root: boolean
  readonly clock: Clock
  readonly log: Logger
}): Promise<CgroupInterception | undefined> {
  const { runtime, pods, root, clock, log } = options
  const without = (problem: string): undefined => {
    log.info('plain text can go past sidecars on this node: strict is theirs alone', { problem })
    return undefined
  }
  if (!root) return without('the node agent is not root')
  // makes the parent of the cgroups of pods
  await runtime.probe()
  try {
    const of = { table: cgroupTableOf(pods), nft: openNft({ clock }) }
    const problem = await cgroupInterceptionProblem(of)
    if (problem === undefined) return new CgroupInterception({ ...of, clock, log })
    of.nft.close()
    return without(problem)
  } catch (error) {
    return without(messageOf(error))
  }
}

/** Other nodes of a machine have directories of their own. */
export const cgroupTableOf = (pods: string): string => `biplane-mesh-${createHash('sha256').update(pods).digest('hex').slice(0, 12)}`
