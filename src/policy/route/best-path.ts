/**
 * Best path selection of BGP (RFC 4271 section 9.1.2.2, with the steps the field added). Works on numbers only, so that a router may load
 * its own storage into reused candidates; the same code decides and explains.
 */

/** Steps in their order; the name says what decided. */
export const BEST_PATH_STEPS = [
  'local-preference',
  'locally-originated',
  'as-path-length',
  'origin',
  'med',
  'external-over-internal',
  'igp-metric',
  'oldest',
  'router-id',
  'cluster-list-length',
  'peer-address',
  'path-id',
] as const
export type BestPathStep = (typeof BEST_PATH_STEPS)[number]

export interface BestPathOptions {
  /** Compare MED also between neighbours of different AS. Default false. */
  readonly alwaysCompareMed: boolean
  /** A route without MED has the worst one instead of 0. Default false. */
  readonly missingMedIsWorst: boolean
  /** Of external routes equal until here, prefer the one known longer. Off by default: it makes the result depend on history. */
  readonly preferOldest: boolean
}

export const DEFAULT_BEST_PATH: BestPathOptions = { alwaysCompareMed: false, missingMedIsWorst: false, preferOldest: false }

/** What decides, as numbers. Mutable: callers in a hot path load and reuse candidates. */
export interface BestPathCandidate {
  localPreference: number
  local: boolean
  /** A set counts as one AS (RFC 4271 9.1.2.2 a), confederation segments as none (RFC 5065 5.3). */
  asPathLength: number
  /** 0 IGP, 1 EGP, 2 incomplete. */
  origin: number
  med: number
  hasMed: boolean
  /** First AS of the path; 0 for none, local or confederation routes. */
  neighbourAs: number
  external: boolean
  igpMetric: number
  /** Rises with the time of arrival: lower is older. */
  age: number
  /** ORIGINATOR_ID when there is one, else the peer's router id (RFC 4456 section 9). */
  routerId: number
  clusterListLength: number
  /** Rank of the peer's address: IPv4 before IPv6, then by bytes. */
  peerRank: number
  pathId: number
  /** Set by `selectBestPath`: index into BEST_PATH_STEPS where it fell behind, -1 for the best. */
  lostAt: number
}

export function emptyCandidate(): BestPathCandidate {
  return {
    localPreference: 100,
    local: false,
    asPathLength: 0,
    origin: 0,
    med: 0,
    hasMed: false,
    neighbourAs: 0,
    external: false,
    igpMetric: 0,
    age: 0,
    routerId: 0,
    clusterListLength: 0,
    peerRank: 0,
    pathId: 0,
    lostAt: -1,
  }
}

const MED_STEP = 4
const IGP_STEP = 6

/**
 * Finds the best of `candidates[0..count)` and notes on each where it lost. MED is compared as RFC 4271 says, by elimination inside each
 * neighbour AS before later steps, so the result does not depend on the order of candidates.
 *
 * @returns its index, -1 when count is 0
 */
export function selectBestPath(candidates: readonly BestPathCandidate[], count: number, options: BestPathOptions): number {
  if (count === 0) return -1
  let best = 0
  ;(candidates[0] as BestPathCandidate).lostAt = -1
  // up to origin the order is total: one pass finds the leaders
  for (let i = 1; i < count; i++) {
    const one = candidates[i] as BestPathCandidate
    one.lostAt = -1
    if (compareBeforeMed(one, candidates[best] as BestPathCandidate) < 0) best = i
  }
  let leaders = 0
  for (let i = 0; i < count; i++) {
    const step = compareBeforeMed(candidates[best] as BestPathCandidate, candidates[i] as BestPathCandidate)
    if (step !== 0) (candidates[i] as BestPathCandidate).lostAt = Math.abs(step) - 1
    else leaders++
  }
  if (leaders === 1) return best
  eliminateByMed(candidates, count, options)
  best = -1
  for (let i = 0; i < count; i++) {
    const one = candidates[i] as BestPathCandidate
    if (one.lostAt !== -1) continue
    if (best < 0) {
      best = i
      continue
    }
    const order = compareAfterMed(one, candidates[best] as BestPathCandidate, options)
    if (order < 0) best = i
  }
  const winner = candidates[best] as BestPathCandidate
  for (let i = 0; i < count; i++) {
    const one = candidates[i] as BestPathCandidate
    if (i === best || one.lostAt !== -1) continue
    const order = compareAfterMed(winner, one, options)
    // equal in everything: the first in the list won
    one.lostAt = order === 0 ? BEST_PATH_STEPS.length - 1 : Math.abs(order) - 1
  }
  return best
}

