// Schemas of Kuma's policies. Facts from Kuma's API, in our own words.
import { addBalancing, addRest, addTelemetry } from './schema-extras-kuma-telemetry.mjs'
import { KUMA as G, object, on, percent, policy, time } from './schema-extras-kuma-support.mjs'

const headers = (text) => ['[@HeaderKeyValue', text]

export function addPolicies(out) {
  object(out, G, 'HeaderKeyValue', 'HeaderKeyValue is a header.', { name: ['!string', 'Its name.'], value: ['!string', 'Its value.'] })
  object(out, G, 'HeaderModifier', 'HeaderModifier changes headers.', {
    add: headers('Headers beside those that are there.'),
    remove: ['[string', 'Names of headers that go away.'],
    set: headers('Headers instead of those that are there.'),
  })
  object(out, G, 'ValueMatch', 'ValueMatch compares a header or a query parameter.', {
    name: ['!string', 'Its name.'],
    type: ['string', 'How. Default Exact.', { enum: ['Exact', 'Prefix', 'RegularExpression', 'Present', 'Absent'] }],
    value: ['string', 'What it is compared with.'],
  })

  policy(out, G, 'MeshTrafficPermission', 'MeshTrafficPermission says who may call.', ['rules'], {
    action: ['string', 'Only in from: what the callers may.', { enum: ['Allow', 'Deny', 'AllowWithShadowDeny'] }],
    allow: ['[@CallerMatch', 'Who may call.'],
    allowWithShadowDeny: ['[@CallerMatch', 'Who may call although it is logged as a denial.'],
    deny: ['[@CallerMatch', 'Who may not, whatever else is said.'],
  })
  policy(out, G, 'MeshTLS', 'MeshTLS says how TLS is spoken within the mesh.', ['rules'], {
    mode: ['string', 'Whether plaintext callers are taken.', { enum: ['Strict', 'Permissive'] }],
    tlsCiphers: ['[string', 'Names of cipher suites of TLS 1.2.'],
    tlsVersion: [
      '',
      'Versions of TLS.',
      {
        of: {
          max: ['string', 'Highest.', { enum: ['TLSAuto', 'TLS10', 'TLS11', 'TLS12', 'TLS13'] }],
          min: ['string', 'Lowest.', { enum: ['TLSAuto', 'TLS10', 'TLS11', 'TLS12', 'TLS13'] }],
        },
      },
    ],
  })
  policy(out, G, 'MeshTimeout', 'MeshTimeout says how long things may take.', ['to', 'rules'], {
    connectionTimeout: time('Connecting. Default 5s.'),
    http: [
      '',
      'Of HTTP.',
      {
        of: {
          maxConnectionDuration: time('A connection. 0 is no limit.'),
          maxStreamDuration: time('A stream. 0 is no limit.'),
          requestHeadersTimeout: time('The head of a request. 0 is no limit.'),
          requestTimeout: time('A request and its response. 0 is no limit. Default 15s.'),
          streamIdleTimeout: time('Silence on a stream. 0 is no limit. Default 30m.'),
        },
      },
    ],
    idleTimeout: time('Silence on a connection. 0 is no limit. Default 1h.'),
  })

  const backOff = [
    '',
    'How long is waited between tries.',
    { of: { baseInterval: time('First. Default 25ms.'), maxInterval: time('At most. Default 10 times the first.') } },
  ]
  const limited = [
    '',
    'Waits as long as a response says.',
    {
      of: {
        maxInterval: time('At most. Default 300s.'),
        resetHeaders: [
          '[',
          'Headers that say it.',
          {
            of: {
              format: ['!string', 'Form of the value.', { enum: ['Seconds', 'UnixTimestamp'] }],
              name: ['!string', 'Name of the header.'],
            },
          },
        ],
      },
    },
  ]
  const methods = ['Connect', 'Delete', 'Get', 'Head', 'Options', 'Patch', 'Post', 'Put', 'Trace'].map((method) => `HttpMethod${method}`)
  const conditions = [
    '5xx',
    'GatewayError',
    'Reset',
    'Retriable4xx',
    'ConnectFailure',
    'EnvoyRatelimited',
    'RefusedStream',
    'Http3PostConnectFailure',
  ]
  policy(out, G, 'MeshRetry', 'MeshRetry says what is tried again.', ['to'], {
    budget: [
      '',
      'Ours: bound on the retries that run at a time.',
      {
        of: {
          minConcurrent: ['int32', 'As many may always run. Default 3.'],
          percent: percent('Share of the active requests. Default 20.'),
        },
      },
    ],
    grpc: [
      '',
      'Of gRPC.',
      {
        of: {
          backOff,
          numRetries: ['int32', 'Tries after the first. Default 1.'],
          perTryTimeout: time('Each try.'),
          rateLimitedBackOff: limited,
          retryOn: [
            '[string',
            'On which status.',
            { enum: ['Canceled', 'DeadlineExceeded', 'Internal', 'ResourceExhausted', 'Unavailable'] },
          ],
        },
      },
    ],
    http: [
      '',
      'Of HTTP.',
      {
        of: {
          backOff,
          hostSelection: [
            '[',
            'Which endpoints a retry avoids.',
            {
              of: {
                predicate: ['!string', 'What is avoided.', { enum: ['OmitPreviousHosts', 'OmitHostsWithTags', 'OmitPreviousPriorities'] }],
                tags: ['{string', 'Of OmitHostsWithTags.'],
                updateFrequency: ['int32', 'Of OmitPreviousPriorities. Default 2.'],
              },
            },
          ],
          hostSelectionMaxAttempts: ['int64', 'How often another endpoint is looked for.'],
          numRetries: ['int32', 'Tries after the first. Default 1.'],
          perTryTimeout: time('Each try.'),
          rateLimitedBackOff: limited,
          retriableRequestHeaders: ['[@ValueMatch', 'Only requests with one of these.'],
          retriableResponseHeaders: ['[@ValueMatch', 'Responses with one of these are tried again.'],
          retryOn: ['[string', `On what: ${[...conditions, ...methods].join(', ')}, or a status code.`],
        },
      },
    ],
    tcp: ['', 'Of TCP.', { of: { maxConnectAttempt: ['int32', 'How often connecting is tried. At least 1.'] } }],
  })
  const consecutive = (text) => ['', text, { of: { consecutive: ['int32', 'How many in a row. Default 5.'] } }]
  policy(
    out,
    G,
    'MeshCircuitBreaker',
    'MeshCircuitBreaker bounds what a service is asked, and leaves out endpoints that fail.',
    ['to', 'rules'],
    {
      connectionLimits: [
        '',
        'Bounds.',
        {
          of: {
            maxConnectionPools: ['int32', 'Pools of connections.'],
            maxConnections: ['int32', 'Connections.'],
            maxPendingRequests: ['int32', 'Requests that wait.'],
            maxRequests: ['int32', 'Requests that run.'],
            maxRetries: ['int32', 'Retries that run.'],
          },
        },
      ],
      outlierDetection: [
        '',
        'Leaves out endpoints that fail.',
        {
          of: {
            baseEjectionTime: time('Left out, times how often before. Default 30s.'),
            detectors: [
              '',
              'What counts.',
              {
                of: {
                  failurePercentage: [
                    '',
                    'Share of failures.',
                    {
                      of: {
                        minimumHosts: ['int32', 'Endpoints needed. Default 5.'],
                        requestVolume: ['int32', 'Requests needed. Default 50.'],
                        threshold: ['int32', 'Percent. Default 85.'],
                      },
                    },
                  ],
                  gatewayFailures: consecutive('502, 503 and 504.'),
                  localOriginFailures: consecutive('Failures without a response; with splitExternalAndLocalErrors.'),
                  successRate: [
                    '',
                    'Worse than the others.',
                    {
                      of: {
                        minimumHosts: ['int32', 'Endpoints needed. Default 5.'],
                        requestVolume: ['int32', 'Requests needed. Default 100.'],
                        standardDeviationFactor: ['int-or-string', 'How much worse. Default 1.9.'],
                      },
                    },
                  ],
                  totalFailures: consecutive('All 5xx.'),
                },
              },
            ],
            ...on,
            healthyPanicThreshold: percent('Below this share of healthy endpoints all are used.'),
            interval: time('Between two looks. Default 10s.'),
            maxEjectionPercent: ['int32', 'Share that may be left out. Default 10.'],
            splitExternalAndLocalErrors: ['boolean', 'Failures without a response count apart.'],
          },
        },
      ],
    },
  )
  policy(out, G, 'MeshHealthCheck', 'MeshHealthCheck asks endpoints whether they are well.', ['to'], {
    alwaysLogHealthCheckFailures: ['boolean', 'Every failure is logged.'],
    eventLogPath: ['string', 'File of events, Envoy alone.'],
    failTrafficOnPanic: ['boolean', 'Nothing is sent in panic.'],
    grpc: ['', 'By gRPC.', { of: { authority: ['string', 'Of the request.'], ...on, serviceName: ['string', 'Which service.'] } }],
    healthyPanicThreshold: percent('Below this share of healthy endpoints all are used.'),
    healthyThreshold: ['int32', 'Good answers until healthy. Default 1.'],
    http: [
      '',
      'By HTTP.',
      {
        of: {
          ...on,
          expectedStatuses: ['[int32', 'Good statuses. Default 200.'],
          path: ['string', 'Default /.'],
          requestHeadersToAdd: ['@HeaderModifier', 'Headers of the request.'],
        },
      },
    ],
    initialJitter: time('Wait before the first.'),
    interval: time('Between two. Default 1m.'),
    intervalJitter: time('Random addition.'),
    intervalJitterPercent: ['int32', 'Random addition, as a share.'],
    noTrafficInterval: time('Between two while nothing is sent.'),
    reuseConnection: ['boolean', 'Over one connection. Default true.'],
    tcp: [
      '',
      'By TCP.',
      { of: { ...on, receive: ['[string', 'In base64: what must come.'], send: ['string', 'In base64: what is sent.'] } },
    ],
    timeout: time('Of one. Default 15s.'),
    unhealthyThreshold: ['int32', 'Bad answers until unhealthy. Default 5.'],
  })
  const rate = (text) => ['', text, { of: { interval: time('At least 50ms.'), num: ['int32', 'As many in interval.'] } }]
  policy(out, G, 'MeshRateLimit', 'MeshRateLimit bounds what each proxy takes.', ['to', 'rules'], {
    local: [
      '!',
      'Counted by each proxy alone.',
      {
        of: {
          http: [
            '',
            'Requests.',
            {
              of: {
                ...on,
                onRateLimit: [
                  '',
                  'The refusal.',
                  { of: { headers: ['@HeaderModifier', 'Headers of it.'], status: ['int32', 'Default 429.'] } },
                ],
                requestRate: rate('How many.'),
              },
            },
          ],
          tcp: ['', 'Connections.', { of: { connectionRate: rate('How many.'), ...on } }],
        },
      },
    ],
  })
  policy(out, G, 'MeshFaultInjection', 'MeshFaultInjection makes calls fail on purpose.', ['to', 'rules'], {
    http: [
      '[',
      'Faults, each drawn on its own.',
      {
        of: {
          abort: ['', 'Answers at once.', { of: { httpStatus: ['!int32', '100 to 599.'], percentage: percent('Of the requests.') } }],
          delay: ['', 'Waits.', { of: { percentage: percent('Of the requests.'), value: time('How long.') } }],
          responseBandwidth: [
            '',
            'Slows responses.',
            { of: { limit: ['!string', 'Such as 100kbps.'], percentage: percent('Of the requests.') } },
          ],
        },
      },
    ],
  })
  addBalancing(out)
  addTelemetry(out)
  addRest(out)
}
