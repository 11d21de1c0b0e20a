import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createMetrics } from '../../base/metrics.ts'
import { askSocket } from '../packets/ask-socket.ts'
import { openRouterApi } from './router-api.ts'

test('only the user of the router may ask it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'router-'))
  const socketPath = join(dir, 'router.sock')
  const api = await openRouterApi({ socketPath, metrics: createMetrics(), speaker: () => undefined, isReady: () => true })
  try {
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
    await expect(askSocket(socketPath, '/nothing')).rejects.toMatchObject({ code: 'SocketRefused' })
  } finally {
    await api.close()
    await rm(dir, { recursive: true })
  }
})
