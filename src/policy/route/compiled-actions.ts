/** The changes of one rule, texts already read. */
export interface CompiledActions {
  readonly localPreference?: number
  readonly med?: number
  readonly addMed?: number
  readonly removeMed?: boolean
  readonly origin?: number
  /** Absent `as`: the own AS on export, the neighbour's on import. */
  readonly prepend?: { readonly as?: number; readonly count: number }
  readonly communities?: CompiledCommunityActions
  readonly largeCommunities?: CompiledCommunityActions
  readonly nextHop?: 'self' | 'unchanged' | Uint8Array
}

/** Communities as flat numbers: one each for standard, three for large ones. */
export interface CompiledCommunityActions {
  readonly replace?: readonly number[]
  /** A part that is -1 matches any value; standard communities are two parts of 16 bits here. */
  readonly remove?: readonly (readonly number[])[]
  readonly add?: readonly number[]
}
