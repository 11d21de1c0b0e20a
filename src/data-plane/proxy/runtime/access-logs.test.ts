import { createServer } from 'node:http'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { AccessLog, Listener } from '../../../policy/traffic/model/index.ts'
import type { LogEntry } from '../telemetry/index.ts'
import { AccessLogs } from './access-logs.ts'

const outbound: Listener = {
  name: 'outbound|10.96.0.1|80',
  direction: 'outbound',
  address: { address: '10.96.0.1', port: 80 },
  service: { namespace: 'shop', name: 'db', port: 80 },
  protocol: 'tcp',
  chains: [],
}
const entry: LogEntry = {
  startMs: 0,
  connection: {
    remote: { address: '10.1.0.1', port: 4711 },
    local: { address: '10.1.0.1', port: 15_001 },
    protocol: 'tcp',
    drain() {},
    destroy() {},
  },
  summary: { startedMs: 0, durationMs: 7, bytesReceived: 3, bytesSent: 5, flags: new Set(), details: '' },
  captured: [],
  upstreamHost: '10.1.0.2:5432',
  upstreamCluster: 'shop/db|80',
  upstreamFailure: undefined,
  upstreamMs: -1,
  attempts: 1,
  route: undefined,
  virtualHost: undefined,
  termination: undefined,
}
/** Kuma's own line for bytes. */
const KUMA =
  '%RESPONSE_FLAGS% %KUMA_MESH% %KUMA_TRAFFIC_DIRECTION% %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)->%UPSTREAM_HOST%(%KUMA_DESTINATION_SERVICE%) took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes\n'

describe('access logs', () => {
  it('know the placeholders of Kuma', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'logs-'))
    const path = join(dir, 'access.log')
    const logs = new AccessLogs(new FakeClock(), 'web.shop', silentLogger)
    const [logger] = logs.loggers([{ name: 'a', sink: { type: 'file', path }, format: { type: 'text', text: KUMA } }], outbound)
    logger?.writeConnection(entry)
    const line = await vi.waitFor(() => {
      const text = readFileSync(path, 'utf8')
      expect(text).not.toBe('')
      return text
    })
    expect(line).toBe('- default OUTBOUND 10.1.0.1(web.shop)->10.1.0.2:5432(db_shop_svc_80) took 7ms, sent 5 bytes, received: 3 bytes\n')
    logs.close()
    rmSync(dir, { recursive: true })
  })

  it('go to collectors by OTLP, with what is said of the proxy', async () => {
    const bodies: { path: string | undefined; text: string }[] = []
    const collector = createServer((request, response) => {
      let text = ''
      request.on('data', (chunk: Buffer) => (text += chunk.toString()))
      request.on('end', () => {
        bodies.push({ path: request.url, text })
        response.end('{}')
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    const endpoint = `127.0.0.1:${(collector.address() as AddressInfo).port}`
    const logs = new AccessLogs(new FakeClock(), 'web.shop', silentLogger)
    const sink: AccessLog['sink'] = { type: 'otlp', endpoint, attributes: { to: '%UPSTREAM_HOST%' } }
    const [logger] = logs.loggers([{ name: 'a', sink, format: { type: 'text', text: '%BYTES_SENT% sent\n' } }], outbound)
    logger?.writeConnection(entry)
    logs.close()
    await vi.waitFor(() => expect(bodies).toHaveLength(1))
    const [{ path, text }] = bodies as [{ path: string; text: string }]
    const record = (JSON.parse(text) as { resourceLogs: { resource: object; scopeLogs: { logRecords: object[] }[] }[] }).resourceLogs[0]
    expect(path).toBe('/v1/logs')
    expect(record?.resource).toMatchObject({ attributes: [{ key: 'service.name', value: { stringValue: 'web.shop' } }] })
    expect(record?.scopeLogs[0]?.logRecords).toMatchObject([
      { body: { stringValue: '5 sent' }, attributes: [{ key: 'to', value: { stringValue: '10.1.0.2:5432' } }] },
    ])
    collector.close()
  })

  it('that cannot be written are said and left out; the others are written', () => {
    const said: unknown[] = []
    const logs = new AccessLogs(new FakeClock(), 'web.shop', { ...silentLogger, error: (_, fields) => void said.push(fields) })
    const stdout: AccessLog['sink'] = { type: 'stdout' }
    const made = logs.loggers(
      [
        { name: 'bad', sink: stdout, format: { type: 'text', text: '%NOBODY_KNOWS%\n' } },
        { name: 'good', sink: stdout, format: { type: 'text', text: '%DURATION%\n' } },
      ],
      outbound,
    )
    expect(made).toHaveLength(1)
    expect(said).toEqual([{ log: 'bad', listener: outbound.name, reason: expect.stringContaining('NOBODY_KNOWS') as unknown }])
    logs.close()
  })
})
