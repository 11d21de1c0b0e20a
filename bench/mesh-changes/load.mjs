// Constant load from within a pod of the mesh: node load.mjs URL RPS. Requests are sent by the clock, whatever becomes of those before, over 32 connections
// that are kept. A line of JSON follows every 100 ms: { sent, answered: {version: n}, failed: {reason: n}, late, p99 } counted since the start; `late`: not sent
// in time because all connections were waiting for more than a second.
import { Agent, get } from 'node:http'

const [url, rps] = [process.argv[2], Number(process.argv[3])]
const agent = new Agent({ keepAlive: true, maxSockets: 32, scheduling: 'fifo' })
const answered = {}
const failed = {}
const latencies = []
let sent = 0
let waiting = 0
let late = 0

function fail(reason) {
  waiting--
  failed[reason] = (failed[reason] ?? 0) + 1
}

function send() {
  if (waiting >= rps) return void late++
  sent++
  waiting++
  const begin = performance.now()
  const request = get(url, { agent, timeout: 10_000 }, (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (chunk) => (body += chunk))
    response.on('error', (error) => fail(error.code))
    response.on('end', () => {
      if (response.statusCode !== 200) return fail(`status ${response.statusCode} ${body.slice(0, 80)}`)
      waiting--
      answered[body] = (answered[body] ?? 0) + 1
      if (latencies.push(performance.now() - begin) > 20_000) latencies.splice(0, 10_000)
    })
  })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  request.on('error', (error) => fail(error.code ?? error.message))
}

const start = performance.now()
let due = 0
setInterval(() => {
  for (const until = ((performance.now() - start) / 1000) * rps; due < until; due++) send()
}, 2)
setInterval(() => {
  const sorted = latencies.toSorted((a, b) => a - b)
  console.log(
    JSON.stringify({
      sent,
      answered,
      failed,
      late,
      p50: sorted[sorted.length >> 1] ?? 0,
      p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    }),
  )
}, 100)
