import { join } from 'node:path'
import {
  bearer,
  GRPC_FILES,
  openRelay,
  removeGrpcIdentity,
  writeGrpcBootstrap,
  writeGrpcIdentity,
} from '../../data-plane/proxy/companion/index.ts'
import { grpcBootstrap } from '../../policy/traffic/bootstrap/index.ts'
import { proxyName } from '../../policy/traffic/model/index.ts'
import { followSettings, openCompanionHealth, withEnds } from './proxy-companion.ts'
import type { ProxyOptions } from './proxy.ts'

export interface GrpcProxyOptions extends ProxyOptions {
  /** Directory that the application sees, too, under the same name. */
  readonly grpcDir: string
}

const SOCKET = 'xds.sock'
const REFRESH_MS = 10_000

/**
 * Stands beside an application whose gRPC library is its own proxy, until the signal aborts: leads the library's streams to the control plane, and keeps its identity as
 * files. The application starts once bootstrap and identity are there. Sources: gRFC A27, A29.
 */
export async function runGrpcCompanion(options: GrpcProxyOptions, signal: AbortSignal): Promise<void> {
  // names of sockets are short
  process.chdir(options.grpcDir)
  await withEnds((defer) => run(options, defer, signal))
}

async function run(options: GrpcProxyOptions, defer: (close: () => Promise<void>) => void, signal: AbortSignal): Promise<void> {
  const { namespace, pod, serviceAccount, meshSocket, tokenPath, grpcDir, clock, log } = options
  // the application is another user; whoever sees the directory is of this pod
  const relay = await openRelay({ socket: SOCKET, mode: 0o666, dial: meshSocket, headers: () => bearer(tokenPath), log })
  defer(() => relay.close())
  const follower = followSettings(options)
  defer(() => follower.close())
  const identities: string[] = []
  let written = ''
  let isThere = false
  const write = (): void => {
    const { material } = follower.identity
    const { settings } = follower
    if (!settings || (settings.identity !== undefined && !material)) return
    if (material) {
      const text = JSON.stringify([material, settings.trust])
      if (text === written) return
      const stamp = `${clock.now()}-${identities.length}`
      writeGrpcIdentity('.', { ...material, trust: Object.values(settings.trust).flat() }, stamp)
      written = text
      // whoever has opened the last one reads it to its end
      if (identities.push(stamp) > 2) removeGrpcIdentity('.', identities.shift() as string)
    }
    if (isThere) return
    isThere = true
    const file = (name: string): string => join(grpcDir, name)
    writeGrpcBootstrap(
      '.',
      grpcBootstrap({
        id: proxyName(namespace, pod),
        cluster: serviceAccount,
        server: `unix:${file(SOCKET)}`,
        ...(material
          ? {
              certificates: {
                certificateFile: file(GRPC_FILES.certificate),
                keyFile: file(GRPC_FILES.key),
                caFile: file(GRPC_FILES.ca),
                refreshMs: REFRESH_MS,
              },
            }
          : {}),
      }),
    )
  }
  const again = (): void => {
    try {
      write()
    } catch (error) {
      log.error('identity or bootstrap of the application cannot be written', { error: String(error) })
    }
  }
  follower.onChange(again)
  await follower.start()
  again()
  const health = await openCompanionHealth(options, {
    notReady: () => follower.notReady() ?? (isThere ? undefined : 'the bootstrap of the application could not be written'),
    metrics: () => '',
  })
  defer(() => health.close())
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
