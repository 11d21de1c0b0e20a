import { messageOf } from '../../../base/errors.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import type { Secret } from '../../../api/generated/types.ts'
import { terminal, watchOf, type Manager } from '../../../controller/contract.ts'
import { SYSTEM_NAMESPACE, type MeshAuthorities } from '../../pki/mesh/index.ts'

/** Annotation that asks for a new authority, on the Secret in which the authorities of the trust domain are kept; taken away once there is one. */
export const ROTATE_ANNOTATION = 'biplane.dev/rotate'
/** Secret of type `kubernetes.io/tls` with an authority that was made elsewhere: `tls.crt` is a CA of the trust domain, with an EC key on P-256. */
export const BROUGHT_AUTHORITY = 'mesh-ca'

const OWN_TYPE = 'biplane.dev/mesh-authorities'
const UNTIL_THERE_ARE_MS = 1_000

/**
 * What operators ask of the mesh's authorities by Secrets in the system namespace: a rotation now, or an authority that they bring along (and replace, by
 * cert-manager for one). What cannot be used is told by an event at the Secret, and what signs goes on signing.
 * @param authorities those of the trust domain in use; undefined: there are none yet
 */
export function addAuthorityRequests(manager: Manager, authorities: () => MeshAuthorities | undefined): void {
  const recorder = manager.recorder('mesh-authorities')
  const { lister } = manager.informers.informer(secrets)
  let brought = ''

  const bring = async (secret: Secret | undefined, target: MeshAuthorities): Promise<void> => {
    const text = secret ? JSON.stringify(secret.data ?? {}) : ''
    if (brought === text) return
    if (!secret) await target.bring(undefined, true)
    else await target.bring({ certificate: read(secret, 'tls.crt'), privateKey: read(secret, 'tls.key') }, false)
    brought = text
  }
  manager.addController({
    name: 'mesh_authority',
    concurrency: 1,
    watches: [
      watchOf(secrets, ({ metadata }) =>
        metadata.namespace === SYSTEM_NAMESPACE ? [{ namespace: SYSTEM_NAMESPACE, name: metadata.name ?? '' }] : [],
      ),
    ],
    reconciler: {
      async reconcile({ name }) {
        const secret = lister.get(`${SYSTEM_NAMESPACE}/${name}`)
        const target = authorities()
        if (!target) return { requeueAfterMs: UNTIL_THERE_ARE_MS }
        try {
          if (name === BROUGHT_AUTHORITY) await bring(secret, target)
          else if (secret?.type === OWN_TYPE && secret.metadata.annotations?.[ROTATE_ANNOTATION] !== undefined) await target.rotate()
        } catch (error) {
          manager.log.warn('a request to the authorities of the mesh was refused', { secret: name, error: messageOf(error) })
          if (secret) recorder.event({ apiVersion: 'v1', kind: 'Secret', ...secret }, 'Warning', 'AuthorityRefused', messageOf(error))
          throw terminal(error)
        }
      },
    },
  })
}

function read(secret: Secret, key: string): string {
  const value = secret.data?.[key]
  if (value === undefined) throw new Error(`data["${key}"] is missing`)
  return Buffer.from(value, 'base64').toString()
}
