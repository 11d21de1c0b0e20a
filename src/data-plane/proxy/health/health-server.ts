import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf } from '../../../base/errors.ts'
import { APP_HEALTH_PREFIX, DRAIN_HEADER, DRAIN_PATH, type AppProbes } from '../../../policy/traffic/model/index.ts'
import { probeGrpc } from '../../node/probes/probe-grpc.ts'
import { probeHttp } from '../../node/probes/probe-http.ts'
import type { ProbeOutcome } from '../../node/probes/probe-schedule.ts'
import { probeTcp, type ProbeConnect } from '../../node/probes/probe-tcp.ts'

export interface HealthServerOptions {
  /** What to listen on: the pod's address, or all, and a port, 0 being a free one; or a socket that is bound. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly fd: number }
  /** How the application is reached; default: from this process's own network. */
  readonly connect?: ProbeConnect
  /** Undefined: ready; else what is missing. */
  readonly notReady: () => string | undefined | Promise<string | undefined>
  /** Probes of the application by path. */
  readonly probes: AppProbes
  /** The application's address. */
  readonly appHost: string
  /** Sends callers away; resolves when they have gone, in bounded time. Absent: there is nothing to drain. */
  readonly drain?: { readonly token: string; readonly run: () => Promise<void> }
  /** Prometheus text. */
  readonly metrics: () => string | Promise<string>
}

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

const MAX_CONNECTIONS = 64

/**
 * What the kubelet and Prometheus ask a sidecar: `/ready` (200, or 503 with what is missing), `/app-health/<container>/<probe>` (the application's probe,
 * asked from inside of the pod, where it gets through whatever the mesh demands of others), `/drain` (answered once callers have gone elsewhere), `/stats/prometheus`. Few, small requests: not on the fast path.
 */
export async function openHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    request.resume()
    answer(options, request, response).catch((error: unknown) => response.writeHead(503).end(`${messageOf(error)}\n`))
  })
  server.maxConnections = MAX_CONNECTIONS
  server.headersTimeout = 5_000
  server.requestTimeout = 5_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.listen, resolve)
  })
  return { port: (server.address() as AddressInfo).port, close: () => close(server) }
}

async function answer(options: HealthServerOptions, { url = '/', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = url.split('?')[0] as string
  const say = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  }
  if (path === '/ready') {
    const missing = await options.notReady()
    return say(missing === undefined ? 200 : 503, missing === undefined ? 'LIVE\n' : `${missing}\n`)
  }
  if (path === '/stats/prometheus' || path === '/metrics') return say(200, await options.metrics())
  if (path === DRAIN_PATH && options.drain) {
    if (headers[DRAIN_HEADER] !== options.drain.token) return say(403, `only the kubelet may ask for ${DRAIN_PATH}\n`)
    await options.drain.run()
    return say(200, 'drained\n')
  }
  const probe = path.startsWith(APP_HEALTH_PREFIX) ? options.probes[path] : undefined
  if (!probe)
    return say(404, `${path} is nothing here: /ready, /stats/prometheus, ${APP_HEALTH_PREFIX}<container>/<livez|readyz|startupz>\n`)
  const outcome = await ask(probe, options)
  return say(outcome.ok ? 200 : 503, outcome.ok ? 'ok\n' : `${outcome.message}\n`)
}

function ask(probe: AppProbes[string], { appHost: host, connect }: HealthServerOptions): Promise<ProbeOutcome> {
  const timeoutMs = probe.timeoutSeconds * 1000
  if (probe.httpGet) {
    const { httpHeaders, port, ...action } = probe.httpGet
    return probeHttp({ ...action, port, ...(httpHeaders ? { httpHeaders: [...httpHeaders] } : {}) }, { host, port, connect }, timeoutMs)
  }
  if (probe.tcpSocket) return probeTcp({ host, port: probe.tcpSocket.port, connect }, timeoutMs)
  if (probe.grpc) return probeGrpc({ host, port: probe.grpc.port, service: probe.grpc.service ?? '', connect }, timeoutMs)
  return Promise.resolve({ ok: false, message: 'the probe asks nothing' })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
