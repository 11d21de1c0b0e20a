import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface GrpcIdentity {
  /** PEM. */
  readonly certificate: string
  readonly privateKey: string
  /** CA certificates of all trusted domains, PEM. */
  readonly trust: readonly string[]
}

/** Names of what an application's gRPC library reads, below the directory that both containers see. */
export const GRPC_FILES = {
  bootstrap: 'bootstrap.json',
  certificate: 'identity/tls.crt',
  key: 'identity/tls.key',
  ca: 'identity/ca.crt',
} as const

/**
 * Puts a new identity where an application reads it, all of it or nothing: a directory of its own, and a link that is moved from the old to the new. The
 * application is another user, so the files can be read by all who see the directory: the containers of the pod.
 * @param stamp makes the name of the directory; differs from call to call
 */
export function writeGrpcIdentity(dir: string, identity: GrpcIdentity, stamp: string): void {
  const fresh = `..${stamp}`
  mkdirSync(join(dir, fresh), { mode: 0o755 })
  for (const [name, text] of [
    ['tls.crt', identity.certificate],
    ['tls.key', identity.privateKey],
    ['ca.crt', identity.trust.join('\n')],
  ] as const) {
    writeFileSync(join(dir, fresh, name), text, { mode: 0o444 })
  }
  const before = join(dir, 'identity')
  rmSync(`${before}.new`, { force: true })
  symlinkSync(fresh, `${before}.new`)
  renameSync(`${before}.new`, before)
}

/** Removes identities that nothing leads to any more. @param kept stamps of those that may still be read */
export function removeGrpcIdentity(dir: string, stamp: string): void {
  rmSync(join(dir, `..${stamp}`), { recursive: true, force: true })
}

/** The bootstrap is written last: an application that finds it finds all of the rest. */
export function writeGrpcBootstrap(dir: string, bootstrap: object): void {
  const path = join(dir, GRPC_FILES.bootstrap)
  writeFileSync(`${path}.tmp`, JSON.stringify(bootstrap, null, 2), { mode: 0o644 })
  renameSync(`${path}.tmp`, path)
}
