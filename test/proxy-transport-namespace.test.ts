import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { transport, transportIn, type Acceptor, type Transport } from '../src/data-plane/proxy/transport/index.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'

const missing = labProblem()
const PORT = 15_008

/** Two pods and what is outside of both; this process is in none of them. */
describe.skipIf(missing !== '')(`sockets of other network namespaces${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: NetworkLab
  let a: LabHost
  let b: LabHost
  let server: Server

  beforeAll(async () => {
    lab = await createNetworkLab()
    a = await lab.host('a')
    b = await lab.host('b')
    await lab.segment([
      { host: a, device: 'eth0', addresses: ['198.18.0.1/24', 'fd00::1/64'] },
      { host: b, device: 'eth0', addresses: ['198.18.0.2/24', 'fd00::2/64'] },
    ])
    // says who has called it
    server = createServer((socket) => socket.end(`b ${socket.remoteAddress}`))
    const listening = new Promise((resolve) => server.once('listening', resolve))
    b.inside(() => server.listen(41_987))
    await listening
  })
  afterAll(async () => {
    server?.close()
    await lab?.remove()
  })

  const ask = async (from: Transport, address: string, port: number): Promise<string> => {
    const connection = await from.dial({ address: { address, port }, timeoutMs: 3_000 })
    return await new Promise((resolve, reject) => {
      let text = ''
      connection.handle({
        onData: (bytes, start, end) => (text += bytes.toString('utf8', start, end)),
        onEnd: () => connection.end(),
        onDrain() {},
        onClose: (error) => (error ? reject(error) : resolve(text)),
      })
    })
  }
  const serve = async (where: Transport, name: string): Promise<Acceptor> =>
    await where.listen({ host: '::', port: PORT }, (accepted) => {
      const connection = accepted.plain()
      connection.handle({ onData() {}, onEnd: () => connection.end(), onDrain() {}, onClose() {} })
      connection.write(Buffer.from(`${name} ${accepted.remote.address}`))
      connection.end()
    })

  describe.each(['raw', 'sockets'] as const)('%s', (name) => {
    test('connections have the addresses of their pod, however many are opened at once', async () => {
      const [inA, inB] = [transportIn(a.path, name), transportIn(b.path, name)]
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => [
          await ask(inA, '198.18.0.2', 41_987),
          await ask(inA, 'fd00::2', 41_987),
          await ask(inB, '127.0.0.1', 41_987),
          index,
        ]),
      )
      for (const [v4, v6, own] of outcomes) {
        expect(v4).toBe('b ::ffff:198.18.0.1')
        expect(v6).toBe('b fd00::1')
        expect(own).toBe('b ::ffff:127.0.0.1')
      }
      // this process has stayed where it was
      await expect(transport(name).dial({ address: { address: '127.0.0.1', port: 41_987 }, timeoutMs: 300 })).rejects.toThrow(
        /ECONNREFUSED/,
      )
    })

    test('listeners take what comes to their pod, at the same port in each', async () => {
      const [inA, inB] = [transportIn(a.path, name), transportIn(b.path, name)]
      const open = [await serve(inA, 'a'), await serve(inB, 'b')]
      expect(open.map(({ port }) => port)).toEqual([PORT, PORT])
      try {
        expect(await ask(inB, '198.18.0.1', PORT)).toBe('a 198.18.0.2')
        expect(await ask(inA, '198.18.0.2', PORT)).toBe('b 198.18.0.1')
        expect(await ask(inA, 'fd00::2', PORT)).toBe('b fd00::1')
        await expect(transport(name).dial({ address: { address: '127.0.0.1', port: PORT }, timeoutMs: 300 })).rejects.toThrow(
          /ECONNREFUSED/,
        )
      } finally {
        await Promise.all(open.map((acceptor) => acceptor.close()))
      }
      await expect(inB.dial({ address: { address: '198.18.0.1', port: PORT }, timeoutMs: 300 })).rejects.toThrow(/ECONNREFUSED/)
    })

    test('a second process may take over a port that is still open', async () => {
      const inA = transportIn(a.path, name)
      const before = await serve(inA, 'before')
      const after = await serve(inA, 'after')
      await before.close()
      expect(await ask(transportIn(b.path, name), '198.18.0.1', PORT)).toBe('after 198.18.0.2')
      await after.close()
    })

    test('a namespace that is gone: an error of its own for each connection, nothing else', async () => {
      const nowhere = transportIn('/run/netns/biplane-gone', name)
      await expect(nowhere.dial({ address: { address: '198.18.0.2', port: 41_987 }, timeoutMs: 1_000 })).rejects.toThrow(/ENOENT/)
      await expect(nowhere.listen({ host: '::', port: PORT }, () => {})).rejects.toThrow(/ENOENT/)
    })
  })
})
