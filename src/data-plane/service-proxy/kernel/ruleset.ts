import { createHash } from 'node:crypto'
import { parsePrefix } from '../../../base/ip.ts'
import type { ServiceNode } from '../../../policy/packet/services/index.ts'
import { formatElement, formatHandle } from './element-form.ts'
import { INSIDE_OFFSET, chainOfClass, classNumber, classOfNumber } from './frontend-class.ts'
import type { AppliedState, Generation } from './plan-update.ts'
import { classesOfState, elementsOfState } from './state-elements.ts'

/** Name of our table in the families ip and ip6. */
export const TABLE = 'biplane-services'
/** Connection label of connections whose source is rewritten. A bit of 128, which no one else's bits are touched by: marks stay free for others. */
const LABEL = 127
/** Chains for so many endpoints are there from the start. */
const PRELOADED = 64
/** Clients that are remembered, all services together; when it is full, newcomers are balanced without being remembered. */
const MAX_CLIENTS = 65_536

/**
 * The tables of both families, empty but for what does not change with services: replaces whatever is there, in one transaction.
 *
 * Only data changes with services, never a verdict: the kernel checks the whole graph of jumps whenever a verdict is added (measured at 10,000 services:
 * 2 ms for an element of a verdict map, 0.03 ms for one of a data map). So `frontend` gives a number, the class, and the class a chain. The
 * number is carried in `meta priority` of the first packet, which forwarding sets anew anyway; packet and connection marks stay free.
 */
export function emptyRuleset(node: ServiceNode, generation: Generation): string {
  return rulesetText(node, generation, [], () => '')
}

/** The tables with everything in them. */
export function fullRuleset(node: ServiceNode, state: AppliedState): string {
  const classes = [...state.frontends.values()].flatMap(classesOfState)
  return rulesetText(node, state.generation, classes, (family) => elementLines(family, state))
}

/** A number that tells whether tables made by another version, or for another node, can be continued. */
export function shapeOf(node: ServiceNode): string {
  return createHash('sha256')
    .update(emptyRuleset(node, { epoch: 0, sequence: 0 }))
    .digest('hex')
    .slice(0, 16)
}

/** Adds the chains of classes; one that is there already is put right. */
export function chainsText(classes: Iterable<number>, { epoch }: Generation): string {
  const list = [...classes]
  return (['ip', 'ip6'] as const)
    .flatMap((family) => [
      ...list.map((number) => {
        const chain = `chain ${family} ${TABLE} ${chainOfClass(number)}`
        return `add ${chain}\nflush ${chain}\ntable ${family} ${TABLE} {\n${classChain(family, number, epoch)}}\n`
      }),
      `add element ${family} ${TABLE} class { ${list.map(classElement).join(', ')} }\n`,
    ])
    .join('')
}

/** Takes chains of classes away that no frontend has any more. */
export function dropChainsText(classes: Iterable<number>): string {
  const list = [...classes]
  return (['ip', 'ip6'] as const)
    .flatMap((family) => [
      `delete element ${family} ${TABLE} class { ${list.map(classElement).join(', ')} }\n`,
      ...list.map((number) => `delete chain ${family} ${TABLE} ${chainOfClass(number)}\n`),
    ])
    .join('')
}

/** Classes whose chains `emptyRuleset` has. */
export function preloadedClasses(): number[] {
  return Array.from({ length: PRELOADED }, (_, i) => classNumber({ count: i + 1, inside: false, rewritesSource: true, affinitySeconds: 0 }))
}

type Family = 'ip' | 'ip6'

