import { counterName, type FilterChain, type RuleLabel } from './filter-model.ts'
import { isPodDevice } from '../../node/network/index.ts'
import { LOG_PER_SECOND, type RenderOptions } from './filter-draft.ts'
import { flowAddress, logged, rule, type RulePiece } from './rule-pieces.ts'

const DENIED = { verdict: 'deny', tier: 'Default', direction: 'egress', policies: [], denyAction: 'Drop' } as const
/** Counts packets of judged pods that belong to no flow. */
const STRAYS_ID = 0
/** Counts packets of pods with an address that is not theirs, and those to the tunnels between nodes. */
const FALSE_SOURCE_ID = 1
const TUNNEL_ID = 2
/** What the base chains count; other numbers come after these. */
export const BASE_LABELS: ReadonlyMap<number, RuleLabel> = new Map<number, RuleLabel>([
  [STRAYS_ID, DENIED],
  [FALSE_SOURCE_ID, { ...DENIED, rule: { index: 0, name: 'false source' } }],
  [TUNNEL_ID, { ...DENIED, rule: { index: 1, name: 'tunnel between nodes' } }],
])

const POD_DEVICES = 'bp*'
if (!isPodDevice('bp0123456789')) throw new Error('pod devices have other names')

/**
 * The chains that the kernel enters by. `links` is for all that comes from pods, also to the node: policies know pods by their addresses, so nobody may
 * send as somebody else, or have another node do so. `egress` and `ingress` are for packets that are routed through: between pods, and between pods and
 * what is not this node. `accept` in the first goes on to the second, so each direction can be left from any depth. They stand after the translation of
 * service addresses and before masquerading. What is neither from nor to a judged pod passes.
 */
export function baseChains(options: RenderOptions): ReadonlyMap<string, FilterChain> {
  const { keepEstablished = false } = options
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
    ['links', { hook: 'type filter hook prerouting priority raw; policy accept;', rules: asRules(linkRules(options)) }],
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

function linkRules({ podDevices = POD_DEVICES, logPerSecond = LOG_PER_SECOND }: RenderOptions): readonly string[] {
  const drop = (match: string, id: number): readonly string[] => [
    rule({ text: match, expressions: [] }, logged(id, logPerSecond)).text,
    `${match} counter name ${counterName(id)} drop`,
  ]
  return [
    `iifname != "${podDevices}" accept`,
    ...drop('ip daddr . udp dport @tunnels4', TUNNEL_ID),
    ...drop('ip6 daddr . udp dport @tunnels6', TUNNEL_ID),
    // what a link says of itself is never routed
    'ip6 saddr { ::, fe80::/10 } accept',
    // the way back to the source is not this link
    ...drop('fib saddr . iif oif missing', FALSE_SOURCE_ID),
  ]
}
