import { counterName, type FilterChain, type RuleLabel } from './filter-model.ts'
import { flowAddress, type RulePiece } from './rule-pieces.ts'

/** Counts packets of judged pods that belong to no flow. */
export const STRAYS_ID = 0
export const STRAYS_LABEL: RuleLabel = { verdict: 'deny', tier: 'Default', direction: 'egress', policies: [], denyAction: 'Drop' }

/**
 * The two chains that the kernel enters by, for packets that are routed through: between pods, and between pods and what is not this node. `accept` in
 * the first goes on to the second, so each direction can be left from any depth. They stand after the translation of service addresses and before
 * masquerading. What is neither from nor to a judged pod passes.
 */
export function baseChains({ keepEstablished = false }: { readonly keepEstablished?: boolean }): ReadonlyMap<string, FilterChain> {
  const both = [
    // errors about a flow: too big, unreachable, time exceeded
    'ct state related meta l4proto { icmp, icmpv6 } accept',
    ...(keepEstablished ? ['ct state established accept'] : []),
    // a pod that comes back to itself by a service
    ...([4, 6] as const).map((family) => `${flowAddress('source', family)} . ${flowAddress('destination', family)} @self${family} accept`),
  ]
  // conntrack knows no flow for these, so no rule could match them
  const strays = (['saddr', 'daddr'] as const).flatMap((end) =>
    ([4, 6] as const).map(
      (family) =>
        `ct state invalid,untracked ${family === 4 ? 'ip' : 'ip6'} ${end} @judged${family} counter name ${counterName(STRAYS_ID)} drop`,
    ),
  )
  const dispatch = (end: 'source' | 'destination', map: string): readonly string[] =>
    ([4, 6] as const).map((family) => `${flowAddress(end, family)} vmap @${map}${family}`)
  const asRules = (lines: readonly string[]): readonly RulePiece[] => lines.map((text) => ({ text, expressions: [] }))
  return new Map([
    [
      'egress',
      {
        hook: 'type filter hook forward priority filter - 6; policy accept;',
        rules: asRules([...strays, ...both, ...dispatch('source', 'egress')]),
      },
    ],
    [
      'ingress',
      {
        hook: 'type filter hook forward priority filter - 5; policy accept;',
        rules: asRules([...both, ...dispatch('destination', 'ingress')]),
      },
    ],
  ])
}
