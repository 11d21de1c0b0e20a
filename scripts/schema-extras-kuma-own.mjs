// Schemas of our own policies of the mesh, beside Kuma's: tokens and judgement by request.
import { kind, object, OWN as G } from './schema-extras-kuma-support.mjs'

const strings = (text) => ['[string', text]
const value = {
  contains: ['string', 'Is part of it.'],
  exact: ['string', 'Is it.'],
  prefix: ['string', 'Begins it.'],
  present: ['boolean', 'True: it is there, whatever it is.'],
  regex: ['string', 'RE2, matches it as a whole.'],
  suffix: ['string', 'Ends it.'],
}

export function addOwnPolicies(out) {
  object(out, G, 'MeshTargetRef', 'MeshTargetRef says whose proxies a policy is for.', {
    kind: ['!string', 'Kind of what is meant.', { enum: ['Mesh', 'Dataplane', 'Gateway'] }],
    labels: ['{string', 'Labels of the proxies; not together with name.'],
    name: ['string', 'Name of the proxy or the Gateway.'],
    namespace: ['string', 'Namespace of the proxies. Default: that of the policy.'],
    sectionName: ['string', 'Name or number of a port.'],
  })
  object(out, G, 'MeshStringMatch', 'MeshStringMatch compares text; exactly one field.', value)
  object(out, G, 'MeshNamedMatch', 'MeshNamedMatch compares a header or a claim; one way of comparing.', {
    ...value,
    invert: ['boolean', 'Matches where it does not.'],
    name: ['!string', 'Name of the header; path of the claim, such as realm_access.roles.'],
  })
  const targetRef = ['@MeshTargetRef', 'Whose proxies. Default: all of the namespace, or of the mesh in the system namespace.']
  kind(out, G, 'MeshRequestAuthentication', 'MeshRequestAuthentication verifies JSON Web Tokens of requests.', {
    providers: [
      '![',
      'Who gives out tokens; 1 to 20.',
      {
        of: {
          audiences: strings('One must be in the token; empty: any.'),
          claimsToHeaders: [
            '[',
            'Claims the application gets as headers.',
            { of: { claim: ['!string', 'Path of the claim.'], header: ['!string', 'Name of the header.'] } },
          ],
          forward: ['boolean', 'The token goes on to the application. Default false.'],
          fromHeaders: [
            '[',
            'Where it is looked for. Default authorization: Bearer.',
            { of: { name: ['!string', 'Name of the header.'], prefix: ['string', 'Before the token.'] } },
          ],
          fromParams: strings('Query parameters it is looked for in.'),
          issuer: ['!string', 'Claim iss.'],
          jwks: ['string', 'Key set in JSON (RFC 7517); instead of remoteJwks.'],
          name: ['!string', 'Name of the provider.'],
          remoteJwks: [
            '',
            'Where the key set is fetched; instead of jwks.',
            {
              of: {
                backendRef: [
                  '!',
                  'Service that has it.',
                  {
                    of: {
                      kind: ['string', 'Default Service.', { enum: ['Service', 'MeshExternalService'] }],
                      name: ['!string', 'Its name.'],
                      namespace: ['string', 'Its namespace. Default: that of the policy.'],
                      port: ['!int32', '1 to 65535.'],
                    },
                  },
                ],
                cacheDuration: ['string', 'How long it is kept. Default 5m.'],
                timeout: ['string', 'How long fetching may take. Default 5s.'],
                uri: ['!string', 'Of the key set.'],
              },
            },
          ],
        },
      },
    ],
    required: ['boolean', 'Requests without a token are refused (401). Default false.'],
    targetRef,
  })
  const peer = {
    claims: ['[@MeshNamedMatch', 'Claims of a verified token; all must match.'],
    namespaces: strings('Namespaces of the caller.'),
    notSourceIPs: strings('CIDRs that the connection does not come from.'),
    serviceAccounts: strings('Of the caller, as namespace/name; or name, in the namespace of the policy.'),
    sourceIPs: strings('CIDRs that the connection comes from.'),
    spiffeID: ['@MeshStringMatch', 'Of the caller.'],
  }
  const request = {
    headers: ['[@MeshNamedMatch', 'All must match.'],
    hosts: ['[@MeshStringMatch', 'One must match.'],
    methods: strings('Such as GET.'),
    notMethods: strings('All but these.'),
    notPaths: ['[@MeshStringMatch', 'None may match.'],
    paths: ['[@MeshStringMatch', 'One must match.'],
    ports: ['[int32', 'Of the application.'],
  }
  kind(out, G, 'MeshAuthorizationPolicy', 'MeshAuthorizationPolicy judges requests by caller, token, method, path, host and headers.', {
    action: [
      '!string',
      'What becomes of requests that match. Deny wins; with any Allow, the rest is refused. Custom asks.',
      { enum: ['Allow', 'Deny', 'Custom'] },
    ],
    custom: [
      '',
      'Of action Custom: who is asked.',
      {
        of: {
          backendRef: [
            '!',
            'The authority.',
            {
              of: {
                kind: ['string', 'Default Service.', { enum: ['Service', 'MeshExternalService'] }],
                name: ['!string', 'Its name.'],
                namespace: ['string', 'Its namespace. Default: that of the policy.'],
                port: ['!int32', '1 to 65535.'],
              },
            },
          ],
          failOpen: ['boolean', 'Requests pass where it cannot be asked. Default false.'],
          includeHeaders: strings('Headers that it sees besides method, path, host and authorization.'),
          maxBodyBytes: ['int32', 'Bytes of the body that it sees. Default 0.'],
          pathPrefix: ['string', 'Before the path of the request; protocol HTTP.'],
          protocol: ['string', 'Default GRPC.', { enum: ['GRPC', 'HTTP'] }],
          timeout: ['string', 'Default 200ms.'],
          upstreamHeaders: strings('Headers of its answer that go on.'),
        },
      },
    ],
    dryRun: ['boolean', 'Judged, counted and logged, but not enforced. Default false.'],
    rules: [
      '[',
      'One must match; absent: none does.',
      {
        of: {
          from: ['[', 'One must match; empty: everybody.', { of: peer }],
          name: ['string', 'Shown in denials.'],
          to: ['[', 'One must match; empty: everything.', { of: request }],
        },
      },
    ],
    targetRef,
  })
}
