import { setCondition } from '../../../api/conditions.ts'
import type { Binding, Pod } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { cloneJson } from '../../../api/meta/clone.ts'
import type { ServerResponse } from '../contract.ts'
import { badRequest, conflict, invalid, resourceOf, timestamp, updateObject } from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { writeRequestOf, type Call } from './call.ts'
import { decodeObjectOf } from './decode-object.ts'
import { writeOptions } from './query-options.ts'
import { renderValue } from './render.ts'

const BINDINGS = resourceOf({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Binding',
})
const POD_BINDING = { group: '', plural: 'pods/binding' }

/**
 * `POST pods/x/binding` puts a pod on a node, once and for all.
 * Source: k8s.io/kubernetes pkg/registry/core/pod/storage.BindingREST.
 */
export async function bindingHandler(call: Call): Promise<ServerResponse> {
  const { dryRun, fieldValidation } = writeOptions(call.request, 'CreateOptions')
  const decoded = decodeBody(call.request)
  if (!decoded) throw badRequest('the request has no body: send the Binding')
  const request = { ...writeRequestOf(call, dryRun), trusted: true }
  const binding = decodeObjectOf(BINDINGS, decoded, { fieldValidation, warn: request.warn }) as Binding
  const name = nameOf(call, binding)
  checkTarget(binding, name)
  const now = timestamp(call.context.clock.now())
  await updateObject(call.context, { ...request, name }, (current) => bound(current, binding, now))
  return renderValue({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
}

function nameOf(call: Call, binding: Binding): string {
  const name = binding.metadata.name
  if (call.name !== '' && name && name !== call.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.name})`)
  }
  const { namespace } = binding.metadata
  if (namespace && namespace !== call.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  return call.name === '' ? name : call.name
}

function checkTarget({ target }: Binding, name: string): void {
  if (target?.kind && target.kind !== 'Node') {
    const message = `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`
    throw invalid(BINDINGS.kind, name, [{ type: 'FieldValueNotSupported', field: 'target.kind', message }])
  }
  if (!target?.name) throw invalid(BINDINGS.kind, name, [{ type: 'FieldValueRequired', field: 'target.name', message: 'Required value' }])
}

function bound(current: KubeObject, binding: Binding, now: string): KubeObject {
  const pod = cloneJson(current) as Pod
  const { name, uid } = pod.metadata
  const refuse = (why: string): never => {
    throw conflict(POD_BINDING, name, why)
  }
  if (binding.metadata.uid && binding.metadata.uid !== uid) {
    refuse(`Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${uid}`)
  }
  if (pod.metadata.deletionTimestamp) refuse(`pod ${name} is being deleted, cannot be assigned to a host`)
  const { spec } = pod
  if (!spec) throw conflict(POD_BINDING, name, `pod ${name} has no spec`)
  if (spec.nodeName) refuse(`pod ${name} is already assigned to node ${JSON.stringify(spec.nodeName)}`)
  if (spec.schedulingGates?.length) refuse(`pod ${name} has non-empty .spec.schedulingGates`)
  spec.nodeName = binding.target.name
  const { annotations, resourceVersion } = binding.metadata
  if (annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations }
  pod.metadata.resourceVersion = resourceVersion
  const conditions = setCondition(pod.status?.conditions, { type: 'PodScheduled', status: 'True' }, now)
  const { nominatedNodeName: _, ...status } = pod.status ?? {}
  pod.status = { ...status, conditions: [...conditions] }
  return pod
}
