// Bookinfo's productpage: the page, its login, and the API /api/v1/products.
import { call } from '../../shared/call.mjs'
import { readBody, sendJson, sendText, serve } from '../../shared/serve.mjs'
import { bookinfoUrl } from './bookinfo-url.mjs'
import { forwardedHeaders } from './forwarded-headers.mjs'
import { indexPage, productPage } from './pages.mjs'

const PRODUCTS = [
  {
    id: 0,
    title: 'The Comedy of Errors',
    descriptionHtml:
      'An early comedy by <b>William Shakespeare</b>: two pairs of twins, parted at birth, meet in one town without knowing.',
  },
]
let requests = 0

serve('productpage', async (request, response, url) => {
  requests++
  const { pathname } = url
  if (request.method === 'POST' && pathname === '/login') return login(request, response, url)
  if (request.method !== 'GET') return sendJson(response, 405, { error: `${request.method} is not allowed` })
  if (pathname === '/health') return sendText(response, 200, 'Product page is healthy')
  if (pathname === '/metrics') return sendText(response, 200, metrics())
  if (pathname === '/' || pathname === '/index.html') return sendText(response, 200, indexPage(), 'text/html')
  if (pathname === '/productpage') return page(request, response)
  if (pathname === '/logout') return redirect(response, 'user=; Max-Age=0; Path=/; HttpOnly', url)
  if (pathname === '/api/v1/products') return sendJson(response, 200, PRODUCTS)
  const [, id, part] = /^\/api\/v1\/products\/(\d{1,9})(?:\/(reviews|ratings))?$/.exec(pathname) ?? []
  if (id === undefined) return sendJson(response, 404, { error: `no resource ${pathname}` })
  const answer = await ask(part ?? 'details', id, headersFor(request))
  sendJson(response, answer.status, answer.body)
})

async function page(request, response) {
  const headers = headersFor(request)
  const product = PRODUCTS[0]
  const [details, reviews] = await Promise.all([ask('details', product.id, headers), ask('reviews', product.id, headers)])
  sendText(response, 200, productPage({ product, details, reviews, user: userOf(request) }), 'text/html')
}

/** Asks a service. What goes wrong becomes an answer with an error in words; reviews, the slow one, gets a second try. */
async function ask(service, id, headers) {
  for (let left = service === 'reviews' ? 2 : 1; left > 0; left--) {
    try {
      const answer = await call(`${bookinfoUrl(service)}/${service}/${id}`, { headers, timeoutMs: 3000 })
      if (answer.status === 200) return answer
      if (left === 1) return { status: answer.status, body: { error: sorry(service) } }
    } catch (error) {
      console.error(`${service} does not answer: ${error.message}`)
    }
  }
  return { status: 500, body: { error: sorry(service) } }
}

function sorry(service) {
  return `Sorry, product ${service} are currently unavailable for this book.`
}

function headersFor(request) {
  const user = userOf(request)
  return { ...forwardedHeaders(request), ...(user ? { 'end-user': user } : {}) }
}

async function login(request, response, url) {
  const user = new URLSearchParams(await readBody(request)).get('username') ?? ''
  redirect(response, `user=${encodeURIComponent(user)}; Path=/; HttpOnly; SameSite=Lax`, url)
}

function redirect(response, cookie, url) {
  response.writeHead(302, { location: url.searchParams.get('next') === 'index' ? '/' : '/productpage', 'set-cookie': cookie }).end()
}

// a sample has no passwords: whoever says a name is that user
function userOf(request) {
  const value = /(?:^|;\s*)user=([^;]*)/.exec(request.headers.cookie ?? '')?.[1]
  try {
    // a header cannot hold anything else
    return value ? decodeURIComponent(value).replace(/[^\x20-\x7e]/g, '') : ''
  } catch {
    return ''
  }
}

function metrics() {
  return `# HELP request_count_total Requests answered.\n# TYPE request_count_total counter\nrequest_count_total{app="productpage"} ${requests}\n`
}
