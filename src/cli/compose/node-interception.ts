import { createHash } from 'node:crypto'
import type { Logger } from '../../base/log.ts'
import { openNft } from '../../data-plane/forwarding/nft/index.ts'
import { CgroupInterception, STRICT_IS_THEIRS } from '../../data-plane/node/mesh/index.ts'

/** For a node whose pods share its network. @param pods directory of its runtime @returns undefined where that takes rights which are not there */
export function openCgroupInterception(options: {
  readonly pods: string
  readonly root: boolean
  readonly log: Logger
}): CgroupInterception | undefined {
  const { pods, root, log } = options
  if (root) return new CgroupInterception({ table: cgroupTableOf(pods), openNft: () => openNft(), log })
  log.info(STRICT_IS_THEIRS, { problem: 'the node agent is not root' })
  return undefined
}

/** Other nodes of a machine have directories of their own. */
export const cgroupTableOf = (pods: string): string => `biplane-mesh-${createHash('sha256').update(pods).digest('hex').slice(0, 12)}`
