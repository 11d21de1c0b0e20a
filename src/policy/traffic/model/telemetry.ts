export interface AccessLog {
  readonly name: string
  readonly sink:
    | { readonly type: 'stdout' }
    | { readonly type: 'file'; readonly path: string }
    | { readonly type: 'tcp'; readonly address: string }
    | { readonly type: 'otlp'; readonly endpoint: string; readonly attributes?: Readonly<Record<string, string>> }
  /** Envoy's command operators (`%REQ(:METHOD)%`). Text: one line, ends with a newline. */
  readonly format:
    | { readonly type: 'text'; readonly text: string }
    | { readonly type: 'json'; readonly fields: Readonly<Record<string, string>>; readonly omitEmpty?: boolean }
}

/** Envoy's own line. Source: Envoy documentation, access log default format string. */
export const DEFAULT_ACCESS_LOG_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n'

export interface Tracing {
  readonly backend:
    | { readonly type: 'otlp'; readonly endpoint: string }
    | { readonly type: 'zipkin'; readonly url: string }
    | { readonly type: 'datadog'; readonly address: string }
  /** Percentages 0 to 100: of all, of those that a client asks for, at random. */
  readonly overall: number
  readonly client: number
  readonly random: number
  readonly tags: readonly {
    readonly name: string
    readonly literal?: string
    readonly header?: { readonly name: string; readonly default?: string }
  }[]
}

/** Which of Envoy's statistics are shown, and to whom. */
export interface MetricSettings {
  readonly profile: 'all' | 'basic' | 'none'
  /** Regular expressions over names. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly includeUnused: boolean
  readonly prometheus?: { readonly port: number; readonly path: string; readonly tls: 'mesh' | 'none' }
  readonly otlp?: { readonly endpoint: string; readonly intervalMs: number }
  /** Applications whose own metrics are added. */
  readonly applications: readonly { readonly name: string; readonly address?: string; readonly port: number; readonly path: string }[]
}
