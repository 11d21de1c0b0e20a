// Bookinfo's details service: GET /details/<number>, GET /health.
import { sendJson, serve } from '../../shared/serve.mjs'

serve('details', (request, response, url) => {
  if (request.method !== 'GET') return sendJson(response, 405, { error: `${request.method} is not allowed` })
  if (url.pathname === '/health') return sendJson(response, 200, { status: 'Details is healthy' })
  const id = /^\/details\/([^/]*)$/.exec(url.pathname)?.[1]
  if (id === undefined) return sendJson(response, 404, { error: `no resource ${url.pathname}` })
  if (!/^\d{1,9}$/.test(id)) return sendJson(response, 400, { error: 'please provide numeric product id' })
  sendJson(response, 200, {
    id: Number(id),
    author: 'William Shakespeare',
    year: 1595,
    type: 'paperback',
    pages: 200,
    publisher: 'PublisherA',
    language: 'English',
    'ISBN-10': '1234567890',
    'ISBN-13': '123-1234567890',
  })
})
