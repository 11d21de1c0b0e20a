// Constant requests from within a pod of a mesh, as a program of its own: node mesh-traffic.mjs '<JSON of asks>'
// An ask is { name, url, pattern?, headers?, everyMs?, workers? }: `workers` connections that are kept ask for the URL, each again everyMs after an answer.
// What becomes of a request is counted as "<name> <status> <first group of pattern in the body>", or "<name> failed <code>" where there was no answer. A line of
// JSON follows every 100 ms: { counts, slowestMs, lastFailure? }, counted since the start.
import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

const counts = {}
let slowestMs = 0
const lastFailures = {}

const count = (what) => (counts[what] = (counts[what] ?? 0) + 1)

const once = (ask, agent) =>
  new Promise((resolve, reject) => {
    const sent = get(ask.url, { agent, headers: ask.headers ?? {}, signal: AbortSignal.timeout(20_000) }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => {
        if (response.statusCode >= 500)
          lastFailures[ask.name] =
            `${new Date().toISOString()} ${ask.name}: ${response.statusCode} of ${String(response.headers.server)}: ${body.slice(0, 200)}`
        const found = ask.pattern === undefined ? undefined : new RegExp(ask.pattern).exec(body)?.[1]
        resolve(`${response.statusCode}${found === undefined ? '' : ` ${found}`}`)
      })
      response.on('error', reject)
    })
    sent.on('error', reject)
  })

const work = async (ask) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (;;) {
    const begin = performance.now()
    try {
      count(`${ask.name} ${await once(ask, agent)}`)
    } catch (error) {
      lastFailures[ask.name] = `${new Date().toISOString()} ${ask.name}: ${error.code ?? ''} ${error.message}`
      count(`${ask.name} failed ${error.code ?? error.name}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - begin)
    await delay(ask.everyMs ?? 10)
  }
}

setInterval(
  () =>
    console.log(
      JSON.stringify({
        counts,
        slowestMs: Math.round(slowestMs),
        ...(Object.keys(lastFailures).length > 0 ? { lastFailure: Object.values(lastFailures).join('; ') } : {}),
      }),
    ),
  100,
)
for (const ask of JSON.parse(process.argv[2])) for (let i = 0; i < (ask.workers ?? 2); i++) void work(ask)
