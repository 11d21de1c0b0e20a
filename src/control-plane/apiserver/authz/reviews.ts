import { StatusError } from '../../../base/errors.ts'
import type { Authenticator } from '../authn/authenticator.ts'
import { decodeBody } from '../handlers/body.ts'
import type { Authorizer, RequestInfo, ServerRequest, ServerResponse, UserInfo } from '../contract.ts'

/** Answers questions about rights: virtual resources that are created and never stored, so that `kubectl auth can-i` and `whoami` work. */
export interface Reviews {
  /** Whether `info` names a review. */
  serves(info: RequestInfo): boolean
  /** @throws {StatusError} `BadRequest`, `MethodNotAllowed`, `UnsupportedMediaType` */
  answer(request: ServerRequest, info: RequestInfo): Promise<ServerResponse>
}

export function createReviews(authorizer: Authorizer, authenticator: Authenticator): Reviews {
  const context: Context = { authorizer, authenticator }
  return {
    serves: (info) => REVIEWS[`${info.group}/${info.resource}`] !== undefined && info.version === 'v1' && info.subresource === '',
    async answer(request, info) {
      if (info.verb !== 'create') {
        throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
      }
      const review = REVIEWS[`${info.group}/${info.resource}`] as ReviewKind
      const body = recordOf(decodeBody(request)?.value)
      const status = await review.decide({ user: request.user, spec: recordOf(body['spec']), info }, context)
      const value = { ...body, apiVersion: `${info.group}/v1`, kind: review.kind, metadata: recordOf(body['metadata']), status }
      return { status: 201, body: { type: 'object', value } }
    },
  }
}

interface Context {
  readonly authorizer: Authorizer
  readonly authenticator: Authenticator
}

interface Question {
  readonly user: UserInfo
  readonly spec: Record<string, unknown>
  readonly info: RequestInfo
}

interface ReviewKind {
  readonly kind: string
  readonly decide: (question: Question, context: Context) => Promise<object>
}

const REVIEWS: Readonly<Record<string, ReviewKind | undefined>> = {
  'authorization.k8s.io/selfsubjectaccessreviews': {
    kind: 'SelfSubjectAccessReview',
    decide: ({ user, spec }, { authorizer }) => access(authorizer, user, spec),
  },
  'authorization.k8s.io/subjectaccessreviews': {
    kind: 'SubjectAccessReview',
    decide: ({ spec }, { authorizer }) => access(authorizer, subjectOf(spec), spec),
  },
  'authorization.k8s.io/localsubjectaccessreviews': { kind: 'LocalSubjectAccessReview', decide: localAccess },
  'authorization.k8s.io/selfsubjectrulesreviews': { kind: 'SelfSubjectRulesReview', decide: ({ user }) => Promise.resolve(rulesOf(user)) },
  'authentication.k8s.io/selfsubjectreviews': {
    kind: 'SelfSubjectReview',
    decide: ({ user }) => Promise.resolve({ userInfo: wireUser(user) }),
  },
  'authentication.k8s.io/tokenreviews': { kind: 'TokenReview', decide: reviewToken },
}

async function access(authorizer: Authorizer, user: UserInfo, spec: Record<string, unknown>): Promise<object> {
  if ((spec['resourceAttributes'] === undefined) === (spec['nonResourceAttributes'] === undefined)) {
    throw new StatusError('BadRequest', 'exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be set')
  }
  const { allowed, reason } = await authorizer.authorize(user, askedFor(spec))
  return { allowed, ...(reason ? { reason } : {}) }
}

function localAccess({ spec, info }: Question, { authorizer }: Context): Promise<object> {
  if (recordOf(spec['resourceAttributes'])['namespace'] !== info.namespace) {
    throw new StatusError('BadRequest', 'spec.resourceAttributes.namespace must be the namespace of the request')
  }
  return access(authorizer, subjectOf(spec), spec)
}

async function reviewToken({ spec }: Question, { authenticator }: Context): Promise<object> {
  const token = textOf(spec['token'])
  if (token === '') throw new StatusError('BadRequest', 'token is required for TokenReview in authentication')
  const user = await authenticator.authenticateToken(token)
  return user ? { authenticated: true, user: wireUser(user) } : { authenticated: false }
}

/** The rules of the built-in roles that can be listed without knowing names. */
function rulesOf(user: UserInfo): object {
  const all = user.groups.includes('system:masters')
  const resourceRules = all
    ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]
    : [{ verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] }]
  const nonResourceURLs = all
    ? ['*']
    : ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/healthz', '/livez', '/readyz', '/version']
  return {
    resourceRules,
    nonResourceRules: [{ verbs: all ? ['*'] : ['get'], nonResourceURLs }],
    incomplete: user.groups.includes('system:nodes'),
  }
}

function askedFor(spec: Record<string, unknown>): RequestInfo {
  const path = recordOf(spec['nonResourceAttributes'])
  const asked = recordOf(spec['resourceAttributes'])
  const isResourceRequest = spec['resourceAttributes'] !== undefined
  return {
    isResourceRequest,
    path: isResourceRequest ? '' : textOf(path['path']),
    verb: textOf(isResourceRequest ? asked['verb'] : path['verb']),
    group: textOf(asked['group']),
    version: textOf(asked['version']),
    namespace: textOf(asked['namespace']),
    resource: textOf(asked['resource']),
    subresource: textOf(asked['subresource']),
    name: textOf(asked['name']),
  }
}

function subjectOf(spec: Record<string, unknown>): UserInfo {
  const groups = Array.isArray(spec['groups']) ? spec['groups'].map(textOf) : []
  if (textOf(spec['user']) === '' && groups.length === 0)
    throw new StatusError('BadRequest', 'at least one of spec.user and spec.groups must be set')
  return { name: textOf(spec['user']), groups }
}

function wireUser(user: UserInfo): object {
  return { username: user.name, ...(user.uid ? { uid: user.uid } : {}), groups: user.groups, ...(user.extra ? { extra: user.extra } : {}) }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
