import { jsonLogger } from '../../base/log.ts'
import {
  APP_PROBES_VARIABLE,
  DRAIN_VARIABLE,
  GRPC_DIR,
  GRPC_DIR_VARIABLE,
  TOKEN_PATH,
  TOKEN_VARIABLE,
  type AppProbes,
} from '../../policy/traffic/model/index.ts'
import { MESH_SOCKET_VARIABLE } from '../../protocols/mesh-link.ts'
import { findEnvoy } from '../../data-plane/proxy/companion/index.ts'
import { runEnvoyProxy } from '../compose/proxy-envoy.ts'
import { runGrpcCompanion } from '../compose/proxy-grpc.ts'
import { runProxy } from '../compose/proxy.ts'
import { forkWorker, MAX_WORKERS, runWorkerProcess, workersOf } from '../compose/proxy-workers.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../errors/cli-error.ts'

export interface ProxyCommandOptions {
  readonly dataPlane?: 'biplane' | 'envoy' | 'grpc'
  readonly workers?: string
  readonly verbose?: boolean
}

export const WORKERS_VARIABLE = 'BIPLANE_WORKERS'

const STOP_GRACE_MS = 5_000

/** `biplane proxy sidecar` and `biplane proxy gateway`: in the foreground until a signal comes. What it is told comes from the variables that pods are given. */
export async function runProxyCommand(context: CliContext, kind: 'sidecar' | 'gateway', options: ProxyCommandOptions): Promise<void> {
  const { env, clock, random } = context
  const variable = (name: string): string => {
    const value = env[name]
    if (value === undefined || value === '') {
      throw new CliError(`variable ${name} is not set`, {
        why: 'a proxy is told by variables which pod it is for',
        fix: 'let the control plane make it: label the namespace with kuma.io/sidecar-injection=enabled',
      })
    }
    return value
  }
  const signals = context.takeSignals()
  signals.onForce(() => process.exit(1))
  const podDir = env['BIPLANE_POD_DIR']
  const own = {
    kind,
    namespace: variable('POD_NAMESPACE'),
    pod: variable('POD_NAME'),
    ips: (env['POD_IPS'] || variable('BIPLANE_POD_IP')).split(',').filter((ip) => ip !== ''),
    node: env['NODE_NAME'] ?? '',
    serviceAccount: env['SERVICE_ACCOUNT'] || 'default',
    meshSocket: variable(MESH_SOCKET_VARIABLE),
    tokenPath: env[TOKEN_VARIABLE] ?? TOKEN_PATH,
    stateDir: env['BIPLANE_FILES'] ?? '/var/lib/biplane/proxy',
    ...(podDir === undefined ? {} : { podDir }),
    ...(env[DRAIN_VARIABLE] ? { drainToken: env[DRAIN_VARIABLE] } : {}),
    probes: JSON.parse(env[APP_PROBES_VARIABLE] ?? '{}') as AppProbes,
    clock,
    random,
    log: jsonLogger({ write: (line) => context.err.write(line), clock, level: options.verbose ? 'debug' : 'info' }),
    stopGraceMs: STOP_GRACE_MS,
  }
  if (options.dataPlane === 'envoy') return await runEnvoyProxy({ ...own, envoy: envoyOf(env) }, signals.signal)
  if (options.dataPlane === 'grpc') return await runGrpcCompanion({ ...own, grpcDir: env[GRPC_DIR_VARIABLE] ?? GRPC_DIR }, signals.signal)
  const count = workerCount(options.workers ?? env[WORKERS_VARIABLE] ?? '1')
  const script = process.argv[1] as string
  const start = (): ReturnType<typeof forkWorker> => forkWorker(script, options.verbose ? ['--verbose'] : [], own.log)
  await runProxy({ ...own, ...(count > 1 ? { workers: { count, start } } : {}) }, signals.signal)
}

function workerCount(text: string): number {
  const count = workersOf(text)
  if (count !== undefined) return count
  throw new CliError(`"${text}" is no number of workers`, {
    why: `a proxy has from 1 to ${MAX_WORKERS} processes that carry connections`,
    fix: `give --workers, or the variable ${WORKERS_VARIABLE}, such a number; 1 is the default`,
  })
}

/** `biplane proxy worker`: one of the processes of a proxy, which starts it. */
export async function runWorkerCommand({ clock, random, err }: CliContext, options: { readonly verbose?: boolean }): Promise<void> {
  await runWorkerProcess({
    clock,
    random,
    log: jsonLogger({ write: (line) => err.write(line), clock, level: options.verbose ? 'debug' : 'info' }),
  })
}

function envoyOf(env: CliContext['env']): string {
  const found = findEnvoy(env)
  if (found !== undefined) return found
  throw new CliError('Envoy was not found on this node', {
    why: 'biplane brings no Envoy along: data plane envoy runs the one that is installed',
    fix: 'install Envoy and put it on the PATH of the node, or name it in BIPLANE_ENVOY where the node is started',
  })
}
