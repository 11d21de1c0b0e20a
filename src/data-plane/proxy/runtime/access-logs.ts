import { hostname } from 'node:os'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { AccessLog, Listener } from '../../../policy/traffic/model/index.ts'
import { openOtlpLogSink, otlpLogFormat, postJson } from '../filters/index.ts'
import { AccessLogger, compileLogFormat, LogWriter, openFdSink, openFileSink, openTcpSink } from '../telemetry/index.ts'

const STDOUT = 1

/** Writers of access logs, one for each sink, however many managers write to it. */
export class AccessLogs {
  readonly #clock: Clock
  readonly #service: string
  readonly #log: Logger
  readonly #fileOf: (path: string) => string
  readonly #writers = new Map<string, LogWriter>()

  /** @param service of this proxy: `service.name` of records for collectors @param fileOf where a file is that a policy names; default: there */
  constructor(clock: Clock, service: string, log: Logger, fileOf: (path: string) => string = (path) => path) {
    this.#fileOf = fileOf
    this.#clock = clock
    this.#service = service
    this.#log = log
  }

  /** What cannot be written, a format that is not understood, is left out and said: it is no reason to carry nothing. */
  loggers(logs: readonly AccessLog[], listener: Listener): readonly AccessLogger[] {
    const fixed = fixedValues(listener, this.#service)
    const made: AccessLogger[] = []
    for (const { name, sink, format } of logs) {
      try {
        const written = sink.type === 'otlp' ? otlpLogFormat(sink, format) : format
        made.push(new AccessLogger(compileLogFormat(written, fixed), this.#writerOf(sink), this.#clock, made.length))
      } catch (error) {
        this.#log.error('an access log is not written', { log: name, listener: listener.name, reason: messageOf(error) })
      }
    }
    return made
  }

  close(): void {
    for (const writer of this.#writers.values()) writer.close()
  }

  #writerOf(sink: AccessLog['sink']): LogWriter {
    const key = JSON.stringify(sink)
    const known = this.#writers.get(key)
    if (known) return known
    const writer = new LogWriter({ sink: this.#open(sink) })
    this.#writers.set(key, writer)
    return writer
  }

  #open(sink: AccessLog['sink']): ConstructorParameters<typeof LogWriter>[0]['sink'] {
    switch (sink.type) {
      case 'stdout':
        return openFdSink(STDOUT)
      case 'file':
        return sink.path === '/dev/stdout' ? openFdSink(STDOUT) : openFileSink(this.#fileOf(sink.path))
      case 'tcp':
        return openTcpSink(sink.address, this.#clock)
      case 'otlp':
        return openOtlpLogSink({ endpoint: sink.endpoint, resource: { 'service.name': this.#service }, post: postJson, clock: this.#clock })
    }
  }
}

/**
 * What is the same in all lines of a listener. Those that begin with KUMA are placeholders of Kuma's formats. Source: Kuma documentation, MeshAccessLog.
 */
export function fixedValues({ direction, service, name }: Listener, own: string): Readonly<Record<string, string>> {
  const named = service ? `${service.name}_${service.namespace}_svc_${service.port}` : name
  const isOutbound = direction === 'outbound'
  return {
    HOSTNAME: hostname(),
    KUMA_MESH: 'default',
    KUMA_ZONE: 'default',
    KUMA_TRAFFIC_DIRECTION: isOutbound ? 'OUTBOUND' : 'INBOUND',
    KUMA_SOURCE_SERVICE: isOutbound ? own : '*',
    KUMA_DESTINATION_SERVICE: named,
  }
}
