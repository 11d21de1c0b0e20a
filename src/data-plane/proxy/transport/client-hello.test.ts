import { connect, createServer, type AddressInfo } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readClientHello } from './client-hello.ts'

/** What Node's TLS sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const hello = new Promise<Buffer>((resolve) => server.once('connection', (socket) => socket.once('data', resolve)))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const client = connectTls({ socket, rejectUnauthorized: false, ...options }).on('error', () => {})
  try {
    return await hello
  } finally {
    client.destroy()
    server.close()
  }
}

/** The same handshake in records of this many bytes each. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size)
    records.push(Buffer.of(22, 3, 1, part.length >> 8, part.length & 0xff), part)
  }
  return Buffer.concat(records)
}

describe('the first flight of TLS', () => {
  it('tells name and protocols, whatever records it comes in, and not before it is whole', async () => {
    const hello = await helloOf({ servername: 'Shop.example', ALPNProtocols: ['h2', 'http/1.1'] })
    for (const size of [1, 3, 100, 16_000]) {
      const bytes = inRecords(hello, size)
      expect(readClientHello(bytes)).toEqual({ serverName: 'shop.example', alpn: ['h2', 'http/1.1'] })
      // early data may follow at once
      expect(readClientHello(Buffer.concat([bytes, Buffer.of(23, 3, 3, 0, 1, 0)]))).toMatchObject({ serverName: 'shop.example' })
      for (let end = 0; end < bytes.length; end++) expect(readClientHello(bytes, 0, end)).toBe('more')
    }
    expect(readClientHello(await helloOf({}))).toEqual({ alpn: [] })
  })

  it('with any bytes of it changed is read or is none, and what is told does not change with what follows', async () => {
    const hello = await helloOf({ servername: 'shop', ALPNProtocols: ['h2'] })
    const flips = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 6 })
    const changed = flips.map((all) => {
      const bytes = Buffer.from(hello)
      for (const [at, value] of all) bytes[at] = value
      return bytes
    })
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.of(22, 3, 1), bytes]))
    fc.assert(
      fc.property(fc.oneof(changed, noise, fc.uint8Array({ maxLength: 60 })), fc.nat(300), (bytes, end) => {
        const whole = readClientHello(bytes)
        const before = readClientHello(bytes, 0, Math.min(end, bytes.length))
        if (before !== 'more') expect(whole).toEqual(before)
        if (typeof whole === 'object' && whole.serverName !== undefined) expect(whole.serverName).toMatch(/^[a-z0-9._-]{1,255}$/)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is given up at 16 KiB, and costs no more for records of a byte each that come one by one', () => {
    const record = (byte: number): Buffer => Buffer.of(22, 3, 1, 0, 1, byte)
    const bytes = Buffer.concat([1, 0, 0x3f, 0xff, ...Array.from({ length: 3_000 }, () => 0)].map(record))
    const began = process.cpuUsage()
    for (let end = 6; end < 16_384; end += 6) expect(readClientHello(bytes, 0, end)).toBe('more')
    // 2,700 looks at up to 2,700 records: a square of that for each look would be minutes
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(3_000)
    expect(readClientHello(bytes)).toBe('none')
    expect(readClientHello(Buffer.of(22, 3, 1, 0, 4, 1, 1, 0, 0))).toBe('none')
  })
})
