import { existsSync, readFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { accessOf, createClient, createHttpsTransport, kubeconfigPaths, loadKubeconfig, systemClock } from '../../src/client/index.ts'
import { createManager, createMetrics, jsonLogger } from '../../src/controller/index.ts'
import { addTeamOperator } from './team-operator.ts'

// where the cluster is and who we are: the kubeconfig that kubectl uses
const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
const paths = kubeconfigPaths({ env: process.env['KUBECONFIG'], home: homedir() })
const environment = { clock: systemClock, random: Math.random }
const transport = createHttpsTransport({ ...accessOf(loadKubeconfig(paths, readFile), { readFile, ...environment }), ...environment })

const manager = createManager({
  client: createClient(transport),
  log: jsonLogger({ write: (line) => void process.stderr.write(line), clock: systemClock }),
  metrics: createMetrics(),
  // run as many as you like: one works, the others wait
  leaderElection: { namespace: 'default', name: 'team-operator', identity: `${hostname()}-${process.pid}` },
  ...environment,
})
addTeamOperator(manager)

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort(new Error(signal)))
await manager.run(stop.signal)
await transport.close()
