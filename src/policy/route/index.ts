/**
 * Routes judged: policies and best path selection as pure, compiled code, and the form of routes for the kernel.
 *
 *   route-policy.ts           what a policy declares
 *   compile-route-policy.ts   a policy ready to judge: attributes once (`narrow`), prefixes each (`decide`)
 *   compile-match.ts          conditions; as-path-pattern.ts, community-pattern.ts and prefix-list.ts are their parts
 *   compiled-actions.ts       changes; apply-actions.ts makes them
 *   best-path.ts              which of several routes wins, and at which step the others lost
 *   fib-route.ts              routes as the kernel is to have them
 *
 * Conditions see a route as it came to the policy, not what earlier rules changed: so what depends on attributes alone is judged once per attribute set.
 */
export { type ActionContext, applyActions } from './apply-actions.ts'
export { type AsPathPattern, compileAsPathPattern } from './as-path-pattern.ts'
export {
  BEST_PATH_STEPS,
  type BestPathCandidate,
  type BestPathOptions,
  type BestPathStep,
  DEFAULT_BEST_PATH,
  describeStep,
  emptyCandidate,
  isEqualCost,
  selectBestPath,
  stepName,
} from './best-path.ts'
export { formatCommunity, parseCommunity, WELL_KNOWN_COMMUNITIES } from './community-pattern.ts'
export { type CompiledRoutePolicy, compileRoutePolicy, type RouteOutcome } from './compile-route-policy.ts'
export type { CompiledActions, CompiledCommunityActions } from './compiled-actions.ts'
export { type Fib, type FibNextHop, type FibProblem, type FibRoute, ROUTE_PROTOCOL } from './fib-route.ts'
export { PrefixList, type PrefixListEntry } from './prefix-list.ts'
export type {
  CommunityActions,
  CommunityMatch,
  NumberRange,
  PrefixMatch,
  RouteActions,
  RouteMatch,
  RoutePolicyRule,
  RoutePolicySpec,
  RouteSource,
} from './route-policy.ts'
export { RoutePolicyError } from './route-policy-error.ts'
