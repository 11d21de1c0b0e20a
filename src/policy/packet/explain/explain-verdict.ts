import { formatIp, parseIp } from '../../../base/ip.ts'
import type { DirectionAnswer, ServiceAnswer, VerdictAnswer, VerdictQuestion, WayAnswer } from '../../../protocols/node-explain.ts'
import { evaluatePacket, type DirectionVerdict, type PacketPolicy } from '../policies/index.ts'
import { resolveService, type ServiceTable } from '../services/index.ts'

/** What the kernel has counted of one rule of a policy. */
export interface CountedRule {
  readonly direction: string
  readonly tier: string
  readonly policies: readonly string[]
  readonly rule?: { readonly index: number }
  readonly verdict: string
  readonly packets: number
  readonly bytes: number
}

/** What the kernel has counted of connections to a frontend that it turned away. */
export interface CountedRefusal {
  /** `TCP/10.96.0.1:80`. */
  readonly frontend: string
  readonly packets: number
}

/** What is in force on a node, as compiled. */
export interface NodeArtefacts {
  readonly node: string
  readonly services?: ServiceTable
  readonly policies?: PacketPolicy
  readonly counters?: readonly CountedRule[]
  readonly refusals?: readonly CountedRefusal[]
}

/** Endpoints that are looked at one by one. */
const MAX_WAYS = 64

/** The question's addresses are no addresses. Code `BAD_ADDRESS`. */
export class BadAddressError extends Error {
  override readonly name = 'BadAddressError'
  readonly code = 'BAD_ADDRESS'
}

/**
 * What a node does with a packet and why: service translation, then policy for each endpoint it may come to; routes are added by whoever can ask
 * the kernel. Pure: runs the artefacts that the kernel of the node runs. @throws BadAddressError
 */
export function explainVerdict(question: VerdictQuestion, artefacts: NodeArtefacts): VerdictAnswer {
  const [from, to] = [addressOf(question.from), addressOf(question.to)]
  if (from.includes(':') !== to.includes(':')) throw new BadAddressError(`${from} and ${to} are of different families`)
  const asked = { ...question, from, to }
  const { services, policies } = artefacts
  const { service, targets } = translate(artefacts, asked)
  const ways = targets.slice(0, MAX_WAYS).map((target): WayAnswer => {
    if (!policies) return target
    // as the policies see it: addresses of endpoints, before masquerading
    const packet = { source: from, destination: target.address, protocol: asked.protocol, port: target.port }
    const { egress, ingress } = evaluatePacket(policies, packet)
    return { ...target, egress: directionOf(egress, artefacts), ingress: directionOf(ingress, artefacts) }
  })
  return {
    node: artefacts.node,
    question: asked,
    revisions: {
      ...(services ? { services: String(services.revision) } : {}),
      ...(policies ? { policies: policies.revision } : {}),
    },
    ...(service ? { service } : {}),
    ways,
    omitted: targets.length - ways.length,
  }
}

interface Target {
  readonly address: string
  readonly port: number
  readonly masquerade: boolean
}

function translate(
  { services, refusals = [] }: NodeArtefacts,
  { from, to, protocol, port }: VerdictQuestion,
): { readonly service?: ServiceAnswer; readonly targets: readonly Target[] } {
  const straight = [{ address: to, port, masquerade: false }]
  if (!services || protocol === 'ICMP') return { targets: straight }
  const { action, frontend, backends, explanation } = resolveService(services, { from, to, protocol, port })
  const counted = action === 'reject' || action === 'drop' ? refusals.filter((refusal) => refusal.frontend === frontend?.key) : []
  const service = {
    action,
    ...(frontend ? { frontend: frontend.key, service: frontend.service } : {}),
    explanation,
    ...(counted.length > 0 ? { refused: counted.reduce((sum, { packets }) => sum + packets, 0) } : {}),
  }
  if (action === 'pass') return { service, targets: straight }
  return { service, targets: backends.map(({ address, port, masquerade }) => ({ address, port, masquerade })) }
}

function directionOf(verdict: DirectionVerdict, { counters }: NodeArtefacts): DirectionAnswer {
  const { tier, policy, rule, denyAction, reason } = verdict
  const counted = counters?.find((one) => isOf(one, verdict))
  return {
    verdict: verdict.verdict,
    tier,
    ...(policy ? { policy: policy.namespace === undefined ? policy.name : `${policy.namespace}/${policy.name}` } : {}),
    ...(rule ? { rule: rule.index } : {}),
    ...(denyAction ? { denyAction } : {}),
    reason,
    ...(counted ? { packets: counted.packets, bytes: counted.bytes } : {}),
  }
}

/** Whether a counter is that of the rule that decided. */
function isOf(counted: CountedRule, { direction, tier, policy, policies, rule, verdict }: DirectionVerdict): boolean {
  if (counted.direction !== direction || counted.tier !== tier || counted.verdict !== verdict || !policy) return false
  if (counted.rule?.index !== rule?.index) return false
  if (policies) return policies.join() === counted.policies.join()
  const id = policy.namespace === undefined ? `ClusterNetworkPolicy/${policy.name}` : `NetworkPolicy/${policy.namespace}/${policy.name}`
  return counted.policies.includes(id)
}

function addressOf(text: string): string {
  const bytes = parseIp(text)
  if (!bytes) throw new BadAddressError(`"${text}" is no IP address`)
  return formatIp(bytes)
}
