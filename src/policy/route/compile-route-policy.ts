import type { CompiledActions } from './compiled-actions.ts'
import type { AttributeFacts } from '../../protocols/bgp/attribute-block.ts'
import type { RouteSource } from './route-policy.ts'

/**
 * A policy ready to judge many routes. Judging has two halves, because routes share attributes: `narrow` looks at the attributes once,
 * `decide` at each prefix. Both return numbers that stay valid as long as the policy and never grow beyond the combinations of its rules.
 */
export interface CompiledRoutePolicy {
  readonly name: string
  /** @returns which rules are left for routes with these attributes */
  narrow(facts: AttributeFacts, source: RouteSource): number
  /** The outcome of a narrowed policy when no prefix can change it, else -1. */
  constantOutcome(narrowed: number): number
  /** Address as 32-bit words: one for IPv4, four for IPv6. @returns an outcome */
  decide(narrowed: number, family: 4 | 6, w0: number, w1: number, w2: number, w3: number, length: number): number
  outcome(outcome: number): RouteOutcome
}

/** What a policy says of a route. */
export interface RouteOutcome {
  readonly accepted: boolean
  /** The rule that accepted or rejected; `default` when none did. */
  readonly rule: string
  /** What to change, in order; empty for none. */
  readonly actions: readonly CompiledActions[]
}
