import { microTimestamp } from '../../../base/timestamp.ts'
import { sleep, type Clock } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Lease, Node } from '../../../api/generated/types.ts'
import { leases } from '../../../api/coordination/v1/lease.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import type { Client } from '../../../client/client.ts'
import { APPLIED_PREFIX } from '../../../policy/applied.ts'
import { nodeLabels, nodeStatus, type NodeDescription, type PacketPlaneState } from './node-status.ts'

export interface RegistrationOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly node: NodeDescription
  /** Why the node cannot run pods now; asked at each heartbeat. */
  readonly problem: () => string | undefined
  /** Calls `fn` when `problem` may say something else. @returns what stops it */
  readonly onProblemChange?: (fn: () => void) => () => void
  /** How the packet plane is; asked at each heartbeat. Absent: there is none. */
  readonly packets?: () => PacketPlaneState
  /** Annotations of the Lease, asked at each heartbeat: what changes too often for the Node. */
  readonly leaseAnnotations?: () => Readonly<Record<string, string>>
  /** Between two Lease renewals. Default 10,000. */
  readonly heartbeatMs?: number
  /** What the Lease promises. Default 40. */
  readonly leaseSeconds?: number
  /** Called once, when the control plane knows the node. */
  readonly onRegistered?: () => void
}

/** Another machine answers to this node's name. Two agents that share a name would undo each other's work. */
export class NodeNameTakenError extends Error {
  override readonly name = 'NodeNameTakenError'
  readonly code = 'NodeNameTaken'
}

const NAMESPACE = 'kube-node-lease'
/** Status is sent at least this often even when nothing changed, as kubelet does. */
const STATUS_EVERY_MS = 300_000

/**
 * Registers the node, then keeps its Lease and status fresh until the signal aborts.
 * @throws NodeNameTakenError when the first registration meets a live node of this name on another machine
 */
export async function runRegistration(options: RegistrationOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  let statusAtMs = Number.NEGATIVE_INFINITY
  let reported: string | undefined
  let lease: Lease | undefined
  let registered = false
  let wake = new AbortController()
  const stopListening = options.onProblemChange?.(() => wake.abort())
  signal.addEventListener('abort', () => wake.abort(), { once: true })
  while (!signal.aborted) {
    let delayMs = options.heartbeatMs ?? 10_000
    try {
      const report = { problem: options.problem(), packets: options.packets?.() }
      const told = JSON.stringify(report)
      if (told !== reported || clock.monotonic() - statusAtMs >= STATUS_EVERY_MS) {
        if (!registered) await assertNameIsFree(options, signal)
        await register(options, report, signal)
        if (!registered) options.onRegistered?.()
        registered = true
        statusAtMs = clock.monotonic()
        reported = told
      }
      lease = await renew(options, lease, signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof NodeNameTakenError) throw error
      log.debug('heartbeat failed', { error: messageOf(error) })
      lease = undefined
      // a server that lost or never had the node must see it again soon
      if (isStatus(error, 'NotFound')) statusAtMs = Number.NEGATIVE_INFINITY
      delayMs = Math.min(delayMs, 1_000)
    }
    await sleep(clock, delayMs, wake.signal).catch(() => {})
    wake = new AbortController()
  }
  stopListening?.()
}

async function assertNameIsFree({ client, clock, node }: RegistrationOptions, signal: AbortSignal): Promise<void> {
  const absent = (error: unknown): undefined => {
    if (!isStatus(error, 'NotFound')) throw error
    return undefined
  }
  const found = await client.of(nodes).get(node.name, { signal }).catch(absent)
  const other = found?.status?.nodeInfo?.machineID
  if (!other || !node.info.machineID || other === node.info.machineID) return
  const lease = await client.of(leases).get(node.name, { namespace: NAMESPACE, signal }).catch(absent)
  const silentMs = clock.now() - Date.parse(lease?.spec?.renewTime ?? '')
  // a machine that is silent for longer than it promised is gone: this one takes its place
  if (!(silentMs < (lease?.spec?.leaseDurationSeconds ?? 40) * 1000)) return
  throw new NodeNameTakenError(
    `node "${node.name}" is in use by another machine (machine id ${other}, last heartbeat ${Math.round(silentMs / 1000)} s ago): ` +
      `give this node another name, or stop that machine's agent and wait until its heartbeat is older than ${lease?.spec?.leaseDurationSeconds ?? 40} s`,
  )
}

