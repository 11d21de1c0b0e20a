/**
 * One process of the cluster that kubectl and helm tests talk to: `control-plane DIR` or `node DIR`. Says "ready" on standard output
 * and ends on SIGTERM; the node ends its workloads then.
 */
import { readFileSync } from 'node:fs'
import { systemClock } from '../src/base/clock.ts'
import { jsonLogger } from '../src/base/log.ts'
import { runControlPlane, type Endpoint } from '../src/cli/compose/control-plane.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { runNode } from '../src/cli/compose/node.ts'
import { createJoinTokens, formatJoinToken } from '../src/control-plane/pki/index.ts'

const [role, dataDir = ''] = process.argv.slice(2)
const controller = new AbortController()
process.on('SIGTERM', () => controller.abort(new Error('SIGTERM')))
const base = {
  dataDir,
  clock: systemClock,
  random: Math.random,
  log: jsonLogger({ write: (line) => void process.stderr.write(line), clock: systemClock, level: 'info' }),
  onProgress: (stage: string): void => void (stage === 'ready' && process.stdout.write('ready\n')),
}
if (role === 'control-plane') await runControlPlane({ ...base, host: '127.0.0.1', port: 0 }, controller.signal)
else await node()
process.exit()

async function node(): Promise<void> {
  const layout = dataLayout(dataDir)
  const { server, caCertificate } = JSON.parse(readFileSync(layout.endpoint, 'utf8')) as Endpoint
  const token = formatJoinToken(await createJoinTokens(layout.joinTokens, { clock: systemClock }).create())
  const path = process.env['PATH'] ?? ''
  await runNode(
    { ...base, name: 'node-1', server, caCertificate, token, path, self: [], env: {}, stopWorkloads: () => true },
    controller.signal,
  )
}
