// Kuma's counter demo: with KV_URL the application, without it the store behind it.
import { call } from '../../shared/call.mjs'
import { html, readBody, sendJson, sendText, serve } from '../../shared/serve.mjs'

const store = process.env.KV_URL
const version = process.env.APP_VERSION ?? ''
const values = new Map()

/** What the caller's proxy may want to see again further on. */
function forwarded(headers) {
  const kept = Object.entries(headers).filter(([name]) => name.startsWith('x-') || ['traceparent', 'tracestate'].includes(name))
  return Object.fromEntries(kept)
}

async function askStore(method, request, json) {
  try {
    return await call(`${store}/api/key-value/counter`, { method, headers: forwarded(request.headers), json })
  } catch (error) {
    throw Object.assign(new Error(`the store does not answer: ${error.message}`), { status: 502 })
  }
}

async function counter(request, response) {
  const read = await askStore('GET', request)
  if (read.status !== 200 && read.status !== 404) return sendJson(response, read.status, { error: 'the store refuses', details: read.body })
  const now = read.status === 404 ? 0 : Number(read.body.value)
  if (request.method === 'GET') return sendJson(response, 200, { counter: now, zone: '', version })
  const next = request.method === 'DELETE' ? 0 : now + 1
  const written = await askStore('POST', request, { value: String(next) })
  if (written.status !== 200) return sendJson(response, written.status, { error: 'the store refuses', details: written.body })
  return sendJson(response, 200, { counter: next, zone: '', version })
}

async function keyValue(request, response, key) {
  if (request.method === 'GET') {
    if (!values.has(key)) return sendJson(response, 404, { type: 'key-not-found', title: `there is no "${key}"` })
    return sendJson(response, 200, { value: values.get(key) })
  }
  if (request.method === 'DELETE') {
    const value = values.get(key) ?? ''
    values.delete(key)
    return sendJson(response, 200, { value })
  }
  const { value } = JSON.parse(await readBody(request))
  values.set(key, String(value))
  return sendJson(response, 200, { value: String(value) })
}

serve(store === undefined ? 'kv' : 'demo-app', async (request, response, url) => {
  if (url.pathname === '/healthz') return sendText(response, 200, 'ok')
  if (url.pathname === '/api/version') return sendJson(response, 200, { version })
  const key = /^\/api\/key-value\/([\w-]+)$/.exec(url.pathname)?.[1]
  if (store === undefined && key !== undefined) return keyValue(request, response, key)
  if (store !== undefined && url.pathname === '/api/counter') return counter(request, response)
  if (store !== undefined && url.pathname === '/') {
    return sendText(response, 200, `<!doctype html><title>counter</title><h1>counter ${html(version)}</h1>`, 'text/html')
  }
  return sendJson(response, 404, { type: 'not-found', title: url.pathname })
})
