// The resource half of the API server: everything below `/api/<version>/` and `/apis/<group>/<version>/`, without sockets.
// A request comes in through `createResourceHandler(...).handle`:
//
//   request-info.ts       what the path asks for (verb, resource, namespace, name)
//   query-options.ts      how; unknown parameters are refused. list-options.ts for lists and watches
//   accept.ts             objects, tables or metadata; JSON or YAML
//   body.ts               bytes -> JSON value; decode-object.ts -> object of its kind, defaults set, unknown fields reported
//   read-, watch-, write-, patch-, delete-handlers    one per verb; they call ../registry, which knows no HTTP
//   subresources.ts       status, scale, binding, eviction, finalize; others (log, exec, token) are hooks
//   render.ts, table.ts   stored bytes -> answer, parsed only where a view needs it
//   request-metrics.ts    upstream's metric names
export { parseRequestInfo } from './request-info.ts'
export { createResourceHandler, type ResourceHandler, type ResourceHandlerDeps } from './resource-handler.ts'
export { decodeBody } from './body.ts'
export { decodeObjectOf } from './decode-object.ts'
export { APPLY_TYPE, PATCH_TYPES } from './patch-handler.ts'
export { negotiate, type Negotiated, type View } from './accept.ts'
