import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pod } from '../../src/api/generated/types.ts'
import type { KubeObject } from '../../src/api/meta/object.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import type { CommandResult } from '../../src/testing/network-lab/index.ts'
import { Cluster } from '../support/cluster.ts'
import { LabCluster, type LabClusterOptions } from '../support/lab-cluster.ts'
import { run } from '../support/lab-processes.ts'
import { ENVOY } from '../envoy-support/find-envoy.ts'
import { REPOSITORY } from '../support/program.ts'

/** A cluster in either kind of network, as tests of the mesh see it. */
export interface MeshCluster {
  /** Whether pods have networks of their own, or aliases for services. */
  readonly network: 'loopback' | 'kernel'
  /** What it is made of, where pods have networks of their own. */
  readonly lab?: LabCluster
  /** Every user may read here. */
  readonly dir: string
  kubectl(...args: readonly string[]): Promise<string>
  apply(objects: readonly object[]): Promise<void>
  remove(objects: readonly KubeObject[]): Promise<void>
  /** Path of the log of a container that has not been restarted. */
  logOf(namespace: string, pod: string, container: string): Promise<string>
  /** Runs a command of biplane as administrator. */
  biplane(...args: readonly string[]): Promise<CommandResult>
  /** Kills the control plane; it is started again. */
  killControlPlane(): Promise<void>
  stop(): Promise<void>
}

/** `biplane up` on this machine: needs nothing but root, and kubectl at `path`. @param manifests relative to the repository */
export async function loopbackCluster(path: string, manifests: readonly string[]): Promise<MeshCluster> {
  const cluster = await Cluster.start({ kubectl: path, manifests })
  return meshCluster({
    network: 'loopback',
    dir: cluster.dir,
    kubectl: (...args) => cluster.kubectl(...args),
    biplane: (...args) => run([process.execPath, join(REPOSITORY, 'dist/biplane.js'), ...args, '--kubeconfig', cluster.kubeconfig], {}),
    dataDirOf: () => join(cluster.dir, 'data'),
    killControlPlane: async () => {
      const killed = cluster.child('control-plane') ?? 0
      process.kill(killed, 'SIGKILL')
    },
    stop: () => cluster.stop(),
  })
}

/** Whether root's nodes on this machine have what it takes to lead connections to sidecars in a loopback network. */
export function loopbackIntercepts(): boolean {
  return / cgroup2 /.test(readFileSync('/proc/self/mounts', 'utf8')) && spawnSync('nft', ['--version']).status === 0
}

/** Nodes in network namespaces of their own, pods in others. */
export async function kernelCluster(
  manifests: readonly string[],
  options: Pick<LabClusterOptions, 'nodes' | 'program'> = {},
): Promise<MeshCluster> {
  const cluster = await LabCluster.start({
    nodes: ['a', 'b'],
    ...(ENVOY === undefined ? {} : { env: { BIPLANE_ENVOY: ENVOY } }),
    ...options,
  })
  for (const manifest of manifests) await cluster.kubectl('apply', '-f', join(REPOSITORY, manifest))
  return meshCluster({
    network: 'kernel',
    lab: cluster,
    dir: cluster.dir,
    kubectl: (...args) => cluster.kubectl(...args),
    biplane: (...args) => cluster.biplane(...args),
    dataDirOf: (node) => cluster.node(node).dataDir,
    killControlPlane: async () => {
      await cluster.kill('control-plane')
      await cluster.startControlPlane()
    },
    stop: () => cluster.stop(),
  })
}

function meshCluster(
  parts: Pick<MeshCluster, 'network' | 'lab' | 'dir' | 'kubectl' | 'biplane' | 'killControlPlane' | 'stop'> & {
    readonly dataDirOf: (node: string) => string
  },
): MeshCluster {
  const { dir, kubectl, dataDirOf } = parts
  let files = 0
  const write = (objects: readonly object[]): string => {
    const path = join(dir, `objects-${files++}.json`)
    writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    return path
  }
  return {
    ...parts,
    apply: async (objects) => void (await kubectl('apply', '-f', write(objects))),
    remove: async (objects) => void (await kubectl('delete', '-f', write(objects))),
    logOf: async (namespace, pod, container) => {
      const { metadata, spec } = JSON.parse(await kubectl('get', '-n', namespace, 'pod', pod, '-o', 'json')) as Pod
      const node = spec?.nodeName ?? ''
      return join(dataLayout(dataDirOf(node)).node(node).pods, 'pods', metadata.uid ?? '', 'containers', container, '0', 'log')
    },
  }
}
