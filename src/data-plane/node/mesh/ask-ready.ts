import { get } from 'node:http'
import { HEALTH_PORT } from '../../../policy/traffic/model/index.ts'

const TIMEOUT_MS = 1_000
const MAX_TEXT = 1_024

/** Asks a proxy at its health port, as the kubelet asks sidecars. @returns what is missing; undefined: it carries connections */
export function askReady(ip: string, port: number = HEALTH_PORT): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: ip, port, path: '/ready', agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        if (text.length < MAX_TEXT) text += chunk
      })
      response.on('end', () => resolve(response.statusCode === 200 ? undefined : text.trim() || `it answers ${response.statusCode}`))
      response.on('error', (error) => resolve(error.message))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    request.on('error', (error) => resolve(error.message))
  })
}
