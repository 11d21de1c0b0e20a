// A program that runs inside one host of the lab: serves, and asks others. One JSON object a line, in and out.
// argv: the host's name. serve {protocol, port, address?}; ask {protocol, to, port, timeoutMs?, localPort?} ->
// {answer: "NAME ADDRESS-OF-SENDER"} or {error: refused | timeout | unreachable}; traffic {protocol, to, port} until stop -> {answered, failures}
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'

const name = process.argv[2]
const plain = (address) => address.replace(/^::ffff:/, '')
let running
// a port that is used again would be taken for its earlier connection
let nextPort = 20_000

function serve({ protocol, port, address }) {
  return new Promise((resolve, reject) => {
    if (protocol === 'TCP') {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        socket.end(`${name} ${plain(socket.remoteAddress ?? '')}`)
      })
      server.once('error', reject)
      server.listen({ port, host: address ?? '::', backlog: 1024 }, () => resolve({}))
      return
    }
    const socket = createSocket({ type: address?.includes('.') ? 'udp4' : 'udp6' })
    socket.once('error', reject)
    socket.on('message', (_, from) => socket.send(`${name} ${plain(from.address)}`, from.port, from.address))
    socket.bind({ port, address: address ?? '::' }, () => resolve({}))
  })
}

const CODES = { ECONNREFUSED: 'refused', EHOSTUNREACH: 'unreachable', ENETUNREACH: 'unreachable' }

function ask({ protocol, to, port, timeoutMs = 8000, localPort }) {
  return new Promise((resolve) => {
    const close = protocol === 'TCP' ? askTcp : askUdp
    const timer = setTimeout(() => finish({ error: 'timeout' }), timeoutMs)
    const end = close({ to, port, localPort }, (result) => finish(result))
    function finish(result) {
      clearTimeout(timer)
      end()
      resolve(result)
    }
  })
}

function askTcp({ to, port, localPort }, done) {
  const socket = connect({ host: to, port, localPort })
  let text = ''
  socket.on('data', (chunk) => (text += chunk))
  socket.on('end', () => done({ answer: text }))
  socket.on('error', (error) => done({ error: CODES[error.code] ?? error.code }))
  return () => socket.destroy()
}

function askUdp({ to, port, localPort }, done) {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4')
  let again
  socket.on('message', (message) => done({ answer: message.toString() }))
  socket.on('error', (error) => done({ error: CODES[error.code] ?? error.code }))
  socket.bind(localPort ?? nextPort++, () => {
    socket.connect(port, to, (error) => {
      if (error) return done({ error: CODES[error.code] ?? error.code })
      socket.send('?', () => {})
      // datagrams get lost, also while a neighbour's address is looked up
      again = setInterval(() => socket.send('?', () => {}), 250)
    })
  })
  return () => {
    clearInterval(again)
    socket.close()
  }
}

async function traffic({ protocol, to, port }) {
  const state = { stopped: false, answered: 0, failures: [], by: {} }
  const work = async () => {
    while (!state.stopped) {
      const result = await ask({ protocol, to, port, timeoutMs: 5000 })
      if (result.answer) {
        state.answered++
        const who = result.answer.split(' ')[0]
        state.by[who] = (state.by[who] ?? 0) + 1
      } else state.failures.push(result.error)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  running = { state, workers: [work(), work(), work(), work()] }
  return {}
}

async function stop() {
  running.state.stopped = true
  await Promise.all(running.workers)
  const { answered, failures, by } = running.state
  return { answered, failures, by }
}

const OPS = { serve, ask, traffic, stop, progress: async () => ({ answered: running.state.answered, failures: running.state.failures }) }

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, op, ...rest } = JSON.parse(line)
  let result
  try {
    result = await OPS[op](rest)
  } catch (error) {
    result = { error: String(error) }
  }
  process.stdout.write(`${JSON.stringify({ id, ...result })}\n`)
})
process.stdin.on('end', () => process.exit(0))
