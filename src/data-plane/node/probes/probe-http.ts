import { request as httpRequest, type ClientRequestArgs } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { HTTPGetAction } from '../../../api/generated/types.ts'
import type { ProbeOutcome } from './probe-schedule.ts'
import type { ProbeConnect } from './probe-tcp.ts'

/**
 * One HTTP GET; 200 to 399 passes. Certificates are not verified and redirects not followed: a redirect to another
 * host counts as success with kubelet too. Source: kubernetes/pkg/probe/http.
 */
export function probeHttp(
  action: HTTPGetAction,
  target: { readonly host: string; readonly port: number; readonly connect?: ProbeConnect | undefined },
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const { connect } = target
  return new Promise((resolve) => {
    const secure = action.scheme === 'HTTPS'
    const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.34', accept: '*/*', connection: 'close' }
    for (const header of action.httpHeaders ?? []) headers[header.name.toLowerCase()] = header.value
    const path = action.path ?? '/'
    const options = {
      host: action.host ?? target.host,
      port: target.port,
      path: path.startsWith('/') ? path : `/${path}`,
      method: 'GET',
      headers,
      rejectUnauthorized: false,
      // what connects by itself has no agent
      ...(connect ? { createConnection: connectBy(connect, secure) } : { agent: false }),
    }
    const request = secure ? httpsRequest(options) : httpRequest(options)
    const deadline = AbortSignal.timeout(timeoutMs)
    const finish = (outcome: ProbeOutcome): void => {
      deadline.removeEventListener('abort', onTimeout)
      request.destroy()
      resolve(outcome)
    }
    const onTimeout = (): void =>
      finish({
        ok: false,
        message: `Get "${secure ? 'https' : 'http'}://${options.host}:${target.port}${options.path}": context deadline exceeded`,
      })
    deadline.addEventListener('abort', onTimeout, { once: true })
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      response.resume()
      finish(status >= 200 && status < 400 ? { ok: true } : { ok: false, message: `HTTP probe failed with statuscode: ${status}` })
    })
    request.on('error', (error: Error) =>
      finish({
        ok: false,
        message: `Get "${secure ? 'https' : 'http'}://${options.host}:${target.port}${options.path}": ${error.message}`,
      }),
    )
    request.end()
  })
}

function connectBy(connect: ProbeConnect, secure: boolean): (options: ClientRequestArgs) => Duplex {
  return ({ host, port }) => {
    const socket = connect({ host: host ?? '', port: Number(port) })
    return secure ? connectTls({ socket, rejectUnauthorized: false }) : socket
  }
}
