// Finds out when a service is served: connects to it over and over until that succeeds. Also serves port 8080 on all addresses of the host.
// {to, port} a line; answered with the time of the first success.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { sharedNow } from './run-api.ts'

export async function runProbe(): Promise<void> {
  createServer((socket) => socket.on('error', () => {}).end('here')).listen({ port: 8080, host: '0.0.0.0', backlog: 4096 })
  process.stdout.write('{}\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const { to, port } = JSON.parse(line) as { readonly to: string; readonly port: number }
    for (;;) {
      if (await isServed(to, port)) break
      // leaves the processors to those who are measured
      await new Promise((resolve) => setTimeout(resolve, 0.5))
    }
    process.stdout.write(`${JSON.stringify({ at: sharedNow() })}\n`)
  }
  process.exit(0)
}

async function isServed(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'error').then(([error]) => Promise.reject(error as Error))])
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
