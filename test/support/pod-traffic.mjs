// Constant requests from within a pod, as a program of its own: node pod-traffic.mjs URL [must-contain [must-not-contain]]
// Two workers resolve the name and connect anew for each request, one keeps its connection. Every failure is a line `failed ...`; a
// line `answered N slowest M` follows every 100 ms. The longest wait for one answer is 10 s.
import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

const [url, wanted = '', unwanted] = process.argv.slice(2)
const kept = new Agent({ keepAlive: true, maxSockets: 1 })
let answered = 0
let slowestMs = 0

const once = (agent) =>
  new Promise((resolve, reject) => {
    const sent = get(url, { agent, signal: AbortSignal.timeout(10_000) }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () =>
        response.statusCode === 200 && body.includes(wanted) && !(unwanted && body.includes(unwanted))
          ? resolve()
          : reject(new Error(`status ${response.statusCode}: ${body.slice(0, 200).replaceAll('\n', ' ')}`)),
      )
      response.on('error', reject)
    })
    sent.on('error', reject)
  })

const work = async (agent) => {
  for (;;) {
    const begin = performance.now()
    try {
      await once(agent)
      answered++
    } catch (error) {
      const cause = error.cause ? ` (${error.cause})` : ''
      console.log(
        `failed at ${new Date().toISOString()} after ${(performance.now() - begin).toFixed(0)} ms: ${error.code ?? ''} ${error.message}${cause}`,
      )
    }
    slowestMs = Math.max(slowestMs, performance.now() - begin)
    await delay(10)
  }
}

setInterval(() => {
  console.log(`answered ${answered} slowest ${slowestMs.toFixed(0)}`)
  slowestMs = 0
}, 100)
for (const agent of [false, false, kept]) void work(agent)
