// Bookinfo's ratings service: GET and POST /ratings/<number>, GET /health. What is posted is kept in memory.
import { readBody, sendJson, serve } from '../../shared/serve.mjs'

const KEPT = 1000
const posted = new Map()

serve('ratings', async (request, response, url) => {
  if (url.pathname === '/health') return sendJson(response, 200, { status: 'Ratings is healthy' })
  const id = /^\/ratings\/([^/]*)$/.exec(url.pathname)?.[1]
  if (id === undefined) return sendJson(response, 404, { error: `no resource ${url.pathname}` })
  if (!/^\d{1,9}$/.test(id)) return sendJson(response, 400, { error: 'please provide numeric product ID' })
  if (request.method === 'GET') return sendJson(response, 200, ratingsOf(Number(id)))
  if (request.method !== 'POST') return sendJson(response, 405, { error: `${request.method} is not allowed` })
  const ratings = parse(await readBody(request))
  if (!ratings) return sendJson(response, 400, { error: 'please provide valid ratings JSON' })
  posted.set(Number(id), ratings)
  if (posted.size > KEPT) posted.delete(posted.keys().next().value)
  sendJson(response, 200, ratingsOf(Number(id)))
})

function ratingsOf(id) {
  return { id, ratings: posted.get(id) ?? { Reviewer1: 5, Reviewer2: 4 } }
}

function parse(body) {
  try {
    const value = JSON.parse(body)
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
