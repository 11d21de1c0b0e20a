import type { PostJson } from './span-exporter.ts'

const TIMEOUT_MS = 5_000

/** Posts to collectors outside of the mesh; connections are kept. @throws Error saying what came instead of 2xx */
export const postJson: PostJson = async (url, body) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${url} answers with HTTP status ${response.status}`)
}
