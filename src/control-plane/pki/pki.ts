import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { type CertificateInfo, decodePem, encodePem, issueCertificate, keyIdOf, readCertificate } from '../../protocols/x509/index.ts'
import { makePrivateDirectory, readIfPresent, writePrivateFile } from './key-files.ts'
import {
  CA_NAME,
  type CertificatePlan,
  isRenewalDue,
  isStillGood,
  type OwnCertificate,
  planAdmin,
  planCa,
  planClient,
  planServer,
  planServing,
} from './plan-certificates.ts'

/** A certificate and its private key (PKCS#8), both PEM. */
export interface KeyPair {
  readonly certificate: string
  readonly privateKey: string
}

export interface ClientCertificateRequest {
  /** The user name. */
  readonly commonName: string
  /** The groups. */
  readonly organizations: readonly string[]
  /** SubjectPublicKeyInfo, as an object or in DER. */
  readonly publicKey: KeyObject | Uint8Array
  /** Life in days, fractions allowed; cut to the life of the CA. */
  readonly days: number
}

export interface PkiOptions {
  readonly clock: Clock
  /** Names and addresses of this machine that clients use, beside localhost and the `kubernetes` service. */
  readonly hosts: readonly string[]
  /** The first address of the service network. Default 10.96.0.1. */
  readonly serviceIp?: string
}

/** The keys of a cluster. Certificates are PEM. */
export interface Pki {
  readonly caCertificate: string
  /** What a joining node compares the CA with: `sha256:<hex of the SHA-256 of its public key>`. Source: kubeadm. */
  readonly caCertificateHash: string
  /** The API server's; changes on `renew`. */
  readonly serving: KeyPair
  /** The administrator's; changes on `renew`. */
  readonly admin: KeyPair
  /** Signs service account tokens (ES256). */
  readonly serviceAccountKey: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }
  /** @returns PEM */
  signClientCertificate(request: ClientCertificateRequest): string
  /** A certificate for a server, such as a node's log endpoint. @returns PEM */
  signServingCertificate(request: ClientCertificateRequest & { readonly hosts: readonly string[] }): string
  /** Renews what has less than a third of its life left; call daily. @returns whether something changed: load it anew */
  renew(): Promise<boolean>
}

/** Thrown when the keys on disk cannot be used. `code` is `BrokenPki`. Nothing is overwritten. */
export class PkiError extends Error {
  override readonly name = 'PkiError'
  readonly code = 'BrokenPki'
}

/**
 * Reads the keys in `dir`, makes those that are missing, renews certificates that are due or lack one of `hosts`.
 * Files: ca, apiserver and admin (`.crt`, `.key`), sa (`.key`, `.pub`); mode 0600 in a directory of mode 0700. The CA keeps
 * its key when it is renewed, so that what it signed stays valid.
 * @throws {PkiError} when the CA or the service account key is there but unreadable, or half of the CA is missing
 */
export async function loadOrCreatePki(dir: string, options: PkiOptions): Promise<Pki> {
  await makePrivateDirectory(dir)
  const authority = await loadAuthority(dir, options.clock)
  const serviceAccountKey = await loadServiceAccountKey(dir)
  const pki = new FilePki(dir, options, { authority, serviceAccountKey })
  await pki.renew()
  return pki
}

interface Authority {
  certificate: string
  info: CertificateInfo
  readonly privateKey: KeyObject
}

class FilePki implements Pki {
  readonly serviceAccountKey: Pki['serviceAccountKey']
  readonly #dir: string
  readonly #options: PkiOptions
  readonly #authority: Authority
  readonly #own = new Map<OwnCertificate, KeyPair>()

  constructor(
    dir: string,
    options: PkiOptions,
    keys: { readonly authority: Authority; readonly serviceAccountKey: Pki['serviceAccountKey'] },
  ) {
    this.#dir = dir
    this.#options = options
    this.#authority = keys.authority
    this.serviceAccountKey = keys.serviceAccountKey
  }

  get caCertificate(): string {
    return this.#authority.certificate
  }

  get caCertificateHash(): string {
    return `sha256:${createHash('sha256').update(this.#authority.info.publicKey).digest('hex')}`
  }

  get serving(): KeyPair {
    return this.#own.get('apiserver') as KeyPair
  }

  get admin(): KeyPair {
    return this.#own.get('admin') as KeyPair
  }

  signClientCertificate(request: ClientCertificateRequest): string {
    const { commonName, organizations, days } = request
    return this.#sign(planClient({ commonName, organizations }, days, this.#options.clock.now()), derOf(request.publicKey))
  }

  signServingCertificate(request: ClientCertificateRequest & { readonly hosts: readonly string[] }): string {
    const { commonName, organizations, days, hosts } = request
    return this.#sign(
      planServer({ subject: { commonName, organizations }, hosts, days }, this.#options.clock.now()),
      derOf(request.publicKey),
    )
  }

