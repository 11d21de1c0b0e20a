import type { ServerResponse } from '../contract.ts'
import { methodNotAllowed, unknownResource } from '../registry/index.ts'
import { negotiate } from './accept.ts'
import { bindingHandler } from './binding.ts'
import type { Call } from './call.ts'
import { evictionHandler } from './eviction.ts'
import { finalizeHandler } from './finalize.ts'
import { patchHandler } from './patch-handler.ts'
import { refuseUnknown } from './query-options.ts'
import { getHandler } from './read-handlers.ts'
import { getScaleHandler, patchScaleHandler, updateScaleHandler } from './scale.ts'
import { updateHandler } from './write-handlers.ts'

type CallHandler = (call: Call) => Promise<ServerResponse>

interface Subresource {
  readonly served: (call: Call) => boolean
  readonly verbs: Readonly<Record<string, CallHandler>>
}

/** Subresources that are part of stored objects; the others are the hooks of whoever makes the server. */
const SUBRESOURCES: Readonly<Record<string, Subresource>> = {
  status: {
    served: (call) => call.resource.kind.status === true,
    verbs: { get: getHandler, update: updateHandler, patch: patchHandler },
  },
  approval: {
    served: (call) => call.resource.group === 'certificates.k8s.io' && call.resource.plural === 'certificatesigningrequests',
    verbs: { get: getHandler, update: updateHandler, patch: patchHandler },
  },
  scale: {
    served: (call) => call.resource.kind.scale !== undefined,
    verbs: { get: getScaleHandler, update: updateScaleHandler, patch: patchScaleHandler },
  },
  binding: { served: (call) => isCore(call, 'pods'), verbs: { create: bindingHandler } },
  eviction: { served: (call) => isCore(call, 'pods'), verbs: { create: evictionHandler } },
  finalize: { served: (call) => isCore(call, 'namespaces'), verbs: { update: finalizeHandler } },
}

export function subresourceHandler(call: Call): Promise<ServerResponse> {
  const { subresource, verb } = call.info
  const found = Object.hasOwn(SUBRESOURCES, subresource) ? SUBRESOURCES[subresource] : undefined
  if (!found?.served(call)) throw unknownResource()
  const handler = found.verbs[verb]
  if (!handler) throw methodNotAllowed()
  refuseUnknown(verb, call.request.query)
  // Scale and Status know no other view, but a client that takes neither JSON nor YAML must be told
  negotiate(call.request.headers?.['accept'], true)
  return handler(call)
}

function isCore(call: Call, plural: string): boolean {
  return call.resource.group === '' && call.resource.plural === plural
}
