import { once } from 'node:events'
import { createServer } from 'node:net'

// below the range from which kernels take the ports of outgoing connections (32768 and up on Linux): what is free here
// stays free between the look and the use, unless somebody asks for it by number
const FIRST = 20_000
const LAST = 32_000

/** A port that nobody listens at now, on any address. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0] as number
}

/** As many, one beside the other. */
export async function freePorts(count: number): Promise<readonly number[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = FIRST + Math.floor(Math.random() * (LAST - FIRST - count))
    const ports = Array.from({ length: count }, (_, index) => first + index)
    const free = await Promise.all(ports.map(isFree))
    if (free.every(Boolean)) return ports
  }
  throw new Error(`no ${count} free ports beside each other between ${FIRST} and ${LAST} in 100 attempts`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    // rejects on `error`
    await once(server.listen(port, '::'), 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
