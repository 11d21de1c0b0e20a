import type { ChildProcess } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import type { ApiAccess } from './run-proxy.ts'

const ROOT = process.env['BIPLANE_ROOT'] ?? '.'

/** Programs of main.ts and kube-proxy, inside one host of the lab. */
export class ServicePrograms {
  readonly #folder: string
  readonly #file: string

  private constructor(folder: string) {
    this.#folder = folder
    this.#file = resolve(folder, 'main.mjs')
  }

  static async bundle(): Promise<ServicePrograms> {
    // below node_modules, where it finds its packages
    const folder = join(ROOT, 'node_modules/.cache/biplane', `service-programs-${process.pid}`)
    mkdirSync(folder, { recursive: true })
    const programs = new ServicePrograms(folder)
    await build({
      absWorkingDir: resolve(ROOT),
      entryPoints: ['bench/service-programs/main.ts'],
      outfile: resolve(programs.#file),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      logLevel: 'warning',
    })
    return programs
  }

  start(host: LabHost, ...args: readonly string[]): Conversation {
    return new Conversation(host.spawn([process.execPath, this.#file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }))
  }

  /** kube-proxy in nftables mode. @param binary see scripts/build-kube-proxy.mjs */
  startKubeProxy(host: LabHost, binary: string, options: KubeProxyOptions): ChildProcess {
    const kubeconfig = join(this.#folder, 'kubeconfig')
    const config = join(this.#folder, 'kube-proxy.json')
    writeFileSync(kubeconfig, kubeconfigOf(options.access), { mode: 0o600 })
    writeFileSync(config, JSON.stringify(configOf(kubeconfig, options)))
    const stderr = process.env['BIPLANE_BENCH_VERBOSE'] ? 'inherit' : 'ignore'
    return host.spawn([binary, `--config=${config}`], { stdio: ['ignore', 'ignore', stderr] })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export interface KubeProxyOptions {
  readonly access: ApiAccess
  readonly nodeName: string
  /** Prefixes of the node's addresses that serve node ports. */
  readonly nodePortAddresses: readonly string[]
  /** Prefixes of this node's pods. */
  readonly podRanges?: readonly string[]
}

/** A process that answers line by line. */
export class Conversation {
  readonly child: ChildProcess
  readonly #waiting: ((line: string) => void)[] = []
  readonly #lines: string[] = []

  constructor(child: ChildProcess) {
    this.child = child
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const next = this.#waiting.shift()
      if (next) next(line)
      else this.#lines.push(line)
    })
  }

  /** The next line, as JSON. */
  async next<T>(): Promise<T> {
    const line = this.#lines.shift() ?? (await new Promise<string>((resolve) => this.#waiting.push(resolve)))
    return JSON.parse(line) as T
  }

  ask<T>(question: object): Promise<T> {
    this.child.stdin?.write(`${JSON.stringify(question)}\n`)
    return this.next<T>()
  }

  async stop(): Promise<void> {
    await stopChild(this.child)
  }
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

function configOf(kubeconfig: string, { nodeName, nodePortAddresses, podRanges = [] }: KubeProxyOptions): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: nodeName,
    clientConnection: { kubeconfig, contentType: 'application/json', qps: 1000, burst: 1000 },
    // without the second that it waits between syncs otherwise
    nftables: { minSyncPeriod: '1ms', syncPeriod: '30s' },
    nodePortAddresses,
    ...(podRanges.length > 0 ? { detectLocalMode: 'ClusterCIDR', clusterCIDR: podRanges.join(',') } : {}),
    // sysctls of connection tracking belong to the machine
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  }
}

function kubeconfigOf({ server, ca, cert, key }: ApiAccess): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'u', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  })
}
