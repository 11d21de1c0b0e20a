import { deepEqual } from '../../../api/meta/equality.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { isJsonObject } from '../../../base/json-object.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { forbidden } from '../registry/status-errors.ts'
import { nodeNameOf } from './node-rules.ts'

/** Where each node has an entry of its own, by plural. */
const ENTRIES: Readonly<Record<string, string>> = { routers: 'nodes', staticroutes: 'nodes', bgppeers: 'sessions' }

/** The router of a node reports in the status of routing objects: it must not report for others. */
export const routingStatusRestriction: AdmissionPlugin = {
  name: 'RoutingStatusRestriction',
  resources: Object.keys(ENTRIES).map((plural) => `${plural}.routing.biplane.dev`),
  operations: ['UPDATE'],
  subresources: true,
  admit({ user, resource: { group, plural }, name, object, previous }) {
    const node = nodeNameOf(user)
    if (node === undefined || deepEqual(ofOthers(object, plural, node), ofOthers(previous, plural, node))) return Promise.resolve()
    return Promise.reject(forbidden({ group, plural }, name, `node ${JSON.stringify(node)} may only report for itself`))
  },
}

function ofOthers(object: KubeObject | undefined, plural: string, node: string): unknown {
  const status = (object as { readonly status?: unknown } | undefined)?.status
  if (!isJsonObject(status)) return { [ENTRIES[plural] as string]: {} }
  const field = ENTRIES[plural] as string
  const { [field]: entries, ...rest } = status
  const others = isJsonObject(entries) ? Object.fromEntries(Object.entries(entries).filter(([key]) => key !== node)) : {}
  return { ...rest, [field]: others }
}
