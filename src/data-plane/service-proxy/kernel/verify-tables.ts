import type { ServiceNode } from '../../../policy/packet/services/index.ts'
import type { NftContents } from '../../forwarding/contract.ts'
import type { AppliedState } from './plan-update.ts'
import { chainsText, emptyRuleset } from './ruleset.ts'
import { classesOfState, elementsOfState, type ElementSet } from './state-elements.ts'

/** Sets whose elements are counted: not the clients of `affinity`, which come and go. */
export const COUNTED: readonly (ElementSet | 'hairpin')[] = [
  'frontend',
  'near',
  'endpoint',
  'choice',
  'token',
  'hairpin',
  'no-endpoints',
  'no-local',
  'no-local-outside',
  'guarded',
  'allowed-source',
]

/** What a state puts into the tables. Pure. */
export function countsOfState(node: ServiceNode, state: AppliedState, family: 'ip' | 'ip6'): NftContents {
  const elements = new Map<string, number>()
  const count = (set: string): unknown => elements.set(set, (elements.get(set) ?? 0) + 1)
  const classes = new Set<number>()
  for (const frontend of state.frontends.values()) {
    for (const number of classesOfState(frontend)) classes.add(number)
    if (frontend.family !== (family === 'ip' ? 4 : 6)) continue
    for (const { set } of elementsOfState(frontend).values()) count(set)
  }
  for (const address of state.hairpin.keys()) if (address.includes(':') === (family === 'ip6')) count('hairpin')
  const text = emptyRuleset(node, state.generation) + (classes.size > 0 ? chainsText(classes, state.generation) : '')
  return { elements, rules: rulesOfText(text) }
}

/** Rules by chain; both families have the same chains. */
function rulesOfText(text: string): Map<string, number> {
  const rules = new Map<string, number>()
  for (const [, chain = '', body = ''] of text.matchAll(/^ {2}chain (\S+) \{\n((?: {4}.*\n)*)/gm)) {
    const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('    type '))
    rules.set(chain, lines.length)
  }
  return rules
}

/** The first place where the kernel has not what it was told, in words; chains that nothing leads to any more do not count. Pure. */
export function findDifference(wanted: NftContents, found: NftContents): string | undefined {
  for (const name of COUNTED) {
    const [is, be] = [found.elements.get(name) ?? 0, wanted.elements.get(name) ?? 0]
    if (is !== be) return `${name} has ${is} elements instead of ${be}`
  }
  for (const [chain, be] of wanted.rules) {
    const is = found.rules.get(chain) ?? 0
    if (is !== be) return `chain ${chain} has ${is} rules instead of ${be}`
  }
  return undefined
}
