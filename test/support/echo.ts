import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { inNetworkNamespace } from '../../src/base/linux/network-namespace.ts'

/** Program of a pod: echoes TCP and UDP on port 9000 of all addresses, and answers HTTP on 8080 with the client's address. */
export const ECHO_SERVER = `
const net = require('node:net'), dgram = require('node:dgram'), http = require('node:http')
net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(9000, '::')
const udp = dgram.createSocket({ type: 'udp6', reuseAddr: true })
udp.on('message', (message, from) => udp.send(message, from.port, from.address))
udp.bind(9000)
http.createServer((request, response) => response.end(request.socket.remoteAddress.replace('::ffff:', '') + '\\n')).listen(8080, '::')
console.log('serving')
`

/** Counts what is sent to and comes back from an echo server, over one TCP connection that is kept, ever new ones, and UDP. */
const CLIENT = `
const net = require('node:net'), dgram = require('node:dgram')
const address = process.argv[1]
const counts = { sent: 0, received: 0, broken: 0, connections: 0, refused: 0, udpSent: 0, udpReceived: 0 }
const kept = net.connect({ host: address, port: 9000, noDelay: true })
kept.on('data', (data) => (counts.received += data.length))
kept.on('error', () => counts.broken++)
kept.on('close', () => counts.broken++)
const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
udp.on('message', () => counts.udpReceived++)
const timer = setInterval(() => {
  kept.write('x')
  counts.sent++
  udp.send('x', 9000, address)
  counts.udpSent++
}, 2)
const connector = setInterval(() => {
  const once = net.connect({ host: address, port: 9000 }, () => { counts.connections++; once.destroy() })
  once.on('error', () => counts.refused++)
}, 10)
const teller = setInterval(() => console.log(JSON.stringify(counts)), 50)
process.on('SIGTERM', () => {
  clearInterval(timer)
  clearInterval(connector)
  // what is under way comes back
  setTimeout(() => { clearInterval(teller); console.log(JSON.stringify({ ...counts, done: true })); process.exit(0) }, 300)
})
`

export interface EchoCounts {
  readonly sent: number
  readonly received: number
  /** Ends and errors of the connection that is kept. */
  readonly broken: number
  readonly connections: number
  readonly refused: number
  readonly udpSent: number
  readonly udpReceived: number
}

/** Constant traffic from a network namespace to an echo server. */
export class EchoTraffic {
  counts: EchoCounts = { sent: 0, received: 0, broken: 0, connections: 0, refused: 0, udpSent: 0, udpReceived: 0 }
  readonly #child: ChildProcess
  readonly #ended: Promise<void>

  /** @param namespace path; absent: of this process */
  constructor(address: string, namespace?: string) {
    const start = (): ChildProcess => spawn(process.execPath, ['-e', CLIENT, address], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = namespace === undefined ? start() : inNetworkNamespace(namespace, start)
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => (this.counts = JSON.parse(line) as EchoCounts))
    this.#ended = new Promise((resolve) => lines.once('close', () => resolve()))
  }

  /** @returns what came of it, after what was under way has come back */
  async stop(): Promise<EchoCounts> {
    this.#child.kill('SIGTERM')
    await this.#ended
    return this.counts
  }
}
