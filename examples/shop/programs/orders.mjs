// Keeps the latest orders in memory: they are gone when this process is.
import { readBody, sendJson, sendText, serve } from '../../shared/serve.mjs'

const KEPT = 20
const pod = process.env.HOSTNAME ?? 'orders'
const list = []
let count = 0

const state = serve('orders', async (request, response, url) => {
  const route = `${request.method} ${url.pathname}`
  if (route === 'GET /healthz') return sendText(response, 200, 'ok\n')
  if (route === 'GET /readyz') return sendText(response, state.leaving ? 503 : 200, state.leaving ? 'leaving\n' : 'ok\n')
  if (route === 'GET /orders') return sendJson(response, 200, { pod, list })
  if (route !== 'POST /orders') return sendJson(response, 404, { error: `no resource ${url.pathname}` })
  let product
  try {
    product = JSON.parse(await readBody(request)).product
  } catch (error) {
    return sendJson(response, error.status ?? 400, { error: error.message })
  }
  if (typeof product !== 'string' || product === '') return sendJson(response, 400, { error: 'the field "product" must be a name' })
  list.unshift({ number: ++count, product })
  list.length = Math.min(list.length, KEPT)
  console.log(`order ${count}: ${product}`)
  sendJson(response, 201, { pod, ...list[0] })
})
