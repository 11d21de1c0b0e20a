import { StatusError } from '../../../base/errors.ts'
import { cloneJson } from '../../../api/meta/clone.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { ServerResponse } from '../contract.ts'
import { badRequest, createObject, updateObject, type StoredObject } from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { renderingOf, writeRequestOf, type Call } from './call.ts'
import { decodeObjectOf } from './decode-object.ts'
import { writeOptions, type FieldValidation } from './query-options.ts'
import { renderObject } from './render.ts'

export async function createHandler(call: Call): Promise<ServerResponse> {
  const rendering = renderingOf(call)
  const { dryRun, fieldValidation } = writeOptions(call.request, 'CreateOptions')
  const object = objectFromBody(call, fieldValidation)
  checkNamespace(call, object)
  const stored = await createObject(call.context, writeRequestOf(call, dryRun), object)
  return renderObject(stored, rendering, 201)
}

export async function updateHandler(call: Call): Promise<ServerResponse> {
  const rendering = renderingOf(call)
  const { dryRun, fieldValidation } = writeOptions(call.request, 'UpdateOptions')
  const object = objectFromBody(call, fieldValidation)
  checkNamespace(call, object)
  if (object.metadata.name && object.metadata.name !== call.name) {
    throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${call.name})`)
  }
  object.metadata.name = call.name
  const { stored, created } = await putObject(call, object, dryRun)
  return renderObject(stored, rendering, created ? 201 : 200)
}

/** Replaces, or creates where the kind may be created by PUT. */
async function putObject(call: Call, object: KubeObject, dryRun: boolean): Promise<{ stored: StoredObject; created: boolean }> {
  const { context } = call
  const request = writeRequestOf(call, dryRun)
  const mayCreate = call.resource.kind.strategy?.allowCreateOnUpdate === true && call.info.subresource === ''
  for (let attempts = 0; ; attempts++) {
    try {
      return { stored: await updateObject(context, request, () => cloneJson(object)), created: false }
    } catch (error) {
      if (!mayCreate || !(error instanceof StatusError) || error.reason !== 'NotFound') throw error
    }
    try {
      const draft = cloneJson(object)
      delete draft.metadata.resourceVersion
      return { stored: await createObject(context, request, draft), created: true }
    } catch (error) {
      // somebody else has just created it: now it can be updated
      if (attempts > 0 || !(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error
    }
  }
}

function objectFromBody(call: Call, fieldValidation: FieldValidation): KubeObject {
  const decoded = decodeBody(call.request)
  if (!decoded) throw badRequest('the request has no body: send the object')
  return decodeObjectOf(call.resource, decoded, { fieldValidation, warn: writeRequestOf(call, false).warn })
}

/** Source: k8s.io/apiserver rest.EnsureObjectNamespaceMatchesRequestNamespace. */
function checkNamespace(call: Call, object: KubeObject): void {
  const { namespace } = object.metadata
  if (!call.resource.kind.namespaced) {
    // clients that know no better send one
    delete object.metadata.namespace
    return
  }
  if (namespace && namespace !== call.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  object.metadata.namespace = call.namespace
}
