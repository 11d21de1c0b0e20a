import { ATTRIBUTE, type AttributeFacts } from '../../protocols/bgp/attribute-block.ts'
import type { BlockEditor } from '../../protocols/bgp/block-editor.ts'
import { communityFits } from './community-pattern.ts'
import type { CompiledActions, CompiledCommunityActions } from './compiled-actions.ts'

const MAX_U32 = 0xffffffff

/** What actions cannot know by themselves. */
export interface ActionContext {
  /** Prepended when the rule names no AS. */
  readonly prependAs: number
  /** Next hop `self`. */
  readonly self?: Uint8Array | undefined
}

/**
 * Applies the changes of a policy to a block being edited.
 *
 * @param facts of the route as it came: `addMed` adds to its MED
 * @returns the next hop that the policy asked for last, which is for the caller to put in: how depends on the peer
 */
export function applyActions(
  editor: BlockEditor,
  facts: AttributeFacts,
  actions: readonly CompiledActions[],
  context: ActionContext,
): CompiledActions['nextHop'] {
  let nextHop: CompiledActions['nextHop']
  let med = facts.hasMed ? facts.med : undefined
  for (const one of actions) {
    if (one.localPreference !== undefined) editor.putU32(ATTRIBUTE.localPreference, one.localPreference)
    if (one.removeMed) med = undefined
    if (one.med !== undefined) med = one.med
    if (one.addMed !== undefined) med = Math.min(MAX_U32, Math.max(0, (med ?? 0) + one.addMed))
    if (one.origin !== undefined) editor.putU8(ATTRIBUTE.origin, one.origin)
    if (one.prepend) editor.prepend(one.prepend.as ?? context.prependAs, one.prepend.count)
    if (one.communities) changeCommunities(editor, ATTRIBUTE.communities, 4, one.communities)
    if (one.largeCommunities) changeCommunities(editor, ATTRIBUTE.largeCommunities, 12, one.largeCommunities)
    if (one.nextHop !== undefined) nextHop = one.nextHop
  }
  if (med === undefined) {
    if (facts.hasMed) editor.remove(ATTRIBUTE.med)
  } else if (!facts.hasMed || med !== facts.med) editor.putU32(ATTRIBUTE.med, med)
  return nextHop
}

function changeCommunities(editor: BlockEditor, type: number, size: 4 | 12, { replace, remove, add }: CompiledCommunityActions): void {
  if (replace) editor.put(type, replace)
  if (remove) editor.removeCommunities(type, size, (bytes, at) => remove.some((pattern) => communityFits(pattern, bytes, at)))
  if (add) editor.addCommunities(type, add, size)
}
