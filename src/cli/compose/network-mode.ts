import { createServer } from 'node:net'
import type { Logger } from '../../base/log.ts'
import { netlinkWriter, probePodNetwork, type NodeRouteMode } from '../../data-plane/node/network/index.ts'
import type { PodRange } from './pod-range.ts'

export type NetworkMode = 'kernel' | 'loopback'

/**
 * How a node's pods are connected: `kernel` where it is asked for, or where it can be had and others can reach the node; else `loopback`.
 * @throws Error naming what is missing, when `kernel` was asked for
 */
export async function chooseNetworkMode(options: {
  readonly asked: NetworkMode | 'auto'
  /** The node's, primary first. */
  readonly addresses: readonly string[]
  readonly routes: NodeRouteMode
  readonly log: Logger
}): Promise<NetworkMode> {
  const { asked, addresses, routes, log } = options
  if (asked === 'loopback') return 'loopback'
  const isLoopback = addresses.some((address) => address.startsWith('127.') || address === '::1')
  // what a node on its own does unasked
  if (asked === 'auto' && (isLoopback || process.getuid?.() !== 0)) return 'loopback'
  if (isLoopback) {
    throw new Error(
      `--network kernel needs an address of this machine that other nodes and pods can reach, not ${addresses[0]}: pass --address`,
    )
  }
  const problems = await probePodNetwork({ links: netlinkWriter, needsTunnel: routes === 'auto' || routes === 'vxlan' })
  if (problems.length === 0) return 'kernel'
  if (asked === 'kernel')
    throw new Error(`--network kernel is not possible here: ${problems.map(({ what, fix }) => `${what}; ${fix}`).join('. ')}`)
  for (const { what, fix } of problems) log.warn('pods share the network of this machine (--network loopback)', { what, fix })
  return 'loopback'
}

/**
 * Makes sure that no other node keeps the pod network of this network namespace: two would undo each other's work. The claim ends with the
 * process. It is a socket in Linux' abstract namespace, which is as wide as the network itself.
 * @throws Error when another node has it
 */
export function claimKernelNetwork(): Promise<PodRange> {
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      reject(
        new Error(
          'another node of this machine keeps its pod network in the kernel: stop that node, or run this one with --network loopback or in a network namespace of its own',
        ),
      )
    })
    server.listen({ path: '\0biplane-kernel-network' }, () => {
      server.unref()
      resolve({ cidr: '', release: () => new Promise((done) => server.close(() => done())) })
    })
  })
}
