import { formatIp } from '../../../base/ip.ts'
import {
  writeAppendForwarding,
  writeDeleteNeighbour,
  writeDeleteRule,
  writeNewNeighbour,
  writeNewRule,
  type KernelNeighbour,
  type KernelRule,
} from '../../../protocols/netlink/route/index.ts'
import type { RouteSocket } from '../netlink/index.ts'
import { planTagged, type TaggedPlan } from './plan-tagged.ts'

/** How many entries were put and removed. */
export interface Reconciled {
  readonly put: number
  readonly removed: number
}

/**
 * Makes the rules with a tag (`protocol`) equal to the wanted ones; rules of others stay. New ones come before old ones go.
 * @throws NetlinkError `EEXIST` when somebody else has the very same rule
 */
export async function reconcileRules(socket: RouteSocket, wanted: readonly KernelRule[], protocol: number): Promise<Reconciled> {
  const found = [...(await socket.rules(4)), ...(await socket.rules(6))].filter((rule) => rule.protocol === protocol)
  // all that a rule says is what it is known by
  const plan = planTagged(
    wanted.map((rule) => ({ ...rule, protocol })),
    found,
    ruleKey,
    () => '',
  )
  await socket.many(
    'add rules',
    plan.put.map((rule) => (writer, sequence) => writeNewRule(writer, sequence, rule)),
  )
  await socket.many(
    'delete rules',
    plan.remove.map((rule) => (writer, sequence) => writeDeleteRule(writer, sequence, rule)),
  )
  return counts(plan)
}

/** Makes the permanent neighbours and proxies with a tag (`protocol`) equal to the wanted ones; those of others stay. @throws NetlinkError */
export async function reconcileNeighbours(socket: RouteSocket, wanted: readonly KernelNeighbour[], protocol: number): Promise<Reconciled> {
  const found = [...(await socket.neighbours('neighbour')), ...(await socket.neighbours('proxy'))]
  const plan = planTagged(
    wanted.map((neighbour) => ({ ...neighbour, protocol })),
    found.filter((neighbour) => neighbour.protocol === protocol),
    (neighbour) => `${neighbour.kind} ${neighbour.link} ${neighbour.ip ? formatIp(neighbour.ip) : ''}`,
    ({ address = NO_ADDRESS, state, kind }) => (kind === 'proxy' ? '' : `${address.join(':')} ${state}`),
  )
  await socket.many(
    'add neighbours',
    plan.put.map((neighbour) => (writer, sequence) => writeNewNeighbour(writer, sequence, neighbour)),
  )
  await socket.many(
    'delete neighbours',
    plan.remove.map((neighbour) => (writer, sequence) => writeDeleteNeighbour(writer, sequence, neighbour)),
  )
  return counts(plan)
}

/**
 * Makes the forwarding entries of a VXLAN of ours equal to the wanted ones. They have no tag: whatever is on that device is ours.
 * @param link index of the device. @throws NetlinkError
 */
export async function reconcileForwarding(socket: RouteSocket, link: number, wanted: readonly KernelNeighbour[]): Promise<Reconciled> {
  const found = await socket.neighbours('forwarding', link)
  const plan = planTagged(
    wanted,
    // those with an address alone are the device's own
    found.filter((entry) => entry.link === link && entry.ip !== undefined),
    ({ address = NO_ADDRESS, ip = NO_ADDRESS }) => `${address.join(':')} ${formatIp(ip)}`,
    () => '',
  )
  // an address of one host that moves: appended to the old entry it would be refused
  await socket.many(
    'delete forwarding entries',
    plan.remove.map((entry) => (writer, sequence) => writeDeleteNeighbour(writer, sequence, entry)),
  )
  await socket.many(
    'add forwarding entries',
    plan.put.map(
      (entry) => (writer, sequence) =>
        isForAll(entry) ? writeAppendForwarding(writer, sequence, entry) : writeNewNeighbour(writer, sequence, entry),
    ),
  )
  return counts(plan)
}

const NO_ADDRESS = new Uint8Array(0)

/** Packets to addresses that are not known go to all hosts behind this one. */
const isForAll = ({ address }: KernelNeighbour): boolean => address !== undefined && address.every((byte) => byte === 0)

const counts = ({ put, remove }: TaggedPlan<unknown>): Reconciled => ({ put: put.length, removed: remove.length })

function ruleKey(rule: KernelRule): string {
  const prefix = (part: KernelRule['from']): string => (part ? `${formatIp(part.bytes)}/${part.length}` : '')
  const { family, priority, action, table, mark, markMask, inLink = '', outLink = '', suppressLength = '' } = rule
  return [family, priority, action, table, prefix(rule.from), prefix(rule.to), mark, markMask, inLink, outLink, suppressLength].join(' ')
}
