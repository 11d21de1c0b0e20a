// Bookinfo's reviews service: GET /reviews/<number>, GET /health.
// ENABLE_RATINGS=true asks ratings for stars (v2, v3); STAR_COLOR is their colour.
import { call } from '../../shared/call.mjs'
import { sendJson, serve } from '../../shared/serve.mjs'
import { bookinfoUrl } from './bookinfo-url.mjs'
import { forwardedHeaders } from './forwarded-headers.mjs'

const { ENABLE_RATINGS, STAR_COLOR: color = 'black', HOSTNAME, CLUSTER_NAME } = process.env
const withRatings = ENABLE_RATINGS === 'true'
// patience differs by version: a fault injected in front of ratings is to show in one and not in the other
const timeoutMs = color === 'black' ? 10_000 : 2_500

const REVIEWS = {
  Reviewer1: 'Two pairs of twins, one long day and not a dull page in between.',
  Reviewer2: 'Light fare by this author, and a good evening all the same.',
}

serve('reviews', async (request, response, url) => {
  if (request.method !== 'GET') return sendJson(response, 405, { error: `${request.method} is not allowed` })
  if (url.pathname === '/health') return sendJson(response, 200, { status: 'Reviews is healthy' })
  const id = /^\/reviews\/([^/]*)$/.exec(url.pathname)?.[1]
  if (id === undefined || !/^\d{1,9}$/.test(id)) return sendJson(response, 404, { error: `no resource ${url.pathname}` })
  const ratings = withRatings ? await ratingsOf(id, forwardedHeaders(request)) : undefined
  const reviews = Object.entries(REVIEWS).map(([reviewer, text]) => ({
    reviewer,
    text,
    ...(withRatings ? { rating: ratingOf(ratings?.[reviewer]) } : {}),
  }))
  sendJson(response, 200, { id, podname: HOSTNAME ?? 'null', clustername: CLUSTER_NAME ?? 'null', reviews })
})

async function ratingsOf(id, headers) {
  try {
    const { status, body } = await call(`${bookinfoUrl('ratings')}/ratings/${id}`, { headers, timeoutMs })
    return status === 200 ? body.ratings : undefined
  } catch (error) {
    console.error(`ratings does not answer: ${error.message}`)
    return undefined
  }
}

function ratingOf(stars) {
  return stars === undefined ? { error: 'Ratings service is currently unavailable' } : { stars, color }
}
