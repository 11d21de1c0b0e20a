import { expect, test } from 'vitest'
import { StatusError } from '../../../base/errors.ts'
import { decodeNodePath, encodeNodePath } from '../../../protocols/node-link.ts'
import { answerPath, type NodePathHandler } from './node-paths.ts'

const paths = new Map<string, NodePathHandler>([
  ['/healthz', () => ({ text: 'ok' })],
  ['/routes', ({ query }) => ({ json: { prefix: query.get('prefix') } })],
  ['/bad', () => Promise.reject(new StatusError('BadRequest', 'say which'))],
  [
    '/broken',
    () => {
      throw new Error('boom')
    },
  ],
])

/** `status type body`. */
async function told(target: string): Promise<string> {
  const request = decodeNodePath(target)
  if (!request) return 'no path'
  const { status = 200, contentType, body } = await answerPath(paths, { ...request, signal: new AbortController().signal })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return `${status} ${contentType.split(';')[0]} ${Buffer.concat(chunks).toString()}`
}

test.each([
  ['/healthz', '200 text/plain ok'],
  [encodeNodePath('/routes', { prefix: '10.0.0.0/8', more: undefined }), '200 application/json {"prefix":"10.0.0.0/8"}'],
  ['/bad', '400 text/plain say which'],
  ['/broken', '500 text/plain boom'],
  ['/healthz/', '404 text/plain the node has no path /healthz/; it has /bad, /broken, /healthz, /routes'],
  ['/constructor', '404 text/plain the node has no path /constructor; it has /bad, /broken, /healthz, /routes'],
  ['healthz', 'no path'],
  ['//', 'no path'],
])('%s: %s', async (target, expected) => {
  expect(await told(target)).toBe(expected)
})