function rulesetText(node: ServiceNode, generation: Generation, classes: readonly number[], elements: (family: Family) => string): string {
  const all = new Set([...preloadedClasses(), ...classes])
  return (['ip', 'ip6'] as const)
    .map((family) => {
      const chains = [...all].map((number) => classChain(family, number, generation.epoch)).join('')
      const table = `table ${family} ${TABLE}`
      const begin = `add element ${family} ${TABLE} generation { 0x${generation.epoch.toString(16)} : 0x${generation.sequence.toString(16)} }\n`
      const dispatch = `  map class {\n    typeof meta priority : verdict\n    elements = { ${[...all].map(classElement).join(', ')} }\n  }\n`
      return `${table}\ndelete ${table}\n${table} {\n${sets(family, node)}${chains}${dispatch}${baseChains(family)}}\n${begin}${elements(family)}`
    })
    .join('')
}

function sets(family: Family, node: ServiceNode): string {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const key = `type ${address} . inet_proto . inet_service`
  const set = (name: string, body: string, kind = 'set'): string => `  ${kind} ${name} {\n    ${body}\n  }\n`
  const ranges = (name: string, prefixes: readonly string[]): string => {
    const ours = prefixes.filter((prefix) => parsePrefix(prefix)?.family === (family === 'ip' ? 4 : 6))
    const elements = ours.length > 0 ? `; elements = { ${ours.join(', ')} }` : ''
    return set(name, `type ${address}; flags interval; auto-merge${elements}`)
  }
  const counted = `${key}; counter`
  return [
    set('generation', 'type mark : mark', 'map'),
    ranges('pod-range', node.podRanges ?? []),
    ranges('service-range', node.serviceRanges ?? []),
    set('frontend', `${key} : classid`, 'map'),
    set('near', `${key} : classid`, 'map'),
    set('endpoint', `${key} . classid : ${address} . inet_service`, 'map'),
    set('choice', `${key} . classid : classid`, 'map'),
    set('token', `${key} . classid : classid`, 'map'),
    set('affinity', `typeof ${clientOf(family, 1).type} : meta priority; size ${MAX_CLIENTS}; flags dynamic,timeout`, 'map'),
    set('hairpin', `type ${address} . ${address}`),
    set('no-endpoints', counted),
    set('no-local', counted),
    set('no-local-outside', counted),
    set('guarded', counted),
    set('allowed-source', `${key} . ${address}; flags interval`),
  ].join('')
}

/**
 * A client of a frontend, as it is remembered. nft 1.0 cannot write a map from a rule when the key has more than 16 bytes, so IPv6 clients are known by
 * two hashes; were they ever those of another client too, both would keep to one backend.
 */
function clientOf(family: Family, seed: number): { readonly type: string; readonly value: string } {
  const client = `${frontendOf(family)} . ${family} saddr`
  if (family === 'ip') return { type: client, value: client }
  const hash = (salt: number): string => `jhash ${client} mod 4294967295 seed 0x${((seed ^ salt) >>> 0).toString(16)}`
  const number = 'numgen random mod 2'
  return { type: `${number} . ${number}`, value: `${hash(0)} . ${hash(0x5bd1_e995)}` }
}

const frontendOf = (family: Family): string => `${family} daddr . meta l4proto . th dport`

