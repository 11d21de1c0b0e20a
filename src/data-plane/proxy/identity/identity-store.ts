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

/** Reads what was kept; undefined when there is nothing, or nothing whole. */
export function loadIdentity(path: string): StoredIdentity | undefined {
  try {
    const parsed = JSON.parse(readFileSync(path, 'utf8')) as Partial<StoredIdentity>
    const { privateKey, certificate, trust, spiffeId, issuer } = parsed
    if (!privateKey || !certificate || !trust || !spiffeId || issuer === undefined) return undefined
    return { privateKey, certificate, trust, spiffeId, issuer }
  } catch {
    // none yet, or half of one from before a crash: a new one is asked for
    return undefined
  }
}

/** Writes it whole or not at all, for its owner alone. */
export async function saveIdentity(path: string, identity: StoredIdentity): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify(identity))
    await file.sync()
  } finally {
    await file.close()
  }
  renameSync(temporary, path)
}
