import { readFileSync } from 'node:fs'
import { arch, availableParallelism, hostname, platform, release, totalmem } from 'node:os'
import type { NodeDescription } from '../../data-plane/node/api-sync/node-status.ts'

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Kubernetes' word for this processor. */
const architecture = (): string => ({ x64: 'amd64', ia32: '386' })[arch() as string] ?? arch()

/** A node name from this machine's: lower case, only what a label may hold. */
export function defaultNodeName(): string {
  const name = hostname()
    .toLowerCase()
    .split('.')[0]
    ?.replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
  return name || 'local'
}

/** What this machine is and can hold, as a Node says it. */
export function describeMachine(
  name: string,
  options: { readonly addresses: readonly string[]; readonly labels?: Readonly<Record<string, string>>; readonly maxPods?: number },
): NodeDescription {
  const osRelease = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(read('/etc/os-release'))?.[1]
  return {
    name,
    addresses: [
      ...options.addresses.map((address) => ({ type: 'InternalIP' as const, address })),
      { type: 'Hostname', address: hostname() },
    ],
    capacity: { cpuMillis: availableParallelism() * 1000, memoryBytes: totalmem(), pods: options.maxPods ?? 110 },
    labels: { ...options.labels },
    info: {
      machineID: read('/etc/machine-id'),
      bootID: read('/proc/sys/kernel/random/boot_id'),
      kernelVersion: release(),
      osImage: osRelease ?? platform(),
      runtimeVersion: 'process://0.1.0',
      kubeletVersion: 'v1.34.0+biplane.0.1.0',
      operatingSystem: platform(),
      architecture: architecture(),
    },
  }
}
