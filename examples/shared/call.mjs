// One HTTP request to another service.
import { request } from 'node:http'

const ANSWER_LIMIT_BYTES = 1024 * 1024

/**
 * Sends a request over a connection of its own, so that each one may meet another replica.
 * @param options method (GET), headers, json (a body), timeoutMs for all of it (2000)
 * @returns status and the parsed JSON body; rejects when there was no whole answer in time
 */
export function call(url, { method = 'GET', headers = {}, json, timeoutMs = 2000 } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json)
  const fields =
    body === undefined ? headers : { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: fields, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks = []
      let size = 0
      response.on('error', reject)
      response.on('data', (chunk) => {
        size += chunk.length
        if (size > ANSWER_LIMIT_BYTES) sent.destroy(new Error(`${url} answers more than 1 MiB`))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) })
        } catch {
          reject(new Error(`${url} answers ${response.statusCode} with something else than JSON`))
        }
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