/** Whether a candidate that lost is as good as the best for forwarding: it fell behind only at a step that merely breaks ties. */
export function isEqualCost(candidate: BestPathCandidate, best: BestPathCandidate): boolean {
  return candidate.lostAt > IGP_STEP && candidate.local === best.local && candidate.external === best.external
}

/** Name of the step at which a candidate lost. */
export function stepName(lostAt: number): BestPathStep {
  return BEST_PATH_STEPS[lostAt] as BestPathStep
}

/** The values that a step compared, for people: `local-preference 100 < 200`. */
export function describeStep(step: BestPathStep, loser: BestPathCandidate, winner: BestPathCandidate): string {
  switch (step) {
    case 'local-preference':
      return `local preference ${loser.localPreference} is lower than ${winner.localPreference}`
    case 'locally-originated':
      return 'the best path is originated here'
    case 'as-path-length':
      return `AS path of ${loser.asPathLength} is longer than ${winner.asPathLength}`
    case 'origin':
      return `origin ${ORIGIN_NAMES[loser.origin]} is worse than ${ORIGIN_NAMES[winner.origin]}`
    case 'med':
      return loser.neighbourAs === winner.neighbourAs || winner.neighbourAs === 0
        ? `MED ${loser.med} is higher than ${winner.med}`
        : `MED ${loser.med} is higher than that of another path of AS ${loser.neighbourAs}`
    case 'external-over-internal':
      return 'an external path is preferred to an internal one'
    case 'igp-metric':
      return `the next hop is farther: interior cost ${loser.igpMetric} against ${winner.igpMetric}`
    case 'oldest':
      return 'the best path is known longer'
    case 'router-id':
      return `router id ${dotted(loser.routerId)} is higher than ${dotted(winner.routerId)}`
    case 'cluster-list-length':
      return `cluster list of ${loser.clusterListLength} is longer than ${winner.clusterListLength}`
    case 'peer-address':
      return "the peer's address is higher"
    case 'path-id':
      return `path identifier ${loser.pathId} is higher than ${winner.pathId}`
  }
}

const ORIGIN_NAMES = ['IGP', 'EGP', 'incomplete']

function dotted(id: number): string {
  return `${id >>> 24}.${(id >>> 16) & 0xff}.${(id >>> 8) & 0xff}.${id & 0xff}`
}

/** Step number (from 1) at which they differ, negative when `a` is better. */
function compareBeforeMed(a: BestPathCandidate, b: BestPathCandidate): number {
  if (a.localPreference !== b.localPreference) return a.localPreference > b.localPreference ? -1 : 1
  if (a.local !== b.local) return a.local ? -2 : 2
  if (a.asPathLength !== b.asPathLength) return a.asPathLength < b.asPathLength ? -3 : 3
  if (a.origin !== b.origin) return a.origin < b.origin ? -4 : 4
  return 0
}

function eliminateByMed(candidates: readonly BestPathCandidate[], count: number, options: BestPathOptions): void {
  for (let i = 0; i < count; i++) {
    const one = candidates[i] as BestPathCandidate
    // one that was itself eliminated by MED may still eliminate others, which its own conqueror does anyway
    if (one.lostAt !== -1) continue
    for (let j = 0; j < count; j++) {
      const other = candidates[j] as BestPathCandidate
      if (j === i || other.lostAt !== -1) continue
      if (!options.alwaysCompareMed && one.neighbourAs !== other.neighbourAs) continue
      if (medOf(other, options) < medOf(one, options)) {
        one.lostAt = MED_STEP
        break
      }
    }
  }
}

function medOf(candidate: BestPathCandidate, options: BestPathOptions): number {
  return candidate.hasMed ? candidate.med : options.missingMedIsWorst ? 0xffffffff : 0
}

function compareAfterMed(a: BestPathCandidate, b: BestPathCandidate, options: BestPathOptions): number {
  if (a.external !== b.external) return a.external ? -6 : 6
  if (a.igpMetric !== b.igpMetric) return a.igpMetric < b.igpMetric ? -7 : 7
  if (options.preferOldest && a.external && b.external && a.age !== b.age) return a.age < b.age ? -8 : 8
  if (a.routerId !== b.routerId) return a.routerId < b.routerId ? -9 : 9
  if (a.clusterListLength !== b.clusterListLength) return a.clusterListLength < b.clusterListLength ? -10 : 10
  if (a.peerRank !== b.peerRank) return a.peerRank < b.peerRank ? -11 : 11
  if (a.pathId !== b.pathId) return a.pathId < b.pathId ? -12 : 12
  return 0
}
