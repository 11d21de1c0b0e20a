// A key-value server that speaks enough Redis for a guestbook: PING, ECHO, GET, SET, DEL, EXISTS, INCR, DBSIZE, QUIT. All in memory.
// With REPLICA_OF it follows that service and refuses writes. A follower asks with FOLLOW (its own command, not Redis' SYNC), and is sent
// every key as SET, then each write as it happens.
import { createServer, connect } from 'node:net'
import { serviceAddress } from '../../shared/service-url.mjs'
import { RespReader, encodeBulk, encodeRequest } from './resp.mjs'

const { HOST = '127.0.0.1', PORT = '6379', REPLICA_OF } = process.env
const KEYS_LIMIT = 100_000
const BACKLOG_LIMIT_BYTES = 8 * 1024 * 1024
const RETRY_MS = 200
const WRITES = new Set(['SET', 'DEL', 'INCR'])

let values = new Map()
const followers = new Set()

/** What each command answers; `undefined` for wrong arguments. Each is applied at once: a process has one thread. */
const COMMANDS = {
  PING: ([text]) => (text === undefined ? '+PONG\r\n' : encodeBulk(text)),
  ECHO: ([text]) => text !== undefined && encodeBulk(text),
  GET: ([key]) => key !== undefined && encodeBulk(values.get(key) ?? null),
  EXISTS: (keys) => `:${keys.filter((key) => values.has(key)).length}\r\n`,
  DBSIZE: () => `:${values.size}\r\n`,
  DEL: (keys) => `:${keys.filter((key) => values.delete(key)).length}\r\n`,
  SET: ([key, value, ...options]) => {
    if (value === undefined || options.length > 0) return undefined
    if (values.size >= KEYS_LIMIT && !values.has(key)) return `-OOM more than ${KEYS_LIMIT} keys\r\n`
    values.set(key, value)
    return '+OK\r\n'
  },
  INCR: ([key]) => {
    if (key === undefined) return undefined
    const number = Number(values.get(key) ?? 0)
    if (!Number.isSafeInteger(number + 1)) return '-ERR value is not an integer or out of range\r\n'
    values.set(key, String(number + 1))
    return `:${number + 1}\r\n`
  },
}

function answer(words, socket) {
  if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) return '-ERR a request is an array of bulk strings\r\n'
  const name = words[0]?.toUpperCase() ?? ''
  if (name === 'QUIT') {
    setImmediate(() => socket.end())
    return '+OK\r\n'
  }
  if (name === 'FOLLOW') return follow(socket)
  if (!Object.hasOwn(COMMANDS, name)) return `-ERR unknown command '${name.replace(/[^\w]/g, '?').slice(0, 64)}'\r\n`
  if (REPLICA_OF && WRITES.has(name)) return "-READONLY You can't write against a read only replica.\r\n"
  const reply = COMMANDS[name](words.slice(1))
  if (!reply) return `-ERR wrong arguments for '${name}'\r\n`
  if (WRITES.has(name) && !String(reply).startsWith('-')) for (const follower of followers) pass(follower, words)
  return reply
}

function follow(socket) {
  followers.add(socket)
  socket.on('close', () => followers.delete(socket))
  pass(socket, ['BEGIN'])
  for (const [key, value] of values) pass(socket, ['SET', key, value])
  pass(socket, ['END'])
  return ''
}

// a follower too slow to keep up starts anew rather than filling this process's memory
function pass(follower, words) {
  follower.write(encodeRequest(words))
  if (follower.writableLength > BACKLOG_LIMIT_BYTES) follower.destroy()
}

/** Follows the master until the process ends; while it is away, what was last known is served. */
function followMaster() {
  const { host, port } = serviceAddress(REPLICA_OF, 6379)
  const socket = connect({ host, port })
  const reader = new RespReader()
  let incoming
  socket.on('connect', () => socket.write(encodeRequest(['FOLLOW'])))
  socket.on('data', (chunk) => {
    try {
      for (const words of reader.push(chunk)) incoming = apply(words, incoming)
    } catch (error) {
      socket.destroy(error)
    }
  })
  socket.on('error', (error) => console.error(`${REPLICA_OF} at ${host}:${port}: ${error.message}`))
  socket.on('close', () => setTimeout(followMaster, RETRY_MS))
}

/** Applies one message. Between BEGIN and END keys are gathered aside, so that readers never see a half copy. */
function apply([name, ...rest], incoming) {
  if (name === 'BEGIN') return new Map()
  if (name === 'END') {
    values = incoming
    console.log(`following ${REPLICA_OF}: ${values.size} keys`)
    return undefined
  }
  if (incoming) incoming.set(rest[0], rest[1])
  else COMMANDS[name](rest)
  return incoming
}

const server = createServer((socket) => {
  const reader = new RespReader()
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    try {
      for (const words of reader.push(chunk)) if (socket.writable) socket.write(answer(words, socket))
    } catch (error) {
      socket.end(`-ERR Protocol error: ${error.message}\r\n`)
    }
  })
})
server.on('error', (error) => {
  console.error(`cannot listen on ${HOST}:${PORT}: ${error.message}`)
  process.exit(1)
})
server.listen(Number(PORT), HOST, () => console.log(`listens on ${HOST}:${server.address().port}`))
if (REPLICA_OF) followMaster()
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))
