// The shop's API: products from a ConfigMap's file, orders from the service `orders`.
import { readFileSync } from 'node:fs'
import { call } from '../../shared/call.mjs'
import { readBody, sendJson, sendText, serve } from '../../shared/serve.mjs'
import { serviceUrl } from '../../shared/service-url.mjs'

const { CATALOGUE = 'catalogue.json', HOSTNAME: pod = 'api' } = process.env

const state = serve('api', async (request, response, url) => {
  const route = `${request.method} ${url.pathname}`
  if (route === 'GET /healthz') return sendText(response, 200, 'ok\n')
  if (route === 'GET /readyz') return ready(response)
  if (route === 'GET /') return sendJson(response, 200, { pod, products: products(), orders: await ordersOr(call(`${orders()}/orders`)) })
  if (route !== 'POST /orders') return sendJson(response, 404, { error: `no resource ${url.pathname}` })
  const product = productOf(await readBody(request))
  if (!products().some(({ id }) => id === product)) return sendJson(response, 404, { error: `no product ${product}` })
  const answer = await call(`${orders()}/orders`, { method: 'POST', json: { product } }).catch((error) => ({
    status: 503,
    body: { error: `orders does not answer: ${error.message}` },
  }))
  sendJson(response, answer.status, answer.body)
})

// read each time: a changed ConfigMap shows without a restart
function products() {
  return JSON.parse(readFileSync(CATALOGUE, 'utf8'))
}

function orders() {
  return serviceUrl('orders', 8080)
}

/** The page shall show the products even while orders is away. */
async function ordersOr(answer) {
  try {
    return (await answer).body
  } catch (error) {
    return { error: `orders does not answer: ${error.message}` }
  }
}

function productOf(body) {
  try {
    return JSON.parse(body).product
  } catch {
    return undefined
  }
}

function ready(response) {
  if (state.leaving) return sendText(response, 503, 'leaving\n')
  try {
    products()
    sendText(response, 200, 'ok\n')
  } catch (error) {
    sendText(response, 503, `no catalogue: ${error.message}\n`)
  }
}
