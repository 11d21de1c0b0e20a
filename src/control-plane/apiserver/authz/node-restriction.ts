import { nodeNameOf } from './node-rules.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { forbidden } from '../registry/status-errors.ts'

/**
 * Keeps a node from creating another node's Node or Lease: the name is in the body, where the authorizer does not look.
 * Source: upstream admission plugin NodeRestriction.
 */
export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  resources: ['nodes', 'leases.coordination.k8s.io'],
  operations: ['CREATE'],
  admit(request) {
    const node = nodeNameOf(request.user)
    const name = request.object.metadata.name
    if (node === undefined || name === node) return Promise.resolve()
    const { group, plural } = request.resource
    const what = `node ${JSON.stringify(node)} is not allowed to create ${plural} other than its own`
    return Promise.reject(forbidden({ group, plural }, name, what))
  },
}
