import { nodes } from '../../api/core/v1/node.ts'
import { messageOf } from '../../base/errors.ts'
import type { Client } from '../../client/client.ts'
import {
  encodeVerdictQuestion,
  VERDICT_PATH,
  type DirectionAnswer,
  type VerdictAnswer,
  type VerdictQuestion,
  type WayAnswer,
} from '../../protocols/node-explain.ts'
import { CliError } from '../errors/cli-error.ts'
import { loadOwners, type AddressOwner } from './address-owners.ts'
import { askNode, namesOfNodes } from './ask-nodes.ts'
import { parseEnd } from './parse-end.ts'
import { resolveEnd, type ResolvedEnd } from './resolve-end.ts'

/** One place that the packet may come to. */
export interface VerdictWay extends WayAnswer {
  /** `pod shop/db-0`, when it is known whose the address is. */
  readonly target?: string
  /** Where that is: this node has judged the ingress. */
  readonly node?: string
  /** What is not known, and why. */
  readonly problem?: string
  readonly outcome: 'allowed' | 'denied' | 'unroutable' | 'unknown'
}

/** The whole way of a packet, as the nodes concerned see it. */
export interface VerdictReport {
  readonly from: { readonly label: string; readonly address: string }
  readonly to: { readonly label: string; readonly address: string; readonly port: number; readonly protocol: string }
  /** The node where it begins: its services and routes count, and its policies for the egress. */
  readonly node: string
  readonly revisions: VerdictAnswer['revisions']
  readonly service?: VerdictAnswer['service']
  readonly ways: readonly VerdictWay[]
  readonly omitted: number
}

export interface VerdictRequest {
  readonly from: string
  readonly to: string
  readonly protocol: VerdictQuestion['protocol']
  /** Where the packet begins; default: the node of the sender. */
  readonly node?: string
  /** Of names without one. */
  readonly namespace: string
}

/** Follows a packet: asks the sender's node for service, egress and route, then the node of each receiver for the ingress. @throws CliError, StatusError */
export async function askVerdict(client: Client, request: VerdictRequest): Promise<VerdictReport> {
  const { protocol, namespace } = request
  const owners = await loadOwners(client)
  const from = await resolveEnd(client, parseEnd(request.from, 'pod'), { namespace, protocol, owners })
  const to = await resolveEnd(client, parseEnd(request.to, 'service'), { namespace, protocol, owners })
  if (to.port === 0 && protocol !== 'ICMP') throw new CliError(`which port of ${to.label}?`, { fix: `add :PORT, as in ${request.to}:80` })
  const addresses = commonFamily(from, to)
  const node = request.node ?? from.node ?? to.node ?? (await namesOfNodes(client, []))[0]
  if (node === undefined) throw new CliError('the cluster has no node to ask')
  const question = { ...addresses, protocol, port: protocol === 'ICMP' ? 0 : to.port }
  const answer = await askNode<VerdictAnswer>(client, node, VERDICT_PATH, encodeVerdictQuestion(question))
  const ways: VerdictWay[] = []
  for (const way of answer.ways) ways.push(await follow(client, { way, owner: owners.get(way.address), question, node }))
  return {
    from: { label: from.label, address: addresses.from },
    to: { label: to.label, address: addresses.to, port: question.port, protocol },
    node,
    revisions: answer.revisions,
    ...(answer.service ? { service: answer.service } : {}),
    ways,
    omitted: answer.omitted,
  }
}

function commonFamily(from: ResolvedEnd, to: ResolvedEnd): { readonly from: string; readonly to: string } {
  for (const there of to.addresses) {
    const here = from.addresses.find((address) => address.includes(':') === there.includes(':'))
    if (here !== undefined) return { from: here, to: there }
  }
  throw new CliError(
    `${from.label} (${from.addresses.join(', ')}) and ${to.label} (${to.addresses.join(', ')}) have no address family in common`,
  )
}

async function follow(
  client: Client,
  {
    way,
    owner,
    question,
    node,
  }: { readonly way: WayAnswer; readonly owner: AddressOwner | undefined; readonly question: VerdictQuestion; readonly node: string },
): Promise<VerdictWay> {
  const found = { ...way, ...(owner ? { target: owner.label, node: owner.node } : {}) }
  if (!owner || owner.node === node) return { ...found, outcome: outcomeOf(found) }
  try {
    const from = way.masquerade ? ((await addressOf(client, node, way.address)) ?? question.from) : question.from
    const there = { from, to: way.address, protocol: question.protocol, port: way.port }
    const answer = await askNode<VerdictAnswer>(client, owner.node, VERDICT_PATH, encodeVerdictQuestion(there))
    const ingress = answer.ways.find(({ address, port }) => address === way.address && port === way.port)?.ingress
    const { ingress: _here, ...rest } = found
    const whole = { ...rest, ...(ingress ? { ingress } : {}) }
    return { ...whole, outcome: outcomeOf(whole) }
  } catch (error) {
    const { ingress: _here, ...rest } = found
    const denied = outcomeOf(rest)
    return { ...rest, problem: `node ${owner.node} was not heard: ${messageOf(error)}`, outcome: denied === 'allowed' ? 'unknown' : denied }
  }
}

/** What masqueraded packets of a node have as sender. */
async function addressOf(client: Client, node: string, like: string): Promise<string | undefined> {
  const { status } = await client.of(nodes).get(node)
  return status?.addresses?.find(({ type, address }) => type === 'InternalIP' && address.includes(':') === like.includes(':'))?.address
}

function outcomeOf({ egress, ingress, unroutable }: Pick<WayAnswer, 'egress' | 'ingress' | 'unroutable'>): VerdictWay['outcome'] {
  const denies = (answer: DirectionAnswer | undefined): boolean => answer?.verdict === 'deny'
  if (denies(egress) || denies(ingress)) return 'denied'
  return unroutable ? 'unroutable' : 'allowed'
}
