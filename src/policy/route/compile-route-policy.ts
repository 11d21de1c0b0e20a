import type { AttributeFacts } from '../../protocols/bgp/attribute-block.ts'
import { type CompiledMatch, compileMatch } from './compile-match.ts'
import { type CompiledActions, compileActions } from './compiled-actions.ts'
import type { RoutePolicyRule, RoutePolicySpec, RouteSource } from './route-policy.ts'

/**
 * A policy ready to judge many routes. Judging has two halves, because routes share attributes: `narrow` looks at the attributes once,
 * `decide` at each prefix. Both return numbers that stay valid as long as the policy; there are no more of them than combinations of rules met.
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

/** @throws {RoutePolicyError} naming the field */
export function compileRoutePolicy(name: string, spec: RoutePolicySpec): CompiledRoutePolicy {
  return new RulePolicy(name, spec)
}

interface Rule extends CompiledMatch {
  readonly name: string
  readonly actions?: CompiledActions
  readonly action: RoutePolicyRule['action']
}

/** A list of rules, as a path from the root of a trie: equal lists are the same node. */
interface RuleList {
  readonly id: number
  readonly rules: readonly number[]
  readonly next: Map<number, RuleList>
  outcome: number
}

class RulePolicy implements CompiledRoutePolicy {
  readonly name: string
  readonly #rules: readonly Rule[]
  readonly #defaultAccepts: boolean
  readonly #narrowed: RuleList[] = []
  /** Of outcomes: rules that matched and change something or decide. */
  readonly #matched: RuleList[] = []
  readonly #outcomes: (RouteOutcome | undefined)[] = []

  constructor(name: string, spec: RoutePolicySpec) {
    this.name = name
    this.#defaultAccepts = spec.defaultAction === 'Accept'
    this.#rules = spec.rules.map((rule, i) => ({
      name: rule.name ?? `rule ${i + 1}`,
      ...compileMatch(rule.match ?? {}, `rules[${i}].match`),
      ...(rule.set ? { actions: compileActions(rule.set, `rules[${i}].set`) } : {}),
      action: rule.action,
    }))
    root(this.#narrowed)
    root(this.#matched)
  }

  narrow(facts: AttributeFacts, source: RouteSource): number {
    let list = this.#narrowed[0] as RuleList
    for (let i = 0; i < this.#rules.length; i++) {
      const rule = this.#rules[i] as Rule
      if (!passes(rule, facts, source)) continue
      list = follow(this.#narrowed, list, i)
      if (!rule.prefixes && rule.action !== 'Continue') break
    }
    return list.id
  }

  constantOutcome(narrowed: number): number {
    const list = this.#narrowed[narrowed] as RuleList
    if (list.outcome === UNKNOWN) {
      const depends = list.rules.some((rule) => (this.#rules[rule] as Rule).prefixes)
      list.outcome = depends ? -1 : this.decide(narrowed, 4, 0, 0, 0, 0, 0)
    }
    return list.outcome
  }

  decide(narrowed: number, family: 4 | 6, w0: number, w1: number, w2: number, w3: number, length: number): number {
    const { rules } = this.#narrowed[narrowed] as RuleList
    let matched = this.#matched[0] as RuleList
    for (let i = 0; i < rules.length; i++) {
      const index = rules[i] as number
      const rule = this.#rules[index] as Rule
      if (rule.prefixes && !rule.prefixes.matches(family, w0, w1, w2, w3, length)) continue
      if (rule.actions || rule.action !== 'Continue') matched = follow(this.#matched, matched, index)
      if (rule.action !== 'Continue') break
    }
    return matched.id
  }

  outcome(outcome: number): RouteOutcome {
    return (this.#outcomes[outcome] ??= this.#describe((this.#matched[outcome] as RuleList).rules))
  }

  #describe(matched: readonly number[]): RouteOutcome {
    const rules = matched.map((index) => this.#rules[index] as Rule)
    const last = rules.at(-1)
    const decided = last && last.action !== 'Continue' ? last : undefined
    const accepted = decided ? decided.action === 'Accept' : this.#defaultAccepts
    const actions = accepted ? rules.flatMap(({ actions }) => actions ?? []) : []
    return { accepted, rule: decided?.name ?? 'default', actions }
  }
}

const UNKNOWN = -2

function passes(rule: Rule, facts: AttributeFacts, source: RouteSource): boolean {
  const { tests } = rule
  for (let i = 0; i < tests.length; i++) if (!tests[i]?.(facts, source)) return false
  return true
}

function root(lists: RuleList[]): void {
  lists.push({ id: 0, rules: [], next: new Map(), outcome: UNKNOWN })
}

function follow(lists: RuleList[], list: RuleList, rule: number): RuleList {
  const known = list.next.get(rule)
  if (known) return known
  const made: RuleList = { id: lists.length, rules: [...list.rules, rule], next: new Map(), outcome: UNKNOWN }
  lists.push(made)
  list.next.set(rule, made)
  return made
}
