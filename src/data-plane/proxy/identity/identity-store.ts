import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** What a proxy keeps of its identity, so that it can start while the control plane is away. */
export interface StoredIdentity {
  readonly privateKey: string
  /** PEM: the leaf, then intermediates. */
  readonly certificate: string
  readonly trust: Readonly<Record<string, readonly string[]>>
  readonly spiffeId: string
  readonly issuer: string
}

/** Reads what was kept; undefined: there is nothing. @throws Error saying what is damaged: it is not used */
export function loadIdentity(path: string): StoredIdentity | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const { privateKey, certificate, trust, spiffeId, issuer } = parse(text)
  if (!isText(privateKey) || !isText(certificate) || !isText(spiffeId) || typeof issuer !== 'string' || !isTrust(trust))
    throw new Error('lacks a private key, a certificate, trust, a SPIFFE ID or an issuer')
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey)))
    throw new Error('has a private key that is not the one of its certificate')
  return { privateKey, certificate, trust, spiffeId, issuer }
}

/** Writes it whole or not at all, for its owner alone. @throws Error of the file system, such as ENOSPC: what was there stays */
export async function saveIdentity(path: string, identity: StoredIdentity): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify(identity))
      await file.sync()
    } finally {
      await file.close()
    }
    renameSync(temporary, path)
  } catch (error) {
    // half a key is of no use to anybody
    rmSync(temporary, { force: true })
    throw error
  }
}

function parse(text: string): { readonly [field in keyof StoredIdentity]?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // said below
  }
  throw new Error(`is no JSON object, in ${text.length} characters`)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function isTrust(value: unknown): value is StoredIdentity['trust'] {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((roots: unknown) => Array.isArray(roots) && roots.every((root) => typeof root === 'string'))
  )
}
