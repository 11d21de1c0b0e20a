import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EndpointSlice, Service } from '../../src/api/generated/types.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab, type Segment } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'

/** Why the tests of DNS in a lab cannot run; empty: they can. */
export function dnsLabProblem(tools: readonly string[]): string {
  const problem = labProblem()
  if (problem !== '') return problem
  const absent = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  return absent.length === 0 ? '' : `needs ${absent.join(', ')}`
}

export const NODE_LOCAL = '169.254.20.10'
export const NODE_LOCAL_V6 = 'fd00:20::10'
/** Of the node, on the wire. */
export const NODE_V4 = '198.18.5.1'
export const NODE_V6 = 'fd00:5::1'
export const UPSTREAM = '198.18.5.3'
export const STUB = '198.18.5.4'

/**
 * A node with a DNS server that knows a cluster only from what was written down (there is no control plane), a pod that asks, and hosts for the servers of
 * others, on one wire.
 */
export class DnsLab {
  readonly lab: NetworkLab
  readonly node: LabHost
  readonly pod: LabHost
  readonly upstream: LabHost
  readonly stub: LabHost
  readonly wire: Segment
  readonly dir: string
  /** Options of `biplane dns` beside those that every server has. */
  flags: readonly string[] = []

  private constructor(parts: Pick<DnsLab, 'lab' | 'node' | 'pod' | 'upstream' | 'stub' | 'wire' | 'dir'>) {
    ;({ lab: this.lab, node: this.node, pod: this.pod, upstream: this.upstream, stub: this.stub, wire: this.wire, dir: this.dir } = parts)
  }

  static async build(services: readonly Service[], slices: readonly EndpointSlice[]): Promise<DnsLab> {
    execFileSync(process.execPath, [join(REPOSITORY, 'scripts/build.mjs'), '--if-stale'])
    const lab = await createNetworkLab()
    try {
      const [node, pod, upstream, stub] = (await Promise.all(['node', 'pod', 'up', 'stub'].map((name) => lab.host(name)))) as [
        LabHost,
        LabHost,
        LabHost,
        LabHost,
      ]
      const wire = await lab.segment([
        { host: node, device: 'eth0', addresses: [`${NODE_V4}/24`, `${NODE_V6}/64`] },
        { host: pod, device: 'eth0', addresses: ['198.18.5.2/24', 'fd00:5::2/64'] },
        { host: upstream, device: 'eth0', addresses: [`${UPSTREAM}/24`] },
        { host: stub, device: 'eth0', addresses: [`${STUB}/24`] },
      ])
      for (const gateway of [NODE_V4, NODE_V6]) await pod.must(['ip', 'route', 'add', 'default', 'via', gateway])
      const dir = mkdtempSync(join(tmpdir(), 'bpl-dns-'))
      seed(dir, services, slices)
      return new DnsLab({ lab, node, pod, upstream, stub, wire, dir })
    } catch (error) {
      await lab.remove()
      throw error
    }
  }

  /** Starts a DNS server on the node. @returns once it answers */
  async start(): Promise<ChildProcess> {
    const listen = [NODE_LOCAL, `[${NODE_LOCAL_V6}]`, NODE_V4, `[${NODE_V6}]`].map((host) => `--listen=${host}:53`)
    const trust = ['--server=https://127.0.0.1:1', `--ca-file=${this.dir}/ca.pem`]
    const argv = [
      process.execPath,
      join(REPOSITORY, 'dist/biplane.js'),
      'dns',
      `--data-dir=${this.dir}`,
      '--name=n1',
      ...trust,
      ...listen,
      ...this.flags,
    ]
    // run by node itself, not by ip: signals have to reach it
    const child = this.node.spawn(argv, { stdio: ['ignore', 'ignore', 'pipe'] })
    let log = ''
    child.stderr?.on('data', (chunk) => (log += String(chunk)))
    await poll('DNS answers', () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${log}`)
      return log.includes('DNS answers') ? true : undefined
    })
    return child
  }

  /** What dig prints in short form, line by line. */
  async dig(...args: readonly string[]): Promise<readonly string[]> {
    const at = args.some((arg) => arg.startsWith('@')) ? [] : [`@${NODE_LOCAL}`]
    const text = await this.pod.must(['dig', '+time=6', '+tries=1', '+noall', '+answer', '+authority', ...at, ...args])
    return text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .map((line) => line.replaceAll(/\s+/g, ' '))
  }

  /** The status and flags line of dig. */
  async header(...args: readonly string[]): Promise<string> {
    const text = await this.pod.must(['dig', '+time=6', '+tries=1', `@${NODE_LOCAL}`, ...args])
    return [/status: \w+/.exec(text)?.[0], /flags: [\w ]+/.exec(text)?.[0]].join(', ')
  }

  /** Gives the pod a resolv.conf: programs in it find it in its usual place. */
  resolvConf(text: string): void {
    mkdirSync(`/etc/netns/${this.pod.netns}`, { recursive: true })
    writeFileSync(`/etc/netns/${this.pod.netns}/resolv.conf`, text)
  }

  async remove(): Promise<void> {
    await this.lab.remove()
    rmSync(`/etc/netns/${this.pod.netns}`, { recursive: true, force: true })
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** The state of a node as the processes before left it. */
function seed(dir: string, services: readonly Service[], slices: readonly EndpointSlice[]): void {
  const state = join(dir, 'nodes/n1/state')
  mkdirSync(join(state, 'dns'), { recursive: true })
  const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'ca.pem')]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=x',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    {
      stdio: 'ignore',
    },
  )
  const identity = { certificate: readFileSync(certificate, 'utf8'), privateKey: readFileSync(key, 'utf8') }
  writeFileSync(join(state, 'identity.json'), JSON.stringify(identity))
  writeFileSync(join(state, 'dns/services.json'), JSON.stringify(services))
  writeFileSync(join(state, 'dns/endpointslices.json'), JSON.stringify(slices))
}
