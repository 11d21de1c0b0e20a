import { counterName, type FilterChain, type RuleLabel } from './filter-model.ts'
import { flowAddress } from './render-matches.ts'

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
  return new Map([
    [
      'egress',
      {
        hook: 'type filter hook forward priority filter - 6; policy accept;',
        rules: [...strays, ...both, ...([4, 6] as const).map((family) => `${flowAddress('source', family)} vmap @egress${family}`)],
      },
    ],
    [
      'ingress',
      {
        hook: 'type filter hook forward priority filter - 5; policy accept;',
        rules: [...both, ...([4, 6] as const).map((family) => `${flowAddress('destination', family)} vmap @ingress${family}`)],
      },
    ],
  ])
}
