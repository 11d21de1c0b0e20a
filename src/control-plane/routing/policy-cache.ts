import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { compileRoutePolicy, type CompiledRoutePolicy } from '../../policy/route/compile-route-policy.ts'
import type { PolicyConfig } from './config/index.ts'

/** Compiles each policy once, so that peers that share one share its tables, and an unchanged policy is the same object. */
export class PolicyCache {
  readonly #log: Logger
  #policies = new Map<string, CompiledRoutePolicy>()
  #used = new Map<string, CompiledRoutePolicy>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** What cannot be compiled lets nothing through. */
  readonly compile = (policy: PolicyConfig): CompiledRoutePolicy => {
    const key = JSON.stringify(policy)
    const known = this.#used.get(key) ?? this.#policies.get(key) ?? this.#compile(policy)
    this.#used.set(key, known)
    return known
  }

  /** Forgets what has not been asked for since the last call. */
  sweep(): void {
    this.#policies = this.#used
    this.#used = new Map()
  }

  #compile({ name, spec }: PolicyConfig): CompiledRoutePolicy {
    try {
      return compileRoutePolicy(name, spec)
    } catch (error) {
      this.#log.error('policy cannot be used: it lets nothing through', { policy: name, error: messageOf(error) })
      return compileRoutePolicy(name, { rules: [], defaultAction: 'Reject' })
    }
  }
}
