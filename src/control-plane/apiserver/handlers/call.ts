import type { Logger } from '../../../base/log.ts'
import type { Handler, RequestInfo, ServerRequest, ServerResponse } from '../contract.ts'
import type { RegistryContext, Resource, ResourceTable, WatchHub, WriteRequest } from '../registry/index.ts'
import { negotiate } from './accept.ts'
import type { Rendering } from './render.ts'
import { includeObjectOf } from './table.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** What all handlers share. */
export interface HandlerContext extends RegistryContext {
  readonly resources: ResourceTable
  readonly hubOf: (resource: Resource) => WatchHub
  readonly metrics: RequestMetrics
  readonly log: Logger
  readonly subresources: Readonly<Record<string, Handler>>
}

/** One request to one resource. */
export interface Call {
  readonly context: HandlerContext
  readonly request: ServerRequest
  readonly info: RequestInfo
  readonly resource: Resource
  /** '' for cluster-scoped kinds and for all namespaces. */
  readonly namespace: string
  readonly name: string
  /** Texts for `Warning` headers. */
  readonly warnings: string[]
}

/** How the client wants to see what it gets. @throws {StatusError} `NotAcceptable`, `BadRequest` */
export function renderingOf(call: Call): Rendering {
  const { view, yaml } = negotiate(call.request.headers?.['accept'], true)
  return {
    view,
    yaml,
    includeObject: view.as === 'table' ? includeObjectOf(call.request) : 'Metadata',
    nowMs: () => call.context.clock.now(),
  }
}

export function writeRequestOf(call: Call, dryRun: boolean): WriteRequest {
  const { resource, namespace, name, info, request, warnings } = call
  const warn = (text: string): void => {
    if (!warnings.includes(text)) warnings.push(text)
  }
  return { resource, namespace, name, subresource: info.subresource, user: request.user, dryRun, warn }
}

/** Adds what there is to warn of. Source: k8s.io/apimachinery net.NewWarningHeader. */
export function withWarnings(response: ServerResponse, warnings: readonly string[]): ServerResponse {
  if (warnings.length === 0) return response
  const headers: string[] = []
  let size = 0
  for (const text of warnings) {
    const header = `299 - ${quoted(text)}`
    size += header.length
    if (size > MAX_WARNING_BYTES) break
    headers.push(header)
  }
  return { ...response, headers: { ...response.headers, warning: headers } }
}

const MAX_WARNING_BYTES = 16 * 1024

/** A quoted-string of RFC 9110: what a header cannot carry becomes `?`. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^ -~]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`
}
