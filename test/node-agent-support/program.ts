/**
 * One process of a cluster: `control-plane DIR SERVICE_CIDR` or `node DIR NAME`, each with only its own code loaded, as the command line has it.
 * Prints `ready` once; logs to standard error; ends on SIGTERM and leaves workloads running.
 */
import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/base/clock.ts'
import { jsonLogger } from '../../src/base/log.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'

const [role, dataDir = '', third = ''] = process.argv.slice(2)
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
// `cpu` on standard input asks what has been used so far
process.stdin.on('data', () => {
  const { user, system } = process.cpuUsage()
  const rssMb = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  process.stdout.write(`${JSON.stringify({ cpuMs: (user + system) / 1000, rssMb })}\n`)
})

const common = {
  dataDir,
  clock: systemClock,
  random: Math.random,
  log: jsonLogger({ write: (line) => process.stderr.write(line), clock: systemClock, level: 'warn' }),
  onProgress: (stage: string) => void (stage === 'ready' && process.stdout.write('ready\n')),
}
const layout = dataLayout(dataDir)

if (role === 'control-plane') {
  const { runControlPlane } = await import('../../src/cli/compose/control-plane.ts')
  let port = 0
  try {
    // the next one serves where this one did
    port = Number(new URL((JSON.parse(readFileSync(layout.endpoint, 'utf8')) as { server: string }).server).port)
  } catch {
    // the first
  }
  await runControlPlane({ ...common, host: '127.0.0.1', port, serviceCidr: third }, stop.signal)
} else {
  const { runNode } = await import('../../src/cli/compose/node.ts')
  const { server, caCertificate } = JSON.parse(readFileSync(layout.endpoint, 'utf8')) as { server: string; caCertificate: string }
  const { BIPLANE_TOKEN: token, PATH: path = '' } = process.env
  await runNode({ ...common, name: third, server, caCertificate, path, self: [], env: {}, ...(token ? { token } : {}) }, stop.signal)
}
process.exit(0)
