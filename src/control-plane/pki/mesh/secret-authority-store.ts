import { isStatus } from '../../../base/errors.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import type { Secret } from '../../../api/generated/types.ts'
import type { Client } from '../../../client/client.ts'
import { PkiError } from '../pki.ts'
import type { AuthorityStore, StoredAuthority } from './mesh-authorities.ts'

/** Where what the control plane keeps for itself is. */
export const SYSTEM_NAMESPACE = 'biplane-system'
const TYPE = 'biplane.dev/mesh-authorities'

/** Keeps the authorities of a trust domain in a Secret of the system namespace: replicas of the control plane share it, and it is in every backup of the store. */
export function secretAuthorityStore(client: Client, trustDomain: string): AuthorityStore {
  const name = `mesh-ca.${trustDomain}`.slice(0, 253)
  const api = client.of(secrets)
  const read = async (): Promise<Secret | undefined> => {
    try {
      return await api.get(name, { namespace: SYSTEM_NAMESPACE })
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined
      throw error
    }
  }
  return {
    async load() {
      const secret = await read()
      if (!secret) return { authorities: [], version: '' }
      const index = parse<readonly Omit<StoredAuthority, 'certificate' | 'privateKey'>[]>(textOf(secret, 'authorities.json'), name)
      const authorities = index.map((entry) => ({
        ...entry,
        certificate: textOf(secret, `${entry.id}.crt`),
        privateKey: textOf(secret, `${entry.id}.key`),
      }))
      return { authorities, version: secret.metadata.resourceVersion ?? '' }
    },
    async save(authorities, version) {
      const index = authorities.map(({ id, phase, sinceMs }) => ({ id, phase, sinceMs }))
      const data = Object.fromEntries([
        ['authorities.json', base64(JSON.stringify(index))],
        ...authorities.flatMap(({ id, certificate, privateKey }) => [
          [`${id}.crt`, base64(certificate)],
          [`${id}.key`, base64(privateKey)],
        ]),
      ]) as Record<string, string>
      const metadata = { name, namespace: SYSTEM_NAMESPACE, ...(version === '' ? {} : { resourceVersion: version }) }
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: TYPE, data } satisfies Secret
      try {
        await (version === '' ? api.create(secret) : api.update(secret))
        return true
      } catch (error) {
        if (isStatus(error, 'Conflict', 'AlreadyExists')) return false
        throw error
      }
    },
  }
}

function textOf(secret: Secret, key: string): string {
  const value = secret.data?.[key]
  if (value === undefined)
    throw new PkiError(`secret ${SYSTEM_NAMESPACE}/${secret.metadata.name} has no "${key}": restore it from a backup`)
  return Buffer.from(value, 'base64').toString()
}

function parse<T>(text: string, name: string): T {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw new PkiError(`secret ${SYSTEM_NAMESPACE}/${name} is damaged: restore it from a backup`, { cause: error })
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