  async renew(): Promise<boolean> {
    const now = this.#options.clock.now()
    const { hosts, serviceIp = '10.96.0.1' } = this.#options
    let changed = await this.#renewAuthority(now)
    for (const [name, plan] of [
      ['apiserver', planServing({ hosts, serviceIp }, now)],
      ['admin', planAdmin(now)],
    ] as const) {
      const present = this.#own.get(name) ?? (await readKeyPair(this.#dir, name))
      if (present !== undefined && this.#isGood(present, plan)) this.#own.set(name, present)
      else {
        this.#own.set(name, await this.#make(name, plan))
        changed = true
      }
    }
    return changed
  }

  async #renewAuthority(now: number): Promise<boolean> {
    const authority = this.#authority
    if (!isRenewalDue(authority.info, now)) return false
    authority.certificate = selfSign(authority.privateKey, now)
    authority.info = readCertificate(decodePem(authority.certificate, 'CERTIFICATE'))
    await writePrivateFile(join(this.#dir, 'ca.crt'), authority.certificate)
    return true
  }

  #isGood(pair: KeyPair, plan: CertificatePlan): boolean {
    try {
      const certificate = new X509Certificate(pair.certificate)
      const matches = certificate.checkPrivateKey(createPrivateKey(pair.privateKey))
      const ours = certificate.verify(createPublicKey(this.#authority.privateKey))
      return matches && ours && isStillGood(readCertificate(certificate.raw), plan, this.#options.clock.now())
    } catch {
      // unreadable: what we can make again needs no care
      return false
    }
  }

  async #make(name: OwnCertificate, plan: CertificatePlan): Promise<KeyPair> {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pair = { certificate: this.#sign(plan, derOf(keys.publicKey)), privateKey: privatePem(keys.privateKey) }
    await writePrivateFile(join(this.#dir, `${name}.key`), pair.privateKey)
    await writePrivateFile(join(this.#dir, `${name}.crt`), pair.certificate)
    return pair
  }

  #sign(plan: CertificatePlan, publicKey: Uint8Array): string {
    const { privateKey, info } = this.#authority
    const notAfter = Math.min(plan.notAfter, info.notAfter)
    const template = { ...plan, notAfter, publicKey, serial: randomBytes(16) }
    return encodePem('CERTIFICATE', issueCertificate(template, { name: info.subject, privateKey, keyId: keyIdOf(info.publicKey) }))
  }
}

async function loadAuthority(dir: string, clock: Clock): Promise<Authority> {
  const [certificatePath, keyPath] = [join(dir, 'ca.crt'), join(dir, 'ca.key')]
  let [certificate, keyText] = await Promise.all([readIfPresent(certificatePath), readIfPresent(keyPath)])
  if (keyText === undefined) {
    if (certificate !== undefined)
      throw new PkiError(`${certificatePath} has no ${keyPath}: put the key back, or remove the certificate to start a new CA`)
    keyText = privatePem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    await writePrivateFile(keyPath, keyText)
  }
  try {
    const privateKey = createPrivateKey(keyText)
    if (certificate === undefined) {
      // first start, or a crash between the two files: the key decides
      certificate = selfSign(privateKey, clock.now())
      await writePrivateFile(certificatePath, certificate)
    }
    if (!new X509Certificate(certificate).checkPrivateKey(privateKey)) throw new PkiError('the key is not the one in the certificate')
    return { certificate, privateKey, info: readCertificate(decodePem(certificate, 'CERTIFICATE')) }
  } catch (error) {
    throw new PkiError(
      `the CA in ${dir} cannot be used: ${messageOf(error)}; restore ca.crt and ca.key, or remove both to start a new CA`,
      { cause: error },
    )
  }
}

async function loadServiceAccountKey(dir: string): Promise<Pki['serviceAccountKey']> {
  const path = join(dir, 'sa.key')
  let text = await readIfPresent(path)
  if (text === undefined) {
    text = privatePem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    await writePrivateFile(path, text)
  }
  try {
    const privateKey = createPrivateKey(text)
    const publicKey = createPublicKey(privateKey)
    const publicText = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    if ((await readIfPresent(join(dir, 'sa.pub'))) !== publicText) await writePrivateFile(join(dir, 'sa.pub'), publicText)
    return { privateKey, publicKey }
  } catch (error) {
    throw new PkiError(`${path} cannot be used: ${messageOf(error)}; restore it, or remove it and all tokens become invalid`, {
      cause: error,
    })
  }
}

async function readKeyPair(dir: string, name: string): Promise<KeyPair | undefined> {
  const [certificate, privateKey] = await Promise.all([readIfPresent(join(dir, `${name}.crt`)), readIfPresent(join(dir, `${name}.key`))])
  return certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey }
}

function selfSign(privateKey: KeyObject, nowMs: number): string {
  const publicKey = derOf(createPublicKey(privateKey))
  const template = { ...planCa(nowMs), publicKey, serial: randomBytes(16) }
  return encodePem('CERTIFICATE', issueCertificate(template, { name: CA_NAME, privateKey, keyId: keyIdOf(publicKey) }))
}

function derOf(key: KeyObject | Uint8Array): Uint8Array {
  return key instanceof Uint8Array ? key : key.export({ type: 'spki', format: 'der' })
}

function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
