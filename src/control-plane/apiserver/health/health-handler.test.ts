import { expect, test } from 'vitest'
import { silentLogger } from '../../../base/log.ts'
import { createHealthHandler } from './health-handler.ts'

let storeWritable = true
const handler = createHealthHandler({
  log: silentLogger,
  liveness: [{ name: 'loop', check: () => Promise.resolve() }],
  readiness: [
    { name: 'store', check: () => (storeWritable ? Promise.resolve() : Promise.reject(new Error('disk full'))) },
    { name: 'informer-sync', check: () => Promise.resolve() },
  ],
})

async function get(path: string, query: Record<string, string | string[]> = {}): Promise<string> {
  const answer = await handler({ method: 'GET', path, query, user: { name: 'x', groups: [] } })
  return `${answer.status} ${answer.body.type === 'json' ? String(answer.body.parse()) : ''}`
}

test('well: ok, or a line for each check', async () => {
  expect(await get('/livez')).toBe('200 ok')
  expect(await get('/readyz', { verbose: '' })).toBe('200 [+]ping ok\n[+]store ok\n[+]informer-sync ok\nreadyz check passed\n')
  expect(await get('/readyz/store')).toBe('200 ok')
})

test('a store that cannot be written is not ready, and alive', async () => {
  storeWritable = false
  expect(await get('/readyz')).toBe('500 [+]ping ok\n[-]store failed: reason withheld\n[+]informer-sync ok\nreadyz check failed\n')
  expect(await get('/readyz/store')).toBe('500 internal server error: store failed: reason withheld\n')
  expect(await get('/readyz/informer-sync')).toBe('200 ok')
  expect(await get('/livez', { verbose: 'true' })).toBe('200 [+]ping ok\n[+]loop ok\nlivez check passed\n')
  expect(await get('/healthz')).toBe('200 ok')
  storeWritable = true
})

test('checks can be left out; unknown ones are pointed at', async () => {
  storeWritable = false
  expect(await get('/readyz', { exclude: 'store' })).toBe('200 ok')
  expect(await get('/readyz', { exclude: ['store', 'etcd'], verbose: '1' })).toBe(
    '200 [+]ping ok\n[+]store excluded: ok\n[+]informer-sync ok\nwarn: some health checks cannot be excluded: no matches for "etcd"\nreadyz check passed\n',
  )
  storeWritable = true
})

test('an unknown check is 404 and only GET is answered', async () => {
  await expect(get('/readyz/none')).rejects.toMatchObject({ reason: 'NotFound' })
  await expect(handler({ method: 'POST', path: '/livez', user: { name: 'x', groups: [] } })).rejects.toMatchObject({
    reason: 'MethodNotAllowed',
  })
})
