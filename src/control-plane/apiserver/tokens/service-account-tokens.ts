import { timestamp } from '../../../base/timestamp.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Clock } from '../../../base/clock.ts'
import type { AuthenticationTokenRequest, Pod, ServiceAccount } from '../../../api/generated/types.ts'
import {
  serviceAccountKeyId,
  signServiceAccountToken,
  TokenError,
  verifyServiceAccountToken,
  type Pki,
  type VerifiedToken,
} from '../../pki/index.ts'
import type { Store } from '../../store/contract.ts'
import type { Handler, UserInfo } from '../contract.ts'
import { decodeBody } from '../handlers/index.ts'
import { notFound } from '../registry/index.ts'

export interface TokenIssuerOptions {
  readonly pki: Pick<Pki, 'serviceAccountKey'>
  readonly store: Store
  readonly clock: Clock
  /** `iss` of the tokens, and their audience when none is asked for. */
  readonly issuer: string
}

/** Seconds; upstream's bounds of a TokenRequest. */
const MIN_LIFE = 600
const MAX_LIFE = 2 ** 32
const DEFAULT_LIFE = 3600

/** Answers `POST .../serviceaccounts/NAME/token` and believes the tokens it made, while their account and pod exist. */
export function createTokenIssuer(options: TokenIssuerOptions): {
  readonly handler: Handler
  verify(token: string): Promise<UserInfo | undefined>
  /** Who a token is for, if it is good for this audience and its account and pod still exist. */
  identify(token: string, audience: string): Promise<VerifiedToken | undefined>
} {
  const { pki, store, clock, issuer } = options
  const keyId = serviceAccountKeyId(pki.serviceAccountKey.publicKey)
  const read = async <T>(plural: string, namespace: string, name: string): Promise<T | undefined> => {
    const found = await store.get(`/registry/core/${plural}/${namespace}/${name}`)
    return found && (JSON.parse(Buffer.from(found.value).toString()) as T)
  }
  const identify = async (token: string, audience: string): Promise<VerifiedToken | undefined> => {
    try {
      const claims = verifyServiceAccountToken(token, {
        publicKey: pki.serviceAccountKey.publicKey,
        issuer,
        audiences: [audience],
        nowMs: clock.now(),
      })
      const account = await read<ServiceAccount>('serviceaccounts', claims.namespace, claims.serviceAccount.name)
      if (account?.metadata.uid !== claims.serviceAccount.uid) return undefined
      if (claims.pod && (await read<Pod>('pods', claims.namespace, claims.pod.name))?.metadata.uid !== claims.pod.uid) return undefined
      return claims
    } catch (error) {
      if (error instanceof TokenError) return undefined
      throw error
    }
  }

  return {
    async handler(request) {
      const [, namespace = '', name = ''] = /\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/.exec(request.path) ?? []
      const account = await read<ServiceAccount>('serviceaccounts', namespace, name)
      if (!account) throw notFound({ group: '', plural: 'serviceaccounts' }, name)
      const body = (decodeBody(request)?.value ?? {}) as Partial<AuthenticationTokenRequest>
      const spec = body.spec ?? {}
      const asked = spec.expirationSeconds ?? DEFAULT_LIFE
      if (!Number.isInteger(asked) || asked < MIN_LIFE || asked > MAX_LIFE) {
        throw new StatusError(
          'Invalid',
          `TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: ${String(asked)}: may not specify a duration ${asked > MAX_LIFE ? 'larger than 2^32 seconds' : 'less than 10 minutes'}`,
        )
      }
      const audiences = spec.audiences?.length ? spec.audiences : [issuer]
      const pod = await boundPod(spec.boundObjectRef, (podName) => read<Pod>('pods', namespace, podName))
      const nowMs = clock.now()
      const token = signServiceAccountToken(
        { namespace, serviceAccount: { name, uid: account.metadata.uid ?? '' }, ...(pod ? { pod } : {}) },
        { privateKey: pki.serviceAccountKey.privateKey, keyId, issuer, audiences, expirationSeconds: asked, nowMs },
      )
      const expirationTimestamp = timestamp(nowMs + asked * 1000)
      const answer = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: { name, namespace },
        spec: { ...spec, audiences, expirationSeconds: asked },
        status: { token, expirationTimestamp },
      }
      return { status: 201, body: { type: 'object', value: answer } }
    },

    async verify(token) {
      const claims = await identify(token, issuer)
      if (!claims) return undefined
      return {
        name: claims.subject,
        uid: claims.serviceAccount.uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${claims.namespace}`],
      }
    },

    identify,
  }
}

async function boundPod(
  reference: { readonly kind?: string | undefined; readonly name?: string | undefined; readonly uid?: string | undefined } | undefined,
  read: (name: string) => Promise<Pod | undefined>,
): Promise<{ name: string; uid: string } | undefined> {
  if (!reference) return undefined
  if (reference.kind !== 'Pod')
    throw new StatusError(
      'BadRequest',
      `cannot bind token to a ${reference.kind ?? 'nameless kind'}: only pods are supported; set spec.boundObjectRef.kind to Pod`,
    )
  const name = reference.name ?? ''
  const pod = await read(name)
  if (!pod) throw notFound({ group: '', plural: 'pods' }, name)
  if (reference.uid && reference.uid !== pod.metadata.uid)
    throw new StatusError(
      'Conflict',
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  return { name, uid: pod.metadata.uid ?? '' }
}
