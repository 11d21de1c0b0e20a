// The shop's page. It asks the service `api` several times and shows which replicas answered.
import { call } from '../../shared/call.mjs'
import { html, readBody, sendJson, sendText, serve } from '../../shared/serve.mjs'
import { serviceUrl } from '../../shared/service-url.mjs'

const { VERSION = 'dev', COLOUR = 'gray', GREETING = 'Welcome', HOSTNAME = 'web' } = process.env
const CALLS = 6

const state = serve('web', async (request, response, url) => {
  const route = `${request.method} ${url.pathname}`
  if (route === 'GET /healthz') return sendText(response, 200, 'ok\n')
  if (route === 'GET /readyz') return sendText(response, state.leaving ? 503 : 200, state.leaving ? 'leaving\n' : 'ok\n')
  if (route === 'POST /orders') return order(request, response)
  if (route !== 'GET /') return sendJson(response, 404, { error: `no page ${url.pathname}` })
  const seen = await look()
  if (request.headers.accept?.includes('text/html')) sendText(response, 200, page(seen), 'text/html')
  else sendText(response, 200, summary(seen))
})

/** Several calls at once: which replicas answered how often, and the last answer. */
async function look() {
  const settled = await Promise.allSettled(Array.from({ length: CALLS }, () => call(`${serviceUrl('api', 8080)}/`)))
  const replicas = new Map()
  let last
  for (const { value, reason } of settled) {
    const who = value === undefined ? `no answer (${reason.message})` : value.body.pod
    replicas.set(who, (replicas.get(who) ?? 0) + 1)
    if (value?.status === 200) last = value.body
  }
  return { replicas: [...replicas].sort(([a], [b]) => (a < b ? -1 : 1)), products: last?.products ?? [], orders: last?.orders }
}

async function order(request, response) {
  const body = await readBody(request)
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false
  let product
  try {
    product = isForm ? new URLSearchParams(body).get('product') : JSON.parse(body).product
  } catch {
    return sendJson(response, 400, { error: 'the body must be a form or JSON with a field "product"' })
  }
  const answer = await call(`${serviceUrl('api', 8080)}/orders`, { method: 'POST', json: { product } }).catch((error) => ({
    status: 502,
    body: { error: `api does not answer: ${error.message}` },
  }))
  if (isForm && answer.status === 201) response.writeHead(303, { location: '/' }).end()
  else sendJson(response, answer.status, answer.body)
}

function summary({ replicas, orders }) {
  const answered = replicas.map(([pod, times]) => `  ${pod} x${times}\n`).join('')
  const listed = orders?.list ? `${orders.list.length} orders in ${orders.pod}` : `orders: ${orders?.error ?? 'unknown'}`
  return `${GREETING} (web ${VERSION}, ${COLOUR}, pod ${HOSTNAME})\napi answered ${CALLS} calls:\n${answered}${listed}\n`
}

function page({ replicas, products, orders }) {
  const rows = replicas.map(([pod, times]) => `<tr><td>${html(pod)}</td><td>${'●'.repeat(times)}</td></tr>`).join('')
  const shelf = products
    .map(({ id, name, price }) => `<li><button name="product" value="${html(id)}">Order</button> ${html(name)}, ${html(price)}</li>`)
    .join('')
  const list = orders?.list?.map(({ number, product }) => `<li value="${html(number)}">${html(product)}</li>`).join('')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="2">
<title>Shop ${html(VERSION)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto 3rem; max-width: 42rem; padding: 0 1rem }
  header { background: ${html(COLOUR)}; color: white; margin: 0 -1rem; padding: 1rem }
  td { padding-right: 1rem } button { font: inherit }
</style>
<header><h1>${html(GREETING)}</h1>web ${html(VERSION)}, pod ${html(HOSTNAME)}</header>
<h2>Who answered ${CALLS} calls of <code>http://api:8080</code></h2><table>${rows}</table>
<h2>Products</h2><form method="post" action="/orders"><ul>${shelf}</ul></form>
<h2>Orders</h2>${list === undefined ? html(orders?.error ?? 'unknown') : `<p>kept by pod ${html(orders.pod)}</p><ol reversed>${list}</ol>`}
</html>
`
}
