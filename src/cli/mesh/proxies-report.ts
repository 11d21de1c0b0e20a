import { ageSince } from '../../api/print/human-duration.ts'
import type { ExplainAnswer, PoliciesAnswer, ProxiesAnswer, ProxyStatusView, StrictAnswer } from '../../protocols/mesh-view.ts'
import { formatTable } from '../print/table.ts'

const TYPES = ['listener', 'route', 'cluster', 'endpoints'] as const

/** Proxies as a table; '' where there are none. */
export function proxiesTable({ proxies }: ProxiesAnswer, options: { readonly wide: boolean; readonly nowMs: number }): string {
  if (proxies.length === 0) return ''
  const head = [
    'NAMESPACE',
    'PROXY',
    'KIND',
    'DATA-PLANE',
    'NODE',
    'STATE',
    'AGE',
    ...(options.wide ? [...TYPES.map((type) => type.toUpperCase()), 'STRICT-BY'] : []),
    'REFUSED',
  ]
  const rows = proxies.map((proxy) => [
    proxy.namespace,
    proxy.pod,
    proxy.kind,
    proxy.dataPlane,
    proxy.node,
    stateOf(proxy),
    ageSince(proxy.since, options.nowMs),
    ...(options.wide ? [...TYPES.map((type) => countOf(proxy, type)), proxy.strictBy ?? '-'] : []),
    refusalsOf(proxy),
  ])
  return formatTable([head, ...rows])
}

/** `Synced`: all that was sent is in force. */
export function stateOf({ connected, types }: ProxyStatusView): string {
  if (!connected) return 'Disconnected'
  if (types.some(({ refused }) => refused)) return 'Refused'
  return types.some(({ pending }) => pending !== undefined) ? 'Syncing' : 'Synced'
}

function countOf({ types }: ProxyStatusView, type: string): string {
  const found = types.find((one) => one.type === type)
  return found ? String(found.resources) : '-'
}

function refusalsOf({ types }: ProxyStatusView): string {
  return types.flatMap(({ type, refused }) => (refused ? [`${type}: ${refused.reason}`] : [])).join('; ')
}

export function policiesTable({ policies }: PoliciesAnswer): string {
  if (policies.length === 0) return ''
  const rows = policies.map(({ policy, proxies, programmed, refused, findings }) => [
    policy,
    `${programmed}/${proxies}`,
    [
      ...refused.map(({ proxy, reason }) => `${proxy} refused: ${reason}`),
      ...findings.map(({ reason, message }) => `${reason}: ${message}`),
    ].join('; '),
  ])
  return formatTable([['POLICY', 'PROGRAMMED', 'REMARKS'], ...rows])
}

export function explainText({ steps, verdict }: ExplainAnswer): string {
  const lines = steps.map(({ step, verdict: one, message, origin }) => {
    const mark = one === 'ok' ? '+' : 'x'
    return `${mark} ${step.padEnd(11)} ${message}${origin === undefined ? '' : `  (${origin})`}\n`
  })
  return `${lines.join('')}${verdict}\n`
}

export function strictText({ safe, basis, note, plaintext }: StrictAnswer): string {
  const remark = note === undefined ? '' : `Note: ${note}.\n`
  const isSeen = basis !== 'configuration'
  if (plaintext.length === 0) {
    const why = isSeen
      ? 'nobody was seen to speak plaintext to a meshed workload'
      : 'nobody is known who could speak plaintext to a meshed workload'
    return `${safe ? 'STRICT is safe' : 'Whether STRICT is safe is not known'}: ${why}.\n${remark}`
  }
  const rows = plaintext.map(({ from, to, count, lastSeen }) => [from, to, ...(isSeen ? [String(count), lastSeen] : [])])
  const head = ['FROM', 'TO', ...(isSeen ? ['CONNECTIONS', 'LAST-SEEN'] : [])]
  const what = isSeen ? 'STRICT would break these callers, who speak plaintext' : 'STRICT would break these callers, if they call'
  return `${what}:\n${formatTable([head, ...rows])}${remark}`
}
