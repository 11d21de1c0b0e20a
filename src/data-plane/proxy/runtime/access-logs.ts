import type { Clock } from '../../../base/clock.ts'
import type { AccessLog } from '../../../policy/traffic/model/index.ts'
import { openOtlpLogSink, otlpLogFormat, postJson } from '../filters/index.ts'
import { AccessLogger, compileLogFormat, LogWriter, openFdSink, openFileSink, openTcpSink } from '../telemetry/index.ts'

const STDOUT = 1

/** Writers of access logs, one for each sink, however many managers write to it. */
export class AccessLogs {
  readonly #clock: Clock
  readonly #service: string
  readonly #writers = new Map<string, LogWriter>()

  /** @param service `service.name` of records for collectors */
  constructor(clock: Clock, service: string) {
    this.#clock = clock
    this.#service = service
  }

  /** @throws Error for a format or a sink that cannot be had */
  loggers(logs: readonly AccessLog[]): readonly AccessLogger[] {
    return logs.map(({ sink, format }, index) => {
      const written = sink.type === 'otlp' ? otlpLogFormat(sink, format) : format
      return new AccessLogger(compileLogFormat(written), this.#writerOf(sink), this.#clock, index)
    })
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
        return sink.path === '/dev/stdout' ? openFdSink(STDOUT) : openFileSink(sink.path)
      case 'tcp':
        return openTcpSink(sink.address, this.#clock)
      case 'otlp':
        return openOtlpLogSink({ endpoint: sink.endpoint, resource: { 'service.name': this.#service }, post: postJson, clock: this.#clock })
    }
  }
}
