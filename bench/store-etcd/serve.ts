import { Buffer } from 'node:buffer'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../src/base/clock.ts'
import { openLmdbStore } from '../../src/control-plane/store/index.ts'
import { decodeTxn, encodeTxnResponse, frame, unframe } from './wire.ts'

/** Puts the store behind the same call as etcd (KV/Txn), in a process of its own; prints the port. */
export async function serve(dir: string): Promise<void> {
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const server = createServer()
  server.on('stream', (stream) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      void (async () => {
        const { key, modRevision, value } = decodeTxn(unframe(Buffer.concat(chunks)))
        const unchanged = { key, op: '=' as const, revision: BigInt(modRevision) }
        const { succeeded, revision } = await store.txn([unchanged], [{ type: 'put', key, value }], [{ type: 'get', key }])
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
        stream.end(frame(encodeTxnResponse({ succeeded, revision: Number(revision) })))
      })()
    })
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
}
