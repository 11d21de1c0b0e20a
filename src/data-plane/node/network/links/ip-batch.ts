import { execFile } from 'node:child_process'
import { formatIp, formatPrefix } from '../../../../base/ip.ts'
import { inNetworkNamespace } from '../../../../base/linux/network-namespace.ts'
import { LinkError, type LinkStep, type LinkWriter } from './link-step.ts'

/** A LinkWriter that runs `ip -batch`. @param namespace path; absent: of this process */
export function ipBatchWriter(namespace?: string): LinkWriter {
  return {
    async apply(steps) {
      if (steps.length > 0) await runIp(namespace, `${steps.map(lineOf).join('\n')}\n`)
    },
  }
}

function runIp(namespace: string | undefined, input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const start = (): ReturnType<typeof execFile> =>
      execFile('ip', ['-batch', '-'], { timeout: 10_000 }, (error, _stdout, stderr) => {
        if (!error) resolve()
        else reject(new LinkError(stderr.includes('File exists') ? 'EEXIST' : 'EINVAL', `ip: ${stderr.trim() || error.message}`))
      })
    const child = namespace === undefined ? start() : inNetworkNamespace(namespace, start)
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

function lineOf(step: LinkStep): string {
  switch (step.op) {
    case 'add-veth': {
      const { device, mac, mtu, peer } = step
      const other = `peer name ${peer.device} address ${peer.mac} mtu ${mtu} netns ${peer.namespace}`
      return `link add ${device} address ${mac} mtu ${mtu} type veth ${other}`
    }
    case 'add-vxlan': {
      const { id, local, port } = step.vxlan
      const vxlan = `type vxlan id ${id} local ${formatIp(local)} dstport ${port} nolearning`
      return `link add ${step.device} address ${step.mac} mtu ${step.mtu} ${vxlan}`
    }
    case 'up':
      return `link set ${step.device} up`
    case 'mtu':
      return `link set ${step.device} mtu ${step.mtu}`
    case 'delete-link':
      return `link delete ${step.device}`
    case 'address': {
      const nodad = step.prefix.family === 6 ? ' nodad' : ''
      return `address replace ${formatPrefix(step.prefix)} dev ${step.device}${step.scope ? ` scope ${step.scope}` : ''}${nodad}`
    }
    case 'neighbour':
      return `neigh replace ${formatIp(step.address)} lladdr ${step.mac} dev ${step.device} nud permanent`
    case 'delete-neighbour':
      return `neigh delete ${formatIp(step.address)} dev ${step.device}`
    case 'default-route': {
      const any = step.gateway.length === 4 ? '0.0.0.0/0' : '::/0'
      return `route replace ${any} via ${formatIp(step.gateway)} dev ${step.device} onlink`
    }
    case 'forward':
    case 'delete-forward':
      throw new LinkError('EINVAL', 'not with ip')
  }
}
