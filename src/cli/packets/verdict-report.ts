import type { DirectionAnswer } from '../../protocols/node-explain.ts'
import type { VerdictReport, VerdictWay } from './ask-verdict.ts'
import { kernelRouteText } from './routes-report.ts'

/** A verdict for people. With `wide`: revisions, and every reason of the service. */
export function verdictText(report: VerdictReport, { wide }: { readonly wide: boolean }): string {
  const { from, to, node, revisions, service, ways, omitted } = report
  const lines = [
    `from      ${named(from.label, from.address)}, at node ${node}`,
    `to        ${named(to.label, to.address)} port ${to.port}/${to.protocol}`,
  ]
  if (wide) lines.push(`compiled  services at revision ${revisions.services ?? 'none'}, policies at ${revisions.policies ?? 'none'}`)
  if (service) {
    const counted = service.refused === undefined ? '' : ` [${service.refused} packets]`
    lines.push(`service   ${service.action}${service.service === undefined ? '' : ` to ${service.service}`}${counted}`)
    lines.push(
      ...(wide || service.action === 'reject' || service.action === 'drop' ? service.explanation : []).map(
        (reason) => `          ${reason}`,
      ),
    )
  } else lines.push(`service   node ${node} has no services in its kernel: its service proxy, if any, is not asked`)
  for (const way of ways) lines.push('', ...wayLines(way, node))
  if (omitted > 0) lines.push('', `and ${omitted} more endpoints that were not looked at`)
  lines.push('', `verdict   ${summary(report)}`)
  return `${lines.join('\n')}\n`
}

function wayLines(way: VerdictWay, asked: string): string[] {
  const { address, port, target, node, masquerade, egress, ingress, route, routeProblem, problem, outcome } = way
  const host = address.includes(':') ? `[${address}]` : address
  const whose = target === undefined ? '' : ` (${target}${node === undefined || target === `node ${node}` ? '' : ` on ${node}`})`
  return [
    `-> ${port === 0 ? address : `${host}:${port}`}${whose}: ${outcome}`,
    ...(masquerade ? ['   sender    is masqueraded: the receiver sees an address of the node'] : []),
    `   egress    ${directionText(egress)}`,
    `   route     ${route ? kernelRouteText(route) : (routeProblem ?? 'not known')}`,
    `   ingress   ${problem ?? directionText(ingress)}${node === undefined || node === asked || problem !== undefined ? '' : `   (node ${node})`}`,
  ]
}

function directionText(answer: DirectionAnswer | undefined): string {
  if (!answer) return 'not judged: the node has no packet policies in force'
  const { verdict, denyAction, reason, packets, bytes } = answer
  const counted = packets === undefined ? '' : ` [${packets} packets, ${bytes ?? 0} bytes]`
  return `${verdict}${denyAction === undefined ? '' : ` (${denyAction})`}: ${reason}${counted}`
}

function summary({ service, ways, omitted }: VerdictReport): string {
  if (service?.action === 'reject') return 'rejected by the service'
  if (service?.action === 'drop') return 'dropped by the service'
  const [only] = ways
  if (ways.length === 1 && only && omitted === 0) return only.outcome
  const counts = new Map<string, number>()
  for (const { outcome } of ways) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  return [...counts].map(([outcome, count]) => `${outcome} for ${count} of ${ways.length} endpoints`).join(', ')
}

function named(label: string, address: string): string {
  return label === address ? address : `${label} (${address})`
}
