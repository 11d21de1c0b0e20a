import type { CallerMatch, ProxyView, TrafficPolicy } from '../input/index.ts'
import { proxyIdentity, type Callers } from './callers.ts'

type Action = 'deny' | 'shadowDeny' | 'allow'
const ACTIONS: Readonly<Record<string, Action>> = { Allow: 'allow', Deny: 'deny', AllowWithShadowDeny: 'shadowDeny' }

/**
 * Kuma 2's list, where the last item that means a caller decides, as lists where denial always wins: each caller is put into the list of its last item alone.
 * A namespace of which some callers are decided by later items becomes those of its proxies that are known and not decided.
 */
export function permissionRules(
  items: readonly { readonly callers: Callers; readonly action: string | undefined }[],
  proxies: readonly Pick<ProxyView, 'namespace' | 'serviceAccount'>[],
  trustDomain: string,
  name: string,
): NonNullable<TrafficPolicy['rules']> {
  const lists: Record<Action, { match: CallerMatch; name: string }[]> = { deny: [], shadowDeny: [], allow: [] }
  const decided: string[] = []
  const isDecided = (id: string): boolean => decided.some((one) => (one.endsWith('/') ? id.startsWith(one) : id === one))
  const ids = [...new Set(proxies.map((proxy) => proxyIdentity(trustDomain, proxy)))].sort()
  const undecided = (prefix: string): CallerMatch[] =>
    ids.filter((id) => id.startsWith(prefix) && !isDecided(id)).map((exact) => ({ spiffeId: { exact } }))

  for (const { callers, action } of [...items].reverse()) {
    const kind = ACTIONS[action ?? 'Deny'] ?? 'deny'
    if (callers.everybody) {
      // permission is the weakest list: it may name everybody, those that later items decide are in the others
      const isWhole = kind === 'allow' || decided.length === 0
      lists[kind].push(...(isWhole ? [{}] : undecided('')).map((match) => ({ match, name })))
      if (kind === 'shadowDeny') lists.allow.push({ match: {}, name })
      break
    }
    const matches = kind === 'allow' ? callers.matches : callers.matches.flatMap((match) => narrowed(match, decided, isDecided, undecided))
    lists[kind].push(...matches.map((match) => ({ match, name })))
    decided.push(...callers.matches.flatMap(({ spiffeId }) => textOf(spiffeId)))
  }
  return [{ matches: [], conf: lists }]
}

function narrowed(
  match: CallerMatch,
  decided: readonly string[],
  isDecided: (id: string) => boolean,
  undecided: (prefix: string) => readonly CallerMatch[],
): readonly CallerMatch[] {
  const [text = ''] = textOf(match.spiffeId)
  if (isDecided(text)) return []
  const isPrefix = text.endsWith('/')
  return isPrefix && decided.some((one) => one.startsWith(text)) ? undecided(text) : [match]
}

function textOf(match: CallerMatch['spiffeId']): readonly string[] {
  if (!match) return []
  return 'exact' in match ? [match.exact] : 'prefix' in match ? [match.prefix] : []
}
