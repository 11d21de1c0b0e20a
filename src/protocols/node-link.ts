/**
 * The node link: how the API server reaches a node that it could not dial.
 *
 * The agent dials out. It sends `GET NODE_LINK_PATH` over HTTP/1.1 (ALPN `http/1.1`) with `connection: Upgrade` and `upgrade: biplane-node-link`, as
 * `system:node:<name>` by client certificate or bearer token. The server answers `101 Switching Protocols`; then the roles flip: on the same
 * connection the API server is the HTTP/2 client, with prior knowledge, and the agent the HTTP/2 server (`http2.performServerHandshake`). The agent must send nothing between its
 * request and the 101, and must treat bytes that arrive together with the 101 as the first of HTTP/2 (`socket.unshift(head)`).
 *
 * The newest link of a node replaces the older. The API server pings every NODE_LINK_PING_MS; a link that stays silent as long is dropped, and
 * the agent dials again, with back-off. A refused upgrade is an ordinary answer with a Status body: 401 and 403 will not get better by themselves.
 *
 * Requests are those of a kubelet, without a port:
 *
 *   GET /containerLogs/<namespace>/<pod>/<container>?follow=true&tailLines=10&sinceSeconds=5&sinceTime=<RFC 3339>
 *       &timestamps=true&limitBytes=1000&previous=true
 *     200 and the log as it is written, `text/plain`; with `follow` until the container ends or the stream is reset.
 *     400 what cannot be (`previous terminated container "a" in pod "b" not found`), 404 no such pod or container here. The body of a
 *     refusal is its message as plain text.
 *
 * Every other path is one of the node's own, asked for as `GET /api/v1/nodes/<node>/proxy/<path>`: `/metrics`, `/healthz`, `/routes`, `/peers`,
 *   `/verdict` and what else the node has. 200 and the answer; a refusal as above.
 *
 * Names are percent-encoded path segments. A stream that the API server resets means that the reader has gone. exec, attach and
 * port-forward will be further paths on the same link (`/exec/...`, `/attach/...`, `/portForward/...`): one HTTP/2 stream each, both directions
 * open, carrying the frames of the Kubernetes WebSocket protocol.
 */

export const NODE_LINK_PATH = '/apis/biplane.dev/v1alpha1/nodelink'
/** Value of the `upgrade` header, both ways. */
export const NODE_LINK_PROTOCOL = 'biplane-node-link'
/** Milliseconds between pings, and how long an answer to one may take. */
export const NODE_LINK_PING_MS = 10_000

/** Query of a log request, already checked. */
export interface ContainerLogQuery {
  readonly follow?: boolean
  readonly previous?: boolean
  readonly timestamps?: boolean
  /** Lines from the end; >= 0. */
  readonly tailLines?: number
  /** >= 1. */
  readonly sinceSeconds?: number
  /** RFC 3339. Never together with `sinceSeconds`. */
  readonly sinceTime?: string
  /** >= 1. */
  readonly limitBytes?: number
}

export interface ContainerLogTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Path and query of a log request. */
export function encodeContainerLogs(target: ContainerLogTarget, query: ContainerLogQuery): string {
  const path = `/containerLogs/${[target.namespace, target.pod, target.container].map(encodeURIComponent).join('/')}`
  const parameters = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`
}

/** The reverse, for the agent; undefined when `target` is not a log request or not a valid one. */
export function decodeContainerLogs(
  target: string,
): { readonly target: ContainerLogTarget; readonly query: ContainerLogQuery } | undefined {
  const url = URL.canParse(target, 'http://node') ? new URL(target, 'http://node') : undefined
  const match = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(url?.pathname ?? '')
  if (!url || !match) return undefined
  const names = match.slice(1).map(decodeSegment)
  const query = decodeQuery(url.searchParams)
  const [namespace, pod, container] = names
  if (namespace === undefined || pod === undefined || container === undefined || !query) return undefined
  return { target: { namespace, pod, container }, query }
}

/** Path and query of a request for something of the node's own. `path` starts with a slash and is percent-encoded. */
export function encodeNodePath(path: string, query: Readonly<Record<string, string | readonly string[] | undefined>> = {}): string {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    (typeof value === 'string' ? [value] : (value ?? [])).map((one): [string, string] => [name, one]),
  )
  return parameters.length === 0 ? path : `${path}?${new URLSearchParams(parameters).toString()}`
}

/** The reverse, for the agent; undefined when `target` is no path. */
export function decodeNodePath(target: string): { readonly path: string; readonly query: URLSearchParams } | undefined {
  if (!target.startsWith('/') || !URL.canParse(target, 'http://node')) return undefined
  const url = new URL(target, 'http://node')
  return { path: url.pathname, query: url.searchParams }
}

function decodeQuery(parameters: URLSearchParams): ContainerLogQuery | undefined {
  const query: Record<string, boolean | number | string> = {}
  for (const name of ['follow', 'previous', 'timestamps']) if (parameters.get(name) === 'true') query[name] = true
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes']) {
    const text = parameters.get(name)
    if (text === null) continue
    if (!/^\d{1,15}$/.test(text)) return undefined
    query[name] = Number(text)
  }
  const sinceTime = parameters.get('sinceTime')
  if (sinceTime !== null) query['sinceTime'] = sinceTime
  return query
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
