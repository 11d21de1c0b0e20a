// Asks a DNS server without pause until SIGTERM, printing a line of JSON now and then and at the end: how many questions, and what went wrong. Every question is sent once: one that
// is not answered within its time is a failure, as is any answer but the expected one.
// Usage: node flood.mjs SERVER PORT udp|tcp CONCURRENCY NAME EXPECTED_ADDRESS
import { createSocket } from 'node:dgram'
import { isIPv6, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import dnsPacket from 'dns-packet'

const [server, port, transport, concurrency, name, expected] = process.argv.slice(2)
const TIMEOUT_MS = 4_000
const counts = { asked: 0, failures: {} }
const report = () => process.stdout.write(`${JSON.stringify(counts)}\n`)
const state = { isOver: false }
process.on('SIGTERM', () => (state.isOver = true))

const query = (id) => dnsPacket.encode({ id, type: 'query', flags: dnsPacket.RECURSION_DESIRED, questions: [{ type: 'A', name }] })
const failed = (why) => {
  counts.failures[why] = (counts.failures[why] ?? 0) + 1
}
const check = (bytes, id) => {
  const found = dnsPacket.decode(bytes)
  if (found.id !== id) failed('other id')
  else if (found.rcode !== 'NOERROR') failed(found.rcode)
  else if (!found.answers.some((each) => each.data === expected)) failed('other answer')
}

function overUdp(id) {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4')
    const done = (why) => {
      clearTimeout(timer)
      socket.close()
      if (why) failed(why)
      resolve()
    }
    const timer = setTimeout(() => done('timeout'), TIMEOUT_MS)
    socket.on('error', (error) => done(error.code))
    socket.once('message', (bytes) => {
      check(bytes, id)
      done()
    })
    socket.send(query(id), Number(port), server)
  })
}

function overTcp(id) {
  return new Promise((resolve) => {
    const socket = connect(Number(port), server)
    let received = Buffer.alloc(0)
    const done = (why) => {
      clearTimeout(timer)
      socket.removeAllListeners('close')
      socket.destroy()
      if (why) failed(why)
      resolve()
    }
    const timer = setTimeout(() => done('timeout'), TIMEOUT_MS)
    socket.on('error', (error) => done(error.code))
    socket.on('close', () => done('closed'))
    socket.on('connect', () => {
      const bytes = query(id)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(bytes.length)
      socket.write(Buffer.concat([length, bytes]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      check(received.subarray(2), id)
      done()
    })
  })
}

async function worker(index) {
  for (let i = 0; !state.isOver; i++) {
    counts.asked++
    if (counts.asked % 50 === 0) report()
    await (transport === 'tcp' ? overTcp : overUdp)((index * 7919 + i) & 0xffff)
    // a new connection each: they must not use up the ports of this machine
    if (transport === 'tcp') await delay(3)
  }
}

await Promise.all(Array.from({ length: Number(concurrency) }, (_, index) => worker(index)))
report()
