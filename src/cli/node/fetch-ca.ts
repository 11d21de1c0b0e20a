import { createHash, X509Certificate } from 'node:crypto'
import { connect as tlsConnect } from 'node:tls'
import { CliError } from '../errors/cli-error.ts'

const CONNECT_MS = 10_000

/**
 * The CA certificate of a control plane, believed because its public key has the hash that the administrator gave: nothing that
 * is secret is sent before. Source: kubeadm's discovery-token-ca-cert-hash.
 * @param hash `sha256:<hex>`
 */
export async function fetchCertificateAuthority(server: string, hash: string): Promise<string> {
  const chain = await presentedChain(server)
  const found = chain.find((certificate) => hashOfKey(certificate) === hash.toLowerCase())
  if (found) return found.toString()
  throw new CliError(`the control plane at ${server} is not the one that --ca-hash names`, {
    why: `it shows ${chain.map(hashOfKey).join(', ') || 'no certificate'}`,
    fix: 'check the address, and the hash with "biplane token create" on the machine of the control plane',
  })
}

/** The certificate, when it is the one that the hash names. @param pem such as was kept at an earlier start */
export function certificateNamed(hash: string, pem: string | undefined): string | undefined {
  try {
    return pem !== undefined && hashOfKey(new X509Certificate(pem)) === hash.toLowerCase() ? pem : undefined
  } catch {
    return undefined
  }
}

function hashOfKey(certificate: X509Certificate): string {
  const key = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(key).digest('hex')}`
}

function presentedChain(server: string): Promise<readonly X509Certificate[]> {
  const { hostname, port } = new URL(server)
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      socket.destroy()
      reject(new CliError(`the control plane at ${server} cannot be reached`, { why, fix: 'check --server and that it runs there' }))
    }
    // believed only after its key has been compared
    const socket = tlsConnect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 443), rejectUnauthorized: false })
    socket.setTimeout(CONNECT_MS, () => fail(`no answer within ${CONNECT_MS / 1000} s`))
    socket.once('error', (error) => fail(error.message))
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = []
      for (let at = socket.getPeerX509Certificate(); at && chain.length < 10; at = at.issuerCertificate) chain.push(at)
      socket.destroy()
      resolve(chain)
    })
  })
}
