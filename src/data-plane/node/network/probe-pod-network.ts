import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../../base/errors.ts'
import { parseIp, type IpBytes } from '../../../base/ip.ts'
import { libcProblem } from '../../../base/linux/libc.ts'
import { createNetworkNamespace, inNetworkNamespace, removeNetworkNamespace } from '../../../base/linux/network-namespace.ts'
import { openNft } from '../../forwarding/nft/index.ts'
import type { RuntimeProblem } from '../runtime.ts'
import { applySettings } from './links/device-settings.ts'
import { compilePodNat } from './nat/compile-pod-nat.ts'
import type { LinkStep, LinkWriter } from './links/link-step.ts'

/** What the kernel has to be able to do, each with what helps when it cannot. */
const FIXES = {
  namespace: 'run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN, on a kernel with CONFIG_NET_NS',
  forwarding: 'mount /proc/sys writable: containers need --privileged for that',
  veth: 'load the kernel module veth (CONFIG_VETH)',
  vxlan: 'load the kernel module vxlan (CONFIG_VXLAN), or run with --node-routes direct where all nodes are on one link',
  nft: 'install nftables (the command nft), on a kernel with nf_tables and NAT (CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ, CONFIG_NFT_FIB_INET)',
} as const

const VETH: LinkStep = {
  op: 'add-veth',
  device: 'probe0',
  mac: '0a:58:00:00:00:01',
  mtu: 1500,
  peer: { device: 'probe1', mac: '0a:58:00:00:00:02', namespace: '' },
}
const LOCAL = parseIp('127.0.0.1') as IpBytes
const VXLAN: LinkStep = {
  op: 'add-vxlan',
  device: 'probe2',
  mac: '0a:62:00:00:00:01',
  mtu: 1450,
  vxlan: { id: 1, local: LOCAL, port: 4789 },
}

/**
 * What is missing for a pod network in the kernel, found by trying in a namespace of its own: nothing of the node is touched.
 * @param options needsTunnel: whether VXLAN is asked for @returns empty when pods can have a network
 */
export async function probePodNetwork(options: {
  readonly links: (namespace: string) => LinkWriter
  readonly needsTunnel: boolean
}): Promise<readonly RuntimeProblem[]> {
  const problem = libcProblem()
  if (problem) return [problem]
  if (process.getuid?.() !== 0) return [{ what: 'no pod network in the kernel: the agent is not root', fix: 'run "biplane node" as root' }]
  const dir = mkdtempSync(join(tmpdir(), 'biplane-probe-'))
  const namespace = join(dir, 'net')
  const problems: RuntimeProblem[] = []
  const attempt = async (name: keyof typeof FIXES, what: string, work: () => Promise<void> | void): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      problems.push({ what: `${what}: ${messageOf(error)}`, fix: FIXES[name] })
      return false
    }
  }
  try {
    if (!(await attempt('namespace', 'no network namespaces', () => createNetworkNamespace(namespace)))) return problems
    try {
      const links = options.links(namespace)
      await attempt('forwarding', 'this machine cannot be made to forward packets', () => {
        inNetworkNamespace(namespace, () => applySettings([['ipv4/ip_forward', '1']]))
      })
      await attempt('veth', 'no links into network namespaces', () => links.apply([vethInto(namespace)]))
      if (options.needsTunnel) await attempt('vxlan', 'no tunnels between nodes', () => links.apply([VXLAN]))
      await attempt('nft', 'no address translation by nf_tables', () => tryNat(namespace))
    } finally {
      removeNetworkNamespace(namespace)
    }
    return problems
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function vethInto(namespace: string): LinkStep {
  return VETH.op === 'add-veth' ? { ...VETH, peer: { ...VETH.peer, namespace } } : VETH
}

async function tryNat(namespace: string): Promise<void> {
  const nft = openNft({ namespace })
  try {
    const nothing = { localPods: [], clusterPods: [], hostPorts: [] }
    await nft.run(compilePodNat(4, nothing) + compilePodNat(6, nothing))
    await nft.run(SOURCE_CHECK)
  } finally {
    nft.close()
  }
}

/** What keeps pods from sending under addresses of others (see the packet filter): of a module of its own. */
const SOURCE_CHECK =
  'table inet biplane-policy { chain links { type filter hook prerouting priority raw; fib saddr . iif oif missing drop; }; }\n'
