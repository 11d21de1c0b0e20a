import { parseIp } from '../../base/ip.ts'
import type { CommunityPattern } from './community-pattern.ts'
import { readCommunity } from './compile-match.ts'
import type { CommunityActions, RouteActions } from './route-policy.ts'
import { RoutePolicyError } from './route-policy-error.ts'

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

/** `replace` and `add` have no wildcards; they are the bytes of the attribute. */
export interface CompiledCommunityActions {
  readonly replace?: Uint8Array
  readonly remove?: readonly CommunityPattern[]
  readonly add?: Uint8Array
}

const ORIGINS = { IGP: 0, EGP: 1, Incomplete: 2 } as const
const MAX_PREPEND = 32

/** @throws {RoutePolicyError} */
export function compileActions(set: RouteActions, path: string): CompiledActions {
  const { localPreference, med, addMed, removeMed, origin, prepend, communities, largeCommunities, nextHop } = set
  checkU32(localPreference, `${path}.localPreference`)
  checkU32(med, `${path}.med`)
  if (addMed !== undefined && !Number.isSafeInteger(addMed)) throw new RoutePolicyError(`${path}.addMed`, 'must be a whole number')
  if (prepend) {
    checkU32(prepend.as, `${path}.prepend.as`)
    if (!Number.isInteger(prepend.count) || prepend.count < 1 || prepend.count > MAX_PREPEND || prepend.as === 0) {
      throw new RoutePolicyError(`${path}.prepend`, `count must be 1 to ${MAX_PREPEND}, and AS 0 is reserved`)
    }
  }
  return {
    ...(localPreference === undefined ? {} : { localPreference }),
    ...(med === undefined ? {} : { med }),
    ...(addMed === undefined ? {} : { addMed }),
    ...(removeMed === undefined ? {} : { removeMed }),
    ...(origin === undefined ? {} : { origin: ORIGINS[origin] }),
    ...(prepend ? { prepend } : {}),
    ...(communities ? { communities: compileCommunities(communities, false, `${path}.communities`) } : {}),
    ...(largeCommunities ? { largeCommunities: compileCommunities(largeCommunities, true, `${path}.largeCommunities`) } : {}),
    ...(nextHop === undefined ? {} : { nextHop: readNextHop(nextHop, `${path}.nextHop`) }),
  }
}

function checkU32(value: number | undefined, path: string): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= 0xffffffff)) {
    throw new RoutePolicyError(path, `${value} is not within 0 and 4294967295`)
  }
}

function readNextHop(text: string, path: string): 'self' | 'unchanged' | Uint8Array {
  if (text === 'self' || text === 'unchanged') return text
  const bytes = parseIp(text)
  if (!bytes) throw new RoutePolicyError(path, `"${text}" is no address, self or unchanged`)
  return bytes
}

function compileCommunities(actions: CommunityActions, large: boolean, path: string): CompiledCommunityActions {
  const { replace, remove, add } = actions
  const exact = (texts: readonly string[], where: string): Uint8Array =>
    Uint8Array.from(
      texts.flatMap((text, i) => {
        const parts = readCommunity(text, large, `${path}.${where}[${i}]`)
        if (parts.includes(-1)) throw new RoutePolicyError(`${path}.${where}[${i}]`, `"${text}" has a wildcard; only remove may have one`)
        return parts.flatMap((part) =>
          large ? [part >>> 24, (part >>> 16) & 0xff, (part >>> 8) & 0xff, part & 0xff] : [part >>> 8, part & 0xff],
        )
      }),
    )
  return {
    ...(replace ? { replace: exact(replace, 'replace') } : {}),
    ...(remove ? { remove: remove.map((text, i) => readCommunity(text, large, `${path}.remove[${i}]`)) } : {}),
    ...(add ? { add: exact(add, 'add') } : {}),
  }
}