interface NodeReport {
  readonly problem: string | undefined
  readonly packets: PacketPlaneState | undefined
}

async function register(options: RegistrationOptions, { problem, packets }: NodeReport, signal: AbortSignal): Promise<void> {
  const { client, clock, node, log } = options
  const api = client.of(nodes)
  const labels = nodeLabels(node)
  const found = await api
    .get(node.name, { signal })
    .catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error)))
  const status = nodeStatus(node, found?.status, {
    nowMs: clock.now(),
    ...(problem === undefined ? {} : { problem }),
    ...(packets ? { packets } : {}),
  })
  const { annotations = {}, podCidrs = [] } = node
  if (!found) {
    const taints = (node.taints ?? []).map((taint) => ({ ...taint }))
    const spec = { ...(taints.length > 0 ? { taints } : {}), ...(podCidrs.length > 0 ? { podCIDRs: [...podCidrs] } : {}) }
    const draft: Node = { metadata: { name: node.name, labels, annotations: { ...annotations } }, spec, status }
    await api.create(draft, { signal }).catch((error: unknown) => (isStatus(error, 'AlreadyExists') ? undefined : Promise.reject(error)))
  } else {
    const metadata = { ...changed('labels', labels, found), ...changed('annotations', annotations, found) }
    const known = found.spec?.podCIDRs ?? []
    const spec = podCidrs.length > 0 && known.length === 0 ? { podCIDRs: podCidrs } : undefined
    if (podCidrs.length > 0 && known.length > 0 && known.join() !== podCidrs.join()) {
      log.error('the Node has other pod CIDRs than this node was given: others send packets there. Delete the Node to register anew', {
        given: podCidrs,
        registered: known,
      })
    }
    if (Object.keys(metadata).length > 0 || spec) {
      await api.patch(node.name, { metadata, ...(spec ? { spec } : {}) }, { type: 'merge', signal })
    }
  }
  await api.patch(node.name, { status }, { type: 'merge', subresource: 'status', signal })
}

async function renew(options: RegistrationOptions, known: Lease | undefined, signal: AbortSignal): Promise<Lease> {
  const { client, clock, node } = options
  const api = client.of(leases)
  const renewTime = microTimestamp(clock.now())
  const spec = { holderIdentity: node.name, leaseDurationSeconds: options.leaseSeconds ?? 40, renewTime }
  const current =
    known ??
    (await api
      .get(node.name, { namespace: NAMESPACE, signal })
      .catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error))))
  const own = options.leaseAnnotations?.()
  const annotations = own ? { annotations: { ...withoutApplied(current?.metadata.annotations), ...own } } : {}
  if (current)
    return await api.update(
      { ...current, metadata: { ...current.metadata, ...annotations }, spec: { ...current.spec, ...spec } },
      { signal },
    )
  return await api.create({ metadata: { name: node.name, namespace: NAMESPACE, ...annotations }, spec }, { signal })
}

/** Components that are no more have nothing applied. */
function withoutApplied(annotations: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith(APPLIED_PREFIX)))
}

/** Our labels or annotations, when one of them is not as it should be. */
function changed(
  field: 'labels' | 'annotations',
  wanted: Readonly<Record<string, string>>,
  { metadata }: Node,
): Partial<Record<typeof field, Readonly<Record<string, string>>>> {
  return Object.entries(wanted).some(([key, value]) => metadata[field]?.[key] !== value) ? { [field]: wanted } : {}
}