function baseChains(family: Family): string {
  const key = frontendOf(family)
  const chain = (name: string, rules: readonly string[], hook?: string): string =>
    `  chain ${name} {\n${hook ? `    ${hook}; policy accept;\n` : ''}${rules.map((rule) => `    ${rule}\n`).join('')}  }\n`
  const hook = (type: string, name: string, priority: number): string => `type ${type} hook ${name} priority ${priority}`
  /**
   * Who is not translated looks again, one place further. A lookup while a commit takes the old element away may find neither that nor the new one. And where
   * tables are replaced, chains of one priority are asked in the order new, old: a commit in between leaves both without a rule.
   */
  const twice = (name: string, rules: readonly string[], at: string, priority: number): string[] => [
    chain(name, rules, hook('nat', at, priority)),
    chain(`${name}-again`, rules, hook('nat', at, priority + 1)),
  ]
  // before translation (dstnat is -100): who is not let in, and what has nobody to serve it
  const early = [
    `${key} @guarded ${key} . ${family} saddr != @allowed-source drop`,
    `${key} @no-endpoints goto refuse`,
    `${key} @no-local drop`,
  ]
  const near = `meta priority set ${key} map @near meta priority vmap @class`
  const dispatch = `meta priority set ${key} map @frontend meta priority vmap @class`
  // what still has an address of the service range after translation belongs to no service
  const late = [`ct state new ${family} daddr @service-range goto refuse`]
  const isTranslated = 'ct status & dnat == dnat'
  return [
    chain('refuse', ['reject with tcp reset', `reject with ${family === 'ip' ? 'icmp' : 'icmpv6'} type port-unreachable`]),
    chain('early', early),
    chain(
      'early-prerouting',
      ['ct state new jump early', `ct state new ${family} saddr != @pod-range ${key} @no-local-outside drop`],
      hook('filter', 'prerouting', -110),
    ),
    chain('early-output', ['ct state new jump early'], hook('filter', 'output', -110)),
    ...twice('translate-prerouting', [`${family} saddr @pod-range ${near}`, dispatch], 'prerouting', -100),
    ...twice('translate-output', [near, dispatch], 'output', -100),
    chain('late-prerouting', late, hook('filter', 'prerouting', -90)),
    chain('late-output', late, hook('filter', 'output', -90)),
    ...twice(
      'rewrite-source',
      [
        `${isTranslated} ${family} saddr . ${family} daddr @hairpin masquerade`,
        `${isTranslated} ct label ${LABEL} ${family} saddr != @pod-range fib saddr type != local masquerade fully-random`,
      ],
      'postrouting',
      100,
    ),
  ].join('')
}

/** How a class picks: at random among its slots, or what the client had before. */
function classChain(family: Family, number: number, seed: number): string {
  const { count, inside, rewritesSource, affinitySeconds } = classOfNumber(number)
  const key = frontendOf(family)
  const drawOf = (slots: number): string => `meta priority set numgen random mod ${slots}${inside ? ` offset ${INSIDE_OFFSET}` : ''}`
  const draw = drawOf(count)
  // a commit between the lookup of the class and that of the slot may take the slot away: the first is there as long as any is
  const again = drawOf(1)
  const go = `dnat ${family} to ${key} . meta priority map @endpoint`
  const label = rewritesSource ? `    ct label set ${LABEL}\n` : ''
  const name = `  chain ${chainOfClass(number)} {\n`
  if (affinitySeconds === 0) {
    return `${name}${label}    ${draw} ${go}\n    ${again} ${go}\n  }\n`
  }
  const client = clientOf(family, seed).value
  const remember = `update @affinity { ${client} timeout ${affinitySeconds}s : meta priority }`
  return [
    `${name}${label}`,
    // a token that is none any more makes the rule end at the second lookup: the memory is void and goes
    `    meta priority set ${client} map @affinity meta priority set ${key} . meta priority map @token ${remember} ${go}\n`,
    `    delete @affinity { ${client} : meta priority }\n`,
    ...[draw, again].map((drawn) => `    ${drawn} meta priority set ${key} . meta priority map @choice ${remember} ${go}\n`),
    `  }\n`,
  ].join('')
}

const classElement = (number: number): string => `${formatHandle(number)} : goto ${chainOfClass(number)}`

/** All elements of one family, a statement per set. */
function elementLines(family: Family, state: AppliedState): string {
  const bySet = new Map<string, string[]>()
  const add = (set: string, text: string): void => {
    const known = bySet.get(set)
    if (known) known.push(text)
    else bySet.set(set, [text])
  }
  const number = family === 'ip' ? 4 : 6
  for (const frontend of state.frontends.values()) {
    if (frontend.family !== number) continue
    for (const element of elementsOfState(frontend).values()) add(element.set, formatElement(frontend, element))
  }
  for (const address of state.hairpin.keys()) {
    if (address.includes(':') === (number === 6)) add('hairpin', `${address} . ${address}`)
  }
  return [...bySet].map(([set, elements]) => `add element ${family} ${TABLE} ${set} { ${elements.join(', ')} }\n`).join('')
}
